"""Writes the files of a pattern: header, statements, down file; each linted and proved first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from d1_preflight.core.errors import UsageError
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.template import (
    description_of,
    down_header,
    found_header,
    with_header,
)
from d1_preflight.core.remedies.fix import fix
from d1_preflight.core.remedies.patterns.added import column_draft, table_draft
from d1_preflight.core.remedies.patterns.pattern import Draft, Pattern, Wanted
from d1_preflight.core.remedies.patterns.rebuild import rebuild_draft
from d1_preflight.core.remedies.patterns.rename import rename_drafts
from d1_preflight.core.remedies.patterns.trial import tried_up_and_down
from d1_preflight.core.remedies.patterns.values import data_draft
from d1_preflight.core.remedies.remedy import Reading
from d1_preflight.core.schema.schema import Schema, Structure

_NOT_OURS = frozenset({"name-pattern", "number-gap", "number-behind", "baseline-missing"})

DownWriter = Callable[[Migration, Schema], tuple[str, tuple[str, ...]]]
"""Drafts the down file of a migration, and says what it cannot bring back."""


@dataclass(frozen=True, slots=True)
class Request:
    """The schema that the first file meets, the folder's files, and what the files are for.

    `down` drafts a down file where the pattern has none of its own; `down_path` names its place.
    """

    prior: Schema
    siblings: tuple[Migration, ...]
    described: str
    down: DownWriter
    down_path: Callable[[str], str] = "down/{}".format


@dataclass(frozen=True, slots=True)
class Written:
    """A migration and its down file, proved; `rows` is on what, `gaps` what no down file undoes."""

    name: str
    text: str
    down: str
    kind: Kind
    rows: str
    gaps: tuple[str, ...] = ()


def drafts(wanted: Wanted, now: Structure) -> tuple[Draft, ...]:
    """What a pattern comes to for these tables, one draft a file; raises UsageError."""
    match wanted.pattern:
        case Pattern.COLUMN:
            return (column_draft(wanted, now),)
        case Pattern.TABLE:
            return (table_draft(wanted, now),)
        case Pattern.RENAME:
            return rename_drafts(wanted, now)
        case Pattern.REBUILD:
            return (rebuild_draft(wanted, now),)
        case Pattern.DATA:
            return (data_draft(wanted, now),)


def written_files(
    found: Sequence[Draft], named: Sequence[str], request: Request
) -> tuple[Written, ...]:
    """The files in the order in which they are applied; raises UsageError where one is not proved.

    `named` are their names.
    """
    files = list[Written]()
    for draft, name in zip(found, named, strict=True):
        files.append(_Writer(draft, name, request).file())
        made = Migration.from_text(name, files[-1].text)
        siblings = (*request.siblings, made)
        after = Reading.of(made, request.prior, siblings).context.script.after
        request = replace(request, prior=after, siblings=siblings)
    return tuple(files)


class _Writer:
    """One file."""

    def __init__(self, draft: Draft, name: str, request: Request) -> None:
        self._draft, self._name, self._request = draft, name, request

    def file(self) -> Written:
        """The text with its header, once it is linted and proved."""
        text = self._with_header(self._body())
        if self._draft.made_safe:
            text = self._safe(text)
        reading = self._reading(text)
        self._refuse(reading)
        undo, gaps = self._undo(reading)
        rows = self._proved(text, undo)
        return Written(
            self._name, text, self._down_text(reading, undo, gaps), reading.context.verdict.kind,
            rows, gaps,
        )  # fmt: skip

    def _body(self) -> str:
        notes = [f"-- {note}" for note in self._draft.notes]
        losses = [f"-- preflight: loses {name} — {self._draft.reason}"
                  for name in self._draft.losses]  # fmt: skip
        lines = [*notes, *losses, *(f"{sql};" for sql in self._draft.up)]
        return "\n".join(["", *lines, ""])

    def _reading(self, text: str) -> Reading:
        migration = Migration.from_text(self._name, text)
        return Reading.of(migration, self._request.prior, (*self._request.siblings, migration))

    def _with_header(self, text: str) -> str:
        verdict = self._reading(text).context.verdict
        stem = self._name.removesuffix(".sql").removesuffix("/migration").rpartition("/")[2]
        described = self._request.described or description_of(self._name)
        down = self._request.down_path(self._name)
        header = found_header(stem, verdict.kind, verdict.effects, described, down)
        return with_header(text.lstrip("\n"), header + "\n")

    def _safe(self, text: str) -> str:
        """The plain rebuild as the remedies write it; its header again."""
        migration = Migration.from_text(self._name, text)
        found = fix(migration, self._request.prior, (*self._request.siblings, migration))
        return self._with_header(found.after) if found.is_offered else text

    def _refuse(self, reading: Reading) -> None:
        refused = next((t for t in reading.context.statements if t.error), None)
        if refused is not None:
            raise UsageError(f"D1 would refuse it: {refused.error}.", hint=refused.statement.body)
        found = (f for f in reading.findings if f.blocks and f.rule not in _NOT_OURS)
        if (blocking := next(found, None)) is not None:
            raise UsageError(
                f"Not written: {blocking.rule}: {blocking.message}",
                hint=f"More: preflight explain {blocking.rule}",
            )

    def _undo(self, reading: Reading) -> tuple[str, tuple[str, ...]]:
        if self._draft.down is None:
            return self._request.down(reading.context.migration, self._request.prior)
        return "".join(f"{sql};\n" for sql in self._draft.down), self._draft.gaps

    def _proved(self, text: str, undo: str) -> str:
        lost = self._draft.losses if self._draft.down is None else ()
        free = frozenset(name.lower() for name in (*lost, *self._draft.changes))
        tried = tried_up_and_down(
            self._request.prior, self._name, (text, undo), self._draft.seeds, free
        )
        if not tried.holds:
            raise UsageError(
                f"Not written, because it is not proved: {tried.reason}.",
                hint="Write the file by hand: leave --pattern out.",
            )
        return tried.rows

    def _down_text(self, reading: Reading, undo: str, gaps: Sequence[str]) -> str:
        if self._draft.down is None:
            return undo
        stem = self._name.removesuffix(".sql")
        made = Migration.from_text(f"{stem}_down.sql", undo)
        kind = Reading.of(made, reading.context.script.after).context.verdict.kind
        return down_header(stem, self._name, kind, gaps) + undo
