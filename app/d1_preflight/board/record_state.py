"""What the board says of a record: its state in words, and what an expand half still owes."""

from collections.abc import Collection, Iterator, Mapping

from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT, ROLLED_BACK, answer_label
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.apply_facts import NO_GO, CloseFacts, GoFacts
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.record import MARKS, Record, Status
from d1_preflight.core.record.safety_facts import DeployOrderFacts


def owed_by(record: Record | None, signed: bool) -> tuple[str, ...]:
    """What an expand half left for its contract half; nothing where it was rolled back."""
    if record is None or _end(record, signed) == ROLLED_BACK:
        return ()
    last = record.last(DeployOrderFacts.step)
    answered = last is not None and last.status.is_answered
    return DeployOrderFacts.from_attempt(last).owed if answered else ()


def dropped_by(record: Record, signed: bool) -> Iterator[str]:
    """What a closed migration took away for good."""
    if _end(record, signed) in ("", ROLLED_BACK):
        return
    for change in record.last_facts(RehearsalFacts).schema:
        if change.change == "removed" and change.object in ("table", "column"):
            yield change.name.lower()


def is_dropped(name: str, dropped: Collection[str]) -> bool:
    """Whether a table or column is gone, itself or with its table."""
    return bool({name.lower(), name.lower().partition(".")[0]} & set(dropped))


def _end(record: Record, signed: bool) -> str:
    """How a closed record ended; "" while it is open."""
    close = record.last("close")
    is_closed = signed and close is not None and close.status.is_answered
    return (CloseFacts.from_attempt(close).end or KEPT) if is_closed else ""


def record_words(
    record: Record, checklist: Checklist, kind: Kind, *, signed: bool
) -> tuple[str, str]:
    """The state of a record: a mark, and words for the board."""
    close = record.last("close")
    if close and close.status.is_answered and signed:
        when, who = close.finished_at or close.started_at, close.by.partition("@")[0]
        end = CloseFacts.from_attempt(close).end
        ended = answer_label("end", end) if end in (ROLLED_BACK, FIXED_MANUALLY) else "closed"
        return MARKS[Status.PROVED], f"{ended} · {who} · {when:%d %b}"
    path = checklist.steps_for(kind)
    current = next((s for s in path if not record.status_of(s).is_answered), None)
    titles: Mapping[str, str] = {
        section.id: f"{section.number} {section.title}".strip() for section in checklist.sections
    }
    applied = record.last("applied")
    if current is None or (applied and applied.status is Status.PROVED):
        where = titles[current.section] if current else "close"
        return MARKS[Status.RUNNING], f"applied, open at {where}"
    go = record.last("go")
    if GoFacts.from_attempt(go).decision == NO_GO:
        return MARKS[Status.FAILED], "NO-GO"
    if applied and applied.status.is_unobserved:
        return MARKS[applied.status], "apply started: look"
    if current.id == "applied":
        return MARKS[Status.ATTESTED], "GO signed"
    return MARKS[Status.RUNNING], f"open at {titles[current.section]}"
