"""The output of commands: raw in a private folder while they run, masked once it is evidence.

A command that outlives us goes on writing its raw log, and beside it stands what was run; so
`recover` can turn the log of a command whose end nobody saw into evidence later. Output that is
not to be kept goes into files that have no name at all.
"""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path

from d1_preflight.adapters.processes import clean
from d1_preflight.adapters.regular_file import json_of, read_regular
from d1_preflight.adapters.wrangler.redaction import Redactor
from d1_preflight.core.errors import UsageError
from d1_preflight.core.ports import Evidence, Stream
from d1_preflight.core.target.short_reply import short_reply
from d1_preflight.disk import writing
from d1_preflight.lazy_dataclass import dataclass

STREAMS: tuple[Stream, Stream] = ("out", "err")
_NOTE = "argv"
_LARGEST_REPLY = 1_000_000  # longer outputs are kept as they are
_NOT_RUN = "The command was not run."
_RAN = "The command has run; only its output was not kept."


@dataclass(frozen=True, slots=True)
class EvidenceFolder:
    """A record's `evidence/`, and the private folder of raw output.

    Below `root` paths are written relative to it, so that a record means the same on every machine.
    """

    folder: Path
    private: Path
    redactor: Redactor
    root: Path | None = None

    def open(self, keep: str | None, stream: Stream) -> FileIO:
        """A raw output file that only we can read; without a name when nothing is kept."""
        self._make_private()
        raw = self.private if keep is None else self._raw(keep, stream)
        with writing(raw, _NOT_RUN):
            return _unnamed(raw) if keep is None else _private(raw)

    def note(self, keep: str, argv: Sequence[str]) -> None:
        """Write down what is run, as people may see it, before it is run."""
        self._make_private()
        note, data = self._raw(keep, _NOTE), json.dumps(list(argv)).encode()
        with writing(note, _NOT_RUN), _private(note) as file:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, "only a part was written")

    def keep(self, keep: str) -> Mapping[str, str]:
        """Write the masked copies, drop the raw ones; tells path to sha256.

        What printed nothing leaves no file.

        Raises ProjectError where they cannot be written; the raw ones stay for `recover`.
        """
        kept: dict[str, str] = {}
        for stream in STREAMS:
            raw = self._raw(keep, stream)
            with writing(self.folder / raw.name, _RAN):
                self.folder.mkdir(parents=True, exist_ok=True)
                if raw.exists() and raw.stat().st_size:
                    kept[f"{self.folder.name}/{raw.name}"] = self._write_masked(raw)
        self.drop(keep)
        return kept

    def drop(self, keep: str) -> None:
        """Forget the raw output of a command."""
        for ending in (*STREAMS, _NOTE):
            raw = self._raw(keep, ending)
            with writing(raw, "Its masked copy is kept.", done="removed"):
                raw.unlink(missing_ok=True)

    def recover(self, step: str) -> tuple[Evidence, ...]:
        """Evidence of a step's commands whose end was not observed; drops their raw logs."""
        notes = sorted(self.private.glob(f"*-{step}*.{_NOTE}"))
        found = ((_argv(note), self.keep(note.name.removesuffix(f".{_NOTE}"))) for note in notes)
        return tuple(Evidence(argv, None, 0, files) for argv, files in found)

    def shown(self, args: Sequence[str]) -> tuple[str, ...]:
        """A command as people may see it."""
        return ("wrangler", *(self._placed(self.redactor.exact(word)) for word in args))

    def safe(self, line: str) -> str:
        """A line for people: cleaned first, for escapes may split a secret."""
        return self.redactor.line(clean(line))

    def _placed(self, text: str) -> str:
        if self.root is None:
            return text
        return text.replace(f"{self.root}/", "").replace(str(self.root), ".")

    def _make_private(self) -> None:
        with writing(self.private, _NOT_RUN, done="made"):
            self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.private.chmod(0o700)

    def _raw(self, keep: str, ending: str) -> Path:
        if not keep or Path(keep).name != keep:
            raise UsageError(f'"{keep}" cannot name an evidence file.')
        return self.private / f"{keep}.{ending}"

    def _replies(self, target: Path) -> Iterator[tuple[str, str]]:
        """The outputs that are kept already, by name."""
        for path in sorted(self.folder.glob(f"*{target.suffix}")):
            if path != target and path.stat().st_size < _LARGEST_REPLY:
                yield path.name, read_regular(path) or ""

    def _write_masked(self, raw: Path) -> str:
        target = self.folder / raw.name
        partial = target.with_name(f".{target.name}.partial")
        digest = hashlib.sha256()
        masked: Iterable[str] = (self._placed(self.safe(line)) for line in _lines(raw))
        if raw.stat().st_size < _LARGEST_REPLY:
            masked = short_reply(list(masked), self._replies(target))
        try:
            with partial.open("wb") as file:
                for line in masked:
                    saved = f"{line}\n".encode()
                    digest.update(saved)
                    file.write(saved)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return digest.hexdigest()


def _private(path: Path) -> FileIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)


def _unnamed(folder: Path) -> FileIO:
    file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - the caller's to close
    assert isinstance(file, FileIO)  # noqa: S101 - what it is without a buffer
    return file


def _argv(note: Path) -> tuple[str, ...]:
    words = json_of(note)  # killed while it was written, it holds none: the log itself still counts
    return tuple(str(word) for word in words) if isinstance(words, list) else ("wrangler",)


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for line in file:
            yield line.decode("utf-8", "replace").rstrip("\n")
