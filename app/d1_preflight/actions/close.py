"""Close: the operator says how it ended, the database is compared once more, then it is signed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.actions.go import prepare_signer, signer_prompts
from d1_preflight.actions.target import Look, observe
from d1_preflight.actions.values import local_of, rehearsed_question, touched_tables, value_question
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.checklist.answers import (
    ANSWER_LABELS,
    FIXED_MANUALLY,
    KEPT,
    ROLLED_BACK,
    answer_label,
)
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.format import count, first, noun_for
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import (
    ApplyFacts,
    CloseFacts,
    CountedTable,
    GoFacts,
    RowCheckFacts,
)
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, row_counts
from d1_preflight.core.record.facts import NO_ITEMS, instant
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.rows.values import ValueQuestion, Values
from d1_preflight.core.schema.schema import Schema, diff, tables_of
from d1_preflight.core.schema.table import countable
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.core.verify.timeline import TIMELINE, read_timeline
from d1_preflight.lazy_dataclass import dataclass

_NAMED = 3
_NOT_THERE = -1
_NO_COPY = (
    "The copy is not on this machine, so the values cannot be compared with those from before."
)
_UNKNOWN = (
    "The schema's text differs, and the rehearsed schema is not on this machine to compare with. "
    "Close the record on the machine that rehearsed it."
)
_ROLLED_BACK, _FIXED = answer_label("end", ROLLED_BACK), answer_label("end", FIXED_MANUALLY)
_BRIEF = Prompt(
    "noticed", PromptKind.CHOOSE, "Did anyone notice?", optional=True, deliberate=True,
    choices=("nobody noticed", "somebody did, or there is more to tell the team"),
)  # fmt: skip
"""The verdict of most days by one key; everything else is a sentence."""
_CHEAP_ROWS = 100_000
"""Where the schema shows that it was kept, larger tables are not read once more for it."""


@dataclass(frozen=True, slots=True)
class KeptValues:
    """What the close says of the values: in words, and the tables that moved or were put back.

    Of a change of data alone neither the schema nor the ledger shows that it stands. On a living
    database values move all the time: what moved is named; only values from before contradict.
    """

    words: str = ""
    moved: tuple[str, ...] = ()
    put_back: tuple[str, ...] = ()


def close_prompts(context: StepContext) -> Sequence[Prompt]:
    """How it ended: the answer is compared with the database before anything is signed."""
    ends = ANSWER_LABELS["end"]
    end = Prompt(
        "end", PromptKind.CHOOSE, "How did it end?",
        choices=tuple(ends), labels=tuple(ends.values()),
    )  # fmt: skip
    return (*signer_prompts(context), end)


async def sign_close(context: StepContext) -> Outcome:
    """The operator's closing words, if the database says the same; the session signs the record.

    The database is read again: since the verification it may have been rolled back.
    """
    require_checklist_of_go(context)
    end = context.answer("end")
    seen, kept, evidence = await _look_at_end(context)
    facts = replace(_found(context, seen), moved=kept.moved or NO_ITEMS)
    against = _contradicted(context, seen) or _put_back(kept)
    if against is None and end == ROLLED_BACK:
        against = await _rows_contradict(context)
    if against is not None:
        return Outcome(against[0], against[1], facts, evidence)
    prepare_signer(context)
    facts = replace(
        facts,
        signer=context.environment.signer.identity,
        closed_at=instant(context.record.not_before(context.environment.clock.now())),
    )
    brief = context.answer(_BRIEF.key)
    words = context.answer("verdict") or (f"{brief.capitalize()}." if brief else "")
    if end != KEPT:
        words = f"{answer_label('end', end).capitalize()}. {words}{_fewer(facts.tables)}"
    elif kept.words:
        words = f"{words} {kept.words}".strip()
    return Outcome(Status.ATTESTED, words, facts, evidence)


async def _look_at_end(
    context: StepContext,
) -> tuple[Observation, KeptValues, tuple[Evidence, ...]]:
    """Ledger and schema; of what was kept the values, after an emergency the counts as well."""
    environment, keep = context.environment, context.evidence_name
    if context.answer("end") == KEPT:
        look, kept = await look_at_kept(context)
        return look.observation, kept, look.evidence
    first = await observe(environment, keep=keep, emit=context.emit)
    there = countable(tables_of(first.observation.schema))
    known = {table.lower() for table in (*_counts_before(context), *_rehearsed_counts(context))}
    tables = tuple(table for table in there if table.lower() in known)
    look = await observe(
        environment, tables=tables, checks=True, keep=f"{keep}-counts", emit=context.emit
    )
    return look.observation, KeptValues(), (*first.evidence, *look.evidence)


def _put_back(kept: KeptValues) -> tuple[Status, str] | None:
    """Values from before contradict that a change of data was kept."""
    if not kept.put_back:
        return None
    holds = noun_for(len(kept.put_back), "holds", "hold")
    words = f"{', '.join(kept.put_back)} {holds} the values from before: it was not kept."
    return Status.FAILED, f"{words} “{_ROLLED_BACK}”, or “{_FIXED}”?"


def _found(context: StepContext, seen: Observation) -> CloseFacts:
    """What the close saw; after an emergency with the counts before it, after it and now."""
    end = context.answer("end")
    facts = CloseFacts(end=end, schema=seen.schema.fingerprint)
    timeline = read_timeline(context.environment.store.read(TIMELINE) or b"")
    if timeline.is_bound:
        facts = replace(facts, timeline=timeline.states[-1])
    if end == KEPT:
        return facts
    environment = context.environment
    rehearsed = _differences(context, seen.schema, Folder.REHEARSAL.of(environment))
    before = _differences(context, seen.schema, Folder.COPY.of(environment))
    return replace(
        facts,
        differs=NO_ITEMS if rehearsed is None else rehearsed,
        differs_from_before=before or NO_ITEMS,
        tables=_counted(context, seen.counts),
    )


def _counted(context: StepContext, now: Mapping[str, int]) -> tuple[CountedTable, ...]:
    before, after = _counts_before(context), _counts_after(context)
    lower = {table.lower(): rows for table, rows in now.items()}
    return tuple(
        CountedTable(
            table=table,
            before=before.get(table, _NOT_THERE),
            after=after.get(table, _NOT_THERE) if after else None,
            now=lower.get(table.lower(), _NOT_THERE),
        )
        for table in dict.fromkeys((*before, *after, *_rehearsed_counts(context)))
    )


def _counts_before(context: StepContext) -> Mapping[str, int]:
    """The counts just before the apply, of every table that was there."""
    copied = row_counts(context.facts(RehearsalFacts).counts_before)
    copied = copied or row_counts(context.facts(CopyFacts).tables)
    return {**copied, **row_counts(context.facts(ApplyFacts).counts_before)}


def _counts_after(context: StepContext) -> Mapping[str, int]:
    """The counts that were found after the apply; none where nobody counted."""
    checked = context.record.last_facts(RowCheckFacts).tables
    return {t.table: t.found for t in checked if t.found is not None}


def _rehearsed_counts(context: StepContext) -> Mapping[str, int]:
    return row_counts(context.facts(RehearsalFacts).counts_after)


def _fewer(tables: Sequence[CountedTable]) -> str:
    """The tables that hold fewer rows now than before the apply, in words."""
    less = [t for t in tables if (t.before or 0) > 0 and (t.now or 0) < (t.before or 0)]
    told = [
        f"{t.table} {count(t.before or 0)} before, "
        + ("not there now" if t.now == _NOT_THERE else f"{count(t.now or 0)} now")
        for t in less
    ]
    return f" Fewer rows than before: {first(told, _NAMED, '; ')}." if less else ""


def _contradicted(context: StepContext, seen: Observation) -> tuple[Status, str] | None:
    """How the database contradicts the answer; None if it agrees. Unknown is no agreement."""
    environment, end = context.environment, context.answer("end")
    recorded = context.facts(RehearsalFacts).schema_after
    rehearsed = _is_same(context, seen.schema, recorded, Folder.REHEARSAL.of(environment))
    recorded = context.facts(CopyFacts).schema
    before = _is_same(context, seen.schema, recorded, Folder.COPY.of(environment))
    if end == KEPT and seen.ledger_row(environment.name) is None:
        words = f"The ledger no longer has a row for {environment.name}, so it was not kept."
        return Status.FAILED, words
    if end == KEPT:
        again = f"“{_ROLLED_BACK}”, or “{_FIXED}”?"
        words = "" if rehearsed else f"The schema is no longer the rehearsed one: {again}"
    elif end == ROLLED_BACK:
        words = _not_rolled_back(context, seen, before)
    else:
        words = _not_fixed(rehearsed, before)
    if not words:
        return None
    needed = {KEPT: (rehearsed,), ROLLED_BACK: (before,)}.get(end, (rehearsed, before))
    unknown = None in needed and True not in needed
    return (Status.UNKNOWN, _UNKNOWN) if unknown else (Status.FAILED, words)


async def _rows_contradict(context: StepContext) -> tuple[Status, str] | None:
    """Of a change of data alone the schema tells nothing: the touched tables' values do."""
    environment, persist = context.environment, Folder.COPY.of(context.environment)
    touched = touched_tables(context)
    if not is_data_alone(context) or not touched:
        return None
    if not environment.local.file(persist).is_file():
        return Status.UNKNOWN, f"{_NO_COPY} Close the record on the machine that copied it."
    question = value_question(environment, persist, touched)
    look = await observe(environment, extra=question.statements, emit=context.emit)
    values = question.read(look.extra)
    if values.moved:
        words = f"The values differ from before: {values.words(values.moved)}."
        return Status.FAILED, f"{words} If rows were written since, choose “{_FIXED}”."
    if values.unsure:
        words = f"{', '.join(values.unsure)} holds rows too long to compare by a query."
        return Status.UNKNOWN, f"{words} Compare them yourself, then choose “{_FIXED}”."
    return None


