"""Facts of sections 1 and 2: the migration's class, and its effect on a copy of the target."""

from collections.abc import Mapping

from d1_preflight.core.findings import Kind
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT, FactGroup, StepFacts, named


class NameFacts(StepFacts):
    """The file's name."""

    step = "named"
    name: str = NO_TEXT


class HeaderFacts(StepFacts):
    """The type that the header declares, the one that was found, and the lines it lacks.

    The last three stand here where the file holds no header.
    """

    step = "header"
    declared: str = NO_TEXT
    found: str = NO_TEXT
    missing: tuple[str, ...] = NO_ITEMS
    description: str = NO_TEXT
    effects: str = NO_TEXT
    rollback: str = NO_TEXT


class FindingAnswer(FactGroup):
    """One finding and its justification."""

    rule: str = NO_TEXT
    severity: str = NO_TEXT
    line: int | None = None
    title: str = NO_TEXT
    answer: str = NO_TEXT


class MeasuredLoss(FactGroup):
    """How many rows and references of a table the last rehearsal lost, as the person saw it."""

    table: str = NO_TEXT
    lost: int | None = None
    nulled: int | None = None


class FindingsFacts(StepFacts):
    """The findings with their answers, and the declared losses, with the counts known by then."""

    step = "findings"
    findings: tuple[FindingAnswer, ...] = NO_ITEMS
    declared_losses: tuple[str, ...] = NO_ITEMS
    losses: tuple[str, ...] = NO_ITEMS
    loss_reason: str = NO_TEXT
    measured: tuple[MeasuredLoss, ...] = NO_ITEMS


class LossesFacts(StepFacts):
    """The losses that the rehearsal measured and a person declared, with their figures."""

    step = "losses"
    declared_losses: tuple[str, ...] = NO_ITEMS
    losses: tuple[str, ...] = NO_ITEMS
    loss_reason: str = NO_TEXT


class ClassFacts(StepFacts):
    """The class that was found, and the one that the operator confirmed or raised it to.

    `source` says on what schema it was judged again by itself, where the first one was not enough.
    """

    step = "class"
    found: Kind | None = None
    kind: Kind | None = named("class", None)
    risk: str = NO_TEXT
    rollback: str = NO_TEXT
    reasons: tuple[str, ...] = NO_ITEMS
    source: str = NO_TEXT


class PurposeFacts(StepFacts):
    """The purpose that the file's changes share."""

    step = "purpose"
    several_changes: str = NO_TEXT


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


class CopiedTable(TableCount):
    """One table as it was copied, never a value; `values` is the fingerprint, where one is sure."""

    bytes: int | None = None
    values: str = NO_TEXT


class TableValues(FactGroup):
    """The fingerprint of a table's values (`core.rows.fingerprint`)."""

    table: str = NO_TEXT
    values: str = NO_TEXT


class RowBeside(FactGroup):
    """The row that the apply writes into another tool's ledger; `question` finds it again."""

    table: str = NO_TEXT
    sql: str = NO_TEXT
    question: str = NO_TEXT


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
    beside: tuple[RowBeside, ...] = NO_ITEMS


class TableChange(FactGroup):
    """The row diff of one table; a count of -1 means that the table does not exist.

    `undeclared` marks a loss that the effects explain and that a person has yet to declare.
    """

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
    undeclared: bool | None = None

    @property
    def takes(self) -> bool:
        """Whether rows, references or values of the table changed."""
        return bool(self.lost or self.nulled or self.changed)


class SchemaChange(FactGroup):
    """One difference of the schema, and whether the migration declares it."""

    change: str = NO_TEXT
    object: str = NO_TEXT
    name: str = NO_TEXT
    words: str = NO_TEXT
    declared: bool | None = None


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
    values_after: tuple[TableValues, ...] = NO_ITEMS

    @property
    def takes(self) -> bool:
        """Whether rows or values go, or it is not known that none does."""
        return not self.tables or any(table.takes for table in self.tables)

    @property
    def removed(self) -> frozenset[str]:
        """The tables and `table.column`s whose names are gone: dropped, or called otherwise."""
        held = (change for change in self.schema if change.object in ("table", "column"))
        return frozenset(change.name for change in held if change.change == "removed")

    @property
    def rows_lost(self) -> int:
        """How many rows it lost, over all tables."""
        return sum(table.lost or 0 for table in self.tables)

    @property
    def rows_changed(self) -> int:
        """How many rows have other values after it, over all tables."""
        return sum(table.changed or 0 for table in self.tables)


class JudgedFileFacts(FactGroup):
    """One migration file held against the target: applied or not, and by what that is seen."""

    file: str = NO_TEXT
    applied: str = NO_TEXT
    evidence: str = NO_TEXT
    sha256: str = NO_TEXT


class ComparedFacts(StepFacts):
    """An adoption's comparison: the files, the target's schema, and its ledgers with their rows.

    `outside` are the objects that no file makes; `in_ledger` what wrangler's ledger names already.
    """

    step = "compared"
    files: tuple[JudgedFileFacts, ...] = NO_ITEMS
    schema: str = NO_TEXT
    in_ledger: tuple[str, ...] = NO_ITEMS
    ledgers: tuple[TableCount, ...] = NO_ITEMS
    outside: tuple[str, ...] = NO_ITEMS


class AdoptedFacts(ClassFacts):
    """What the operator confirmed: the names whose rows the adoption writes, in that order."""

    names: tuple[str, ...] = NO_ITEMS
    by_words: tuple[str, ...] = NO_ITEMS  # of those, the ones that only a person vouches for
