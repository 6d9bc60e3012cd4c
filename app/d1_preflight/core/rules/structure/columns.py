"""Columns and names that are added, dropped or renamed in place."""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import Act
from d1_preflight.core.rules.context import Case, Find, Hit, at, target_token, word_token
from d1_preflight.core.schema.table import Column
from d1_preflight.core.sql.tokenizer import Token, TokenKind


def add_column_not_null(case: Case) -> Iterator[Hit]:
    """ADD COLUMN … NOT NULL without a default: fails as soon as the table has a row."""
    for act, column in _added(case):
        if column.notnull and column.default in (None, "NULL") and not column.hidden:
            yield _hit(act, column, word_token(act, "NOT"))


def add_column_moving_default(case: Case) -> Iterator[Hit]:
    """ADD COLUMN with a default that is worked out: fails as soon as the table has a row."""
    for act, column in _added(case):
        token = word_token(act, "DEFAULT")
        if token and column.default and not column.hidden and not _is_constant(act, token):
            yield _hit(act, column, token, default=column.default)


def add_column_reference_default(case: Case) -> Iterator[Hit]:
    """ADD COLUMN … REFERENCES with a default: fails as soon as the table has a row."""
    for act, column in _added(case):
        token = word_token(act, "REFERENCES")
        if token and column.default not in (None, "NULL"):
            yield _hit(act, column, token)


def add_column_stored(case: Case) -> Iterator[Hit]:
    """ADD COLUMN … STORED: fails as soon as the table has a row."""
    for act, column in _added(case):
        if column.hidden == _STORED:
            yield _hit(act, column, word_token(act, "STORED"))


def add_column_check(case: Case) -> Iterator[Hit]:
    """ADD COLUMN with a CHECK: SQLite tests every old row against it."""
    for act, column in _added(case):
        token = word_token(act, "CHECK")
        if token:
            yield _hit(act, column, token)


def drop_column(case: Case) -> Iterator[Hit]:
    """A column whose values are gone afterwards."""
    dropped = {name.lower() for name in case.verdict.effects.columns_dropped}
    for act in case.acts_of("ALTER TABLE DROP COLUMN"):
        if f"{act.target}.{act.phrase.column}".lower() in dropped:
            token = _naming(act, act.phrase.column)
            yield at(act, token, tables=(act.target,), table=act.target, column=act.phrase.column)
    for fate in case.rebuilt:
        new = case.new.table(fate.name or "")
        for name in case.verdict.effects.columns_dropped:
            table, _, column = name.partition(".")
            gone = table == fate.table and new and not new.column(column)
            if gone and fate.dropped_by:
                token = target_token(fate.dropped_by)
                yield at(fate.dropped_by, token, tables=(table,), table=table, column=column)


def rename_column(case: Case) -> Iterator[Hit]:
    """A renamed column that running code still knows by its old name."""
    for act in case.acts_of("ALTER TABLE RENAME COLUMN"):
        table = case.old.table(act.target)
        if table and table.column(act.phrase.column):
            values = {"table": act.target, "column": act.phrase.column}
            token = _naming(act, act.phrase.column)
            yield at(act, token, tables=(act.target,), new=act.phrase.new_name, values=values)


def rename_table(case: Case) -> Iterator[Hit]:
    """A renamed table that running code still knows by its old name."""
    for fate in case.verdict.fates:
        if fate.name and fate.name.lower() != fate.table.lower():
            for act in case.acts_of("ALTER TABLE RENAME"):
                if act.target.lower() == fate.table.lower():
                    yield at(act, target_token(act), table=fate.table, new=fate.name)


RULES: tuple[Find, ...] = (
    add_column_not_null,
    add_column_moving_default,
    add_column_reference_default,
    add_column_stored,
    add_column_check,
    drop_column,
    rename_column,
    rename_table,
)
_STORED = 3
_NOW = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"})


def _added(case: Case) -> Iterator[tuple[Act, Column]]:
    """The columns added to tables that were there before, and so can have rows."""
    for act in case.acts_of("ALTER TABLE ADD COLUMN"):
        old, new = case.old.table(act.target), case.new.table(act.target)
        column = new.column(act.phrase.column) if new else None
        if old and column and old.column(act.phrase.column) is None:
            yield act, column


def _hit(act: Act, column: Column, token: Token | None, **values: str) -> Hit:
    named = {"table": act.target, "column": column.name, **values}
    return at(act, token, tables=(act.target,), values=named)


def _naming(act: Act, name: str) -> Token | None:
    return next((t for t in act.phrase.tokens[3:] if t.name.lower() == name.lower()), None)


def _is_constant(act: Act, default: Token) -> bool:
    """Whether the default is a literal, a signed one or one in parentheses."""
    after = [token for token in act.phrase.tokens if token.start > default.start]
    inside = [token for token in after[:4] if token.text not in ("(", "+", "-")]
    if not inside or inside[0].word in _NOW:
        return False
    if after[0].text != "(":
        return True
    literal = inside[0].kind in (TokenKind.STRING, TokenKind.NUMBER) or inside[0].word in _LITERALS
    return literal and inside[1:2] != [] and inside[1].text == ")"


_LITERALS = frozenset({"NULL", "TRUE", "FALSE"})
