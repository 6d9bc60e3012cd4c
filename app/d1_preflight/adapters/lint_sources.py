"""The files that lint judges: a file among its siblings, a folder in ledger order, a project.

Whatever is named, the migrations before it come along: they build the schema it will meet. Files
are read with a bound, and bytes that are no UTF-8 as wrangler reads them, so that one bad file
does not hide what the others do.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.adapters.configuration import find_config, read_config
from d1_preflight.adapters.project_files import migration_names, passed_over, read_settings
from d1_preflight.adapters.regular_file import read_file, tree_of
from d1_preflight.core.errors import MigrationUnreadable, NoConfiguration, ProjectError, UsageError
from d1_preflight.core.format import count
from d1_preflight.core.project.migration import DOWN_FOLDERS, Migration, ledger_key, undone_by
from d1_preflight.core.project.migrations_pattern import Glob
from d1_preflight.core.project.wrangler_config import (
    CONFIG_NAMES,
    DEFAULT_MIGRATIONS_DIR,
    WranglerConfig,
    placed,
)
from d1_preflight.lazy_dataclass import dataclass, field, replace

if TYPE_CHECKING:  # only what compares two revisions pays for the rules
    from d1_preflight.core.rules.project.merged import MergedChange

MOST_BYTES = 10_000_000
"""The longest file that is judged; its statements take about thirty times as much memory."""

_MOST_IN_ALL = 40_000_000
LedgerKey = tuple[tuple[int, int, bytes], ...]
"""Where a name stands in the ledger's order."""

_FLAT, _NESTED = Glob.parse("*.sql"), Glob.parse("*/migration.sql")


