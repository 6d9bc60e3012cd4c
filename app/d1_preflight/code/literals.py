"""Finds literals of queries that a migration rewrites: rows are planted, and the migration run.

A row with the literal is put into the old schema, the migration runs over it in memory, and what
became of the value is looked up. So every form of an UPDATE and of a rebuild is understood alike.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import apsw

from d1_preflight.code.checks import read_write
from d1_preflight.core import d1
from d1_preflight.core.engine.execution import run_to_end
from d1_preflight.core.engine.preparation import Prepared
from d1_preflight.core.schema.schema import Schema, Structure, structure
from d1_preflight.core.schema.table import Column, Table
from d1_preflight.core.sql.tokenizer import (
    Token,
    TokenKind,
    closing,
    each_statement,
    quote_name,
    quote_text,
    tokens,
)

Literal = tuple[str, str, str]
"""A table, a column and the text that a query compares it with or writes into it."""

_EQUALS = frozenset({"=", "==", "<>", "!=", "IS"})
_MARK = re.compile(r"\?(\d{0,5})")
MOST_VALUES = 4_000
"""So many values are planted, and looked for afterwards."""
_PAGES = 16_384
_STEP, _STEPS = 100_000, 100  # of the engine, for all scripts together: half a second
_LONGEST = 100_000
_GIVEN_UP = (apsw.InterruptError, apsw.FullError)


def literals_of(body: str, prepared: Prepared) -> Iterator[Literal]:
    """The literals that a statement compares columns with or writes into them."""
    touched = prepared.reads | prepared.writes
    for name, text in _compared(tokens(body, limit=_LONGEST)):
        for table, column in sorted(touched):
            if column.lower() == name.lower():
                yield table.lower(), column.lower(), text
    write = read_write(body)
    if write is not None and write.statement.verb == "INSERT":
        table = write.statement.target.lower()
        for row in write.literals:
            for column, value in row.items():
                if value.startswith("'"):
                    yield table, column, _plain(value)


def with_bound(body: str, bound: Sequence[str | None]) -> str:
    """The statement with the texts that it is given in the places of its parameters."""
    if not any(bound):
        return body
    parts, end, place = list[str](), 0, 0
    for token in tokens(body, limit=_LONGEST):
        if token.text[:1] != "?":
            continue
        mark = _MARK.match(body, token.start)
        number = mark[1] if mark is not None else ""
        place = int(number) if number else place + 1
        text = bound[place - 1] if 0 < place <= len(bound) else None
        if text is not None:
            parts += [body[end : token.start], quote_text(text)]
            end = token.start + 1 + len(number)
    return "".join((*parts, body[end:]))


def texts_in(script: str) -> Iterator[str]:
    """The string literals of a migration, but for those of rows that it only brings."""
    for statement in each_statement(script):
        found = tokens(statement.body, limit=_LONGEST)
        words = {token.word for token in found}
        if words & {"INSERT", "REPLACE"} and not words & {"SELECT", "UPDATE", "TRIGGER"}:
            continue
        for token in found:
            if token.kind is TokenKind.STRING and token.text.startswith("'"):
                yield _plain(token.text)


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What becomes of literals that a row no longer holds, and what was not followed, in words."""

    values: Mapping[Literal, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def rewritten(before: Schema, scripts: Sequence[str], wanted: Collection[Literal]) -> Rewriting:
    """Of these literals, those that a row no longer holds after the scripts, and what it holds."""
    reached = _reached(before, scripts)
    near = sorted(literal for literal in wanted if literal[0] in reached)
    asked, problems = near[:MOST_VALUES], list[str]()
    if len(asked) < len(near):
        problems.append(
            f"only {len(asked):,} of the values that queries and migrations name were followed"
        )
    try:
        sides = [_after(before, scripts, asked, filled=filled) for filled in (False, True)]
    except _GIVEN_UP:
        problems.append(
            "the migration does more than was followed: what becomes of values is not known"
        )
        return Rewriting(problems=tuple(problems))
    values = {
        literal: sides[0][literal]
        for literal in asked
        if all(literal in side and side[literal] != literal[2] for side in sides)
    }
    return Rewriting(values, tuple(problems))


def _reached(before: Schema, scripts: Sequence[str]) -> frozenset[str]:
    """The tables that scripts can write: those they name, or any where triggers write on."""
    tables = frozenset(name.lower() for name in before.tables)
    if any(found.kind == "trigger" for found in before.objects):
        return tables
    text = "\n".join(scripts).lower()
    return frozenset(name for name in tables if name in text)


def _after(
    before: Schema, scripts: Sequence[str], asked: Sequence[Literal], *, filled: bool
) -> dict[Literal, str]:
    """What planted rows hold after the scripts; a row that is gone is not among them.

    Raises apsw.InterruptError or apsw.FullError where the scripts take too much.
    """
    connection = apsw.Connection(":memory:")
    try:
        before.build(connection)
        for limit, value in d1.LIMITS:
            connection.limit(limit, value)
        connection.execute(f"PRAGMA max_page_count = {_PAGES}")
        for rule in ("foreign_keys = OFF", "ignore_check_constraints = ON"):
            connection.execute(f"PRAGMA {rule}")
        known = structure(before)
        marks = dict(_plant(connection, known, asked, filled=filled))
        steps = count(1)
        connection.set_progress_handler(lambda: next(steps) > _STEPS, _STEP)
        for script in scripts:
            for statement in each_statement(script):
                try:
                    run_to_end(connection, statement.body)
                except _GIVEN_UP:
                    raise
                except (apsw.Error, ValueError):  # refused: another check says so
                    continue
        return dict(_held(connection, marks))
    finally:
        connection.close()


def _plant(
    connection: apsw.Connection, known: Structure, asked: Sequence[Literal], *, filled: bool
) -> Iterator[tuple[Literal, tuple[str, object]]]:
    for number, literal in enumerate(asked):
        table = known.table(literal[0])
        mark = _mark(table, literal[1]) if table is not None else None
        if table is None or mark is None or table.column(literal[1]) is None:
            continue
        row: dict[str, object] = {}
        for column in table.columns:
            if column.holds_data and (filled or column.notnull or column.pk):
                row[column.name] = _filler(column, number)
        row[mark.name] = _filler(mark, number)
        row[next(c.name for c in table.columns if c.name.lower() == literal[1])] = literal[2]
        names = ", ".join(map(quote_name, row))
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO {quote_name(table.name)} ({names}) VALUES ({marks})"
        try:
            connection.execute(sql, tuple(row.values()))
        except _GIVEN_UP:
            raise
        except apsw.Error:  # this table takes no such row
            continue
        yield literal, (mark.name, row[mark.name])


def _held(
    connection: apsw.Connection, marks: Mapping[Literal, tuple[str, object]]
) -> Iterator[tuple[Literal, str]]:
    """What the rows hold now that one mark alone finds; each table is read once for a column."""
    found: dict[tuple[str, str, str], dict[object, list[str]]] = {}
    for literal, (mark, value) in marks.items():
        table, column, _ = literal
        if (table, column, mark) not in found:
            found[table, column, mark] = _by_mark(connection, table, column, mark)
        rows = found[table, column, mark].get(value, [])
        if len(rows) == 1:
            yield literal, rows[0]


def _by_mark(
    connection: apsw.Connection, table: str, column: str, mark: str
) -> dict[object, list[str]]:
    found: dict[object, list[str]] = {}
    query = f"SELECT {quote_name(mark)}, {quote_name(column)} FROM {quote_name(table)}"
    with suppress(apsw.SQLError):  # the table or the column is gone
        rows = connection.execute(query)
        while True:
            try:
                for value, text in rows:
                    found.setdefault(value, []).append(str(text))
            except UnicodeDecodeError:
                continue  # apsw goes on with the row after it
            break
    return found


def _mark(table: Table, column: str) -> Column | None:
    """A column by which a planted row is found again."""
    others = [c for c in table.columns if c.holds_data and c.name.lower() != column]
    keys = [c for c in others if c.pk]
    return next(iter([*keys, *others]), None)


def _filler(column: Column, number: int) -> object:
    return 1_000_003 + number if column.affinity in ("INTEGER", "REAL", "NUMERIC") else f"~{number}"


def _compared(found: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """The names of columns, and the texts they are compared with."""
    for n, token in enumerate(found):
        is_text = token.kind is TokenKind.STRING and token.text.startswith("'")
        if is_text and n > 1 and found[n - 1].text.upper() in _EQUALS:
            yield found[n - 2].name, _plain(token.text)
        elif is_text and n + 2 < len(found) and found[n + 1].text in ("=", "==", "<>", "!="):
            behind = n + 4 if found[n + 3 : n + 4] and found[n + 3].text == "." else n + 2
            yield found[behind].name, _plain(token.text)
        elif token.word == "IN" and n and found[n + 1 : n + 2] and found[n + 1].text == "(":
            name = found[n - 2 if found[n - 1].word == "NOT" else n - 1].name
            for one in found[n + 2 : closing(found, n + 1)]:
                if one.kind is TokenKind.STRING:
                    yield name, _plain(one.text)


def _plain(text: str) -> str:
    return text[1:-1].replace("''", "'")
