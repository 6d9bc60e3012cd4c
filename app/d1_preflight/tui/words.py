"""The primary action of each step, and its summary in the current state."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from d1_preflight.core.checklist.checklist import Effect, Step
from d1_preflight.core.errors import NotAllowed, PreflightError
from d1_preflight.core.format import elapsed
from d1_preflight.core.record.change_facts import ClassFacts
from d1_preflight.core.record.gate import expired_answer
from d1_preflight.core.record.record import MARKS, Attempt, Status
from d1_preflight.core.record.safety_facts import BrokenQueryFacts, DeployOrderFacts
from d1_preflight.lazy_dataclass import dataclass
from d1_preflight.tui.progress import how_far
from d1_preflight.tui.running_step import RunningStep
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG, ink_of, marked

if TYPE_CHECKING:
    from d1_preflight.session import Session

Key = tuple[str, str]
_NAMED = 4
_NAME, _LINE = 13, 72
_TEXT = "classification"  # what fails here is fixed in the file
_OUTDATED = "Answered before, but what it is based on has changed since."
_APPLIES = ("apply_migration", "adopt_ledger")
_STUCK = (Status.FAILED, Status.UNKNOWN)
_AGAIN = (*_STUCK, Status.INTERRUPTED)


def verb(step: Step) -> str:
    """What Enter does at a pending step."""
    return step.verb or f"do “{step.short}”"


def is_writing(step: Step) -> bool:
    """Whether performing the step writes to the target or sends a message to people."""
    return step.effect is Effect.REMOTE_WRITE


def is_looking(session: "Session", step: Step) -> bool:
    """Whether the step is an apply whose end was not observed, so that it only reads."""
    last = session.record.last_ended(step.id)
    return step.action in _APPLIES and last is not None and last.status.is_unobserved


def is_asked(session: "Session", step: Step, running: RunningStep) -> bool:
    """Whether the step's questions are shown; none whose answer could not be taken now."""
    if running.holds(step) or step.id in running.answered or session.closed:
        return False
    is_open = not session.status_of(step).is_answered and not session.blockers(step)
    return is_open and step.id != "go"


def is_next(session: "Session", step: Step, step_id: str) -> bool:
    """Whether the step is the one of that id, open, and waits for no other."""
    is_open = not session.status_of(step).is_answered
    return step.id == step_id and is_open and not session.blockers(step)


def is_earlier(session: "Session", step: Step) -> bool:
    """Whether the first open step comes before this one."""
    path, current = session.path, session.current
    return current is not None and step in path and path.index(current) < path.index(step)


def judged(session: "Session") -> tuple[str, bool]:
    """The class and the risk, and whether they are a danger."""
    if session.record.is_adoption:
        return "ledger rows only", False
    kind = session.kind.value
    danger = kind in ("destructive", "unknown")
    # Once applied, the schema already has the change, so the earlier class is shown.
    risk = ClassFacts.from_attempt(session.attempt(ClassFacts.step)).risk
    shown = kind.upper() if danger else kind
    return f"{shown} · {risk or session.analysis.risk.value} risk", danger


def needs_capital(session: "Session", step: Step) -> bool:
    """Whether a capital A is the key that applies: Enter is pressed by habit."""
    is_next = not session.status_of(step).is_answered and not session.blockers(step)
    return is_next and step.action in _APPLIES and not is_looking(session, step)


def is_editable(session: "Session", step: Step) -> bool:
    """Whether the files may still be edited at this step: not from the gate on."""
    return step in session.checklist.before("go")


def is_header(session: "Session", step: Step) -> bool:
    """Whether h writes the header here: at its step, until it is complete."""
    is_open = not session.closed and not session.status_of(step).is_answered
    return step.action == "check_header" and is_editable(session, step) and is_open


def primary(session: "Session", step: Step) -> tuple[str, bool]:
    """What Enter does now, and whether it writes to the target."""
    if session.closed or session.current is None:
        return "back to the board", False
    if session.status_of(step).is_answered:
        return f"next: {session.current.short}", False
    waits = session.blockers(step)
    if waits and step.id != "go":
        return f"go to: {waits[0].step.short}", False
    if is_looking(session, step):
        return "check what it did", False
    again = " again" if session.status_of(step) in _AGAIN else ""
    return verb(step) + again, is_writing(step)


