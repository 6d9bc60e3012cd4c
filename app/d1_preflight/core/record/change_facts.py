"""What sections 1 and 2 find: what the migration is, and what it did to a copy of the target."""

from collections.abc import Mapping

from d1_preflight.core.findings import Kind
from d1_preflight.core.record.facts import (
    NO_ITEMS,
    NO_TEXT,
    FactGroup,
    StepFacts,
    fact_group,
    named,
)


@fact_group
class NameFacts(StepFacts):
    """The file's name."""

    step = "named"
    name: str = NO_TEXT


@fact_group
class HeaderFacts(StepFacts):
    """The type that the header declares, the one that was found, and the lines it lacks."""

    step = "header"
    declared: str = NO_TEXT
    found: str = NO_TEXT
    missing: tuple[str, ...] = NO_ITEMS


@fact_group
class FindingAnswer(FactGroup):
    """One finding and why it is all right."""

    rule: str = NO_TEXT
    severity: str = NO_TEXT
    line: int | None = None
    title: str = NO_TEXT
    answer: str = NO_TEXT


@fact_group
class FindingsFacts(StepFacts):
    """The findings with their answers, and the losses that are meant."""

    step = "findings"
    findings: tuple[FindingAnswer, ...] = NO_ITEMS
    declared_losses: tuple[str, ...] = NO_ITEMS
    losses: tuple[str, ...] = NO_ITEMS
    loss_reason: str = NO_TEXT


@fact_group
class ClassFacts(StepFacts):
    """The class that was found, and the one that the operator confirmed or raised it to."""

    step = "class"
    found: Kind | None = None
    kind: Kind | None = named("class", None)
    risk: str = NO_TEXT
    rollback: str = NO_TEXT
    reasons: tuple[str, ...] = NO_ITEMS


@fact_group
class PurposeFacts(StepFacts):
    """What the file's changes have in common, where it makes several."""

    step = "purpose"
    several_changes: str = NO_TEXT


@fact_group
class TableCount(FactGroup):
    """How many rows a table has."""

    table: str = NO_TEXT
    rows: int | None = None


def table_counts(counts: Mapping[str, int]) -> tuple[TableCount, ...]:
    """Counts by table, as the record lists them."""
    return tuple(TableCount(table=table, rows=rows) for table, rows in counts.items())


def row_counts(tables: tuple[TableCount, ...]) -> Mapping[str, int]:
    """The counts that are known, by table."""
    return {count.table: count.rows for count in tables if count.rows is not None}


@fact_group
class CopiedTable(TableCount):
    """One table as it was copied: never a value."""

    bytes: int | None = None


@fact_group
class CopyFacts(StepFacts):
    """The copy of the target. `reading` and `of` are known only while it is made."""

    step = "copied"
    tables: tuple[CopiedTable, ...] = NO_ITEMS
    rows: int | None = None
    bytes: int | None = None
    ledger_rows: int | None = None
    last_applied: str = NO_TEXT
    pending: tuple[str, ...] = NO_ITEMS
    schema: str = NO_TEXT
    file: str = NO_TEXT
    read_ms: int | None = None
    taken_at: str = NO_TEXT
    reading: str = NO_TEXT
    of: int | None = None


@fact_group
class TableChange(FactGroup):
    """What became of one table's rows; a count of -1 says that the table is not there."""

    table: str = NO_TEXT
    before: int | None = None
    after: int | None = None
    lost: int | None = None
    added: int | None = None
    changed: int | None = None
    nulled: int | None = None
    verdict: str = NO_TEXT
    ok: bool | None = None
    issued_before: int | None = None
    issued_after: int | None = None

    @property
    def takes(self) -> bool:
        """Whether rows, references or values of the table are not as before."""
        return bool(self.lost or self.nulled or self.changed)


@fact_group
class SchemaChange(FactGroup):
    """One difference of the schema, and whether the migration declares it."""

    change: str = NO_TEXT
    object: str = NO_TEXT
    name: str = NO_TEXT
    words: str = NO_TEXT
    declared: bool | None = None


@fact_group
class RehearsalFacts(StepFacts):
    """What the migration did to rows and schema of the copy, and how long it took."""

    step = "rehearsed"
    tables: tuple[TableChange, ...] = NO_ITEMS
    schema: tuple[SchemaChange, ...] = NO_ITEMS
    wrangler_ms: int | None = None
    predicted_ms: int | None = None
    schema_after: str = NO_TEXT
    counts_before: tuple[TableCount, ...] = NO_ITEMS
    counts_after: tuple[TableCount, ...] = NO_ITEMS
    rows: int | None = None
    downtime: str = NO_TEXT
    sql_ms: int | None = None

    @property
    def rows_lost(self) -> int:
        """How many rows it lost, over all tables."""
        return sum(table.lost or 0 for table in self.tables)

    @property
    def rows_changed(self) -> int:
        """How many rows have other values after it, over all tables."""
        return sum(table.changed or 0 for table in self.tables)
