"""What can be copied of a step: its commands, its results, its values, the SQL, the output."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the board copies too, and starts without what a walk needs
    from d1_preflight.core.checklist.checklist import Step
    from d1_preflight.session import Session

_LABEL = 64

Copyable = tuple[str, str]
"""What it is, in a few words, and the text itself."""


def copyable(session: "Session", step: "Step", output: Sequence[str]) -> list[Copyable]:
    """Everything of a step that one may want elsewhere, its commands first."""
    from d1_preflight.tui import places
    from d1_preflight.tui.bodies.acts import git_add

    found = [*_commands(session, step), *_results(session, step), *_files(session)]
    if output:
        found.append((f"output of {step.short}", "\n".join(output)))
    if page := places.address(session, step.section):
        found.append((f"page: {page}", page))
    found += [("folder of the record", str(session.folder)),
              ("command: git add the record", git_add(session.folder))]  # fmt: skip
    return [(_short(label), text) for label, text in dict(found).items() if text]


def of_file(name: str, text: str, path: Path | None) -> list[Copyable]:
    """What can be copied of a migration on the board."""
    stem = name.removesuffix(".sql")
    found = [(f"command: preflight run {stem}", f"preflight run {stem}"), ("name", name),
             ("SQL of the migration", text), ("path", str(path or ""))]  # fmt: skip
    return [(label, text) for label, text in found if text]


def _commands(session: "Session", step: "Step") -> Iterator[Copyable]:
    """The commands that will run, and those that did, as a shell takes them."""
    from shlex import join

    attempt = session.attempt(step.id)
    if attempt is None and not session.closed:
        yield from map(_planned, session.plan(step))
    for evidence in attempt.evidence if attempt else ():
        line = join(evidence.argv)
        yield f"command: {line}", line


def _planned(line: str) -> Copyable:
    """A line of what will run; one with a placeholder is no command yet."""
    from d1_preflight.tui.words import command_in

    command = command_in(line)
    if command and "<" not in command:
        return f"command: {command}", command
    return f"plan: {line}", line


def _results(session: "Session", step: "Step") -> Iterator[Copyable]:
    attempt = session.attempt(step.id)
    if attempt is None:
        return
    from d1_preflight.report.fact_text import single_values

    yield f"result: {attempt.words}", attempt.words
    yield from ((f"{name}: {value}", value) for name, value in single_values(attempt.facts))


def _files(session: "Session") -> Iterator[Copyable]:
    yield "SQL of the migration", session.migration.text
    if session.down is not None:
        yield "SQL of the down file", session.down.text
    yield "sha256 of the migration", session.migration.sha256


def _short(label: str) -> str:
    """A label in one line."""
    line = " ".join(label.split())
    return line if len(line) <= _LABEL else f"{line[: _LABEL - 1]}…"
