"""Reads a statement: its verb, its target, what it writes and where its rows come from.

Reports only what it recognises. A copy counts as whole when its SELECT can leave no row out: one
table, no WHERE, GROUP BY, DISTINCT, LIMIT, aggregate, inner join or compound. A query of another
shape is handed on as `unread`.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from d1_preflight.core.d1 import STATEMENT_BYTES
from d1_preflight.core.sql.aggregate import AGGREGATES, aggregate_in
from d1_preflight.core.sql.tokenizer import Token, TokenKind, closing, outside, parted, tokens
from d1_preflight.lazy_dataclass import dataclass

_VERBS = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT", "VALUES"})
_OBJECTS = frozenset({"TABLE", "INDEX", "VIEW", "TRIGGER"})
_VALUES = re.compile(r"(?<![\w$\"`\[.])VALUES(?![\w$\"`\].])", re.IGNORECASE)
_TAIL = 4_000  # where an upsert's clause is looked for; the engine tells of longer ones
_FILTERS = frozenset(
    {"WHERE", "GROUP", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}
    | {"JOIN", "INNER", "CROSS", "NATURAL"}
)
_JOINS = frozenset({"JOIN", "INNER", "CROSS", "NATURAL"})
_AFTER_NAME = _FILTERS | {"LEFT", "RIGHT", "FULL", "ORDER", "INDEXED", "NOT", "SET", "ON", ""}

ColumnReads = dict[tuple[str, str], bool]
"""What a column holds: a table and a column, in lower case, and whether it is a faithful copy.

Where the table is not known it is "": any column of that name which the statement reads.
"""


@dataclass(frozen=True, slots=True)
class CopySource:
    """Where the rows of an INSERT … SELECT or CREATE TABLE … AS SELECT come from.

    `expressions` are those of the SELECT in order, each in tokens.
    """

    source: str
    whole_of: tuple[str, ...] = ()  # the tables every row of which is copied
    star: bool = False
    expressions: tuple[tuple[Token, ...], ...] = ()
    why_not: str = ""  # what can leave rows out, in words
    alias: str = ""
    adds: bool = False  # rows of more than one query, so that there may be more than before

    @property
    def whole(self) -> bool:
        """Whether no row of a table is left out."""
        return bool(self.whole_of)

    @property
    def names(self) -> frozenset[str]:
        """The names by which the expressions can call the source, in lower case."""
        return frozenset({(self.alias or self.source).lower()})


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """A statement's own meaning, read from its tokens."""

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
    alias: str = ""  # of an UPDATE's target
    joined: bool = False  # an UPDATE with a FROM, which can leave rows as they are
    unread: str = ""  # a query of a shape that is not known here, as one SELECT
    reads: tuple[ColumnReads, ...] = ()  # once that is read: what each written column gets
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
    copied, unread = None, ""
    if verb == "CREATE TABLE" and after < len(found) and found[after].word == "AS":
        copied, unread = _read_copy(_query_part(found[after + 1 :]))
    return ParsedStatement(verb, name, lenient=lenient, copy=copied, unread=unread, tokens=found)


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
    at = next((n for n, t in outside(found) if t.word in _VERBS), None)
    if at is None:
        return ParsedStatement(found[0].word, tokens=found)
    match found[at].word:
        case "INSERT" | "REPLACE":
            return _insert(found, at)
        case "UPDATE":
            return _update(found, at)
        case "DELETE":
            name, after = _name_at(found, at + 2)
            filtered = any(t.word == "WHERE" for _, t in outside(found[after:]))
            return ParsedStatement("DELETE", name, filtered=filtered, tokens=found)
    return ParsedStatement(found[at].word, tokens=found)


def _insert(found: tuple[Token, ...], at: int) -> ParsedStatement:
    begin = at
    conflict = "REPLACE" if found[at].word == "REPLACE" else ""
    if at + 2 < len(found) and found[at + 1].word == "OR":
        conflict, at = found[at + 2].word, at + 2
    name, after = _name_at(found, at + 2)
    if after < len(found) and found[after].word == "AS":
        after += 2
    columns: tuple[str, ...] = ()
    if after < len(found) and found[after].text == "(":
        end = closing(found, after)
        columns = tuple(t.name for t in found[after + 1 : end] if t.text != ",")
        after = end + 1
    rest = found[after:]
    upsert = _upsert(rest)
    copied, unread = None, ""
    if rest and rest[0].word in ("SELECT", "WITH"):
        copied, unread = _read_copy(_query_part(rest), found[:begin])
    return ParsedStatement(
        "INSERT",
        name,
        conflict=conflict,
        upsert=upsert,
        copy=copied,
        columns=columns,
        unread=unread,
        tokens=found,
    )


