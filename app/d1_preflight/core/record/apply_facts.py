"""What sections 5 and 6 find, with GO, apply and close between them and after them."""

from datetime import datetime

from d1_preflight.core.record.change_facts import TableCount
from d1_preflight.core.record.facts import (
    NO_ITEMS,
    NO_TEXT,
    FactGroup,
    StepFacts,
    fact_group,
    is_absent,
)

GO_DECISION, NO_GO = "go", "no-go"


@fact_group
class ZoneTime(FactGroup):
    """What time it is where users are."""

    zone: str = NO_TEXT
    local: str = NO_TEXT
    busy: bool | None = None


@fact_group
class WindowFacts(StepFacts):
    """Whether now is quiet. `hours`: requests per hour, a line a day; `traffic`: why unknown."""

    step = "window"
    now: str = NO_TEXT
    quiet: bool | None = None
    words: str = NO_TEXT
    fits: bool | None = None
    fits_words: str = NO_TEXT
    zones: tuple[ZoneTime, ...] = NO_ITEMS
    next: tuple[str, ...] = NO_ITEMS
    traffic: str = NO_TEXT
    hours: tuple[str, ...] = NO_ITEMS
    quietest: str = NO_TEXT


@fact_group
class NoticeFacts(StepFacts):
    """What the team was told, and whether this program sent it."""

    step = "notified"
    channel: str = NO_TEXT
    text: str = NO_TEXT
    sent: bool | None = None
    seen: bool | None = None


@fact_group
class DashboardFacts(StepFacts):
    """The address of the database's metrics."""

    step = "dashboard"
    url: str = NO_TEXT


@fact_group
class AbortCriteria(FactGroup):
    """The limits that GO fixes, so that nobody moves them afterwards."""

    error_rate_percent: str = NO_TEXT
    watch_minutes: int | None = None
    endpoints: tuple[str, ...] = NO_ITEMS
    rows: str = NO_TEXT
    schema: str = NO_TEXT


@fact_group
class GoFacts(StepFacts):
    """The decision, and which bytes were signed by whom."""

    step = "go"
    decision: str = NO_TEXT
    go_sha256: str = NO_TEXT
    signature_sha256: str = NO_TEXT
    signer: str = NO_TEXT
    fingerprint: str = NO_TEXT
    signed_at: datetime | None = None
    expires_at: datetime | None = None
    criteria: AbortCriteria | None = None
    checklist: str = NO_TEXT

    def is_by(self, checklist: str) -> bool:
        """Whether GO was signed with this checklist; old records do not say with which."""
        return not self.unread and (is_absent(self.checklist) or self.checklist == checklist)


@fact_group
class ApplyFacts(StepFacts):
    """What the apply did, by what the database said afterwards."""

    step = "applied"
    observed: bool | None = None
    ms: int | None = None
    exit_code: int | None = None
    rechecked: tuple[str, ...] = NO_ITEMS
    counts_before: tuple[TableCount, ...] = NO_ITEMS
    half_way: bool | None = None
    ledger_id: int | None = None
    applied_at: str = NO_TEXT


@fact_group
class LedgerFacts(StepFacts):
    """The migration's row in the ledger."""

    step = "ledger"
    id: int | None = None
    name: str = NO_TEXT
    applied_at: str = NO_TEXT


@fact_group
class SchemaCheckFacts(StepFacts):
    """Whether the target's schema is the rehearsed one."""

    step = "schema"
    equal: bool | None = None
    fingerprint: str = NO_TEXT
    differences: tuple[str, ...] = NO_ITEMS


@fact_group
class CheckedTable(FactGroup):
    """A table's count against the expected one; -1 says that the table is not there."""

    table: str = NO_TEXT
    expected: int | None = None
    found: int | None = None
    ok: bool | None = None


@fact_group
class RowCheckFacts(StepFacts):
    """Every table's count, and whether the database is sound."""

    step = "rows"
    tables: tuple[CheckedTable, ...] = NO_ITEMS
    quick_check: str = NO_TEXT
    broken_references: int | None = None


@fact_group
class EndpointAnswer(FactGroup):
    """How one endpoint answered; a status of 0 says that none came."""

    method: str = NO_TEXT
    url: str = NO_TEXT
    status: int | None = None
    ms: int | None = None
    ok: bool | None = None
    words: str = NO_TEXT


@fact_group
class EndpointFacts(StepFacts):
    """How the endpoints answered."""

    step = "endpoints"
    endpoints: tuple[EndpointAnswer, ...] = NO_ITEMS


@fact_group
class ReadyFacts(StepFacts):
    """How endpoints and Worker answered before the apply; `missing` is what cannot be asked."""

    step = "ready"
    endpoints: tuple[EndpointAnswer, ...] = NO_ITEMS
    worker: str = NO_TEXT
    requests: int | None = None
    errors: int | None = None
    rate: str = NO_TEXT
    missing: tuple[str, ...] = NO_ITEMS


@fact_group
class TrafficSample(FactGroup):
    """Requests and errors of one moment."""

    at: str = NO_TEXT
    requests: int | None = None
    errors: int | None = None


@fact_group
class ErrorRateFacts(StepFacts):
    """The Worker's error rate over the watch. `left_s` is known only while it is watched."""

    step = "errors"
    limit: str = NO_TEXT
    requests: int | None = None
    errors: int | None = None
    watched_s: int | None = None
    watch_s: int | None = None
    rate: str = NO_TEXT
    baseline: str = NO_TEXT
    samples: tuple[TrafficSample, ...] = NO_ITEMS
    left_s: int | None = None


@fact_group
class CloseFacts(StepFacts):
    """How it ended; `differs` is what the schema has else than the rehearsed one."""

    step = "close"
    signer: str = NO_TEXT
    closed_at: str = NO_TEXT
    end: str = NO_TEXT
    differs: tuple[str, ...] = NO_ITEMS
