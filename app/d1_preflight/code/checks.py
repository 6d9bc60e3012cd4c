"""What a query that prepares on both schemas does otherwise on one: its writes and its shape.

NOT NULL without a default, a key that no longer gives itself, a CHECK that a written literal
breaks, a unique key that OR REPLACE or OR IGNORE relied on, values without names, `SELECT *`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from d1_preflight.code.verdict import Harm
from d1_preflight.core.engine.preparation import PreparedSchema
from d1_preflight.core.schema.table import Column, Table
from d1_preflight.core.sql.statement import ParsedStatement, read_statement
from d1_preflight.core.sql.tokenizer import (
    Token,
    TokenKind,
    closing,
    parted,
    quote_name,
    statements,
    tokens,
)

Found = tuple[Harm, str]
_LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class Write:
    """One INSERT or UPDATE: its table, and the columns that it writes with their values.

    A value is its tokens; `named` is whether the INSERT names its columns.
    """

    statement: ParsedStatement
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[Token, ...], ...], ...]
    named: bool = True

    @property
    def literals(self) -> Iterator[dict[str, str]]:
        """The written constants of each row, by column in lower case."""
        for row in self.rows:
            pairs = zip(self.columns, row, strict=False)
            yield {c.lower(): value[0].text for c, value in pairs if _is_literal(value)}


def differences(text: str, base: PreparedSchema, other: PreparedSchema) -> Iterator[Found]:
    """What a text that prepares on both does otherwise on `other`."""
    for statement in statements(text):
        body = statement.body
        verb = body[:7].upper().split(None, 1)[0] if body.strip() else ""
        if '"' in body:
            yield from _quoted(body, base, other)
        if verb in ("INSERT", "REPLACE", "UPDATE", "WITH"):
            yield from _writes(body, base, other)
        if verb in ("SELECT", "WITH") or "RETURNING" in body.upper():
            yield from _shape(body, base, other)


def _quoted(body: str, base: PreparedSchema, other: PreparedSchema) -> Iterator[Found]:
    """A column in double quotes that is gone: SQLite takes its name for text, without an error."""
    error = other.quoted_error(body)
    if error and not base.quoted_error(body):
        yield Harm.WRONG, f"{error}: in double quotes it is taken for text"


def read_write(body: str) -> Write | None:
    """The INSERT or UPDATE in a statement; None for another one."""
    found = tokens(body, limit=_LONGEST)
    parsed = read_statement(body)
    if parsed.verb == "INSERT":
        return Write(parsed, parsed.columns, tuple(_rows(found)), bool(parsed.columns))
    if parsed.verb == "UPDATE":
        row = tuple(value for _, value in parsed.sets)
        return Write(parsed, tuple(column for column, _ in parsed.sets), (row,))
    return None


def _writes(body: str, base: PreparedSchema, other: PreparedSchema) -> Iterator[Found]:
    write = read_write(body)
    if write is None:
        return
    old = base.structure.table(write.statement.target)
    new = other.structure.table(write.statement.target)
    if old is None or new is None:
        return
    if write.statement.verb == "INSERT":
        yield from _left_out(write, old, new)
        yield from _lost_keys(write, base, other)
    yield from _refused_values(write, old, new)
    yield from _checked(write, (base, old), (other, new))


def _left_out(write: Write, old: Table, new: Table) -> Iterator[Found]:
    """Columns that an INSERT does not name and that must have a value on the other schema."""
    if not write.named:
        if old.data_columns != new.data_columns:
            words = f"values without names go into other columns of {new.name}"
            yield Harm.WRONG, f"{words}: {', '.join(new.data_columns)}"
        return
    named = {name.lower() for name in write.columns}
    for column in new.columns:
        if column.name.lower() in named or not column.holds_data:
            continue
        before = old.column(column.name)
        needed_before = before is not None and _is_needed(before, old)
        if _is_needed(column, new) and not needed_before:
            if write.statement.conflict == "IGNORE":
                words = f"writes no row: {new.name}.{column.name} must have a value"
                yield Harm.WRONG, words
            else:
                yield Harm.FAILS, f"NOT NULL constraint failed: {new.name}.{column.name}"
        elif before is not None and _gives_itself(before, old) and not _gives_itself(column, new):
            yield (
                Harm.WRONG,
                f"{new.name}.{column.name} is no longer numbered by SQLite: it is NULL",
            )


def _refused_values(write: Write, old: Table, new: Table) -> Iterator[Found]:
    """Constants that a column no longer takes: NULL, or text in a strict column of numbers."""
    for row in write.rows:
        for name, value in zip(write.columns, row, strict=False):
            before, after = old.column(name), new.column(name)
            if after is None or len(value) != 1:
                continue
            was_needed = before is not None and before.notnull
            is_null = value[0].word == "NULL" and not _gives_itself(after, new)
            if is_null and after.notnull and not was_needed:
                yield Harm.FAILS, f"NOT NULL constraint failed: {new.name}.{after.name}"
            is_text = value[0].kind is TokenKind.STRING and not _is_number(value[0].text)
            if is_text and _holds_numbers(after, new) and not _holds_numbers(before, old):
                words = f"cannot store TEXT value in {after.type} column {new.name}.{after.name}"
                yield Harm.FAILS, words


def _holds_numbers(column: Column | None, table: Table) -> bool:
    """Whether a column refuses text."""
    by_type = column is not None and table.strict and column.affinity in ("INTEGER", "REAL")
    return by_type or (column is not None and _gives_itself(column, table))


def _is_number(text: str) -> bool:
    try:
        float(text.strip("'"))
    except ValueError:
        return False
    return True


def _is_needed(column: Column, table: Table) -> bool:
    """Whether an INSERT must name a column."""
    by_key = bool(column.pk) and table.without_rowid
    is_null = column.default is None or column.default.upper() == "NULL"
    return (column.notnull or by_key) and is_null and not _gives_itself(column, table)


def _gives_itself(column: Column, table: Table) -> bool:
    """Whether a column is another name of the rowid."""
    is_alone = len(table.primary_key) == 1 and bool(column.pk)
    return is_alone and column.type.upper() == "INTEGER" and not table.without_rowid


def _lost_keys(write: Write, base: PreparedSchema, other: PreparedSchema) -> Iterator[Found]:
    parsed = write.statement
    by_key = parsed.conflict in ("REPLACE", "IGNORE") or parsed.upsert == "NOTHING"
    if not by_key:
        return
    lost = base.unique_keys(parsed.target) - other.unique_keys(parsed.target)
    for key in sorted(lost):
        yield (
            Harm.WRONG,
            f"writes a second row: no unique key ({', '.join(key)}) on {parsed.target}",
        )


def _checked(
    write: Write, base: tuple[PreparedSchema, Table], other: tuple[PreparedSchema, Table]
) -> Iterator[Found]:
    """CHECKs of the other schema that a written constant breaks, whatever the rest of the row."""
    added = [check for check in other[1].checks if check not in base[1].checks]
    for literals in write.literals:
        for check in added:
            used = {t.name.lower() for t in tokens(check) if t.kind is not TokenKind.STRING}
            names = {c.name.lower() for c in other[1].columns} & used
            if names and names <= literals.keys() and _breaks(other[0], check, literals, names):
                yield Harm.FAILS, f"CHECK constraint failed: {check}"
                return


def _breaks(schema: PreparedSchema, check: str, literals: dict[str, str], names: set[str]) -> bool:
    row = ", ".join(f"{literals[name]} AS {quote_name(name)}" for name in sorted(names))
    return schema.value(f"SELECT {check} FROM (SELECT {row})") == 0


def _shape(body: str, base: PreparedSchema, other: PreparedSchema) -> Iterator[Found]:
    """A star whose columns are others."""
    if "*" not in body:
        return
    before, after = base.prepared(body).columns, other.prepared(body).columns
    if before != after:
        gone = [name for name in before if name not in after]
        fresh = [name for name in after if name not in before]
        parts = [f"without {', '.join(gone)}"] if gone else []
        parts += [f"with {', '.join(fresh)}"] if fresh else []
        yield Harm.NOTE, f"* gives other columns: {' and '.join(parts) or 'another order'}"


def _rows(found: Sequence[Token]) -> Iterator[tuple[tuple[Token, ...], ...]]:
    """The rows behind VALUES."""
    at = next((n for n, token in enumerate(found) if token.word == "VALUES"), len(found))
    at += 1
    while at < len(found) and found[at].text == "(":
        end = closing(found, at)
        yield tuple(parted(found[at + 1 : end]))
        at = end + 1
        if at < len(found) and found[at].text == ",":
            at += 1
        else:
            return


def _is_literal(value: Sequence[Token]) -> bool:
    return len(value) == 1 and value[0].kind in (TokenKind.STRING, TokenKind.NUMBER)
