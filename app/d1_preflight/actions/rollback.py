"""Section 4: the rollback path, written and tested before it is needed."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.rehearsal import compare_states, diff_facts, run_local_file
from d1_preflight.actions.target import (
    config_flags,
    own_command,
    shown,
    target_flags,
)
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.checklist.answers import LEAVE_IT, NOT_NEEDED, answer_label
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import capital, noun_for, plural
from d1_preflight.core.project.migration import Migration, down_names
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import (
    DOES_NOT_RUN,
    BookmarkFacts,
    DownFacts,
    DownTestFacts,
    RestoreFacts,
    RollbackHeaderFacts,
    RollbackPath,
    RollbackPlanFacts,
    RollbackScenario,
)
from d1_preflight.core.recovery.down import Draft, draft_down
from d1_preflight.core.rows.row_diff import RowDiff
from d1_preflight.core.schema.schema import diff

DRAFT, NONE = "write the draft to that file", "there is no down migration; restore from backup"
NO_DOWN = "no_down"
"""The prompt that asks why there is no down migration."""

_WHY_NONE = "Why is there no down migration, and what is done instead if it goes wrong?"
_HARM = ("table restore", "down migration", "time travel")

# The source document's matrix, its contradiction resolved: code first, then the database.
_MATRIX: Mapping[Kind, tuple[tuple[str, str], ...]] = {
    Kind.ADDITIVE: (
        ("no issues", "no rollback needed"),
        ("causes errors", "roll back the code first, then decide on the migration"),
    ),
    Kind.TRANSFORMATIVE: (
        ("no issues", "no rollback needed"),
        ("causes errors", "roll back the code first, then apply the down migration"),
    ),
    Kind.DESTRUCTIVE: (
        ("success", "the dropped data is gone by design; it stays in the backup"),
        ("wrong data deleted", "roll back the code, then restore the tables from the backup"),
        ("several tables damaged", "Time Travel to the bookmark; every later write is lost"),
    ),
}


def down_prompts(context: StepContext) -> Sequence[Prompt]:
    """Asked only where there is no down migration yet; the help shows the draft."""
    if context.environment.files.down(context.environment.stem) is not None:
        return ()
    draft = _draft(context)
    gaps = "".join(f"\n-- not restored: {gap}" for gap in draft.gaps)
    label = f"No down migration at {_down_name(context.environment)}. "
    blank = _is_blank(context.environment, draft)
    label += "No statement undoes it; the reasons are below" if blank else "The draft is below"
    choices = (NONE,) if blank else (DRAFT, NONE)
    return (
        Prompt("down", PromptKind.CHOOSE, label, help=f"{draft.sql}{gaps}", choices=choices),
        Prompt(NO_DOWN, PromptKind.TEXT, _WHY_NONE, after="down", only=NONE),
    )


async def write_down(context: StepContext) -> Outcome:
    """Accept the down migration, write it from the draft, or record that there is none."""
    environment = context.environment
    found = environment.files.down(environment.stem)
    if found is not None:
        facts = DownFacts(file=_down_name(environment), source="found")
        return Outcome(Status.PROVED, f"{_down_name(environment)} exists.", facts)
    draft = _draft(context)
    gaps = tuple(draft.gaps)
    if context.answer("down") == NONE:
        facts = DownFacts(source="none", lossless=False, gaps=gaps)
        words = "No down migration: the rollback path is the backup."
        reason = context.answer(NO_DOWN)
        if not reason:
            return Outcome(Status.UNKNOWN, f"{words} No reason was given.", facts)
        return Outcome(Status.ATTESTED, f"{words} Reason: {reason}", facts)
    if _is_blank(environment, draft):
        words = "The draft no longer holds a statement. Check it, then choose again."
        return Outcome(Status.FAILED, words, DownFacts(source="none", gaps=gaps))
    environment.files.write_down(environment.stem, draft.sql)
    place = _down_name(environment)
    read = environment.files.down(environment.stem)
    written = sha256(draft.sql.encode()).hexdigest()
    if read is None or read.sha256 != written:
        words = f"{place} differs from what was written. Check it, then try again."
        return Outcome(Status.FAILED, words, DownFacts(file=place))
    facts = DownFacts(file=place, source="drafted", lossless=draft.lossless, gaps=gaps)
    words = f"Written to {place}. Read it, and edit it where needed."
    return Outcome(Status.PROVED, words, facts, wrote={"down": written})


def test_prompts(context: StepContext) -> Sequence[Prompt]:
    """Why there is nothing to test, where the step before was not told."""
    environment = context.environment
    if environment.files.down(environment.stem) is not None or _reason_for_none(context):
        return ()
    return (Prompt(NO_DOWN, PromptKind.TEXT, _WHY_NONE),)


def _reason_for_none(context: StepContext) -> str:
    """Why there is no down migration, in the operator's words; "" where nobody said."""
    if context.answer(NO_DOWN) or not context.checklist.has(DownFacts.step):
        return context.answer(NO_DOWN)
    written = context.record.standing(context.checklist.step(DownFacts.step))
    return str(written.answers.get(NO_DOWN, "")) if written else ""


