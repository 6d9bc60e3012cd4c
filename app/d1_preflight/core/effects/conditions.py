"""Conditions that a table's own CHECK makes true of every row."""

from collections.abc import Collection, Sequence

from d1_preflight.core.schema.table import Table
from d1_preflight.core.schema.trigger import names_in
from d1_preflight.core.sql.tokenizer import Token, outside

_END = frozenset({"ORDER", "RETURNING"})


def always_true(table: Table, statement: Sequence[Token], names: Collection[str]) -> bool:
    """Whether the WHERE of a query over one table is, word for word, a CHECK of the table.

    A CHECK lets NULL pass and a WHERE does not: so its columns must not hold NULL. `names` are
    those by which the query may call the table.
    """
    condition = _condition(statement, names)
    for check in table.checks:
        columns = names_in(check) & {name.lower() for name in table.column_names}
        held = all(_never_null(table, name) for name in columns)
        if condition and held and check.lower() in (condition, f"( {condition} )"):
            return True
    return False


def _condition(statement: Sequence[Token], names: Collection[str]) -> str:
    """The words of the last WHERE, up to its end, the table's name left out before a column."""
    top = list(outside(statement))
    places = [n for n, token in top if token.word == "WHERE"]
    if len(places) != 1:
        return ""
    found, texts = list(statement[places[0] + 1 :]), list[str]()
    for n, token in enumerate(found):
        is_prefix = token.name.lower() in names and found[n + 1 : n + 2] != []
        if token.text == ";" or token.word in _END:
            break
        if is_prefix and found[n + 1].text == ".":
            continue
        if token.text == "." and n and found[n - 1].name.lower() in names:
            continue
        texts.append(token.text.lower())
    return " ".join(texts)


def _never_null(table: Table, name: str) -> bool:
    column = table.column(name)
    is_rowid = name == table.rowid_column.lower()
    return column is not None and (column.notnull or is_rowid)
