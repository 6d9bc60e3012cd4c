"""Time travel: one copy of the database for every committed write, named by its bookmark."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path

from d1_preflight.core.errors import PreflightError
from d1_preflight.practice.engine import Database

KEEP = 40
_BEFORE_PRACTICE = timedelta(days=28)


class BookmarkUnknown(PreflightError):
    """No kept state has this bookmark, or none is as old as the asked time."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The database after a number of writes, good from `at` on."""

    writes: int
    at: datetime
    path: Path

    @property
    def bookmark(self) -> str:
        """The name that `wrangler d1 time-travel` shows and accepts."""
        mark = f"{self.writes}:{self.at.timestamp():.3f}".encode()
        digest = md5(mark, usedforsecurity=False).hexdigest()
        return f"{self.writes:08x}-ffffffff-00004f00-{digest}"


class TimeTravel:
    """The kept states of one database; the first and the newest ones."""

    def __init__(self, database: Database, folder: Path, now: Callable[[], datetime]) -> None:
        self._database, self._folder, self._now = database, folder, now
        folder.mkdir(exist_ok=True)
        for unfinished in folder.glob("*.part*"):
            unfinished.unlink()
        if not self.snapshots():
            self._take(now() - _BEFORE_PRACTICE)
        self.keep_up()

    def keep_up(self) -> bool:
        """Copy the present state unless that was done; return whether it was new."""
        if self.latest.writes == self._database.writes:
            return False
        self._take(self._now())
        for old in self.snapshots()[1:-KEEP]:
            old.path.unlink()
        return True

    @property
    def latest(self) -> Snapshot:
        """The present state."""
        return self.snapshots()[-1]

    def at(self, moment: datetime) -> Snapshot:
        """The state the database had at a moment."""
        found = [kept for kept in self.snapshots() if kept.at <= moment]
        if not found:
            raise BookmarkUnknown("The timestamp is older than the database's history.")
        return found[-1]

    def restore(self, bookmark: str) -> tuple[Snapshot, Snapshot]:
        """Bring a state back as a new write; the states before it and now."""
        found = [kept for kept in self.snapshots() if kept.bookmark == bookmark]
        if not found:
            raise BookmarkUnknown(f"Invalid bookmark: {bookmark}")
        before = self.latest
        self._database.replace_from(found[0].path)
        self.keep_up()
        return before, self.latest

    def snapshots(self) -> list[Snapshot]:
        """All kept states, oldest first."""
        return [_snapshot(path) for path in sorted(self._folder.glob("*.sqlite"))]

    def _take(self, at: datetime) -> None:
        name = f"{self._database.writes:08d}-{int(at.timestamp() * 1000)}.sqlite"
        part = self._folder / f"{name}.part"
        self._database.copy_to(part)
        part.replace(self._folder / name)


def _snapshot(path: Path) -> Snapshot:
    writes, milliseconds = path.stem.split("-")
    return Snapshot(int(writes), datetime.fromtimestamp(int(milliseconds) / 1000, UTC), path)
