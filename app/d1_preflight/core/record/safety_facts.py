"""Facts of sections 3 and 4: counts, backup and its proof, bookmark, rollback plan."""

from d1_preflight.core.checklist.answers import (
    LEAVE_IT,
    NOT_NEEDED,
    WORKER_FIRST,
    Order,
    answer_label,
)
from d1_preflight.core.format import count, duration, plural
from d1_preflight.core.record.change_facts import (
    CopiedTable,
    RehearsalFacts,
    TableChange,
    TableCount,
)
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT, FactGroup, StepFacts

DOES_NOT_RUN = "does not run"
"""The verdict on a down file that fails on the rehearsal."""


class CountFacts(StepFacts):
    """How many rows every table of the target has."""

    step = "counted"
    tables: tuple[TableCount, ...] = NO_ITEMS
    rows: int | None = None
    taken_at: str = NO_TEXT


class BackupTable(CopiedTable):
    """One table's row copy; `sequence` is its AUTOINCREMENT mark, where it has one."""

    sha256: str = NO_TEXT
    digest: str = NO_TEXT
    file: str = NO_TEXT
    sequence: int | None = None


class ExportFacts(FactGroup):
    """D1's own export, or why there is none."""

    file: str = NO_TEXT
    bytes: int | None = None
    sha256: str = NO_TEXT
    words: str = NO_TEXT


class BackupFacts(StepFacts):
    """The backup of the touched tables. `reading` and `of`: only while it is read."""

    step = "backed_up"
    tables: tuple[BackupTable, ...] = NO_ITEMS
    export: ExportFacts | None = None
    rows: int | None = None
    bytes: int | None = None
    ms: int | None = None
    reading: str = NO_TEXT
    of: int | None = None


class RestoredTable(TableCount):
    """Whether a table was restored value for value, else where it differs."""

    identical: bool | None = None
    words: str = NO_TEXT


class TableRestoreFacts(FactGroup):
    """Whether the repair script runs, and whether it restores everything."""

    runs: bool | None = None
    whole: bool | None = None
    rows: int | None = None
    ms: int | None = None
    words: str = NO_TEXT


class RestoreFacts(StepFacts):
    """The proof of the backup: it was restored and compared."""

    step = "restored"
    tables: tuple[RestoredTable, ...] = NO_ITEMS
    export_loads: bool | None = None
    export_words: str = NO_TEXT
    ms: int | None = None
    gives_back: TableRestoreFacts | None = None


class BookmarkFacts(StepFacts):
    """Time Travel's bookmark, and until when it can be used."""

    step = "bookmark"
    bookmark: str = NO_TEXT
    taken_at: str = NO_TEXT
    good_until: str = NO_TEXT


class DownFacts(StepFacts):
    """The down migration: found, drafted by this program, or none; what it does not restore."""

    step = "down_written"
    file: str = NO_TEXT
    source: str = NO_TEXT
    lossless: bool | None = None
    gaps: tuple[str, ...] = NO_ITEMS


class DownTestFacts(StepFacts):
    """The test of up and down: what the down migration restores."""

    step = "down_tested"
    schema: str = NO_TEXT
    data: str = NO_TEXT
    rows_lost: int | None = None
    ms: int | None = None
    verdict: str = NO_TEXT
    loses: str = NO_TEXT
    differences: tuple[str, ...] = NO_ITEMS
    tables: tuple[TableChange, ...] = NO_ITEMS


def changed_words(rehearsed: RehearsalFacts, down: DownTestFacts) -> str:
    """What the migration does to rows, and how much of it the down file gives back; "" for none."""
    lost, changed = rehearsed.rows_lost, rehearsed.rows_changed
    if not lost + changed:
        return ""
    parts = [f"{plural(lost, 'row')} lost"] if lost else []
    parts += [f"{count(changed)} changed" if lost else f"{plural(changed, 'row')} changed"]
    told = ", ".join(parts if changed else parts[:1])
    if down.schema == "restored":
        still = sum((table.lost or 0) + (table.changed or 0) for table in down.tables)
        back = max(0, lost + changed - still)
        return f"{told}; the down file gives back {count(back)} of them"
    if down.schema or down.verdict == DOES_NOT_RUN:
        return f"{told}; the down file does not restore the schema"
    return f"{told}; no down file gives them back"


class RollbackHeaderFacts(StepFacts):
    """The header's rollback line."""

    step = "documented"
    rollback: str = NO_TEXT


class RollbackPath(FactGroup):
    """One rollback path: its command, its duration, what it loses."""

    way: str = NO_TEXT
    command: str = NO_TEXT
    takes_ms: int | None = None
    loses: str = NO_TEXT