@dataclass(frozen=True, slots=True)
class Place:
    """A migrations folder, and which files below it are migrations."""

    folder: Path
    glob: Glob

    def names(self) -> tuple[str, ...]:
        """The migrations here, in the ledger's order."""
        return tuple(sorted(migration_names(self.folder, self.glob), key=ledger_key))

    def notes(self) -> tuple[str, ...]:
        """A file with a migration's name that is skipped, by wrangler too."""
        found = sorted(passed_over(self.folder, self.glob)) if self.folder.is_dir() else []
        return tuple(f"{_readable(name)} {_why_not(self.folder / name)}" for name in found)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Migrations in order, and the names of those to judge; `earlier` only build the schema.

    `known` are the names that were there before the ones to judge were written; `notes` tell what
    was passed over, `unjudged` what should have been judged and was not, or not as it lies there.
    `changed` says of names to judge that they were merged and edited, `departed` what else is not
    as it was merged.
    """

    place: Place
    migrations: tuple[Migration, ...]
    wanted: frozenset[str]
    earlier: tuple[Migration, ...] = ()
    known: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    changed: "Mapping[str, MergedChange]" = field(default_factory=dict)
    departed: "tuple[MergedChange, ...]" = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Finds what is to be judged; `start` is where relative paths and the project begin."""

    start: Path
    config: Path | None = None
    environment: str = ""
    database: str = ""
    _known: dict[Path, tuple[Place, ...]] = field(default_factory=dict)

    def project(self) -> tuple[Ledger, ...]:
        """All migrations of the project, one ledger for each folder; raises ProjectError."""
        places = self._places()
        ledgers = [_ledger(place, place.names(), place.notes()) for place in places]
        if not any(ledger.wanted for ledger in ledgers):
            folders = " or ".join(str(ledger.place.folder) for ledger in ledgers)
            hint = "Write one with preflight new, or correct migrations_dir in the configuration."
            notes = [note for ledger in ledgers for note in ledger.notes]
            raise UsageError(f"No migrations in {folders}.", hint=" ".join((*notes, hint)))
        return tuple(ledgers)

    def _places(self) -> tuple[Place, ...]:
        """Where the configuration has migrations; without a database, the folder of that name."""
        try:
            config = read_config(find_config(self.start, self.config), self.environment)
        except NoConfiguration:
            if places := self._unconfigured(Path(os.path.realpath(self.start))):
                return places
            raise
        is_chosen = self.database or self.environment
        without = () if config.databases or is_chosen else self._unconfigured(config.folder)
        return without or self.places_of(config)

    def _unconfigured(self, home: Path) -> tuple[Place, ...]:
        """The migrations of a folder whose configuration, if any, has no database."""
        found = read_settings(home).migrations
        folder = Path(os.path.normpath(home / (found.folder or DEFAULT_MIGRATIONS_DIR)))
        globs = (Glob.parse(found.pattern),) if found.pattern else (_FLAT, _NESTED)
        places = [Place(folder, glob) for glob in globs if folder.is_dir()]
        return tuple(place for place in places if place.names())[:1]

    def paths(self, paths: Iterable[Path]) -> tuple[Ledger, ...]:
        """What these files and folders hold, each file among its siblings."""
        found: dict[Place, dict[str, None]] = {}
        downs: list[Ledger] = []
        notes: dict[Place, list[str]] = {}
        refused: list[str] = []
        for path in paths:
            whole = Path(os.path.abspath(self.start / path))  # noqa: PTH100 - links stay as named
            if os.path.isdir(whole):  # noqa: PTH112 - False too where it may not look
                for place in self._folder(whole):
                    names = _below(place, whole)
                    found.setdefault(place, {}).update(dict.fromkeys(names))
                    notes.setdefault(place, []).extend(place.notes())
            elif not os.path.lexists(whole):
                raise UsageError(f"{path} does not exist.", hint="Check the path.")
            elif not os.path.isfile(whole):  # noqa: PTH113 - as above
                refused.append(f"{path} {_why_not(whole)} Pass its text with: preflight lint -")
            elif (undone := self._undone(whole)) is not None:
                downs.append(_down(whole, *undone))
            else:
                place = self._place_of_file(whole)
                found.setdefault(place, {})[whole.relative_to(place.folder).as_posix()] = None
                if whole.is_symlink():
                    notes.setdefault(place, []).append(f"{path} {_why_not(whole)}")
        ledgers = [_ledger(p, tuple(names), notes.get(p, ())) for p, names in found.items()]
        if refused:
            nothing = Ledger(Place(self.start, _FLAT), (), frozenset(), unjudged=tuple(refused))
            ledgers.append(nothing)
        return (*ledgers, *downs)

    def text(self, data: bytes, path: Path | None) -> Ledger:
        """Text without a file; at `path`, it is judged among the migrations there."""
        if path is None:
            return Ledger(
                Place(self.start, _FLAT),
                (judged_text("stdin.sql", data),),
                frozenset({"stdin.sql"}),
            )
        whole = Path(os.path.abspath(self.start / path))  # noqa: PTH100 - links stay as named
        place = self._place_of_file(whole)
        name = whole.relative_to(place.folder).as_posix()
        known = place.names() if place.folder.is_dir() else ()
        others = [read_judged(place, other) for other in known if other != name]
        ordered = sorted(
            [*others, judged_text(name, data, whole)], key=lambda m: ledger_key(m.name)
        )
        return Ledger(place, tuple(ordered), frozenset({name}))

    def _folder(self, folder: Path) -> tuple[Place, ...]:
        """The migrations of a folder: as its project configures them, else every SQL file."""
        known = [place for place in self._nearby(folder) if place.folder == folder]
        if any(place.names() for place in known):
            return tuple(known)
        if any((folder / name).is_file() for name in CONFIG_NAMES):
            return tuple(ledger.place for ledger in replace(self, start=folder).project())
        around = [place for place in self._nearby(folder) if _below(place, folder)]
        if not around and (folder / "migration.sql").is_file():
            around = [Place(folder.parent, _NESTED)]
        if around:
            return tuple(around)
        for glob in (_FLAT, _NESTED):
            place = Place(folder, glob)
            if place.names():
                return (place,)
        if (folder / DEFAULT_MIGRATIONS_DIR).is_dir():
            return self._folder(folder / DEFAULT_MIGRATIONS_DIR)
        hint = "Name the folder that holds the .sql files."
        notes = Place(folder, _FLAT).notes()
        raise UsageError(f"No migrations in {folder}.", hint=" ".join((*notes, hint)))

    def _place_of_file(self, path: Path) -> Place:
        if place := self._configured(path):
            return place
        if path.name == "migration.sql":
            return Place(path.parent.parent, _NESTED)
        return Place(path.parent, _FLAT)

    def _undone(self, path: Path) -> tuple[Place, str] | None:
        """Where the migration is that a file takes back, and its name; None for no down file."""
        found = undone_by(path)
        if found is None or self._configured(path):
            return None
        folder, name = Path(found[0]), found[1]
        if path.parent.name not in DOWN_FOLDERS and not (folder / name).is_file():
            return None
        place = self._place_of_file(folder / name)
        return place, (folder / name).relative_to(place.folder).as_posix()

    def _configured(self, path: Path) -> Place | None:
        """Where a configuration makes the file a migration, whatever it is called."""
        around = (p for p in self._nearby(path.parent) if path.is_relative_to(p.folder))
        known = (p for p in around if p.glob.matches(path.relative_to(p.folder).as_posix()))
        return next(known, None)

    def _nearby(self, folder: Path) -> tuple[Place, ...]:
        """The places of the projects above a folder and above us.

        A configuration that cannot be used is passed over: the files then count as they lie.
        """
        if folder not in self._known:
            self._known[folder] = tuple(dict.fromkeys(self._found_from(folder)))
        return self._known[folder]

    def _found_from(self, folder: Path) -> Iterator[Place]:
        for start in (folder, self.start):
            try:
                path = find_config(start, self.config)
                first = read_config(path, self.environment)
                yield from self.places_of(first)
                for environment in first.environments:
                    yield from self.places_of(read_config(path, environment))
            except (ProjectError, UsageError):
                continue

    def places_of(self, config: WranglerConfig) -> tuple[Place, ...]:
        """One place for each migrations folder; databases without an id count too."""
        settings = read_settings(config.folder).migrations
        config = placed(config, settings.folder, settings.pattern)
        databases = [
            d for d in config.databases if not self.database or d.answers_to(self.database)
        ]
        if not databases:
            config.database(self.database)  # raises, saying what there is
        folders = {
            Place(Path(os.path.normpath(config.folder / d.migrations_dir)), d.glob)
            for d in databases
        }
        return tuple(sorted(folders, key=lambda place: place.folder))


