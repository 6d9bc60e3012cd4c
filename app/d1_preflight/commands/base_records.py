"""What a base revision holds of the records: nothing closed there may go or change.

Files alone cannot say that a record is the latest one of its operator; the history of a branch that
others protect can. A branch is held to the revision where it left its base.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from d1_preflight.adapters.git.base_revision import BaseRevision, is_object
from d1_preflight.adapters.git.door import git_around
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.project.project import RECORDS_NAME
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Attempt, Status
from d1_preflight.core.verify.chain import RECORD_FILE, RECORD_SIGNATURE
from d1_preflight.core.verify.problem import Id, Problem
from d1_preflight.core.verify.timeline import POSTMORTEM, TIMELINE

_GROWING = frozenset({POSTMORTEM, TIMELINE})
_FROM_GIT = "Restore it: what was merged is history; a review can be added to it."


@dataclass(slots=True)
class BaseRecords:
    """The records at a revision, by their folders; git lists them once a project."""

    revision: str
    _then: dict[Path, tuple[BaseRevision, Mapping[str, Mapping[str, str]]]] = field(
        default_factory=dict
    )

    def gone(self, root: Path) -> Iterator[tuple[Path, Problem]]:
        """The folders of records that are not here any more."""
        for folder in sorted(self._held(root)[1]):
            place = root / RECORDS_NAME / folder
            if not (place / RECORD_FILE).is_file():
                words = f"exists at {self.revision}, but not here"
                yield place, Problem(Id.BASE_MISSING, RECORD_FILE, words, _FROM_GIT)

    def problems(self, root: Path, folder: Path, files: Mapping[str, bytes]) -> Iterator[Problem]:
        """What was taken away from a record, or changed in it, since the revision."""
        base, held = self._held(root)
        then = held.get(_below(root, folder), {})
        if RECORD_SIGNATURE not in then:
            yield from self._history(base, folder, then, files)
            return
        for name in sorted(then.keys() - _GROWING):
            if name not in files:
                words = f"exists at {self.revision}, but not here"
                yield Problem(Id.BASE_MISSING, name, words, _FROM_GIT)
            elif not is_object(files[name], then[name]):
                words = f"differs from {self.revision}, where the record is closed"
                yield Problem(Id.BASE_CHANGED, name, words, _FROM_GIT)

    def seen_at(self, root: Path, folder: Path, files: Mapping[str, bytes]) -> datetime | None:
        """When the revision's history got the record's signature, if it holds these bytes."""
        base, held = self._held(root)
        then = held.get(_below(root, folder), {})
        signed = files.get(RECORD_SIGNATURE, b"")
        if not is_object(signed, then.get(RECORD_SIGNATURE, "")) or any(
            not is_object(data, then[name]) for name, data in files.items() if name in then
        ):
            return None
        words = ("log", "-1", "--format=%ct", base.commit(folder), "--")
        answer = git_around(folder).ask(*words, str(folder.resolve() / RECORD_SIGNATURE))
        text = answer.text.strip()
        is_known = answer.exit_code == 0 and text.isdecimal()
        return datetime.fromtimestamp(int(text), UTC) if is_known else None

    def _history(
        self, base: BaseRevision, folder: Path, then: Mapping[str, str], files: Mapping[str, bytes]
    ) -> Iterator[Problem]:
        """An open record goes on from the attempts that were merged."""
        if RECORD_FILE not in then or is_object(files.get(RECORD_FILE, b""), then[RECORD_FILE]):
            return
        before = _ended(base.data(folder, then[RECORD_FILE]))
        if _ended(files.get(RECORD_FILE, b""))[: len(before)] != before:
            words = f"lacks or changes attempts that it has at {self.revision}"
            yield Problem(Id.BASE_CHANGED, RECORD_FILE, words, _FROM_GIT)

    def _held(self, root: Path) -> tuple[BaseRevision, Mapping[str, Mapping[str, str]]]:
        if root not in self._then:
            named = BaseRevision(self.revision)
            base = named.fork(root) or named
            found = dict[str, dict[str, str]]()
            listed = base.files(root / RECORDS_NAME)
            folders = {n.rpartition("/")[0] for n in listed if n.endswith(f"/{RECORD_FILE}")}
            for name, object_name in listed.items():
                parts = name.split("/")
                above = ("/".join(parts[:n]) for n in range(1, len(parts)))
                if owner := next((folder for folder in above if folder in folders), ""):
                    found.setdefault(owner, {})[name.removeprefix(f"{owner}/")] = object_name
            self._then[root] = base, found
        return self._then[root]


def _below(root: Path, folder: Path) -> str:
    return folder.resolve().relative_to((root / RECORDS_NAME).resolve()).as_posix()


def _ended(data: bytes) -> tuple[Attempt, ...]:
    try:
        attempts = load_record(data).attempts
    except RecordInvalid:
        return ()
    return tuple(attempt for attempt in attempts if attempt.status is not Status.RUNNING)