class RollbackScenario(FactGroup):
    """One line of the decision matrix."""

    scenario: str = NO_TEXT
    action: str = NO_TEXT


class RollbackPlanFacts(StepFacts):
    """The rollback paths that exist, and the one to use first."""

    step = "way_back"
    ways: tuple[RollbackPath, ...] = NO_ITEMS
    chosen: str = NO_TEXT
    matrix: tuple[RollbackScenario, ...] = NO_ITEMS


def rollback_words(plan: RollbackPlanFacts) -> str:
    """The rollback path to use first, its duration and its loss; "" where none was chosen."""
    if plan.chosen == LEAVE_IT:
        return NOT_NEEDED
    label = answer_label("way", plan.chosen)
    for path in plan.ways:
        if path.way == plan.chosen:
            took = f", {duration(path.takes_ms)} locally" if path.takes_ms else ""
            return f"{label}{took}, loses {path.loses or 'nothing'}"
    return label


class RevisionProposal(FactGroup):
    """A git revision that may be the one that runs, and what says so; never a proof."""

    commit: str = NO_TEXT
    why: str = NO_TEXT


class RunningCodeFacts(StepFacts):
    """The Worker version that runs, and the revisions that it may be made of.

    `versions` are all that get traffic; `version` gets the most.
    """

    step = "running_code"
    worker: str = NO_TEXT
    version: str = NO_TEXT
    versions: tuple[str, ...] = NO_ITEMS
    proposals: tuple[RevisionProposal, ...] = NO_ITEMS


class BrokenQueryFacts(FactGroup):
    """One query that fails or goes wrong in one code on one schema.

    `at` is file:line; `query` and `words`, the engine's own, are without literals.
    """

    code: str = NO_TEXT
    schema: str = NO_TEXT
    at: str = NO_TEXT
    words: str = NO_TEXT
    query: str = NO_TEXT
    sha256: str = NO_TEXT


class DeployOrderFacts(StepFacts):
    """The deploy order of database and Worker, and what the queries of both codes say about it.

    `order` is the operator's, `safe_order` the queries'; `version` is the Worker version to roll
    back to. `harmless` is whether the change can break no query at all; `contradicted` is what
    the queries say against the operator's order; `owed` what a later contract half will drop.
    `removed` and `added` are the tables and columns of the change, in words.
    """

    step = "deploy_order"
    order: str = NO_TEXT
    worker: str = NO_TEXT
    out_of_order: str = NO_TEXT
    version: str = NO_TEXT
    safe_order: Order | None = None
    deployed: str = NO_TEXT
    new: str = NO_TEXT
    deployed_queries: int | None = None
    new_queries: int | None = None
    deployed_breaks: int | None = None
    new_breaks: int | None = None
    new_breaks_at_home: int | None = None
    harmless: bool | None = None
    unseen: tuple[str, ...] = NO_ITEMS
    removed: tuple[str, ...] = NO_ITEMS
    added: tuple[str, ...] = NO_ITEMS
    breaks: tuple[BrokenQueryFacts, ...] = NO_ITEMS
    steps: tuple[str, ...] = NO_ITEMS
    routes: tuple[str, ...] = NO_ITEMS
    contradicted: str = NO_TEXT
    owed: tuple[str, ...] = NO_ITEMS

    @property
    def touches_code(self) -> bool:
        """Whether a query of either code meets the change, or one that nobody saw could."""
        if self.safe_order is None:
            return True
        unsure = bool(self.unseen) and not self.harmless
        return self.safe_order is not Order.ANY or unsure

    @property
    def breaks_until(self) -> str:
        """What breaks between the two halves of the operator's order, in words; "" for nothing."""
        old, new = self.deployed_breaks or 0, self.new_breaks or 0
        if self.order == WORKER_FIRST:
            return _between("new code", new, self.breaks, "until the migration is applied")
        return _between("deployed code", old, self.breaks, "until the new code is deployed")


def _between(code: str, number: int, found: tuple[BrokenQueryFacts, ...], until: str) -> str:
    if not number:
        return ""
    first = next((query.at for query in found if query.code == code), "")
    where = f" ({first}{' and more' if number > 1 else ''})" if first else ""
    verb = "breaks" if number == 1 else "break"
    return f"{until} {plural(number, 'query', 'queries')} of the {code} {verb}{where}"


def order_words(facts: DeployOrderFacts) -> str:
    """The order, and what breaks in between, in one line; "" where none was chosen."""
    if not facts.order:
        return ""
    label = answer_label("order", facts.order)
    if facts.safe_order is None:
        return f"{label}; no query was judged"
    if facts.breaks_until:
        return f"{label}; {facts.breaks_until}"
    unseen = " that was seen" if facts.unseen and not facts.harmless else ""
    return f"{label}; no query{unseen} breaks in between"