async def test_down(context: StepContext) -> Outcome:
    """Apply up and down, then compare: what the down migration restores, table by table."""
    environment = context.environment
    down = environment.files.down(environment.stem)
    if down is None:
        facts, reason = DownTestFacts(verdict="no down migration"), _reason_for_none(context)
        words = "There is no down migration, so none was tested."
        status = Status.ATTESTED if reason else Status.UNKNOWN
        return Outcome(status, f"{words} Reason: {reason or 'not said'}", facts)
    before, after = Folder.COPY.of(environment), Folder.DOWN.of(environment)
    await asyncio.to_thread(environment.local.duplicate, Folder.REHEARSAL.of(environment), after)
    # Its output is not kept: a SELECT in the script would print the target's rows.
    ran = await run_local_file(context, down, after, keep=None)
    if ran.exit_code != 0:
        words = f"The down migration does not run: {context.own_reason(ran, down)}"
        facts = DownTestFacts(verdict=DOES_NOT_RUN)
        return Outcome(Status.FAILED, words, facts, (ran,))
    changes = diff(environment.local.schema(before), environment.local.schema(after))
    row_diff = await asyncio.to_thread(compare_states, context, before, after)
    facts = _down_facts(row_diff, tuple(change.words for change in changes), ran.milliseconds)
    # Rows it does not restore are shown, not judged; a schema that differs is a failure.
    status = Status.FAILED if changes else Status.PROVED
    return Outcome(status, facts.verdict, facts, (ran,))


async def check_rollback_header(context: StepContext) -> Outcome:
    """The header says how to roll back."""
    rollback = context.environment.migration().header.rollback
    facts = RollbackHeaderFacts(rollback=rollback)
    absent = _absent_files(context, rollback)
    if absent:
        words = f"The header names {', '.join(absent)}, which does not exist."
        return Outcome(Status.FAILED, f"{words} Write it, or correct the line.", facts)
    if rollback:
        return Outcome(Status.PROVED, f"Rollback: {rollback}", facts)
    words = "The header has no “-- Rollback:” line. Add it to the file."
    return Outcome(Status.FAILED, words, facts)


def _absent_files(context: StepContext, rollback: str) -> list[str]:
    """The SQL files that a rollback line names and that are nowhere it could mean."""
    project = context.environment.project
    above = project.migrations_folder
    own = (above / name for name in down_names(context.environment.name))
    places = (above, above.parent, project.root, *(path.parent for path in own))
    names = re.findall(r"[\w./-]+\.sql\b", rollback)
    return [name for name in names if not any((place / name).is_file() for place in places)]


def way_back_prompts(context: StepContext) -> Sequence[Prompt]:
    """The rollback paths that exist, with what each loses."""
    ways = ways_back(context)
    choices = tuple(path.way for path in ways)
    labels = tuple(answer_label("way", way) for way in choices)
    told = zip(labels, map(_what_it_loses, ways), strict=True)
    losses = "\n".join(f"{label}: {loses}" for label, loses in told)
    label = "If it goes wrong, which rollback path is used first?"
    return (Prompt("way", PromptKind.CHOOSE, label, help=losses, choices=choices, labels=labels),)


async def choose_way_back(context: StepContext) -> Outcome:
    """The operator decides, with the figures in front of them."""
    ways = ways_back(context)
    chosen = next(path for path in ways if path.way == context.answer("way"))
    kind = context.kind if context.kind in _MATRIX else Kind.DESTRUCTIVE
    matrix = tuple(RollbackScenario(scenario=s, action=a) for s, a in _MATRIX[kind])
    facts = RollbackPlanFacts(ways=ways, chosen=chosen.way, matrix=matrix)
    label = capital(answer_label("way", chosen.way))
    return Outcome(Status.ATTESTED, f"{label}; {_what_it_loses(chosen)}.", facts)


