"""The rows of the tables that a migration changed: before it, after it, and now."""

from collections.abc import Mapping

from d1_preflight.core.record.apply_facts import ApplyFacts, CloseFacts, RowCheckFacts
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, TableChange, row_counts
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.safety_facts import CountFacts
from d1_preflight.core.summary.form import PRESENT_FORM, ROWS_FORM
from d1_preflight.lazy_dataclass import dataclass

_NOT_THERE = -1


@dataclass(frozen=True, slots=True)
class ChangedTable:
    """A table's rows before, after and now; -1: it is not there; None: nobody counted.

    `lost` and `changed` are what the rehearsal found: a row can go while another one comes.
    """

    table: str
    before: int | None = None
    after: int | None = None
    now: int | None = None
    lost: int = 0
    changed: int = 0

    @property
    def is_changed(self) -> bool:
        """Whether rows came, went or have other values."""
        counts = {rows for rows in (self.before, self.after, self.now) if rows is not None}
        return len(counts) > 1 or bool(self.lost or self.changed)

    @property
    def gone(self) -> int:
        """How many rows fewer it had after the migration, or lost while others came."""
        fewer = (self.before or 0) - max(self.after or 0, 0) if self.after is not None else 0
        return max(fewer, self.lost, 0)

    @property
    def back(self) -> int:
        """How many of the rows that were gone it has again."""
        if self.now is None or self.after is None:
            return 0
        return min(max(max(self.now, 0) - max(self.after, 0), 0), self.gone)


def changed_tables(
    record: Record, form: int = PRESENT_FORM
) -> tuple[tuple[ChangedTable, ...], int]:
    """The tables that changed, the greatest loss first, and how many did not."""
    found = tuple(_all_tables(record, form))
    changed = sorted((t for t in found if t.is_changed), key=lambda t: (-t.gone, t.table))
    return tuple(changed), len(found) - len(changed)


def was_counted_after(record: Record) -> bool:
    """Whether the rows after it were counted on the target, not only in the rehearsal."""
    return bool(_counts_after(record))


def _all_tables(record: Record, form: int) -> list[ChangedTable]:
    rehearsed = record.last_facts(RehearsalFacts)
    changes: Mapping[str, TableChange] = {t.table: t for t in rehearsed.tables}
    before, found = _counts_before(record, rehearsed), _counts_after(record)
    expected = row_counts(rehearsed.counts_after)
    expected = expected or {t.table: t.after for t in rehearsed.tables if t.after is not None}
    after = found or expected
    now = {t.table: t for t in record.last_facts(CloseFacts).tables}
    made = _NOT_THERE if before else None
    dropped = {table: _NOT_THERE for table in before if expected and table not in expected}
    none = TableChange()
    return [
        ChangedTable(
            table=table,
            before=before.get(table, made),
            after=after.get(table, dropped.get(table)),
            now=now[table].now if table in now else None,
            lost=changes.get(table, none).lost or 0,
            changed=_changed(changes.get(table, none), form),
        )
        for table in sorted({*before, *after, *now})
    ]


def _changed(change: TableChange, form: int) -> int:
    """The rows whose values changed; earlier forms added the values that became NULL."""
    nulled = change.nulled or 0 if form < ROWS_FORM else 0
    return (change.changed or 0) + nulled


def _counts_before(record: Record, rehearsed: RehearsalFacts) -> Mapping[str, int]:
    """The counts just before the apply, else the last ones before it."""
    applied = record.last_facts(ApplyFacts).counts_before
    counted = record.last_facts(CountFacts).tables
    copied = record.last_facts(CopyFacts).tables
    changes = {t.table: t.before for t in rehearsed.tables if t.before is not None}
    known = (row_counts(copied), row_counts(rehearsed.counts_before), row_counts(counted))
    return {**changes, **known[0], **known[1], **known[2], **row_counts(applied)}


def _counts_after(record: Record) -> Mapping[str, int]:
    """What the verification counted, else what the close says of that moment."""
    checked = record.last_facts(RowCheckFacts).tables
    closed = record.last_facts(CloseFacts).tables
    found = {t.table: t.after for t in closed if t.after is not None}
    return found | {t.table: t.found for t in checked if t.found is not None}
