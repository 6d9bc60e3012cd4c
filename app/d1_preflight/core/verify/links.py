"""Judges the chain of a database's closed records: what is missing, replaced, forked or late.

A verification is what is found of one record, and what of it is left to the chain.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from d1_preflight.core.checklist.answers import KEPT
from d1_preflight.core.record.apply_facts import ChainHead, ChainLink
from d1_preflight.core.verify.chain import RECORD_FILE, ClosedRecord, heads
from d1_preflight.core.verify.problem import Id, Problem, Weight
from d1_preflight.lazy_dataclass import dataclass, field

if TYPE_CHECKING:
    from d1_preflight.core.target.snapshot import LedgerRow

_FROM_GIT = "Restore it from git, or merge the branch on which it was closed."
_AGAIN = "Restore the record as it was closed; additions belong in a review."


@dataclass(frozen=True, slots=True)
class Chain:
    """The closed records of one database, those of schema 1 from before its chain too."""

    records: tuple[ClosedRecord, ...]
    heads: tuple[ClosedRecord, ...] = field(init=False)
    roots: tuple[ClosedRecord, ...] = field(init=False)
    _skipped: frozenset[str] = field(init=False, repr=False)
    _by_hash: dict[str, ClosedRecord] = field(init=False, repr=False)
    _named: dict[str, list[tuple[ClosedRecord, ChainHead]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the records by their bytes and by what names them."""
        named = dict[str, list[tuple[ClosedRecord, ChainHead]]]()
        for record in self.records:
            for head in _link(record).previous:
                named.setdefault(head.migration, []).append((record, head))
        roots = (r for r in self.records if r.link is not None and not r.link.previous)
        skipped = (name for record in self.records for name in _link(record).skipped)
        object.__setattr__(self, "heads", heads(self.records))
        object.__setattr__(self, "roots", tuple(roots))
        object.__setattr__(self, "_skipped", frozenset(skipped))
        object.__setattr__(self, "_by_hash", {r.sha256: r for r in self.records})
        object.__setattr__(self, "_named", named)

    def holds(self, sha256: str) -> bool:
        """Whether a record of these bytes is here."""
        return sha256 in self._by_hash

    def later(self, record: ClosedRecord) -> Iterator[ClosedRecord]:
        """The records that follow one, directly or by others."""
        known, waiting = {record.sha256}, [record]
        while waiting:
            one = waiting.pop()
            for follower, head in self._named.get(one.migration, ()):
                if head.sha256 == one.sha256 and follower.sha256 not in known:
                    known.add(follower.sha256)
                    waiting.append(follower)
                    yield follower

    def review_problems(self, review: str, heads: Iterable[str]) -> Iterator[Problem]:
        """The heads that a reviewer saw must be here: the signature covers them."""
        for line in heads:
            digest, _, migration = line.partition("  ")
            if not self.holds(digest):
                words = f"covers {migration}, and the record that its signer saw is not here"
                yield Problem(Id.REVIEW_HEAD_MISSING, review, words, _FROM_GIT)

    def ledger_problems(
        self, record: ClosedRecord, rows: "Sequence[LedgerRow]"
    ) -> Iterator[Problem]:
        """What the target's ledger says against a closed record."""
        if not record.migration.endswith(".sql"):
            return  # an adoption has no row of its own name
        row = next((row for row in rows if row.name == record.migration), None)
        told = _link(record).ledger_id
        if row is None and record.end in {KEPT, ""}:
            words = "is closed as kept, and the ledger has no row for it"
            hint = "It was rolled back since, or this is another database: check the ledger."
            yield _problem(Id.LEDGER_ROW_MISSING, words, hint)
        elif row is not None and told is not None and row.id != told:
            words = f"names row {told} of the ledger, and its migration is in row {row.id}"
            yield _problem(Id.LEDGER_ROW_DIFFERS, words, "It was applied again after its close.")

    def unrecorded(
        self, rows: "Sequence[LedgerRow]", begun: Container[str]
    ) -> Iterator[tuple[str, Problem]]:
        """The rows without a closed record, from the first row on that has one."""
        closed = {record.migration for record in self.records}
        first = next((n for n, row in enumerate(rows) if row.name in closed), len(rows))
        for row in rows[first:]:
            if row.name in closed:
                continue
            if row.name in begun:
                words = f"covers a migration that the ledger has (row {row.id}), and is not closed"
                hint = f"preflight run {row.name} closes it."
                yield row.name, _problem(Id.LEDGER_RECORD_OPEN, words, hint, Weight.OPEN)
            else:
                words = f"is missing, and the ledger has the migration (row {row.id})"
                yield row.name, _problem(Id.LEDGER_RECORD_MISSING, words, _FROM_GIT)

    def problems(self, record: ClosedRecord) -> Iterator[Problem]:
        """What is wrong with one record's place."""
        yield from self._replaced(record)
        if record.link is None:
            yield from self._late_schema(record)
            return
        for head in record.link.previous:
            yield from self._missing(head)
        yield from self._removed_before(record)
        yield from self._sequence(record)
        yield from self._order(record)
        yield from self._gaps(record)
        yield from self._fork(record)

    def _replaced(self, record: ClosedRecord) -> Iterator[Problem]:
        """What later records say of this one: its bytes, and the reviews beside it."""
        for follower, head in self._named.get(record.migration, ()):
            if head.sha256 != record.sha256:
                words = f"is not the record that {follower.migration} was closed after: "
                words += "an older one was restored, or it was signed again"
                yield _problem(Id.CHAIN_REPLACED, words, _AGAIN)
                continue
            for line in sorted({*head.reviews} - {*record.reviews}):
                name = line.partition("  ")[2]
                words = f"is gone or changed since {follower.migration} was closed"
                yield Problem(Id.CHAIN_REVIEW_REMOVED, name, words, "Restore it from git.")

    def _fork(self, record: ClosedRecord) -> Iterator[Problem]:
        """Two ends of one chain; where a record is missing, that alone is said."""
        ends = {head.sha256 for head in self.heads}
        if len(ends) < 2 or record.sha256 not in ends:  # noqa: PLR2004 - one end is no fork
            return
        if all(h.sha256 in self._by_hash for r in self.records for h in _link(r).previous):
            names = " and ".join(head.migration for head in self.heads)
            words = f"is one end of a fork of its chain: {names} were closed in parallel"
            hint = "It happened on two branches; after both are merged, the next close joins them."
            yield _problem(Id.CHAIN_FORK, words, hint, Weight.OPEN)

    def _missing(self, head: ChainHead) -> Iterator[Problem]:
        found = self._by_hash.get(head.sha256)
        if found is None:
            is_other = any(other.migration == head.migration for other in self.records)
            what = "another record of it is here" if is_other else "that record is not here"
            words = f"follows {head.migration} (number {head.sequence}), and {what}"
            yield _problem(Id.CHAIN_MISSING, words, _FROM_GIT)
        elif (found.migration, found.sequence) != (head.migration, head.sequence):
            words = f"names a different record of {found.migration} (number {found.sequence})"
            yield _problem(Id.CHAIN_BROKEN, words, _AGAIN)

    def _removed_before(self, record: ClosedRecord) -> Iterator[Problem]:
        """The records of schema 1 that were there when the chain began."""
        for line in _link(record).earlier:
            digest, _, migration = line.partition("  ")
            if digest not in self._by_hash:
                words = f"began the chain beside {migration}, and that record is gone or changed"
                yield _problem(Id.CHAIN_MISSING, words, _FROM_GIT)

    def _sequence(self, record: ClosedRecord) -> Iterator[Problem]:
        numbers = [head.sequence or 0 for head in _link(record).previous]
        expected = max(numbers, default=0) + 1
        if record.sequence != expected:
            words = f"is number {record.sequence} of its chain, and must be number {expected}"
            yield _problem(Id.CHAIN_BROKEN, words, _AGAIN)

    def _order(self, record: ClosedRecord) -> Iterator[Problem]:
        """Records are closed in the ledger's order; one that is late was named as skipped."""
        mine = _link(record).ledger_id
        began = min((_link(root).ledger_id or 0 for root in self.roots), default=0)
        if mine is None or mine < began or record.migration in self._skipped:
            return
        for head in _link(record).previous:
            before = self._by_hash.get(head.sha256)
            if before is not None and (_link(before).ledger_id or 0) > mine:
                words = f"was applied before {before.migration} and closed after it"
                hint = "Close records in the ledger's order; no later record names a gap here."
                yield _problem(Id.CHAIN_ORDER, words, hint)

    def _gaps(self, record: ClosedRecord) -> Iterator[Problem]:
        for name in _link(record).skipped:
            if all(other.migration != name for other in self.records):
                words = f"was closed while {name}, applied before it, had no closed record"
                hint = f"preflight run {name} closes it; without a record it stays a gap."
                yield _problem(Id.CHAIN_GAP, words, hint, Weight.OPEN)

    def _late_schema(self, record: ClosedRecord) -> Iterator[Problem]:
        """A record of schema 1 is free of the chain's rules: it must be from before the chain."""
        line = f"{record.sha256}  {record.migration}"
        if self.roots and not any(line in _link(root).earlier for root in self.roots):
            words = f"is of schema 1, and was not there when {self.roots[0].migration} "
            words += "began the chain of its database"
            hint = "Once a chain has begun, close records with this version of preflight."
            yield _problem(Id.CHAIN_OLD_SCHEMA, words, hint)


