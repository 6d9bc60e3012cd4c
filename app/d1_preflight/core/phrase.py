"""Reads a statement's verb, target and what it writes; only what is recognised is said."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from d1_preflight.core.copied import Copy, closing, name_at, outside, parted, read_copy
from d1_preflight.core.d1 import STATEMENT_BYTES
from d1_preflight.core.sql import Shape, Token, tokens

_VERBS = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "VALUES"})
_OBJECTS = frozenset({"TABLE", "INDEX", "VIEW", "TRIGGER"})
_VALUES = re.compile(r"(?<![\w$\"`\[.])VALUES(?![\w$\"`\].])", re.IGNORECASE)
_TAIL = 4_000  # where an upsert's clause is looked for; the engine tells of longer ones


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
    sets: tuple[tuple[str, tuple[Token, ...]], ...] = ()  # what an UPDATE writes into each
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
    name, after = name_at(found, at + (4 if lenient else 1))
    verb = f"CREATE {found[at].word}"
    copied = None
    if verb == "CREATE TABLE" and after < len(found) and found[after].word == "AS":
        copied = read_copy(found[after + 1 :])
    return Phrase(verb, name, lenient=lenient, copy=copied, tokens=found)


def _drop(found: tuple[Token, ...]) -> Phrase:
    kind = found[1].word if len(found) > 1 else ""
    lenient = [t.word for t in found[2:4]] == ["IF", "EXISTS"]
    name, _ = name_at(found, 4 if lenient else 2)
    return Phrase(f"DROP {kind}", name, lenient=lenient, tokens=found)


def _alter(found: tuple[Token, ...]) -> Phrase:
    name, at = name_at(found, 2)
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
    at = next((n for n, t in outside(found) if t.word in _VERBS), None)
    if at is None:
        return Phrase(found[0].word, tokens=found)
    match found[at].word:
        case "INSERT" | "REPLACE":
            return _insert(found, at)
        case "UPDATE":
            return _update(found, at)
        case "DELETE":
            name, after = name_at(found, at + 2)
            filtered = any(t.word == "WHERE" for _, t in outside(found[after:]))
            return Phrase("DELETE", name, filtered=filtered, tokens=found)
    return Phrase(found[at].word, tokens=found)


def _insert(found: tuple[Token, ...], at: int) -> Phrase:
    conflict = "REPLACE" if found[at].word == "REPLACE" else ""
    if at + 2 < len(found) and found[at + 1].word == "OR":
        conflict, at = found[at + 2].word, at + 2
    name, after = name_at(found, at + 2)
    if after < len(found) and found[after].word == "AS":
        after += 2
    columns: tuple[str, ...] = ()
    if after < len(found) and found[after].text == "(":
        end = closing(found, after)
        columns = tuple(t.name for t in found[after + 1 : end] if t.text != ",")
        after = end + 1
    rest = found[after:]
    upsert = _upsert(rest)
    copied = read_copy(rest, found[:at]) if rest and rest[0].word in ("SELECT", "WITH") else None
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
    words = [token.word for _, token in outside(rest)]
    for n, word in enumerate(words[:-1]):
        if word == "DO" and words[n + 1] in ("NOTHING", "UPDATE") and "CONFLICT" in words[:n]:
            return words[n + 1]
    return ""


def _update(found: tuple[Token, ...], at: int) -> Phrase:
    conflict = ""
    if at + 2 < len(found) and found[at + 1].word == "OR":
        conflict, at = found[at + 2].word, at + 2
    name, after = name_at(found, at + 1)
    top = tuple(outside(found[after:]))
    filtered = any(token.word == "WHERE" for _, token in top)
    begin = next((after + n + 1 for n, t in top if t.word == "SET"), len(found))
    ends = (after + n for n, t in top if t.word in ("WHERE", "FROM", "RETURNING"))
    end = next((n for n in ends if n > begin), len(found))
    sets = tuple(pair for part in parted(found[begin:end]) for pair in _set_pairs(part))
    return Phrase(
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
