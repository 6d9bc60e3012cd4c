"""Conditions that a table's own CHECK makes true of every row."""

from collections.abc import Collection, Sequence

from d1_preflight.core.schema.table import Table
from d1_preflight.core.schema.trigger import names_in
from d1_preflight.core.sql.tokenizer import Token, TokenKind, closing, outside, tokens

_END = frozenset({"ORDER", "RETURNING"})


def always_true(table: Table, statement: Sequence[Token], names: Collection[str]) -> bool:
    """Whether the WHERE of a query over one table is, word for word, a CHECK of the table.

    A CHECK lets NULL pass and a WHERE does not: so its columns must not hold NULL. `names` are
    those by which the query may call the table.
    """
    condition = _condition(statement, names)
    for check in table.checks if condition else ():
        columns = names_in(check) & {name.lower() for name in table.column_names}
        held = all(_never_null(table, name) for name in columns)
        if held and condition == _normal(tokens(check, limit=len(check))):
            return True
    return False


def _condition(statement: Sequence[Token], names: Collection[str]) -> tuple[str, ...]:
    """The one WHERE up to its end, the table's name left out before a column; () for none."""
    places = [n for n, token in outside(statement) if token.word == "WHERE"]
    if len(places) != 1:
        return ()
    found = list(statement[places[0] + 1 :])
    end = next((n for n, t in enumerate(found) if t.text == ";" or t.word in _END), len(found))
    kept = [
        token
        for n, token in enumerate(found[:end])
        if not _is_prefix(found, n, names) and not (n and _is_prefix(found, n - 1, names))
    ]
    return _normal(kept)


def _is_prefix(found: Sequence[Token], n: int, names: Collection[str]) -> bool:
    following = found[n + 1 : n + 2]
    return bool(following) and following[0].text == "." and found[n].name.lower() in names


def _normal(found: Sequence[Token]) -> tuple[str, ...]:
    """A condition's words without quotes and outer parentheses; the sides of = in any order."""
    while found and found[0].text == "(" and closing(found, 0) == len(found) - 1:
        found = found[1:-1]
    texts = tuple(t.text if t.kind is TokenKind.STRING else t.name.lower() for t in found)
    sides = len(texts) == len("a=b") and texts[1] in ("=", "==")
    return ("=", *sorted((texts[0], texts[2]))) if sides else texts


def _never_null(table: Table, name: str) -> bool:
    column = table.column(name)
    is_rowid = name == table.rowid_column.lower()
    return column is not None and (column.notnull or is_rowid)