def _down(path: Path, up: Place, name: str) -> Ledger:
    """A down migration is judged on the schema that its migration leaves."""
    before = [n for n in up.names() if ledger_key(n) <= ledger_key(name)]
    place = Place(path.parent, _FLAT)
    down = replace(read_judged(place, path.name), name=name)
    earlier = tuple(read_judged(up, name) for name in before)
    return Ledger(place, (down,), frozenset({down.name}), earlier)


def _below(place: Place, folder: Path) -> tuple[str, ...]:
    """The migrations of a place that lie in this folder: all, or those of a part of it."""
    if not folder.is_relative_to(place.folder):
        return place.names() if place.folder.is_relative_to(folder) else ()
    part = folder.relative_to(place.folder).as_posix()
    return tuple(n for n in place.names() if part == "." or n.startswith(f"{part}/"))


def judged_text(name: str, data: bytes, path: Path | None = None) -> Migration:
    """The migration in these bytes; raises MigrationUnreadable where there are too many."""
    if len(data) > MOST_BYTES:
        raise _too_long(path or name)
    return Migration(name, data.decode("utf-8", "replace"), sha256(data).hexdigest(), path)


def _too_long(what: Path | str) -> MigrationUnreadable:
    return MigrationUnreadable(
        f"{what} is longer than {count(MOST_BYTES)} bytes: too long to judge.",
        hint="Migrations change the schema; bring rows in with wrangler d1 execute --file.",
    )


def _why_not(path: Path) -> str:
    """Why a name is no migration: its kind, and that wrangler skips it."""
    what = "a symbolic link" if path.is_symlink() else "not a regular file"
    return f"is {what}: wrangler does not apply it."


def _readable(name: str) -> str:
    """A name for people, though its bytes are no UTF-8."""
    return os.fsencode(name).decode(errors="replace")


def _ledger(place: Place, wanted: Sequence[str], notes: Sequence[str] = ()) -> Ledger:
    """Read a folder as far as the last migration wanted; later ones lend only their names."""
    names = set(wanted)
    if not names:
        return Ledger(place, (), frozenset(), notes=tuple(notes))
    last = max(map(ledger_key, names))
    ordered = sorted({*place.names(), *names}, key=ledger_key)
    migrations = _all_read(place, ordered, last)
    odd = tuple(
        f"The name {_readable(name)} is not UTF-8: wrangler cannot open that file. "
        "Rename it; use a–z, 0–9 and _."
        for name in ordered
        if name in names and _readable(name) != name
    )
    told = frozenset(map(_readable, names))
    return Ledger(place, migrations, told, notes=tuple(notes), unjudged=odd)


def _all_read(place: Place, ordered: Sequence[str], last: LedgerKey) -> tuple[Migration, ...]:
    found: list[Migration] = []
    trees: dict[Path, str] = {}  # asked once for each folder, not for each file
    total = 0
    for name in ordered:
        if ledger_key(name) > last:
            found.append(Migration(_readable(name), "", ""))
            continue
        folder = (place.folder / name).parent
        trees[folder] = trees.get(folder) or tree_of(folder)
        found.append(read_judged(place, name, trees[folder]))
        total += len(found[-1].text)
        if total > _MOST_IN_ALL:
            raise UsageError(
                f"The migrations in {place.folder} are longer than {_MOST_IN_ALL:,} characters "
                f"together, up to {_readable(name)}: too much to judge.",
                hint="Migrations change the schema; bring rows in with wrangler d1 execute --file.",
            )
    return tuple(found)


def read_judged(place: Place, name: str, tree: str = "") -> Migration:
    """The migration in one file of a place, to be judged; raises MigrationUnreadable.

    `tree` is its folder's checkout, where that was asked already.
    """
    path = place.folder / name
    try:
        data = read_file(path, MOST_BYTES, tree)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise _too_long(path) from error
        raise MigrationUnreadable(
            f"{path} cannot be read: {error.strerror or error}.",
            hint="Check the path and the file's permissions.",
        ) from error
    return judged_text(_readable(name), data, path)
