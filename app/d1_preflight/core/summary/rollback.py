"""How a migration can be undone, or that it was: the path, what it loses, backup and bookmark."""

from d1_preflight.core.checklist.answers import (
    FIXED_MANUALLY,
    KEPT,
    LEAVE_IT,
    NOT_NEEDED,
    ROLLED_BACK,
    answer_label,
)
from d1_preflight.core.format import plural, timestamp
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.facts import moment_of
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    BookmarkFacts,
    DownTestFacts,
    RestoreFacts,
    RollbackPath,
    RollbackPlanFacts,
    changed_words,
)
from d1_preflight.core.summary.form import LABELLED_FORM, SPLIT_FORM
from d1_preflight.core.summary.text import sentence
from d1_preflight.core.summary.verdict import closed_attempt

_LONGEST_COMMAND = 100
_ENDED = {
    ROLLED_BACK: "it was rolled back. Planned: ",
    FIXED_MANUALLY: "neither the schema before nor the rehearsed one is there now, "
    "so none of these may fit. Planned: ",
}


def rollback_path(record: Record, form: int) -> str:
    """The chosen rollback path, what it loses, the backup and the bookmark."""
    plan = record.last_facts(RollbackPlanFacts)
    chosen = next((way for way in plan.ways if way.way == plan.chosen), RollbackPath())
    down = record.last_facts(DownTestFacts)
    rehearsed = record.last_facts(RehearsalFacts)
    is_tested = form < SPLIT_FORM and record.last(DownTestFacts.step) is not None
    tested = changed_words(rehearsed, down) if is_tested else ""
    path = _path(plan.chosen, chosen, form)
    parts = (path, _backup(record), _bookmark(record, form), f"tested: {tested}" if tested else "")
    told = " · ".join(sentence(part) for part in parts if part)
    if form == 1:
        return told
    return f"{_ended(record)}{told or 'nothing: no path, no backup and no bookmark is recorded'}"


def down_file(record: Record) -> str:
    """What the down file gives back of what the migration changes, as the test on the copy shows.

    Empty where it was not tested, or where no row is changed.
    """
    if record.last(DownTestFacts.step) is None:
        return ""
    rehearsed = record.last_facts(RehearsalFacts)
    down = record.last_facts(DownTestFacts)
    told = changed_words(rehearsed, down)
    return f"tested on the copy: {sentence(told)}" if told else ""


def _path(chosen: str, way: RollbackPath, form: int) -> str:
    """The path with its command, where that is one to be typed."""
    if form >= LABELLED_FORM and chosen == LEAVE_IT:
        return f"{answer_label('way', chosen)}: {NOT_NEEDED}"
    has_command = form > 1 and 0 < len(way.command) <= _LONGEST_COMMAND
    more = (way.command if has_command else "", f"loses {way.loses}" if way.loses else "")
    told = "; ".join(part for part in more if part)
    return f"{chosen}{f' ({told})' if told else ''}" if chosen else ""


def _ended(record: Record) -> str:
    """What stands before the plan where the end was another than to keep it."""
    closed = closed_attempt(record)
    end = CloseFacts.from_attempt(closed).end if closed else KEPT
    return _ENDED.get(end, "")


def _backup(record: Record) -> str:
    kept = record.last_facts(BackupFacts)
    if kept.rows is None:
        return ""
    restored = record.last(RestoreFacts.step)
    proved = restored is not None and restored.status.is_answered
    how = "restored and compared" if proved else "not restored for a test"
    tables = plural(len(kept.tables), "table")
    return f"backup of {plural(kept.rows, 'row')} in {tables}, {how}"


def _bookmark(record: Record, form: int) -> str:
    mark = record.last_facts(BookmarkFacts)
    if not mark.good_until:
        return ""
    until = moment_of(mark.good_until) if form > 1 else None
    words = f"bookmark until {timestamp(until) if until else mark.good_until}"
    if form == 1:
        return words
    return f"Time Travel {words}{', undoes every later write' if form >= SPLIT_FORM else ''}"
