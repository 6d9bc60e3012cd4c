"""The acts between and after the sections: GO, apply, close; and sections a project adds."""

from pathlib import Path
from shlex import quote
from textwrap import wrap

from textual.content import Content

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.format import count, duration, plural, short_hash
from d1_preflight.core.record.apply_facts import ApplyFacts, CloseFacts, GoFacts
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.gate import tally
from d1_preflight.core.record.record import MARKS, Status
from d1_preflight.core.record.safety_facts import DownTestFacts, changed_words
from d1_preflight.tui.styles import ACCENT, DANGER, GOOD, QUIET, STRONG, WORDS, ink_of, marked
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.tables import Cell, Column, table

_ONCE_SENT = (
    "The intent is saved before anything is sent. Once sent, leaving does not stop it; the ledger "
    "is read afterwards, whatever the exit code says."
)
_RECHECKED = ("GO signature", "backup", "file", "configuration", "window", "pending", "schema",
              "ledger", "values")  # fmt: skip
_STEPS = (Column(""), Column(""), Column(""))


def go_body(view: View, width: int) -> Content:
    """What keeps the gate shut; the gate itself has its own screen."""
    still_open = view.session.open_before_go()
    go = view.facts(GoFacts)
    if go.expires_at and view.status("go").is_answered:
        until = view.moment(go.expires_at)
        return Content(f"GO by {go.signer} {go.fingerprint}, good until {until}.")
    if not still_open:
        opens = Content("Nothing is open. Press Enter to read the whole plan and decide.")
        changes = changed_words(view.facts(RehearsalFacts), view.facts(DownTestFacts))
        told = Content("\n".join(wrap(f"Rows: {changes}.", max(width, 1))))
        lost = view.facts(RehearsalFacts).rows_lost
        return (
            Content("\n\n").join([opens, told.stylize(DANGER) if lost else told])
            if changes
            else opens
        )
    lines: list[tuple[Cell, ...]] = [
        (
            (f"{MARKS[item.status]} {WORDS[item.status]}", ink_of(item.status)),
            item.step.title,
            (item.words, QUIET),
        )
        for item in still_open
    ]
    head = Content.styled(f"✗ {plural(len(still_open), 'item')} open: GO is blocked", DANGER)
    return Content("\n\n").join([head, table(_STEPS, lines, width)])


def apply_body(view: View, width: int) -> Content:
    """What is applied to what, what is re-checked before, and what was observed after."""
    record, applied = view.session.record, view.facts(ApplyFacts)
    lines: list[tuple[Cell, ...]] = [
        (("apply", QUIET), (record.migration, STRONG)),
        (("to", QUIET), (f"{record.database.label}  {record.database.target.upper()}", STRONG)),
    ]
    if isinstance(view.live, ApplyFacts):
        shown = table((Column(""), Column("")), lines, width)
        return Content("\n\n").join([shown, Content("\n").join(_sub_steps(view.live))])
    lines.append((("sha256", QUIET), short_hash(record.subjects.get("migration", ""))))
    lines.append((("id", QUIET), record.database.id))
    if applied.rechecked:
        checks = "  ".join(f"{word} ✓" for word in applied.rechecked)
        lines.append((("re-checked", QUIET), checks))
    if applied.ledger_id is not None:
        took = f", {duration(applied.ms)}" if applied.ms is not None else ""
        row = f"✓ row {applied.ledger_id}, {view.moment(applied.applied_at + '+00:00')}{took}"
        lines.append((("ledger", QUIET), row))
    shown = table((Column(""), Column("")), lines, width)
    if view.status("applied").is_answered:
        return shown
    return Content("\n\n").join([shown, Content.styled(_ONCE_SENT, QUIET)])


