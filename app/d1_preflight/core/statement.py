"""Reads a statement: its verb, its target, what it writes and where its rows come from.

Only what is recognised is said. A copy counts as whole when its SELECT can leave no row out: one
table, no WHERE, GROUP BY, DISTINCT, LIMIT, aggregate, inner join or compound.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from d1_preflight.core.d1 import STATEMENT_BYTES
from d1_preflight.core.sql import Shape, Token, tokens

_VERBS = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "VALUES"})
_OBJECTS = frozenset({"TABLE", "INDEX", "VIEW", "TRIGGER"})
_VALUES = re.compile(r"(?<![\w$\"`\[.])VALUES(?![\w$\"`\].])", re.IGNORECASE)
_TAIL = 4_000  # where an upsert's clause is looked for; the engine tells of longer ones
_AGGREGATES = (
    frozenset({"COUNT", "SUM", "TOTAL", "AVG", "MIN", "MAX", "GROUP_CONCAT", "STRING_AGG"})
    | {"JSON_GROUP_ARRAY", "JSON_GROUP_OBJECT", "JSONB_GROUP_ARRAY", "JSONB_GROUP_OBJECT"}
)  # fmt: skip
_FILTERS = frozenset(
    {"WHERE", "GROUP", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}
    | {"JOIN", "INNER", "CROSS", "NATURAL"}
)


@dataclass(frozen=True, slots=True)
class CopySource:
    """Where the rows of an INSERT … SELECT or CREATE TABLE … AS SELECT come from.

    `expressions` are those of the SELECT in order, each in tokens.
    """

    source: str
    whole: bool
    star: bool
    expressions: tuple[tuple[Token, ...], ...] = ()
    why_not: str = ""  # what can leave rows out, in words


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """What a statement says it does, read from its tokens."""

    verb: str  # "CREATE TABLE", "ALTER TABLE RENAME COLUMN", "INSERT", "DELETE", … or ""
    target: str = ""
    new_name: str = ""
    column: str = ""
    conflict: str = ""  # IGNORE, REPLACE, … of INSERT OR and UPDATE OR
    upsert: str = ""  # NOTHING or UPDATE
    filtered: bool = False  # an UPDATE or DELETE with a WHERE
    lenient: bool = False  # IF EXISTS, IF NOT EXISTS
    copy: CopySource | None = None
    columns: tuple[str, ...] = ()  # the column list of an INSERT, the SET columns of an UPDATE
    sets: tuple[tuple[str, tuple[Token, ...]], ...] = ()  # what an UPDATE writes into each
    tokens: tuple[Token, ...] = ()

    def words(self) -> frozenset[str]:
        """All bare words, in capitals."""
        return frozenset(token.word for token in self.tokens if token.word)


def read_statement(body: str) -> ParsedStatement:
    """Read a statement (from its first token on)."""
    if body[:6].upper() in ("INSERT", "REPLAC"):
        head = _values_head(body)
        if head:
            return _read_head(head)
    return _read(tokens(body, limit=STATEMENT_BYTES))


def _values_head(body: str) -> str:
    """The text before VALUES where it stands near the front, else ""; rows are not read."""
    found = _VALUES.search(body, 0, 2000)
    at = found.start() if found else 0
    head = body[:at]
    plain = not any(mark in head for mark in ("'", "--", "/*")) and "SELECT" not in head.upper()
    rest = body[at:]
    return head if head and plain and "CONFLICT" not in rest[-_TAIL:].upper() else ""


@lru_cache(maxsize=256)
def _read_head(head: str) -> ParsedStatement:
    return _read(tokens(head + "VALUES"))


def _read(found: tuple[Token, ...]) -> ParsedStatement:
    first = found[0].word if found else ""
    match first:
        case "CREATE":
            return _create(found)
        case "DROP":
            return _drop(found)
        case "ALTER":
            return _alter(found)
        case "WITH" | "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "SELECT" | "VALUES":
            return _change(found)
        case "PRAGMA":
            target = found[1].name.lower() if len(found) > 1 else ""
            return ParsedStatement("PRAGMA", target, tokens=found)
    return ParsedStatement(first, tokens=found)


def _create(found: tuple[Token, ...]) -> ParsedStatement:
    at = next((n for n, t in enumerate(found[:5]) if t.word in _OBJECTS), None)
    if at is None:
        return ParsedStatement("CREATE", tokens=found)
    lenient = [t.word for t in found[at + 1 : at + 4]] == ["IF", "NOT", "EXISTS"]
    name, after = _name_at(found, at + (4 if lenient else 1))
    verb = f"CREATE {found[at].word}"
    copied = None
    if verb == "CREATE TABLE" and after < len(found) and found[after].word == "AS":
        copied = _read_copy(found[after + 1 :])
    return ParsedStatement(verb, name, lenient=lenient, copy=copied, tokens=found)


def _drop(found: tuple[Token, ...]) -> ParsedStatement:
    kind = found[1].word if len(found) > 1 else ""
    lenient = [t.word for t in found[2:4]] == ["IF", "EXISTS"]
    name, _ = _name_at(found, 4 if lenient else 2)
    return ParsedStatement(f"DROP {kind}", name, lenient=lenient, tokens=found)


def _alter(found: tuple[Token, ...]) -> ParsedStatement:
    name, at = _name_at(found, 2)
    words = [token.word for token in found[at : at + 3]] + ["", "", ""]
    rest = [token.name for token in found[at:]] + [""] * 5
    match words[0], words[1]:
        case "RENAME", "TO":
            return ParsedStatement("ALTER TABLE RENAME", name, new_name=rest[2], tokens=found)
        case "RENAME", _:
            skip = 2 if words[1] == "COLUMN" else 1
            return ParsedStatement(
                "ALTER TABLE RENAME COLUMN",
                name,
                column=rest[skip],
                new_name=rest[skip + 2],
                tokens=found,
            )
        case ("ADD" | "DROP") as act, _:
            skip = 2 if words[1] == "COLUMN" else 1
            kind = "CONSTRAINT" if words[1] in ("CONSTRAINT", "CHECK") else "COLUMN"
            return ParsedStatement(
                f"ALTER TABLE {act} {kind}", name, column=rest[skip], tokens=found
            )
    return ParsedStatement(f"ALTER TABLE {words[0]}".rstrip(), name, tokens=found)


def _change(found: tuple[Token, ...]) -> ParsedStatement:
    at = next((n for n, t in _outside(found) if t.word in _VERBS), None)
    if at is None:
        return ParsedStatement(found[0].word, tokens=found)
    match found[at].word:
        case "INSERT" | "REPLACE":
            return _insert(found, at)
        case "UPDATE":
            return _update(found, at)
        case "DELETE":
            name, after = _name_at(found, at + 2)
            filtered = any(t.word == "WHERE" for _, t in _outside(found[after:]))
            return ParsedStatement("DELETE", name, filtered=filtered, tokens=found)
    return ParsedStatement(found[at].word, tokens=found)


def _insert(found: tuple[Token, ...], at: int) -> ParsedStatement:
    conflict = "REPLACE" if found[at].word == "REPLACE" else ""
    if at + 2 < len(found) and found[at + 1].word == "OR":
        conflict, at = found[at + 2].word, at + 2
    name, after = _name_at(found, at + 2)
    if after < len(found) and found[after].word == "AS":
        after += 2
    columns: tuple[str, ...] = ()
    if after < len(found) and found[after].text == "(":
        end = _closing(found, after)
        columns = tuple(t.name for t in found[after + 1 : end] if t.text != ",")
        after = end + 1
    rest = found[after:]
    upsert = _upsert(rest)
    copied = _read_copy(rest, found[:at]) if rest and rest[0].word in ("SELECT", "WITH") else None
    return ParsedStatement(
        "INSERT",
        name,
        conflict=conflict,
        upsert=upsert,
        copy=copied,
        columns=columns,
        tokens=found,
    )


def _upsert(rest: Sequence[Token]) -> str:
    words = [token.word for _, token in _outside(rest)]
    for n, word in enumerate(words[:-1]):
        if word == "DO" and words[n + 1] in ("NOTHING", "UPDATE") and "CONFLICT" in words[:n]:
            return words[n + 1]
    return ""


def _update(found: tuple[Token, ...], at: int) -> ParsedStatement:
    conflict = ""
    if at + 2 < len(found) and found[at + 1].word == "OR":
        conflict, at = found[at + 2].word, at + 2
    name, after = _name_at(found, at + 1)
    top = tuple(_outside(found[after:]))
    filtered = any(token.word == "WHERE" for _, token in top)
    begin = next((after + n + 1 for n, t in top if t.word == "SET"), len(found))
    ends = (after + n for n, t in top if t.word in ("WHERE", "FROM", "RETURNING"))
    end = next((n for n in ends if n > begin), len(found))
    sets = tuple(pair for part in _parted(found[begin:end]) for pair in _set_pairs(part))
    return ParsedStatement(
        "UPDATE",
        name,
        conflict=conflict,
        filtered=filtered,
        columns=tuple(column for column, _ in sets),
        sets=sets,
        tokens=found,
    )


def _set_pairs(part: tuple[Token, ...]) -> Iterator[tuple[str, tuple[Token, ...]]]:
    """The columns that one item of a SET list writes (a row value writes several)."""
    equals = next((n for n, t in enumerate(part) if t.text in ("=", "==")), len(part))
    expression = tuple(token for token in part[equals + 1 :] if token.text != ";")
    for token in part[:equals]:
        if token.shape is not Shape.SIGN:
            yield token.name, expression


def _read_copy(rest: Sequence[Token], before: Sequence[Token] = ()) -> CopySource | None:
    """Read a SELECT; `before` are the tokens that stand before the statement's verb."""
    if not rest or rest[0].word != "SELECT":
        return CopySource("", whole=False, star=False, why_not="WITH")
    top = list(_outside(rest))
    start = next((n for n, t in top if t.word == "FROM"), None)
    if start is None:
        return CopySource("", whole=False, star=False)
    expressions = tuple(_parted(rest[1:start]))
    source, after = _name_at(rest, start + 1)
    if not source or rest[start + 1].text == "(":
        source = ""
    tail = [token for n, token in top if n >= after]
    why_not = "DISTINCT" if rest[1].word == "DISTINCT" else _leaves_out(tail)
    why_not = why_not or _summed_up(expressions) or _named_by_with(source, before)
    star = any(part and part[-1].text == "*" for part in expressions)
    source = "" if why_not == "WITH" else source
    return CopySource(source, bool(source) and not why_not, star, expressions, why_not)


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
            end = _closing(part, n + 1)
            inner = list(_parted(part[n + 2 : end]))
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


def _name_at(found: Sequence[Token], at: int) -> tuple[str, int]:
    """The object's name at a place (its schema prefix left out) and the place after it."""
    if at >= len(found):
        return "", at
    if at + 2 < len(found) and found[at + 1].text == ".":
        return found[at + 2].name, at + 3
    return found[at].name, at + 1


def _outside(found: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """The tokens that stand in no parentheses, with their places."""
    depth = 0
    for n, token in enumerate(found):
        if token.shape is Shape.SIGN:
            depth += (token.text == "(") - (token.text == ")")
        if depth == 0 or (depth == 1 and token.text == "("):
            yield n, token


def _closing(found: Sequence[Token], opening: int) -> int:
    """The place of the parenthesis that closes the one at `opening`."""
    depth = 0
    for n in range(opening, len(found)):
        depth += (found[n].text == "(") - (found[n].text == ")")
        if depth == 0:
            return n
    return len(found)


def _parted(found: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
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
