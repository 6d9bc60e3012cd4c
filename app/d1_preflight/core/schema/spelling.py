"""One spelling for SQL that means the same: letter case, blanks and quotes evened out.

SQLite rewrites the text of what a rename touches, so the same object may come back otherwise
spelled. Strings keep every letter: they are data.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache

from d1_preflight.core.sql.tokenizer import Token, TokenKind, bare, quote_text, tokens

_CONSTANTS = ("NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP")


def one_spelling(sql: str, names: Collection[str]) -> str:
    """SQL with words and names in lower case; `names` are the known ones, in lower case.

    What stands in double quotes and is no known name is a string to SQLite.
    """
    return " ".join(_spelled(token, names) for token in _found(sql) if token.text != ";")


def index_spelling(sql: str, names: Collection[str]) -> str:
    """One spelling of CREATE INDEX: ASC is what every column has unless it says DESC."""
    found = [token for token in _found(sql) if token.word != "ASC" and token.text != ";"]
    where = next((n for n, token in enumerate(found, 1) if token.word == "WHERE"), len(found))
    found = [*found[:where], *bare(found[where:])]
    return " ".join(_spelled(token, names) for token in found)


def module_spelling(sql: str) -> str:
    """One spelling of what a CREATE VIRTUAL TABLE says after its name: module and arguments."""
    found = _found(sql)
    using = next((n for n, token in enumerate(found) if token.word == "USING"), len(found))
    return " ".join(_spelled(token, ()) for token in found[using + 1 :] if token.text != ";")


def default_spelling(default: str | None) -> str:
    """One spelling of a column's default, in which no column can be named; "" for none."""
    found = bare(_found(default or ""))
    if len(found) == 1 and found[0].kind is TokenKind.WORD and found[0].word not in _CONSTANTS:
        return quote_text(found[0].text)
    return " ".join(_spelled(token, ()) for token in found)


def words_of(sql: Iterable[str]) -> frozenset[str]:
    """The bare words of these texts, in lower case: a name among them is not a string."""
    return frozenset(t.text.lower() for s in sql for t in _found(s) if t.kind is TokenKind.WORD)


@lru_cache(maxsize=4096)
def _found(sql: str) -> tuple[Token, ...]:
    return tuple(tokens(sql, limit=len(sql)))


def _spelled(token: Token, names: Collection[str]) -> str:
    if token.kind is TokenKind.STRING:
        return token.text
    name = token.name
    if token.kind is TokenKind.NAME and token.text[0] == '"' and name.lower() not in names:
        return quote_text(name)
    return name.lower()
