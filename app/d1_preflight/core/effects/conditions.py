"""Conditions that a table's own CHECK or NOT NULL makes true of every row."""

from collections.abc import Collection, Sequence
from contextlib import closing, suppress

import apsw

from d1_preflight.core.schema.ddl import names_in
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import Token, TokenKind, bare, outside, quote_name, tokens

_END = frozenset({"ORDER", "RETURNING"})
_WORDS = frozenset({"AND", "OR", "NOT", "IN", "IS", "NULL", "BETWEEN"})
_SIGNS = frozenset({"(", ")", ",", "=", "==", "<>", "!=", "<", "<=", ">", ">="})
_MOST_VALUES = 100
_MOST_TOKENS = 1000
_MOST_DIGITS = 18


def always_true(table: Table, statement: Sequence[Token], names: Collection[str]) -> bool:
    """Whether the WHERE of a query over one table lets every row pass.

    It does where it is, word for word, a CHECK of the table; where it holds for each of the few
    values that a CHECK allows its column; and where it is IS NOT NULL of a column without NULL. A
    CHECK lets NULL pass and a WHERE does not: so its columns must not hold NULL. `names` are those
    by which the query may call the table.
    """
    condition = _condition(statement, names)
    if not condition:
        return False
    words = _normal(condition)
    if words[1:] in (("is", "not", "null"), ("notnull",), ("not", "null")):
        return _never_null(table, words[0])
    return _is_check(table, words) or _holds_for_each_value(table, condition)


def _is_check(table: Table, condition: tuple[str, ...]) -> bool:
    for check in table.checks:
        columns = names_in(check) & {name.lower() for name in table.column_names}
        held = all(_never_null(table, name) for name in columns)
        if held and condition == _normal(tokens(check, limit=len(check))):
            return True
    return False


def _holds_for_each_value(table: Table, condition: Sequence[Token]) -> bool:
    """Whether SQLite finds a condition of one column and literals true of each allowed value."""
    columns = {
        token.name.lower()
        for token in condition
        if token.kind in (TokenKind.WORD, TokenKind.NAME) and token.word not in _WORDS
    }
    if len(columns) != 1 or len(condition) > _MOST_TOKENS or not _is_plain(condition):
        return False
    (name,) = columns
    values = next(filter(None, (_allowed(table, name, check) for check in table.checks)), ())
    column = table.column(name)
    if not values or column is None:
        return False
    kept = "".join(f" {token.text}" for token in condition)
    with closing(apsw.Connection(":memory:")) as connection, suppress(apsw.Error):
        connection.execute(f"CREATE TABLE t({quote_name(column.name)} {column.affinity})")
        connection.execute(f"INSERT INTO t VALUES {', '.join(f'({v})' for v in values)}")
        return bool(connection.execute(f"SELECT count(*) FROM t WHERE{kept}").get == len(values))
    return False


def _is_plain(condition: Sequence[Token]) -> bool:
    """Whether it consists of names, literals, comparisons and AND, OR, NOT: nothing is called."""
    return all(
        token.kind is not TokenKind.COMMENT
        and (token.kind is not TokenKind.SIGN or token.text in _SIGNS)
        for token in condition
    )


def _allowed(table: Table, name: str, check: str) -> tuple[str, ...]:
    """The literals that a CHECK allows a column, if it lists them and nothing else passes it."""
    found = bare(tokens(check, limit=len(check)))
    if len(found) == len("a=b") and found[1].text in ("=", "=="):
        found = found if _names(found[0], name) else found[::-1]
        literals = found[2:]
    elif len(found) > 1 and found[1].word == "IN" and _is_list([t.text for t in found[2:]]):
        literals = found[3:-1:2]
    elif len(found) == len("aBb&c") and (found[1].word, found[3].word) == ("BETWEEN", "AND"):
        literals = found[2::2]
    else:
        return ()
    is_range = found[1].word == "BETWEEN"
    exact = all(_is_exact(table, name, literal) for literal in literals)
    if is_range and name != table.rowid_column.lower():  # another column may hold 1.5
        return ()
    if not (exact and _names(found[0], name) and _never_null(table, name)):
        return ()
    values = _range(literals) if is_range else tuple(literal.text for literal in literals)
    return values if len(values) <= _MOST_VALUES else ()


def _names(token: Token, name: str) -> bool:
    return token.kind in (TokenKind.WORD, TokenKind.NAME) and token.name.lower() == name


def _is_list(texts: Sequence[str]) -> bool:
    """Whether it is `( a , b )`."""
    inner = texts[1:-1]
    return (
        len(inner) % 2 == 1
        and (texts[0], texts[-1]) == ("(", ")")
        and all(text == "," for text in inner[1::2])
    )


def _range(bounds: Sequence[Token]) -> tuple[str, ...]:
    """The whole numbers between two of them; () for texts and for too many."""
    if any(bound.kind is not TokenKind.NUMBER for bound in bounds):
        return ()
    low, high = (int(bound.text) for bound in bounds)
    return tuple(map(str, range(low, high + 1))) if high - low < _MOST_VALUES else ()


def _is_exact(table: Table, name: str, literal: Token) -> bool:
    """Whether a column that equals a literal holds it and no other value."""
    column = table.column(name)
    if column is None:
        return False
    if literal.kind is TokenKind.NUMBER:
        is_whole = literal.text.isdecimal() and len(literal.text) <= _MOST_DIGITS
        return is_whole and column.affinity in ("INTEGER", "NUMERIC")
    is_binary = column.collation.upper() == "BINARY"
    return literal.kind is TokenKind.STRING and column.affinity == "TEXT" and is_binary


def _condition(statement: Sequence[Token], names: Collection[str]) -> tuple[Token, ...]:
    """The one WHERE up to its end, the table's name left out before a column; () for none."""
    places = [n for n, token in outside(statement) if token.word == "WHERE"]
    if len(places) != 1:
        return ()
    found = list(statement[places[0] + 1 :])
    end = next((n for n, t in enumerate(found) if t.text == ";" or t.word in _END), len(found))
    return tuple(
        token
        for n, token in enumerate(found[:end])
        if not _is_prefix(found, n, names) and not (n and _is_prefix(found, n - 1, names))
    )


def _is_prefix(found: Sequence[Token], n: int, names: Collection[str]) -> bool:
    following = found[n + 1 : n + 2]
    return bool(following) and following[0].text == "." and found[n].name.lower() in names


def _normal(found: Sequence[Token]) -> tuple[str, ...]:
    """A condition's words without quotes and outer parentheses; the sides of = in any order."""
    found = bare(found)
    texts = tuple(t.text if t.kind is TokenKind.STRING else t.name.lower() for t in found)
    sides = len(texts) == len("a=b") and texts[1] in ("=", "==")
    return ("=", *sorted((texts[0], texts[2]))) if sides else texts


def _never_null(table: Table, name: str) -> bool:
    column = table.column(name)
    is_rowid = name == table.rowid_column.lower()
    return column is not None and (column.notnull or is_rowid)
