"""Tells whether a SELECT's list makes one row of many: an aggregate function that is its own."""

from collections.abc import Collection, Sequence

from d1_preflight.core.sql.tokenizer import Token, TokenKind, closing, parted

AGGREGATES = (
    frozenset({"COUNT", "SUM", "TOTAL", "AVG", "MIN", "MAX", "GROUP_CONCAT", "STRING_AGG"})
    | {"JSON_GROUP_ARRAY", "JSON_GROUP_OBJECT", "JSONB_GROUP_ARRAY", "JSONB_GROUP_OBJECT"}
)  # fmt: skip
"""The functions that make one row of many, of those that D1 has."""
_NAMES = (TokenKind.WORD, TokenKind.NAME)


def aggregate_in(expressions: Sequence[tuple[Token, ...]], outer: Collection[str]) -> str:
    """The aggregate function that makes one row of many, "" where there is none.

    One inside a subquery counts too where its argument may be a column from outside it, which
    `outer` names: SQLite then gives the aggregate to the SELECT that has the column.
    """
    for part in expressions:
        for n, token in enumerate(part[:-1]):
            if token.name.upper() not in AGGREGATES or part[n + 1].text != "(":
                continue
            end = closing(part, n + 1)
            inner = list(parted(part[n + 2 : end]))
            scalar = token.name.upper() in ("MIN", "MAX") and len(inner) > 1
            if scalar or _is_windowed(part, end + 1):
                continue
            if not _in_select(part, n):
                return token.name.upper()
            if not _is_of_subquery(part[n + 2 : end], outer) or _word_at(part, end + 1) == "FILTER":
                return "an aggregate in a subquery"
    return ""


def _is_windowed(part: Sequence[Token], after: int) -> bool:
    """Whether OVER follows a call, its FILTER passed over."""
    if _word_at(part, after) == "FILTER":
        after = closing(part, after + 1) + 1
    return _word_at(part, after) == "OVER"


def _is_of_subquery(argument: Sequence[Token], outer: Collection[str]) -> bool:
    """Whether an aggregate's argument names no column of `outer`; an unqualified one may be."""
    names = [n for n, token in enumerate(argument) if token.kind in _NAMES]
    qualified = [n for n in names if n + 1 < len(argument) and argument[n + 1].text == "."]
    if not names:
        return True
    inside = bool(outer) and all(argument[n].name.lower() not in outer for n in qualified)
    return bool(qualified) and inside and len(names) == 2 * len(qualified)


def _word_at(part: Sequence[Token], place: int) -> str:
    return part[place].word if place < len(part) else ""


def _in_select(part: Sequence[Token], place: int) -> bool:
    """Whether a place is inside a SELECT of its own, in parentheses."""
    opened: list[bool] = []
    for n, token in enumerate(part[:place]):
        if token.text == "(":
            opened.append(part[n + 1].word in ("SELECT", "WITH"))
        elif token.text == ")" and opened:
            opened.pop()
    return any(opened)