def _not_rolled_back(context: StepContext, seen: Observation, before: bool | None) -> str:
    if before:
        return ""
    words = _differences(context, seen.schema, Folder.COPY.of(context.environment)) or ()
    named = f": {first(words, _NAMED, '; ')}" if words else ""
    return (
        f"The schema differs from before{named}. If it is not the rehearsed one either, choose "
        f"“{_FIXED}”."
    )


def _not_fixed(rehearsed: bool | None, before: bool | None) -> str:
    """A schema that is neither was fixed; one that is both shows nothing of the rows."""
    if (rehearsed and before) or (rehearsed is False and before is False):
        return ""
    words = "the rehearsed one" if rehearsed else "the one from before"
    return f"The schema is {words}: nothing was fixed manually. Choose how it really ended."


def _is_same(context: StepContext, now: Schema, recorded: str, persist: Path) -> bool | None:
    """Whether the schema is the recorded one: the same text, else the same structure.

    The text alone does not decide: SQLite writes what a rename touched with other quotes. None
    where the recorded schema is not on this machine.
    """
    if now.fingerprint == recorded:
        return True
    local = context.environment.local
    if not local.file(persist).is_file() or local.schema(persist).fingerprint != recorded:
        return None
    return not diff(local.schema(persist), now)


def _differences(context: StepContext, now: Schema, persist: Path) -> tuple[str, ...] | None:
    """What the schema has else than a local database; None where that is not on this machine."""
    local = context.environment.local
    if not local.file(persist).is_file():
        return None
    return tuple(change.words for change in diff(local.schema(persist), now))