def keys(session: "Session", step: Step, *, by_itself: bool) -> list[Key]:
    """The other keys that work at this step while no field has the focus."""
    status = session.status_of(step)
    answered, stuck = status.is_answered, status in _STUCK and step.waivable
    found: list[Key] = [("w", "waive")] if stuck else []
    editable = is_editable(session, step) and not session.closed
    mend = editable and status in _STUCK and step.section == _TEXT and not step.waivable
    if is_header(session, step):
        found.append(("h", "write it"))
    if mend:
        found.append(("e", "edit"))
    if editable and step.section == _TEXT and session.analysis.findings:
        found.append(("p", "proved rewrite"))
    if step.section == _TEXT and len(session.analysis.findings) > 1:
        found.append(("f", "next finding"))
    if step.section == "timing":
        found.append(("d", "dashboard"))
    found.append(("o", "output"))
    broken = broken_queries(session, step)
    if editable and not mend:
        found.append(("e", "edit at the line" if broken else "edit"))
    if len(broken) > 1:
        found.append(("f", "next query"))
    if step.waivable and not answered and not stuck:
        found.append(("w", "waive"))
    if answered and not is_writing(step) and not session.closed and step.id != "go":
        found.append(("r", "again"))
    pace = "step by step" if by_itself else "automatic"
    return [*found, ("↑↓", "steps"), ("s", pace), ("Esc", "board"), ("c", "copy"), ("/", "search")]


@dataclass(frozen=True)
class KeyWords:
    """What the key bar says: the one primary key, the others, and whether it is in red."""

    primary: Key
    keys: list[Key]
    danger: bool = False


def key_bar(
    session: "Session",
    step: Step,
    running: RunningStep,
    asked: list[Key],
    *,
    by_itself: bool,
    goes_on: bool = False,
    scrolls: bool = False,
) -> KeyWords:
    """The keys of a step now; `asked` are those of its question, where the keys go there.

    `goes_on`: Enter also begins what goes by itself. `scrolls`: the keys go to the output.
    """
    words, danger = primary(session, step)
    if asked:
        return KeyWords(asked[0], asked[1:], danger and words in asked[0])
    key = "A" if needs_capital(session, step) else "Enter"
    if running.steps:
        return _beside_running(step, running, (key, words), scrolls=scrolls)
    others = keys(session, step, by_itself=by_itself)
    if goes_on:
        words += " and go on"
        others.sort(key=lambda key: key[0] != "s")  # the way out of it is said beside it
    if scrolls:
        moved = {"↑↓": "scroll", "Esc": "other keys"}
        told = [(name, moved[name]) for name in moved]
        others = [*told, *((name, act) for name, act in others if name not in moved)]
    return KeyWords((key, words), others, danger)


def _beside_running(step: Step, running: RunningStep, enter: Key, *, scrolls: bool) -> KeyWords:
    """What the keys do while steps run: beside them a question may be answered, a step begun."""
    moves = [("↑↓", "scroll"), ("Esc", "other keys")] if scrolls else [("↑↓", "steps")]
    if running.holds(step) or step.id in running.answered:
        rest = [("x", "stop waiting"), ("o", "output"), *moves]
        return KeyWords(("◐", f"running: {named(running)}"), rest)
    runs = [("◐", f"{len(running.steps)} running"), ("x", "stop")]
    return KeyWords(enter, [*runs, ("o", "output"), *moves])


def broken_queries(session: "Session", step: Step) -> tuple[BrokenQueryFacts, ...]:
    """The broken queries that the step shows; only the step of the deploy order shows any."""
    if step.id != DeployOrderFacts.step:
        return ()
    return DeployOrderFacts.from_attempt(session.attempt(step.id)).breaks


def never_waived(step: Step) -> PreflightError:
    """Why w does nothing at this step, and what to do instead."""
    return NotAllowed(
        f"“{step.title}” cannot be waived.", hint="It protects rows. Fix what is open instead."
    )


def plan(session: "Session", step: Step) -> Content:
    """The exact commands before they run, or what has to be answered first."""
    if session.status_of(step).is_answered or session.closed:
        return Content("")
    waits = session.blockers(step)
    if waits:
        names = " · ".join(item.step.short for item in waits[:_NAMED])
        more = f" and {len(waits) - _NAMED} more" if len(waits) > _NAMED else ""
        why = f"\n{waits[0].words}" if waits[0].words else ""
        return Content.styled(f"waits for: {names}{more}{why}", QUIET)
    lines = (
        Content.assemble(("$ " if command_in(line) else "  ", QUIET), line)
        for line in session.plan(step)
    )
    return Content("\n").join(lines)


