"""Reads a statement's verb, target and, for a copy, which column comes from where.

Only what is positively recognised is said: a copy counts as whole when its SELECT can leave no
row out (one table, no WHERE, GROUP BY, DISTINCT, LIMIT, inner join or compound).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from d1_preflight.core.sql import Shape, Token, tokens

_VERBS = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "VALUES"})
_OBJECTS = frozenset({"TABLE", "INDEX", "VIEW", "TRIGGER"})
_FILTERS = frozenset(
    {"WHERE", "GROUP", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}
    | {"JOIN", "INNER", "CROSS", "NATURAL"}
)


@dataclass(frozen=True, slots=True)
class Copy:
    """Where the rows of an INSERT … SELECT or CREATE TABLE … AS SELECT come from.

    `columns` pairs a target column ("" = by position) with the expression's tokens.
    """

    source: str
    whole: bool
    star: bool
    columns: tuple[tuple[str, tuple[Token, ...]], ...]
    why_not: str = ""  # what can leave rows out, in words


@dataclass(frozen=True, slots=True)
class Phrase:
    """What a statement says it does, read from its tokens."""

    verb: str  # "CREATE TABLE", "ALTER TABLE RENAME COLUMN", "INSERT", "DELETE", … or ""
    target: str = ""
    new_name: str = ""
    column: str = ""
    conflict: str = ""  # IGNORE, REPLACE, … of INSERT OR and UPDATE OR
    upsert: str = ""  # NOTHING or UPDATE
    filtered: bool = False  # an UPDATE or DELETE with a WHERE
    lenient: bool = False  # IF EXISTS, IF NOT EXISTS
    copy: Copy | None = None
    columns: tuple[str, ...] = ()  # the column list of an INSERT, the SET columns of an UPDATE
    tokens: tuple[Token, ...] = ()

    def words(self) -> frozenset[str]:
        """All bare words, in capitals."""
        return frozenset(token.word for token in self.tokens if token.word)


def read_phrase(body: str) -> Phrase:
    """Read a statement (from its first token on)."""
    if body[:6].upper() in ("INSERT", "REPLAC"):
        head = _values_head(body)
        if head:
            return _read_head(head)
    return _read(tokens(body))


def _values_head(body: str) -> str:
    """The text before VALUES where it stands near the front, else ""; rows are not read."""
    at = body[:2000].upper().find("VALUES")
    head = body[:at] if at > 0 else ""
    plain = not any(mark in head for mark in ("'", "--", "/*")) and "SELECT" not in head.upper()
    rest = body[at:]
    return head if head and plain and "CONFLICT" not in rest[-400:].upper() else ""


@lru_cache(maxsize=256)
def _read_head(head: str) -> Phrase:
    return _read(tokens(head + "VALUES"))


def _read(found: tuple[Token, ...]) -> Phrase:
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
            return Phrase("PRAGMA", target, tokens=found)
    return Phrase(first, tokens=found)


def _create(found: tuple[Token, ...]) -> Phrase:
    at = next((n for n, t in enumerate(found[:5]) if t.word in _OBJECTS), None)
    if at is None:
        return Phrase("CREATE", tokens=found)
    lenient = [t.word for t in found[at + 1 : at + 4]] == ["IF", "NOT", "EXISTS"]
    name, after = _name(found, at + (4 if lenient else 1))
    verb = f"CREATE {found[at].word}"
    copied = None
    if verb == "CREATE TABLE" and after < len(found) and found[after].word == "AS":
        copied = _copy(found[after + 1 :], ())
    return Phrase(verb, name, lenient=lenient, copy=copied, tokens=found)


def _drop(found: tuple[Token, ...]) -> Phrase:
    kind = found[1].word if len(found) > 1 else ""
    lenient = [t.word for t in found[2:4]] == ["IF", "EXISTS"]
    name, _ = _name(found, 4 if lenient else 2)
    return Phrase(f"DROP {kind}", name, lenient=lenient, tokens=found)


def _alter(found: tuple[Token, ...]) -> Phrase:
    name, at = _name(found, 2)
    words = [token.word for token in found[at : at + 3]] + ["", "", ""]
    rest = [token.name for token in found[at:]] + [""] * 5
    match words[0], words[1]:
        case "RENAME", "TO":
            return Phrase("ALTER TABLE RENAME", name, new_name=rest[2], tokens=found)
        case "RENAME", _:
            skip = 2 if words[1] == "COLUMN" else 1
            return Phrase(
                "ALTER TABLE RENAME COLUMN",
                name,
                column=rest[skip],
                new_name=rest[skip + 2],
                tokens=found,
            )
        case ("ADD" | "DROP") as act, _:
            skip = 2 if words[1] == "COLUMN" else 1
            kind = "CONSTRAINT" if words[1] in ("CONSTRAINT", "CHECK") else "COLUMN"
            return Phrase(f"ALTER TABLE {act} {kind}", name, column=rest[skip], tokens=found)
    return Phrase(f"ALTER TABLE {words[0]}".rstrip(), name, tokens=found)


def _change(found: tuple[Token, ...]) -> Phrase:
    at = next((n for n, t in _outside(found) if t.word in _VERBS), None)
    if at is None:
        return Phrase(found[0].word, tokens=found)
    match found[at].word:
        case "INSERT" | "REPLACE":
            return _insert(found, at)
        case "UPDATE":
            return _update(found, at)
        case "DELETE":
            name, after = _name(found, at + 2)
            filtered = any(t.word == "WHERE" for _, t in _outside(found[after:]))
            return Phrase("DELETE", name, filtered=filtered, tokens=found)
    return Phrase(found[at].word, tokens=found)


def _insert(found: tuple[Token, ...], at: int) -> Phrase:
    conflict = "REPLACE" if found[at].word == "REPLACE" else ""
    if at + 2 < len(found) and found[at + 1].word == "OR":
        conflict, at = found[at + 2].word, at + 2
    name, after = _name(found, at + 2)
    if after < len(found) and found[after].word == "AS":
        after += 2
    columns: tuple[str, ...] = ()
    if after < len(found) and found[after].text == "(":
        end = _closing(found, after)
        columns = tuple(t.name for t in found[after + 1 : end] if t.text != ",")
        after = end + 1
    rest = found[after:]
    upsert = _upsert(rest)
    copied = _copy(rest, columns) if rest and rest[0].word in ("SELECT", "WITH") else None
    return Phrase(
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


def _update(found: tuple[Token, ...], at: int) -> Phrase:
    conflict = ""
    if at + 2 < len(found) and found[at + 1].word == "OR":
        conflict, at = found[at + 2].word, at + 2
    name, after = _name(found, at + 1)
    outside = [token for _, token in _outside(found[after:])]
    filtered = any(token.word == "WHERE" for token in outside)
    columns: list[str] = []
    for n, token in enumerate(outside[:-1]):
        if token.word == "SET" or (token.text == "," and columns):
            columns.append(outside[n + 1].name)
        if token.word in ("WHERE", "FROM"):
            break
    return Phrase(
        "UPDATE", name, conflict=conflict, filtered=filtered, columns=tuple(columns), tokens=found
    )


def _copy(rest: Sequence[Token], columns: tuple[str, ...]) -> Copy | None:
    if not rest or rest[0].word != "SELECT":
        return Copy(
            "", whole=False, star=False, columns=(), why_not="its SELECT is not a plain one"
        )
    outside = list(_outside(rest))
    start = next((n for n, t in outside if t.word == "FROM"), None)
    if start is None:
        return Copy("", whole=False, star=False, columns=())
    expressions = list(_parted(rest[1:start]))
    source, after = _name(rest, start + 1)
    if not source or rest[start + 1].text == "(":
        source = ""
    tail = [token for n, token in outside if n >= after]
    why_not = "DISTINCT" if rest[1].word == "DISTINCT" else _leaves_out(tail)
    star = any(part and part[-1].text == "*" for part in expressions)
    names = columns or ("",) * len(expressions)
    pairs = tuple(zip(names, expressions, strict=False)) if not star else ()
    return Copy(source, bool(source) and not why_not, star, pairs, why_not)


def _leaves_out(tail: Sequence[Token]) -> str:
    """The word that can leave rows out, "" where none can."""
    for n, token in enumerate(tail):
        word = token.word
        if word == "WHERE" and n + 1 < len(tail) and tail[n + 1].text.upper() in ("TRUE", "1"):
            continue
        if word == "JOIN" and any(t.word in ("LEFT", "FULL") for t in tail[max(0, n - 2) : n]):
            continue
        if word in _FILTERS or (token.text == "," and not _ordered(tail[:n])):
            return word or "a second table"
    return ""


def _ordered(tail: Sequence[Token]) -> bool:
    return any(token.word == "ORDER" for token in tail)


def _name(found: Sequence[Token], at: int) -> tuple[str, int]:
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
    depth = 0
    for n in range(opening, len(found)):
        depth += (found[n].text == "(") - (found[n].text == ")")
        if depth == 0:
            return n
    return len(found)


def _parted(found: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    depth, part = 0, list[Token]()
    for token in found:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == ",":
            yield tuple(part)
            part = []
        else:
            part.append(token)
    yield tuple(part)
