"""Facts of sections 5 and 6, and of GO, apply and close."""

from datetime import datetime
from typing import Self

from d1_preflight.core.project.settings import Verification
from d1_preflight.core.record.change_facts import TableCount, TableValues
from d1_preflight.core.record.facts import (
    NO_ITEMS,
    NO_TEXT,
    FactGroup,
    StepFacts,
    is_absent,
    moment_of,
)

GO_DECISION, NO_GO = "go", "no-go"


class ZoneTime(FactGroup):
    """The local time where users are."""

    zone: str = NO_TEXT
    local: str = NO_TEXT
    busy: bool | None = None


class WindowFacts(StepFacts):
    """Whether traffic is low. `hours`: requests per hour, a line a day; `traffic`: why unknown."""

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


class NoticeFacts(StepFacts):
    """The notice to the team, and whether this program sent it."""

    step = "notified"
    channel: str = NO_TEXT
    text: str = NO_TEXT
    sent: bool | None = None
    seen: bool | None = None


class DashboardFacts(StepFacts):
    """The address of the database's metrics."""

    step = "dashboard"
    url: str = NO_TEXT


class AbortCriteria(FactGroup):
    """The abort limits that GO fixes."""

    error_rate_percent: str = NO_TEXT
    watch_minutes: int | None = None
    endpoints: tuple[str, ...] = NO_ITEMS
    rows: str = NO_TEXT
    schema: str = NO_TEXT

    @classmethod
    def of(cls, verification: Verification) -> Self:
        """The limits that the settings give."""
        return cls(
            error_rate_percent=str(verification.error_rate_percent),
            watch_minutes=verification.watch_minutes,
            endpoints=tuple(f"{e.method} {e.url} {e.expect}" for e in verification.endpoints),
            rows="every table's count as rehearsed",
            schema="equal to the rehearsed one",
        )


class GoFacts(StepFacts):
    """The decision, the signed bytes and their signer.

    `summary` is the hash of GO's SUMMARY.md, `summary_form` the form in which it is written.
    """

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
    worker_version: str = NO_TEXT
    summary: str = NO_TEXT
    summary_form: int | None = None

    def is_by(self, checklist: str) -> bool:
        """Whether GO was signed with this checklist; old records do not say with which."""
        return not self.unread and (is_absent(self.checklist) or self.checklist == checklist)


class ApplyFacts(StepFacts):
    """What the apply did, by what the database said afterwards.

    `by` is who applied it. `moved` names the tables whose values held the apply, or leave its end
    unknown; `moved_elsewhere` those that changed meanwhile and that no statement touches.
    `rehearsed_again` were read and rehearsed once more just before it, with the values before and
    after that rehearsal. `looked_at` is the first look that found nothing, `looked_uptime` its
    second since `looked_boot`. `refusal` was sent beside the file, to a ledger that takes a name
    twice; `ledger_rows` says how many rows such a ledger has for it, where that is not one.
    """

    step = "applied"
    observed: bool | None = None
    ms: int | None = None
    exit_code: int | None = None
    rechecked: tuple[str, ...] = NO_ITEMS
    counts_before: tuple[TableCount, ...] = NO_ITEMS
    half_way: bool | None = None
    ledger_id: int | None = None
    applied_at: str = NO_TEXT
    by: str = NO_TEXT
    moved: tuple[str, ...] = NO_ITEMS
    moved_elsewhere: tuple[str, ...] = NO_ITEMS
    looked_at: str = NO_TEXT
    looked_boot: str = NO_TEXT
    looked_uptime: int | None = None
    rehearsed_again: tuple[str, ...] = NO_ITEMS
    values_before: tuple[TableValues, ...] = NO_ITEMS
    values_after: tuple[TableValues, ...] = NO_ITEMS
    refusal: str = NO_TEXT
    ledger_rows: int | None = None


class LedgerFacts(StepFacts):
    """The migration's row in the ledger; `rows` says how many there are, where that is not one."""

    step = "ledger"
    id: int | None = None
    name: str = NO_TEXT
    applied_at: str = NO_TEXT
    rows: int | None = None


class SchemaCheckFacts(StepFacts):
    """Whether the target's schema is the rehearsed one."""

    step = "schema"
    equal: bool | None = None
    fingerprint: str = NO_TEXT
    differences: tuple[str, ...] = NO_ITEMS


class CheckedTable(FactGroup):
    """A table's count against the expected one; -1 says that the table is not there."""

    table: str = NO_TEXT
    expected: int | None = None
    found: int | None = None
    ok: bool | None = None
    same_values: bool | None = None


