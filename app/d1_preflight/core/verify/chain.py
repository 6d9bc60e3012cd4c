"""The chain of a database's closed records: each names the bytes of those that it follows.

A head is a closed record that no later one names. Two heads are a fork, such as two branches make;
the next close names both and joins them.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.record.apply_facts import ChainHead, ChainLink, CloseFacts
from d1_preflight.core.record.facts import NO_ITEMS
from d1_preflight.core.record.file import load_table, read_facts
from d1_preflight.core.record.record import DatabaseRef
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from d1_preflight.core.target.snapshot import LedgerRow

RECORD_FILE, RECORD_SIGNATURE = "record.toml", "record.toml.sig"
_ATTEMPT = b"\n[[attempt]]\n"


@dataclass(frozen=True, slots=True)
class ClosedRecord:
    """A closed record as its chain sees it; `link` is None where it is of schema 1.

    `reviews` are the statements and signatures beside it, each as `sha256sum` writes it; `folder`
    is where it was read.
    """

    migration: str
    database: str
    sha256: str
    closed_at: str
    end: str
    link: ChainLink | None
    reviews: tuple[str, ...]
    folder: str = ""

    @property
    def sequence(self) -> int:
        """Its place in the chain; 0 for a record from before."""
        return (self.link.sequence or 0) if self.link else 0

    @property
    def head(self) -> ChainHead:
        """What the next record names of this one."""
        return ChainHead(
            migration=self.migration,
            sequence=self.sequence,
            sha256=self.sha256,
            reviews=self.reviews,
        )


def sum_line(name: str, data: bytes) -> str:
    """A file as `sha256sum` writes it."""
    return f"{sha256(data).hexdigest()}  {name}"


def read_closed(files: Mapping[str, bytes]) -> ClosedRecord | None:
    """A record's place in its chain, read from its head and its last attempt alone.

    None where it is not closed, or cannot be read: its own verification says so.
    """
    data = files.get(RECORD_FILE)
    if data is None or RECORD_SIGNATURE not in files:
        return None
    try:
        return _read_closed(data, files)
    except RecordInvalid:
        return None


def chain_key(database: DatabaseRef) -> str:
    """What a chain belongs to: the database's uuid, where it has one."""
    return database.id or database.name


def heads(records: Iterable[ClosedRecord]) -> tuple[ClosedRecord, ...]:
    """The records of a chain that no other one names, in their order."""
    linked = [record for record in records if record.link]
    named = {head.sha256 for record in linked if record.link for head in record.link.previous}
    found = (record for record in linked if record.sha256 not in named)
    return tuple(sorted(found, key=lambda record: (record.sequence, record.migration)))


def next_link(
    records: Sequence[ClosedRecord], ledger: "Sequence[LedgerRow]" = (), migration: str = ""
) -> ChainLink:
    """The place of a record that is closed now, after these of the same database.

    The first of a chain names the records of schema 1 that were closed before it began.
    """
    before = heads(records)
    earlier = sorted(f"{r.sha256}  {r.migration}" for r in records if r.link is None)
    mine = next((row for row in ledger if row.name == migration), None)
    return ChainLink(
        sequence=max((record.sequence for record in before), default=0) + 1,
        ledger_id=mine.id if mine else None,
        earlier=NO_ITEMS if before or not earlier else tuple(earlier),
        skipped=_skipped(records, ledger, migration) or NO_ITEMS,
        previous=tuple(record.head for record in before),
    )


def _skipped(
    records: Sequence[ClosedRecord], ledger: "Sequence[LedgerRow]", migration: str
) -> tuple[str, ...]:
    """What was applied since the chain began, before this migration, and is not closed."""
    closed = {record.migration for record in records}
    linked = {record.migration for record in records if record.link}
    names = [row.name for row in ledger]
    until = names.index(migration) if migration in names else len(names)
    first = next((n for n, name in enumerate(names) if name in linked), until)
    return tuple(name for name in names[first:until] if name not in closed)


def _read_closed(data: bytes, files: Mapping[str, bytes]) -> ClosedRecord | None:
    first, last = data.find(_ATTEMPT), data.rfind(_ATTEMPT)
    if first < 0:
        return None
    top = load_table(data[:first] + data[last:], RECORD_FILE)
    (attempt,) = top.tables("attempt", "an attempt")
    if attempt.text("step") != CloseFacts.step:
        return None
    database = top.table("database")
    facts = CloseFacts.read(read_facts(attempt.table("facts", optional=True)))
    return ClosedRecord(
        migration=top.text("migration"),
        database=database.text("id") or database.text("name"),
        sha256=sha256(data).hexdigest(),
        closed_at=facts.closed_at,
        end=facts.end,
        link=None if top.whole("schema") == 1 else facts.chain or ChainLink(),
        reviews=tuple(sum_line(n, files[n]) for n in sorted(files) if ".review." in n),
    )
