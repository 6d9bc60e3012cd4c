"""The primary action of each step, and its summary in the current state."""

from textual.content import Content

from d1_preflight.core.checklist.checklist import Effect, Step
from d1_preflight.core.errors import NotAllowed, PreflightError
from d1_preflight.core.format import elapsed
from d1_preflight.core.record.record import Attempt, Status
from d1_preflight.session import Session
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG, ink_of, marked

Key = tuple[str, str]
_NAMED = 4
_TEXT = "classification"  # what fails here is fixed in the file
_OUTDATED = "Answered before, but what it is based on has changed since."
_APPLY = "apply_migration"
_STUCK = (Status.FAILED, Status.UNKNOWN)
_AGAIN = (*_STUCK, Status.INTERRUPTED)


def verb(step: Step) -> str:
    """What Enter does at a pending step."""
    return step.verb or f"do “{step.short}”"


def is_writing(step: Step) -> bool:
    """Whether performing the step writes to the target or sends a message to people."""
    return step.effect is Effect.REMOTE_WRITE


def is_looking(session: Session, step: Step) -> bool:
    """Whether the step is an apply whose end was not observed, so that it only reads."""
    last = session.record.last_ended(step.id)
    return step.action == _APPLY and last is not None and last.status.is_unobserved


def is_editable(session: Session, step: Step) -> bool:
    """Whether the files may still be edited at this step: not from the gate on."""
    return step in session.checklist.before("go")


def primary(session: Session, step: Step) -> tuple[str, bool]:
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


def keys(session: Session, step: Step) -> list[Key]:
    """The other keys that work at this step while no field has the focus."""
    status = session.status_of(step)
    answered, stuck = status.is_answered, status in _STUCK and step.waivable
    found: list[Key] = [("w", "waive")] if stuck else []
    editable = is_editable(session, step) and not session.closed
    mend = editable and status in _STUCK and step.section == _TEXT and not step.waivable
    if mend:
        found.append(("e", "edit"))
    if editable and step.section == _TEXT and session.analysis.findings:
        found.append(("s", "safe way"))
    if step.section == _TEXT and len(session.analysis.findings) > 1:
        found.append(("f", "next finding"))
    if step.section == "timing":
        found.append(("d", "dashboard"))
    found.append(("o", "output"))
    if editable and not mend:
        found.append(("e", "edit"))
    if step.waivable and not answered and not stuck:
        found.append(("w", "waive"))
    if answered and not is_writing(step) and not session.closed and step.id != "go":
        found.append(("r", "again"))
    return [*found, ("↑↓", "steps"), ("Esc", "board")]


def never_waived(step: Step) -> PreflightError:
    """Why w does nothing at this step, and what to do instead."""
    return NotAllowed(
        f"“{step.title}” cannot be waived.", hint="It protects rows. Fix what is open instead."
    )


def plan(session: Session, step: Step) -> Content:
    """The exact commands before they run, or what has to be answered first."""
    if session.status_of(step).is_answered or session.closed:
        return Content("")
    waits = session.blockers(step)
    if waits:
        names = " · ".join(item.step.short for item in waits[:_NAMED])
        more = f" and {len(waits) - _NAMED} more" if len(waits) > _NAMED else ""
        why = f"\n{waits[0].words}" if waits[0].words else ""
        return Content.styled(f"waits for: {names}{more}{why}", QUIET)
    lines = (Content.assemble(("$ ", QUIET), line) for line in session.plan(step))
    return Content("\n").join(lines)


def progress(session: Session, step: Step, line: str) -> Content:
    """The running step, its elapsed time, and the last line its command printed."""
    attempt, now = session.record.running, session.now()
    seconds = int((now - attempt.started_at).total_seconds()) if attempt else 0
    words = Content.assemble(
        (f"◐ running: {step.short}  {elapsed(seconds)}  ", ACCENT), (line, QUIET)
    )
    if not is_writing(step) or is_looking(session, step):
        return words
    note = "Intent saved. Leaving does not stop what was sent."
    return Content("\n").join([words, Content.styled(note, DANGER)])


def verdict(session: Session, step: Step, last: Attempt | None, running: Step | None) -> Content:
    """The last result, then the shown step with its state."""
    lines: list[Content] = []
    if last is not None and last.step != step.id and last.status is not Status.RUNNING:
        lines.append(_result(last.status, last.words))
    status = Status.RUNNING if step == running else session.status_of(step)
    attempt = session.attempt(step.id)
    if status is Status.PENDING:
        lines.append(Content.assemble((f"{marked(status)}  ", QUIET), (step.title, STRONG)))
        fallen, stale = session.record.last(step.id), session.staleness(step)
        if stale:
            lines.append(Content.styled(f"{stale[:1].upper()}{stale[1:]}.", DANGER))
        elif fallen is not None and attempt is None:
            lines.append(Content.styled(_OUTDATED, DANGER))
        lines.append(Content.styled(step.why, QUIET))
    elif attempt is not None and step != running:
        lines.append(_result(status, attempt.words, step.title))
        if since := session.stale(step):
            lines.append(Content.styled(f"stale: since then {since}", DANGER))
    else:
        lines.append(
            Content.assemble((f"{marked(status)}  ", ink_of(status)), (step.title, STRONG))
        )
    return Content("\n").join(lines)


def _result(status: Status, words: str, title: str = "") -> Content:
    return Content.assemble((f"{marked(status)}  ", ink_of(status)), words or title)