class RowCheckFacts(StepFacts):
    """Every table's count, and whether the database is sound."""

    step = "rows"
    tables: tuple[CheckedTable, ...] = NO_ITEMS
    quick_check: str = NO_TEXT
    broken_references: int | None = None


class EndpointAnswer(FactGroup):
    """How one endpoint answered; status 0 means no answer."""

    method: str = NO_TEXT
    url: str = NO_TEXT
    status: int | None = None
    ms: int | None = None
    ok: bool | None = None
    words: str = NO_TEXT


class EndpointFacts(StepFacts):
    """How the endpoints answered; `uncalled` are routes that touch the change, not asked."""

    step = "endpoints"
    endpoints: tuple[EndpointAnswer, ...] = NO_ITEMS
    uncalled: tuple[str, ...] = NO_ITEMS


class ReadyFacts(StepFacts):
    """How endpoints and Worker answered before the apply; `missing` is what cannot be asked.

    `source` is what counted the requests, where that was not analytics.
    """

    step = "ready"
    endpoints: tuple[EndpointAnswer, ...] = NO_ITEMS
    worker: str = NO_TEXT
    requests: int | None = None
    errors: int | None = None
    rate: str = NO_TEXT
    missing: tuple[str, ...] = NO_ITEMS
    source: str = NO_TEXT


class TrafficSample(FactGroup):
    """Requests and errors of one moment."""

    at: str = NO_TEXT
    requests: int | None = None
    errors: int | None = None


class ErrorRateFacts(StepFacts):
    """The Worker's error rate over the watch. `left_s` is known only while it is watched.

    `source` is what counted it, where that was not analytics; `sampled` where it left some out.
    """

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
    source: str = NO_TEXT
    sampled: bool | None = None


class CountedTable(FactGroup):
    """A table's rows before the apply, after it, and now; -1 says that it is not there."""

    table: str = NO_TEXT
    before: int | None = None
    after: int | None = None
    now: int | None = None


class ChainHead(FactGroup):
    """A closed record that the next one follows: its bytes, and the reviews beside it by then."""

    migration: str = NO_TEXT
    sequence: int | None = None
    sha256: str = NO_TEXT
    reviews: tuple[str, ...] = NO_ITEMS


class ChainLink(FactGroup):
    """The record's place among the closed records of its database.

    `ledger_id` is its row's, where there was one. `skipped` were applied before it and had no
    closed record by then; `earlier` are the closed records of schema 1, in the first link alone.
    """

    sequence: int | None = None
    ledger_id: int | None = None
    earlier: tuple[str, ...] = NO_ITEMS
    skipped: tuple[str, ...] = NO_ITEMS
    previous: tuple[ChainHead, ...] = NO_ITEMS


class SeenReview(FactGroup):
    """A review of GO that was there at the close; `reason` is why it was sent back."""

    file: str = NO_TEXT
    by: str = NO_TEXT
    fingerprint: str = NO_TEXT
    verdict: str = NO_TEXT
    reason: str = NO_TEXT


class CloseFacts(StepFacts):
    """How it ended; `differs` lists the schema's differences from the rehearsed one.

    `differs_from_before` those from the schema before, `schema` what was seen,
    `timeline` the hash of the emergency's timeline as it was then. `files` are the folder's other
    files, each as `sha256sum` writes it; evidence is named by its attempt. `reviews` are those of
    GO by then, and `summary_form` is the form of SUMMARY.md. Of what was kept, `moved` names the
    touched tables that no longer hold the rehearsed values.
    """

    step = "close"
    signer: str = NO_TEXT
    closed_at: str = NO_TEXT
    end: str = NO_TEXT
    differs: tuple[str, ...] = NO_ITEMS
    differs_from_before: tuple[str, ...] = NO_ITEMS
    tables: tuple[CountedTable, ...] = NO_ITEMS
    schema: str = NO_TEXT
    timeline: str = NO_TEXT
    fingerprint: str = NO_TEXT
    files: tuple[str, ...] = NO_ITEMS
    reviews: tuple[SeenReview, ...] = NO_ITEMS
    summary_form: int | None = None
    chain: ChainLink | None = None
    moved: tuple[str, ...] = NO_ITEMS

    @property
    def at(self) -> datetime | None:
        """When it was closed; None where that is not said, or is no moment."""
        return moment_of(self.closed_at)


class WorkerFacts(StepFacts):
    """The Worker after the apply: the version that GO froze, and all that get traffic now."""

    step = "worker_deployed"
    worker: str = NO_TEXT
    frozen: str = NO_TEXT
    versions: tuple[str, ...] = NO_ITEMS
