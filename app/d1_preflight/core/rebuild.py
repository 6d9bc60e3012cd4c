"""Writes the SQL that changes one table's shape on D1 without losing a row of another.

D1 keeps foreign keys on, so a table that others refer to cannot simply be dropped: the rows of
every descendant are parked first, taken out leaf first, and put back parent first. All SQL is
our own text around the schema's own; nothing comes out of a generator.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from d1_preflight.core.schema import Structure
from d1_preflight.core.shape import TableShape
from d1_preflight.core.sql import Shape, Token, quote_name, tokens

_KEPT = "preflight_old_"
_PARKED = "preflight_parked_"
_NAMED = (Shape.WORD, Shape.NAME, Shape.STRING)


def rebuild(old: TableShape, columns: Mapping[str, str], now: Structure) -> Iterator[str]:
    """Give a table its `old` shape; `columns` maps its columns to their present names.

    Triggers and views that mention the table, and triggers of its descendants, must be gone
    before, and be made again after.
    """
    table = old.name
    descendants = descendants_of(now, table)
    yield "PRAGMA defer_foreign_keys = ON"
    for child in descendants:
        names = _names(child)
        yield f"CREATE TABLE {_parked(child)} AS SELECT {names} FROM {quote_name(child.name)}"
    for child in reversed(descendants):
        yield f"DELETE FROM {quote_name(child.name)}"
    kept = quote_name(_KEPT + table)
    targets = ", ".join(quote_name(name) for name in columns)
    sources = ", ".join(quote_name(name) for name in columns.values())
    yield _under_name(old.sql, table, _KEPT + table)
    yield f"INSERT INTO {kept} ({targets}) SELECT {sources} FROM {quote_name(table)}"
    if old.autoincrement:
        yield from _carry_sequence(table)
    yield f"DROP TABLE {quote_name(table)}"
    yield f"ALTER TABLE {kept} RENAME TO {quote_name(table)}"
    for child in descendants:
        names = _names(child)
        yield f"INSERT INTO {quote_name(child.name)} ({names}) SELECT {names} FROM {_parked(child)}"
    for child in descendants:
        yield f"DROP TABLE {_parked(child)}"


def descendants_of(now: Structure, table: str) -> tuple[TableShape, ...]:
    """The tables that refer to `table`, directly or not, parents before their children."""
    found: dict[str, TableShape] = {}
    waiting = [table]
    while waiting:
        for child in now.children_of(waiting.pop(0)):
            lower = child.name.lower()
            if lower != table.lower() and lower not in found:
                found[lower] = child
                waiting.append(child.name)
    order, _ = parents_first(tuple(found.values()))
    return order


def parents_first(
    tables: Sequence[TableShape],
) -> tuple[tuple[TableShape, ...], tuple[str, ...]]:
    """Order tables so that each follows those it refers to, and name those that form cycles.

    Tables of a cycle come last, in the given order: only deferred foreign keys let them in.
    """
    waiting = {table.name.lower(): table for table in tables}
    ordered: list[TableShape] = []
    while waiting:
        ready = [
            table
            for name, table in waiting.items()
            if not any(
                key.parent.lower() in waiting and key.parent.lower() != name
                for key in table.foreign_keys
            )
        ]
        if not ready:
            return (*ordered, *waiting.values()), tuple(t.name for t in waiting.values())
        for table in ready:
            del waiting[table.name.lower()]
        ordered += ready
    return tuple(ordered), ()


def column_definition(sql: str, column: str) -> str:
    """The text of one column's definition in a CREATE TABLE; "" where it is not found."""
    for part in _definitions(tokens(sql, limit=len(sql))):
        if part and part[0].name.lower() == column.lower() and part[0].shape in _NAMED:
            return sql[part[0].start : part[-1].start + len(part[-1].text)]
    return ""


def addable(definition: str) -> tuple[str, bool]:
    """The definition as ADD COLUMN takes it over existing rows, and whether NOT NULL had to go.

    "" where D1 would refuse it however it is written.
    """
    found = tokens(definition)
    words = [token.word for token in found]
    default = words.index("DEFAULT") if "DEFAULT" in words else None
    if {"PRIMARY", "UNIQUE", "STORED"} & set(words):
        return "", False
    if default is not None:
        first = found[default + 1]
        constant = first.text != "(" and not first.word.startswith("CURRENT_")
        if not constant or ("REFERENCES" in words and first.word != "NULL"):
            return "", False
    needed = [n for n in range(len(words) - 1) if words[n : n + 2] == ["NOT", "NULL"]]
    if default is None and needed and "GENERATED" not in words and "AS" not in words:
        start, last = found[needed[0]], found[needed[0] + 1]
        text = definition[: start.start] + definition[last.start + len(last.text) :]
        return " ".join(text.split()), True
    return definition, False


def mentions(sql: str, table: str) -> bool:
    """Whether a statement names the table anywhere (a column of that name counts too)."""
    return any(
        token.shape in _NAMED and token.name.lower() == table.lower()
        for token in tokens(sql, limit=len(sql))
    )


def _under_name(sql: str, table: str, name: str) -> str:
    """The CREATE TABLE with another name; a reference to itself follows the new name."""
    found = tokens(sql, limit=len(sql))
    first = next(n for n, token in enumerate(found) if token.text == "(")
    places = [found[first - 1]]
    places += [
        token
        for before, token in pairwise(found)
        if before.word == "REFERENCES" and token.name.lower() == table.lower()
    ]
    for token in reversed(places):
        sql = sql[: token.start] + quote_name(name) + sql[token.start + len(token.text) :]
    return sql


def _carry_sequence(table: str) -> Iterator[str]:
    """Keep the high-water mark, so that no deleted id is given out again."""
    old, new = (f"'{name.replace(chr(39), chr(39) * 2)}'" for name in (table, _KEPT + table))
    yield f"DELETE FROM sqlite_sequence WHERE name = {new}"
    yield (
        f"INSERT INTO sqlite_sequence (name, seq)"
        f" SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"
    )


def _definitions(found: tuple[Token, ...]) -> Iterator[list[Token]]:
    depth, part = 0, list[Token]()
    for token in found:
        depth -= token.text == ")"
        if (depth == 1 and token.text == ",") or (depth == 0 and token.text == ")"):
            yield part
            part = []
            if depth == 0:
                return
        elif depth:
            part.append(token)
        depth += token.text == "("


def _names(table: TableShape) -> str:
    return ", ".join(quote_name(c.name) for c in table.columns if not c.hidden)


def _parked(table: TableShape) -> str:
    return quote_name(_PARKED + table.name)
