"""Reads the SELECT of a copy: from which table, which expressions, and what can leave rows out.

A copy counts as whole when its SELECT can leave no row out: one table, no WHERE, GROUP BY,
DISTINCT, LIMIT, aggregate, inner join or compound. What is not recognised is not whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from d1_preflight.core.sql import Shape, Token

_AGGREGATES = (
    frozenset({"COUNT", "SUM", "TOTAL", "AVG", "MIN", "MAX", "GROUP_CONCAT", "STRING_AGG"})
    | {"JSON_GROUP_ARRAY", "JSON_GROUP_OBJECT", "JSONB_GROUP_ARRAY", "JSONB_GROUP_OBJECT"}
)  # fmt: skip
_FILTERS = frozenset(
    {"WHERE", "GROUP", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}
    | {"JOIN", "INNER", "CROSS", "NATURAL"}
)


@dataclass(frozen=True, slots=True)
class Copy:
    """Where the rows of an INSERT … SELECT or CREATE TABLE … AS SELECT come from.

    `expressions` are those of the SELECT in order, each in tokens.
    """

    source: str
    whole: bool
    star: bool
    expressions: tuple[tuple[Token, ...], ...] = ()
    why_not: str = ""  # what can leave rows out, in words


def read_copy(rest: Sequence[Token], before: Sequence[Token] = ()) -> Copy | None:
    """Read a SELECT; `before` are the tokens that stand before the statement's verb."""
    if not rest or rest[0].word != "SELECT":
        return Copy("", whole=False, star=False, why_not="WITH")
    top = list(outside(rest))
    start = next((n for n, t in top if t.word == "FROM"), None)
    if start is None:
        return Copy("", whole=False, star=False)
    expressions = tuple(parted(rest[1:start]))
    source, after = name_at(rest, start + 1)
    if not source or rest[start + 1].text == "(":
        source = ""
    tail = [token for n, token in top if n >= after]
    why_not = "DISTINCT" if rest[1].word == "DISTINCT" else _leaves_out(tail)
    why_not = why_not or _summed_up(expressions) or _named_by_with(source, before)
    star = any(part and part[-1].text == "*" for part in expressions)
    source = "" if why_not == "WITH" else source
    return Copy(source, bool(source) and not why_not, star, expressions, why_not)


def _named_by_with(source: str, before: Sequence[Token]) -> str:
    """WITH, where the source is not a table but what a WITH gives that name to."""
    for name, opening in pairwise(before):
        if name.name.lower() == source.lower() and (opening.word == "AS" or opening.text == "("):
            return "WITH"
    return ""


def _summed_up(expressions: Sequence[tuple[Token, ...]]) -> str:
    """The aggregate function that makes one row of many, "" where there is none."""
    for part in expressions:
        for n, token in enumerate(part[:-1]):
            if token.word not in _AGGREGATES or part[n + 1].text != "(":
                continue
            end = closing(part, n + 1)
            inner = list(parted(part[n + 2 : end]))
            scalar = token.word in ("MIN", "MAX") and len(inner) > 1
            over = end + 1 < len(part) and part[end + 1].word in ("OVER", "FILTER")
            if not scalar and not over and not _in_select(part, n):
                return token.word
    return ""


def _in_select(part: Sequence[Token], place: int) -> bool:
    """Whether a place stands in a SELECT of its own, in parentheses."""
    opened: list[bool] = []
    for n, token in enumerate(part[:place]):
        if token.text == "(":
            opened.append(part[n + 1].word in ("SELECT", "WITH"))
        elif token.text == ")" and opened:
            opened.pop()
    return any(opened)


def _leaves_out(tail: Sequence[Token]) -> str:
    """The word that can leave rows out, "" where none can."""
    for n, token in enumerate(tail):
        word = token.word
        if word == "WHERE" and _always(tail[n + 1 :]):
            continue
        if word == "JOIN" and any(t.word in ("LEFT", "FULL") for t in tail[max(0, n - 2) : n]):
            continue
        if word in _FILTERS or (token.text == "," and not _ordered(tail[:n])):
            return word or "a second table"
    return ""


def _always(condition: Sequence[Token]) -> bool:
    """Whether a WHERE lets every row through: TRUE, 1 or 1 = 1, and nothing after it."""
    texts = [token.text.upper() for token in condition]
    end = texts.index("ORDER") if "ORDER" in texts else len(texts)
    return [text for text in texts[:end] if text != ";"] in (["TRUE"], ["1"], ["1", "=", "1"])


def _ordered(tail: Sequence[Token]) -> bool:
    return any(token.word == "ORDER" for token in tail)


def name_at(found: Sequence[Token], at: int) -> tuple[str, int]:
    """The object's name at a place (its schema prefix left out) and the place after it."""
    if at >= len(found):
        return "", at
    if at + 2 < len(found) and found[at + 1].text == ".":
        return found[at + 2].name, at + 3
    return found[at].name, at + 1


def outside(found: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """The tokens that stand in no parentheses, with their places."""
    depth = 0
    for n, token in enumerate(found):
        if token.shape is Shape.SIGN:
            depth += (token.text == "(") - (token.text == ")")
        if depth == 0 or (depth == 1 and token.text == "("):
            yield n, token


def closing(found: Sequence[Token], opening: int) -> int:
    """The place of the parenthesis that closes the one at `opening`."""
    depth = 0
    for n in range(opening, len(found)):
        depth += (found[n].text == "(") - (found[n].text == ")")
        if depth == 0:
            return n
    return len(found)


def parted(found: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """The parts between the commas that stand in no parentheses."""
    depth, part = 0, list[Token]()
    for token in found:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == ",":
            yield tuple(part)
            part = []
        else:
            part.append(token)
    yield tuple(part)