def _what_it_loses(path: RollbackPath) -> str:
    return NOT_NEEDED if path.way == LEAVE_IT else f"loses {path.loses}"


def ways_back(context: StepContext) -> tuple[RollbackPath, ...]:
    """Down migration, table restore, Time Travel: only those that were proved or captured."""
    environment, found = context.environment, list[RollbackPath]()
    name, down = environment.project.database.name, context.facts(DownTestFacts)
    if context.kind in (Kind.ADDITIVE, Kind.NONE):
        found.append(RollbackPath(way=LEAVE_IT, command="", takes_ms=0, loses="nothing"))
    if down.schema == "restored":
        words = ("d1", "execute", name, *target_flags(environment))
        command = shown(environment, (*words, f"--file={_down_name(environment)}"))
        loses, takes = down.loses or "not known", down.ms or 0
        found.append(
            RollbackPath(way="down migration", command=command, takes_ms=takes, loses=loses)
        )
    gives = context.facts(RestoreFacts).gives_back
    if gives is not None and gives.runs:
        command = own_command(environment, "restore", environment.stem)
        loses = "later writes to the rows it restores"
        loses += "" if gives.whole else f"; not restored: {gives.words}"
        takes = gives.ms or 0
        found.append(
            RollbackPath(way="table restore", command=command, takes_ms=takes, loses=loses)
        )
    words = ("d1", "time-travel", "restore", name, *config_flags(environment))
    command = shown(environment, (*words, "--bookmark", context.facts(BookmarkFacts).bookmark))
    found.append(RollbackPath(way="time travel", command=command, loses="every write since"))
    return tuple(sorted(found, key=_harm))


def _harm(path: RollbackPath) -> int:
    """Order the paths: lossless first, Time Travel last."""
    return -1 if path.loses == "nothing" else _HARM.index(path.way)


def _down_name(environment: Environment) -> str:
    path = environment.files.down_path(environment.stem)
    return Path(os.path.relpath(path, environment.project.root)).as_posix()


def _is_blank(environment: Environment, draft: Draft) -> bool:
    """Whether the draft holds comments only, so that it is no down migration."""
    return Migration.from_text(environment.name, draft.sql).is_blank


def _draft(context: StepContext) -> Draft:
    environment = context.environment
    rehearsed = Folder.REHEARSAL.of(environment)
    if not environment.local.file(rehearsed).is_file():
        raise NotAllowed("The draft needs the rehearsal.", hint="Rehearse the migration first.")
    before = environment.local.schema(Folder.COPY.of(environment))
    return draft_down(environment.migration(), before, environment.local.schema(rehearsed))


def _down_facts(row_diff: RowDiff, changes: Sequence[str], ms: int) -> DownTestFacts:
    tables = diff_facts(row_diff)
    lost = sum(table.lost or 0 for table in tables)
    differing = sum(table.changed or 0 for table in tables)
    schema = "differs" if changes else "restored"
    data = "lost" if lost else "differs" if differing else "restored"
    stay, differ = noun_for(lost, "stays", "stay"), noun_for(differing, "differs", "differ")
    words = {
        "restored": "every row as before",
        "lost": f"{plural(lost, 'row')} {stay} lost",
        "differs": f"{plural(differing, 'row')} {differ} from before",
    }
    verdict = f"Schema {schema}, {words[data]}"
    if changes:
        verdict += f": {changes[0]}"
    loses = {
        "restored": "nothing",
        "lost": plural(lost, "row"),
        "differs": f"values in {plural(differing, 'row')}",
    }
    return DownTestFacts(
        schema=schema,
        data=data,
        rows_lost=lost,
        ms=ms,
        verdict=verdict,
        loses=loses[data],
        differences=tuple(changes),
        tables=tables,
    )


STEPS: Mapping[str, StepAction] = {
    "write_down": StepAction(write_down, prompts=down_prompts),
    "test_down": StepAction(test_down, prompts=test_prompts),
    "check_rollback_header": StepAction(check_rollback_header),
    "choose_way_back": StepAction(choose_way_back, prompts=way_back_prompts),
}