def _query_part(rest: Sequence[Token]) -> Sequence[Token]:
    """The query of an INSERT, without the upsert and RETURNING that may follow it."""
    top = tuple(outside(rest))
    for place, (n, token) in enumerate(top):
        following = [token.text.upper() for _, token in top[place + 1 : place + 3]]
        if token.text == ";" or token.word == "RETURNING":
            return rest[:n]
        if token.word == "ON" and following in (["CONFLICT", "("], ["CONFLICT", "DO"]):
            return rest[:n]
    return rest


def _upsert(rest: Sequence[Token]) -> str:
    words = [token.word for _, token in outside(rest)]
    for n, word in enumerate(words[:-1]):
        if word == "DO" and words[n + 1] in ("NOTHING", "UPDATE") and "CONFLICT" in words[:n]:
            return words[n + 1]
    return ""


def _update(found: tuple[Token, ...], at: int) -> ParsedStatement:
    conflict, verb = "", at
    if at + 2 < len(found) and found[at + 1].word == "OR":
        conflict, at = found[at + 2].word, at + 2
    name, after = _name_at(found, at + 1)
    places = {t.word: after + n for n, t in reversed(tuple(outside(found[after:])))}
    begin = places.get("SET", len(found) - 1) + 1
    where, source = places.get("WHERE"), _from_place(found)
    last = len(found) - (found[-1].text == ";")
    stop = min(places.get("RETURNING", last), last)
    end = min(place for place in (where, source, stop) if place is not None)
    sets = tuple(pair for part in parted(found[begin:end]) for pair in _set_pairs(part))
    others = found[source + 1 : where or stop] if source is not None else ()
    condition = found[where:stop] if where is not None else ()
    query = (found[:verb], [e for _, e in sets], found[at + 1 : begin - 1], others, condition)
    return ParsedStatement(
        "UPDATE",
        name,
        conflict=conflict,
        filtered=where is not None,
        columns=tuple(column for column, _ in sets),
        sets=sets,
        alias=_alias_at(found, after),
        joined=bool(others),
        unread=_update_query(*query) if others else "",
        tokens=found,
    )


def _update_query(
    before: Sequence[Token],
    values: Sequence[Sequence[Token]],
    target: Sequence[Token],
    others: Sequence[Token],
    condition: Sequence[Token],
) -> str:
    """The SELECT of the values that an UPDATE … FROM writes, a row for each that it reaches."""
    joined = _text(others)
    if any(token.word == "JOIN" or token.text == "," for _, token in outside(others)):
        joined = f"( {joined} )"  # a single subquery would lose its name in parentheses
    parts = (_text(before), "SELECT", " , ".join(map(_text, values)), "FROM", _text(target))
    return " ".join((*parts, "CROSS JOIN", joined, _text(condition))).strip()


def _set_pairs(part: tuple[Token, ...]) -> Iterator[tuple[str, tuple[Token, ...]]]:
    """The columns that one item of a SET list writes (a row value writes several)."""
    equals = next((n for n, t in enumerate(part) if t.text in ("=", "==")), len(part))
    expression = tuple(token for token in part[equals + 1 :] if token.text != ";")
    for token in part[:equals]:
        if token.kind is not TokenKind.SIGN:
            yield token.name, expression