def _sub_steps(live: ApplyFacts) -> list[Content]:
    """What the apply has done so far, what it does now, and what comes."""
    rechecked = [(word, word in live.rechecked) for word in _RECHECKED]
    if live.rechecked and "backup" not in live.rechecked and "file" in live.rechecked:
        rechecked = [(word, done) for word, done in rechecked if word != "backup"]
    sent = live.exit_code is not None
    ran = (
        f"wrangler d1 migrations apply ({duration(live.ms)})"
        if sent
        else "wrangler d1 migrations apply"
    )
    checks = ((f"{'re-checked' if done else 're-check'}: {word}", done) for word, done in rechecked)
    steps = [*checks, (ran, sent), ("read the ledger again", False)]
    at = next(n for n, (_, done) in enumerate(steps) if not done)
    return [
        Content.styled(f"✓ {words}", GOOD) if done
        else Content.styled(f"◐ {words}", ACCENT) if n == at
        else Content.styled(f"· {words}", QUIET)
        for n, (words, done) in enumerate(steps)
    ]  # fmt: skip


def steps_table(view: View, steps: tuple[Step, ...], width: int) -> Content:
    """The steps of these that the path walks, with their results."""
    lines: list[tuple[Cell, ...]] = []
    for step in view.session.path:
        if step in steps:
            status, attempt = view.session.status_of(step), view.session.attempt(step.id)
            words = attempt.words if attempt else ""
            old, since = view.session.staleness(step), view.session.later_write(step)
            told: Cell = (f"stale: since then {since} · {words}", DANGER) if since else (
                old or words, QUIET)  # fmt: skip
            lines.append(((marked(status), ink_of(status)), step.short, told))
    return table(_STEPS, lines, width)


def close_body(view: View, width: int) -> Content:
    """The state of the checklist before it is closed and signed."""
    states = tally(view.session.record, view.session.checklist, view.session.kind)
    parts = [(f"{MARKS[s]} {WORDS[s]} {states[s]}   ", ink_of(s)) for s in Status if states[s]]
    waived = [step for step in view.session.path if view.session.status_of(step) is Status.WAIVED]
    lines = [Content.assemble(*parts)]
    for step in waived:
        attempt = view.session.attempt(step.id)
        lines.append(Content(f"⊘ {step.title}: {attempt.words if attempt else ''}"))
    if view.session.closed:
        lines += _kept(view)
    counted = _counted(view.facts(CloseFacts), width)
    lines += [Content(""), counted] if counted.cell_length else []
    lines += [Content(""), steps_table(view, view.session.checklist.before("close"), width)]
    return Content("\n").join(lines)


def _counted(close: CloseFacts, width: int) -> Content:
    """After an emergency: the rows of each table before the apply, after it, and now."""
    columns = (Column("table"), *(Column(n, right=True) for n in ("before", "after", "now")))
    lines: list[tuple[Cell, ...]] = [
        (t.table, _rows(t.before), _rows(t.after), (_rows(t.now), STRONG)) for t in close.tables
    ]
    return table(columns, lines, width) if lines else Content("")


def _rows(rows: int | None) -> str:
    """A count; -1 says that the table is not there, None that nobody counted."""
    if rows is None:
        return "?"
    return "–" if rows < 0 else count(rows)


def git_add(folder: Path) -> str:
    """The line that puts a record into git, with the folder as a shell takes it."""
    return f"git add {quote(str(folder))}"


def _kept(view: View) -> list[Content]:
    """The closed record's folder, and what to do with it."""
    session = view.session
    stem = session.record.migration.removesuffix(".sql")
    return [
        Content.styled("✓ Closed and signed. The record is final.", STRONG),
        Content(f"The record is in {session.folder}"),
        Content("Commit that folder. Anyone with the repository can then verify it:"),
        Content.assemble(("$ ", QUIET), git_add(session.folder)),
        Content.assemble(("$ ", QUIET), f"preflight verify {stem}"),
    ]


def steps_body(view: View, width: int) -> Content:
    """The steps of a section that a project added."""
    steps = view.session.path
    return steps_table(view, tuple(s for s in steps if s.section == view.step.section), width)
