"""Which tool keeps books of a folder's migrations: drizzle's journal and snapshots, Prisma's lock.

Its files are read, never written. A journal that cannot be read still says whose folder it is:
then every name there is the tool's.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from d1_preflight.adapters.regular_file import LARGEST, read_file
from d1_preflight.core.project.naming import Names, Naming
from d1_preflight.core.project.settings import Settings
from d1_preflight.lazy_dataclass import replace

JOURNAL = "meta/_journal.json"
"""Where drizzle, before its version 1, lists the migrations that it wrote."""
_LOCK = "migration_lock.toml"
_SNAPSHOT = "snapshot.json"


def naming_of(folder: Path, names: Iterable[str], settings: Settings) -> Naming:
    """What the files of a migrations folder are judged by."""
    found = _found(folder, names, settings.lint.names)
    return replace(found, header=settings.checklist.header)


def _found(folder: Path, names: Iterable[str], setting: Names) -> Naming:
    if setting in (Names.DRIZZLE, Names.PRISMA):
        return Naming(setting, setting.value)
    if (folder / JOURNAL).is_file():
        return Naming(setting, "drizzle", _listed(folder / JOURNAL))
    if (folder / _LOCK).is_file():
        return Naming(setting, "prisma")
    parents = {PurePosixPath(name).parent for name in names if "/" in name}
    if any((folder / parent / _SNAPSHOT).is_file() for parent in sorted(parents)):
        return Naming(setting, "drizzle")
    return Naming(setting)


def journal_contradictions(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """How drizzle's journal and its folder disagree; nothing where there is no journal."""
    journal, there = folder / JOURNAL, set(names)
    if not journal.is_file():
        return ()
    listed = _listed(journal)
    if listed is None:
        return (f"{JOURNAL} cannot be read",)
    gone, more = sorted(listed - there), sorted(there - listed)
    found = [f"{JOURNAL} lists files that are gone: {', '.join(gone)}"] if gone else []
    if more:
        found.append(f"{JOURNAL} does not list: {', '.join(more)}")
    return tuple(found)


def journal_times(folder: Path) -> Mapping[str, int]:
    """The time that drizzle's journal gives each file; one that is listed twice has none."""
    try:
        entries = json.loads(read_file(folder / JOURNAL, LARGEST))["entries"]
        times = [(f"{entry['tag']}.sql", entry["when"]) for entry in entries]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}
    names = Counter(name for name, _ in times)
    return {name: when for name, when in times if type(when) is int and names[name] == 1}


def _listed(journal: Path) -> frozenset[str] | None:
    """The files that a journal names; None, all, where it cannot be read."""
    try:
        entries = json.loads(read_file(journal, LARGEST))["entries"]
        return frozenset(f"{entry['tag']}.sql" for entry in entries)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