def _read_copy(rest: Sequence[Token], before: Sequence[Token] = ()) -> tuple[CopySource, str]:
    """Read a SELECT, and tell it as text where its shape is not known.

    `before` are the tokens that stand before the statement's verb.
    """
    text = f"{_text(before)} {_text(rest)}".strip()
    if not rest or rest[0].word != "SELECT":
        return CopySource("", why_not="WITH"), text
    top = list(outside(rest))
    start = _from_place(rest)
    if start is None or start + 1 == len(rest):  # nothing after FROM: SQLite refuses it
        return CopySource(""), ""
    early = next((t.word for n, t in top if n < start and t.word in _FILTERS), "")
    if early:  # a compound whose first SELECT has no FROM
        return CopySource("", why_not=early), text
    expressions = tuple(parted(rest[1:start]))
    source, after = _name_at(rest, start + 1)
    tail = [token for n, token in top if n >= after]
    words = frozenset(token.word for token in tail)
    why_not = "DISTINCT" if rest[1].word == "DISTINCT" else _leaves_out(tail)
    if rest[start + 1].text == "(":
        source = ""
    elif after < len(rest) and rest[after].text == "(":  # a function whose argument can filter
        source, why_not = "", why_not or "a table-valued function"
    alias = _alias_at(rest, after)
    outer = {(alias or source).lower()} if not words & {"JOIN"} else set[str]()
    why_not = why_not or aggregate_in(expressions, outer) or _named_by_with(source, before)
    star = any(part and part[-1].text == "*" for part in expressions)
    source = "" if why_not == "WITH" else source
    whole_of = (source,) if source and not why_not else ()
    copied = CopySource(source, whole_of, star, expressions, why_not, alias)
    is_known = (
        not (star and "JOIN" in words) if whole_of else not _may_be_whole(why_not, tail, words)
    )
    return copied, "" if is_known else text


def _from_place(found: Sequence[Token]) -> int | None:
    """Where FROM stands, that of IS DISTINCT FROM passed over."""
    places = (n for n, token in outside(found) if token.word == "FROM")
    return next((n for n in places if found[n - 1].word != "DISTINCT"), None)


def _may_be_whole(why_not: str, tail: Sequence[Token], words: frozenset[str]) -> bool:
    """Whether a query that was not read as whole might be, for all that its words say."""
    unions = [n for n, token in enumerate(tail) if token.word == "UNION"]
    if any(tail[n + 1 : n + 2] == [] or tail[n + 1].word != "ALL" for n in unions):
        return False
    if (why_not == "DISTINCT" or why_not in AGGREGATES) and not unions:
        return False
    return bool(unions) or not words & (_FILTERS - _JOINS - {"UNION"})


def _named_by_with(source: str, before: Sequence[Token]) -> str:
    """WITH, where the source is not a table but what a WITH gives that name to."""
    for name, opening in pairwise(before):
        if name.name.lower() == source.lower() and (opening.word == "AS" or opening.text == "("):
            return "WITH"
    return ""


def _leaves_out(tail: Sequence[Token]) -> str:
    """The word that can leave rows out, "" where none can."""
    for n, token in enumerate(tail):
        word = token.word
        if word == "WHERE" and _always(tail[n + 1 :]):
            continue
        if word == "JOIN" and any(t.word in ("LEFT", "FULL") for t in tail[max(0, n - 2) : n]):
            continue
        is_ordered = any(before.word == "ORDER" for before in tail[:n])
        if word in _FILTERS or (token.text == "," and not is_ordered):
            return word or "a second table"
    return ""


def _always(condition: Sequence[Token]) -> bool:
    """Whether a WHERE lets every row through: TRUE, 1 or 1 = 1, and nothing after it."""
    texts = [token.text.upper() for token in condition]
    end = texts.index("ORDER") if "ORDER" in texts else len(texts)
    return [text for text in texts[:end] if text != ";"] in (["TRUE"], ["1"], ["1", "=", "1"])


def _alias_at(found: Sequence[Token], at: int) -> str:
    """The alias after a table's name, "" if there is none."""
    if at + 1 < len(found) and found[at].word == "AS":
        return found[at + 1].name
    if at >= len(found):
        return ""
    is_name = found[at].kind is TokenKind.NAME or found[at].word not in _AFTER_NAME
    return found[at].name if is_name else ""


def _text(found: Sequence[Token]) -> str:
    """The tokens as SQL, comments left out."""
    return " ".join(token.text for token in found if token.text != ";")


def _name_at(found: Sequence[Token], at: int) -> tuple[str, int]:
    """The object's name at a place (its schema prefix left out) and the place after it."""
    if at >= len(found):
        return "", at
    if at + 2 < len(found) and found[at + 1].text == ".":
        return found[at + 2].name, at + 3
    return found[at].name, at + 1
