"""Reads and rewrites pieces of a CREATE statement: one column's, a trigger's head, names."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile

from d1_preflight.core.sql.tokenizer import Token, TokenKind, closing, parted, tokens
from d1_preflight.lazy_dataclass import dataclass

_EVENTS = ("INSERT", "UPDATE", "DELETE")
NAMES = (TokenKind.WORD, TokenKind.NAME, TokenKind.STRING)
"""The kinds of token that can name something; SQLite takes a string for a name where it must."""


def column_definition(sql: str, column: str) -> str:
    """The text of one column's definition in a CREATE TABLE; "" where it is not found."""
    for part in definitions(tokens(sql, limit=len(sql))):
        if part and part[0].name.lower() == column.lower() and part[0].kind in NAMES:
            return sql[part[0].start : part[-1].end]
    return ""


def addable(definition: str) -> tuple[str, bool]:
    """The definition as ADD COLUMN takes it over existing rows, and whether NOT NULL had to go.

    "" where D1 would refuse it however it is written.
    """
    found = tokens(definition)
    words = [token.word for token in found]
    default = words.index("DEFAULT") if "DEFAULT" in words else None
    if {"PRIMARY", "UNIQUE", "STORED"} & set(words):
        return "", False
    if default is not None:
        first = found[default + 1]
        constant = first.text != "(" and not first.word.startswith("CURRENT_")
        if not constant or ("REFERENCES" in words and first.word != "NULL"):
            return "", False
    needed = [n for n in range(len(words) - 1) if words[n : n + 2] == ["NOT", "NULL"]]
    if default is None and needed and "GENERATED" not in words and "AS" not in words:
        start, last = found[needed[0]], found[needed[0] + 1]
        text = definition[: start.start] + definition[last.end :]
        return " ".join(text.split()), True
    return definition, False


def default_in(found: Sequence[Token]) -> Sequence[Token]:
    """The tokens of a definition's default: a literal, a signed one, or what parentheses hold."""
    at = next((n for n, token in enumerate(found) if token.word == "DEFAULT"), len(found)) + 1
    if found[at : at + 1] and found[at].text == "(":
        return found[at : closing(found, at) + 1]
    has_sign = [token.text for token in found[at : at + 1]] in (["+"], ["-"])
    return found[at : at + 1 + has_sign]


def mentions(sql: str, table: str) -> bool:
    """Whether a statement names the table anywhere (a column of that name counts too)."""
    found = (token for token in tokens(sql, limit=len(sql)) if token.kind in NAMES)
    return any(token.name.lower() == table.lower() for token in found)


def definitions(found: tuple[Token, ...]) -> Iterator[tuple[Token, ...]]:
    """The parts between the outer parentheses of a CREATE TABLE: columns and constraints."""
    opening = next((n for n, token in enumerate(found) if token.text == "("), None)
    if opening is not None:
        yield from parted(found[opening + 1 : closing(found, opening)])


@dataclass(frozen=True, slots=True)
class TriggerHead:
    """The head of a trigger: its event, the columns of UPDATE OF, and whether it is INSTEAD OF."""

    event: str
    columns: tuple[str, ...] = ()
    instead: bool = False


@lru_cache(maxsize=4096)
def trigger_head(sql: str) -> TriggerHead:
    """Read the head of a CREATE TRIGGER that SQLite accepted."""
    found = tokens(sql, limit=len(sql))
    at = next((n for n, token in enumerate(found) if token.word in _EVENTS), len(found))
    columns = list[str]()
    if [token.word for token in found[at + 1 : at + 2]] == ["OF"]:
        named = takewhile(lambda token: token.word != "ON", found[at + 2 :])
        columns = [token.name for token in named if token.text != ","]
    event = found[at].word if at < len(found) else ""
    return TriggerHead(event, tuple(columns), "INSTEAD" in {token.word for token in found[:at]})


@lru_cache(maxsize=4096)
def names_in(sql: str) -> frozenset[str]:
    """Every word, name and text of a CREATE statement, in lower case: what it may refer to."""
    return frozenset(token.name.lower() for token in tokens(sql, limit=len(sql)))