@dataclass(frozen=True, slots=True)
class InChain:
    """A record as its chain judges it: its close, and each review's name and the heads it saw."""

    closed: ClosedRecord | None
    reviews: tuple[tuple[str, tuple[str, ...]], ...]

    def problems(self, chain: Chain) -> Iterator[Problem]:
        """What the chain says against it."""
        if self.closed is not None:
            yield from chain.problems(self.closed)
        for name, seen in self.reviews:
            yield from chain.review_problems(name, seen)


@dataclass(frozen=True, slots=True)
class Verification:
    """The problems found (none: the record is good), and what is known, for people.

    `trust` says from where signers, policy and checklist are: a verdict is worth no more.
    `in_chain` is what its database's chain judges, which other records can change.
    """

    problems: tuple[Problem, ...]
    facts: Mapping[str, str]
    trust: str = ""
    in_chain: InChain | None = None

    @property
    def exit_code(self) -> int:
        """0 good; 1 open steps or unsigned; 4 invalid, or a bad signature."""
        if any(problem.weight is Weight.INVALID for problem in self.problems):
            return 4
        return 1 if self.problems else 0


def _link(record: ClosedRecord) -> ChainLink:
    return record.link or ChainLink()


def _problem(identity: Id, words: str, hint: str, weight: Weight = Weight.INVALID) -> Problem:
    return Problem(identity, RECORD_FILE, words, hint, weight)
