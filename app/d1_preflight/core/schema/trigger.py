"""A trigger as its CREATE TRIGGER declares it: when it fires, and on what."""

from functools import lru_cache

from d1_preflight.core.sql.tokenizer import tokens
from d1_preflight.lazy_dataclass import dataclass

_EVENTS = ("INSERT", "UPDATE", "DELETE")


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
        for token in found[at + 2 :]:
            if token.word == "ON":
                break
            if token.text != ",":
                columns.append(token.name)
    event = found[at].word if at < len(found) else ""
    return TriggerHead(event, tuple(columns), "INSTEAD" in {token.word for token in found[:at]})


@lru_cache(maxsize=4096)
def names_in(sql: str) -> frozenset[str]:
    """Every word, name and text of a CREATE statement, in lower case: what it may refer to."""
    return frozenset(token.name.lower() for token in tokens(sql, limit=len(sql)))
