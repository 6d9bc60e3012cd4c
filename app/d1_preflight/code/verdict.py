"""What two codes on two schemas come to: the broken queries, and the order that is safe.

Values only, so that a step, a record and every format read the same.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

from d1_preflight.core.checklist.answers import Order
from d1_preflight.core.format import plural
from d1_preflight.core.sql.tokenizer import TokenKind, all_tokens
from d1_preflight.lazy_dataclass import dataclass


class Harm(StrEnum):
    """What becomes of a query, the worst first."""

    FAILS = "fails"
    WRONG = "wrong"  # it runs, and finds or writes something else
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class BrokenQuery:
    """One query that is fine on one schema and not on the other; `words` are the engine's own."""

    path: str
    line: int
    query: str
    words: str
    harm: Harm = Harm.FAILS

    @property
    def digest(self) -> str:
        """The sha256 of the query's text."""
        return sha256(self.query.encode(errors="surrogateescape")).hexdigest()

    @property
    def masked_words(self) -> str:
        """The words without what stands in quotes: a literal can be personal data."""
        return masked(self.words)

    @property
    def masked_query(self) -> str:
        """The query without its literals."""
        return masked(self.query)


@dataclass(frozen=True, slots=True)
class UnreadQuery:
    """One place whose query is not known, or only in part; `tables` are those it surely names."""

    path: str
    line: int
    why: str
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the queries of one code were read: in whole, with holes that were filled, or not."""

    files: int = 0
    queries: int = 0
    whole: int = 0
    filled: int = 0
    partly: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True)
class CodeState:
    """One code: which it is, what of it breaks on the schema that it does not know, what is unseen.

    `breaks` are on the other schema; `breaks_at_home` on the schema that the code is meant for.
    """

    name: str
    coverage: Coverage
    breaks: tuple[BrokenQuery, ...] = ()
    breaks_at_home: tuple[BrokenQuery, ...] = ()
    unread: tuple[UnreadQuery, ...] = ()
    orms: Mapping[str, int] | None = None
    notes: tuple[str, ...] = ()
    left_out: int = 0  # files that may run and were not read: minified, too long, no time left

    @property
    def harmed(self) -> tuple[BrokenQuery, ...]:
        """The queries that fail or go wrong on the other schema; notes do not count."""
        return tuple(query for query in self.breaks if query.harm is not Harm.NOTE)

    @property
    def harmed_at_home(self) -> tuple[BrokenQuery, ...]:
        """The queries that fail or go wrong on the schema that the code is meant for."""
        return tuple(query for query in self.breaks_at_home if query.harm is not Harm.NOTE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The deployed and the new code on the schemas before and after a migration.

    `can_harm_unseen` is whether the change could break a query that nobody saw; `removed` are
    the tables and columns that the change takes away, in words; `added` those that it brings;
    `routes` those of the new code whose queries touch a changed table, where they can be told.
    """

    migrations: tuple[str, ...]
    deployed: CodeState
    new: CodeState
    can_harm_unseen: bool = True
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()

    @property
    def order(self) -> Order:
        """The order that the queries which were seen allow."""
        old_breaks, new_breaks = bool(self.deployed.harmed), bool(self.new.harmed)
        if self.new.harmed_at_home or (old_breaks and new_breaks):
            return Order.SPLIT
        if old_breaks:
            return Order.CODE_FIRST
        return Order.DATABASE_FIRST if new_breaks else Order.ANY

    @property
    def unseen(self) -> tuple[str, ...]:
        """What no source showed, in words; () where all of it was seen."""
        return tuple(dict.fromkeys((*self._unseen(self.deployed), *self._unseen(self.new),
                                    *self.problems)))  # fmt: skip

    @property
    def is_proved(self) -> bool:
        """Whether the order rests on queries that were seen: unknown is never a pass."""
        return not self.unseen or not self.can_harm_unseen

    def _unseen(self, code: CodeState) -> list[str]:
        found = [
            f"{name}: the queries of {plural(count, 'file')}"
            for name, count in (code.orms or {}).items()
        ]
        if code.left_out:
            found.append(f"{plural(code.left_out, 'file')} of {code.name} not read in full")
        if code.unread:
            found.append(
                f"{plural(len(code.unread), 'query', 'queries')} of {code.name} could not be read"
            )
        if not code.coverage.queries and not code.orms:
            found.append(f"no query was found in {code.name}")
        return found


_MASKS = {TokenKind.STRING: "'…'", TokenKind.COMMENT: " "}


@lru_cache(maxsize=8192)
def masked(text: str) -> str:
    """A text of SQL with every literal as `…`: what a record may keep."""
    parts: list[str] = []
    end = 0
    for token in all_tokens(text):
        is_literal = token.kind in (TokenKind.STRING, TokenKind.NUMBER, TokenKind.COMMENT)
        mask = _MASKS.get(token.kind, "…")
        parts += [text[end : token.start], mask if is_literal else token.text]
        end = token.start + len(token.text)
    return "".join((*parts, text[end:]))