async def look_at_kept(context: StepContext) -> tuple[Look, KeptValues]:
    """Ledger and schema, and in the same read the values of what the migration touched."""
    environment, keep = context.environment, context.evidence_name
    question, missing = _question(context)
    try:
        look = await observe(environment, extra=question.statements, keep=keep, emit=context.emit)
    except RemoteFailed as error:
        if not question.statements or "no such" not in error.message:
            raise
        words = f"Values were not compared: {error.message}"
        return await observe(environment, keep=keep, emit=context.emit), KeptValues(words)
    return look, KeptValues(missing) if missing else _compared(context, question.read(look.extra))


def is_data_alone(context: StepContext) -> bool:
    """Whether the migration changed rows and nothing of the schema."""
    return context.facts(RehearsalFacts).schema_after == context.facts(CopyFacts).schema


def _question(context: StepContext) -> tuple[ValueQuestion, str]:
    """What is asked, or why nothing can be compared."""
    if not context.environment.local.file(Folder.REHEARSAL.of(context.environment)).is_file():
        words = "Values were not compared: the rehearsal is not on this machine."
        return ValueQuestion(), words if is_data_alone(context) else ""
    try:
        question = rehearsed_question(context)
    except NotAllowed as error:
        return ValueQuestion(), f"Values were not compared: {error.message}"
    counts = row_counts(context.facts(RehearsalFacts).counts_after)
    rows = sum(counts.get(table, 0) for table in question.tables)
    if rows > _CHEAP_ROWS and not is_data_alone(context):
        return ValueQuestion(), ""
    return question, ""


def _compared(context: StepContext, values: Values) -> KeptValues:
    said = []
    if values.moved:
        said.append(f"Since the rehearsal, values moved in {values.words(values.moved)}.")
    if values.unsure:
        said.append(f"Too long to compare by a query: rows of {', '.join(values.unsure)}.")
    return KeptValues(" ".join(said), values.moved, _tables_put_back(context, values))


def _tables_put_back(context: StepContext, values: Values) -> tuple[str, ...]:
    """The tables that hold exactly what they held before, of a change of data alone."""
    environment, copy = context.environment, Folder.COPY.of(context.environment)
    if not is_data_alone(context) or not environment.local.file(copy).is_file():
        return ()
    before = local_of(environment, copy, values.moved)
    return tuple(t for t in values.moved if t in before and values.found[t] == before[t])


def require_checklist_of_go(context: StepContext) -> None:
    """Require the checklist that the record's GO was signed with; raises NotAllowed."""
    go = context.facts(GoFacts)
    if not go.is_by(context.record.checklist):
        raise NotAllowed(
            f"{context.checklist.source} is not the checklist that GO was signed with.",
            hint=f"Restore that checklist (its sha256 is {go.checklist}), then close.",
        )


STEPS: Mapping[str, StepAction] = {
    "sign_close": StepAction(
        sign_close, prompts=close_prompts, seals=True, spares={"verdict": _BRIEF}
    ),
}