def command_in(line: str) -> str:
    """The command of a plan's line, without its note; "" where the line only describes."""
    command = line.partition("   (")[0]
    return command if command.startswith("wrangler ") else ""


def live_list(session: "Session", running: RunningStep, most: int) -> Content:
    """What runs, below what came out last: no more lines than `most`, and all that runs."""
    runs = progress(session, running)
    if len(runs.plain.splitlines()) > most:
        return in_one_line(session, running)
    room = most - len(runs.plain.splitlines())
    return Content("\n").join([*came_out(running.came_out, room), runs])


def in_one_line(session: "Session", running: RunningStep) -> Content:
    """All that runs, each with its elapsed time; what writes is in red."""
    parts = [
        (f"{step.short} {elapsed(_seconds(session, step))}", DANGER if is_writing(step) else "")
        for step in running.steps.values()
    ]
    return Content.assemble(("◐ ", ACCENT), Content(" · ").join(Content.styled(*p) for p in parts))


def came_out(results: Sequence[tuple[Step, Attempt]], most: int) -> list[Content]:
    """What ran last, one line each: mark, step, result."""
    return [
        Content.assemble(
            (f"{MARKS[attempt.status]} ", ink_of(attempt.status)),
            f"{step.short:<{_NAME}} ",
            (attempt.words.partition("\n")[0], QUIET),
        ).truncate(_LINE, ellipsis=True)
        for step, attempt in list(results)[-most:]
        if most > 0
    ]


def named(running: RunningStep) -> str:
    """The steps that run, by their short names."""
    return " · ".join(step.short for step in running.steps.values())


def progress(session: "Session", running: RunningStep) -> Content:
    """Each running step, its elapsed time, and the last line its command printed."""
    lines: list[Content] = []
    for step in running.steps.values():
        seconds = _seconds(session, step)
        words = (f"◐ running: {step.short}  {elapsed(seconds)}  ", ACCENT)
        far = how_far(session, running.found_by(step), seconds)
        lines.append(Content.assemble(words, far or (running.last_line(step), QUIET)))
        if is_writing(step) and not is_looking(session, step):
            note = "Intent saved. Leaving does not stop what was sent."
            lines.append(Content.styled(note, DANGER))
    return Content("\n").join(lines)


def _seconds(session: "Session", step: Step) -> int:
    """How long the step has run."""
    started = (a.started_at for a in session.record.all_running if a.step == step.id)
    now = session.now()
    return int((now - next(started, now)).total_seconds())


def verdict(session: "Session", step: Step, last: Attempt | None, running: RunningStep) -> Content:
    """The last result, then the shown step with its state."""
    lines: list[Content] = []
    if last is not None and last.step != step.id and last.status is not Status.RUNNING:
        lines.append(_result(last.status, f"{_short(session, last)}: {last.words}"))
    runs = running.runs(step)
    status = Status.RUNNING if runs else session.status_of(step)
    attempt = session.attempt(step.id)
    if step.id in running.answered:
        lines.append(Content.assemble(("◐ answered  ", ACCENT), (step.title, STRONG)))
        lines.append(Content.styled(f"Waits until this ends: {named(running)}.", QUIET))
    elif status is Status.PENDING:
        lines.append(Content.assemble((f"{marked(status)}  ", QUIET), (step.title, STRONG)))
        fallen, stale = session.record.last(step.id), session.staleness(step)
        if stale:
            lines.append(Content.styled(f"{stale[:1].upper()}{stale[1:]}.", DANGER))
        elif fallen is not None and attempt is None:
            lines.append(Content.styled(_OUTDATED, DANGER))
        lines.append(Content.styled(step.why, QUIET))
    elif attempt is not None and not runs:
        lines.append(_result(status, attempt.words, step.title))
        if expired := expired_answer(session.record, step):
            lines.append(Content.styled(expired, DANGER))
        if since := session.later_write(step):
            lines.append(Content.styled(f"stale: since then {since}", DANGER))
    else:
        lines.append(
            Content.assemble((f"{marked(status)}  ", ink_of(status)), (step.title, STRONG))
        )
    return Content("\n").join(lines)


def _short(session: "Session", attempt: Attempt) -> str:
    """What the rail calls the attempt's step: its result stands over another one's question."""
    known = session.checklist.has(attempt.step)
    return session.checklist.step(attempt.step).short if known else attempt.step


def _result(status: Status, words: str, title: str = "") -> Content:
    return Content.assemble((f"{marked(status)}  ", ink_of(status)), words or title)
