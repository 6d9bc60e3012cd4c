"""Which migrations a base revision held as they read now: those alone need no judgement.

A file that was there under its name and reads differently is judged like a new one. So is every
file of a folder that the configuration of the base did not name: its files may have lain there for
another purpose.
"""

from dataclasses import dataclass, field, replace
from hashlib import sha256

from d1_preflight.adapters.git.base_revision import BaseRevision, is_object
from d1_preflight.adapters.git.checkout import checkout_of
from d1_preflight.adapters.lint_sources import Ledger, Place, Sources
from d1_preflight.adapters.project_files import find_config
from d1_preflight.core.errors import ProjectError, UsageError
from d1_preflight.core.project.migration import Migration, ledger_key
from d1_preflight.core.project.wrangler_config_file import parse_config

_EDITED = "reads differently now; where it is applied, wrangler does not apply it again."
_GONE = "is gone; where it is applied, its part of the schema remains."


@dataclass(slots=True)
class Merged:
    """Takes out of ledgers what was merged at a revision.

    `by_config`: the folders are those that the wrangler configuration names.
    """

    sources: Sources
    revision: str
    by_config: bool
    _base: BaseRevision = field(init=False)

    def __post_init__(self) -> None:
        self._base = BaseRevision(self.revision)

    def left_out_of(self, ledger: Ledger) -> Ledger:
        """The ledger with only its new and its edited files wanted; notes say which were edited."""
        if not ledger.wanted:
            return ledger
        then = self._base.files(ledger.place.folder)
        place = self._place_then(ledger.place) if self.by_config else ledger.place
        known = {n: o for n, o in then.items() if place and place.glob.matches(n)}
        same = {m.name for m in ledger.migrations if _is_same(m, known.get(m.name, ""))}
        edited = sorted(ledger.wanted & known.keys() - same, key=ledger_key)
        gone = sorted(known.keys() - set(ledger.place.names()), key=ledger_key)
        notes = [f"{name} was there at {self.revision} and {_EDITED}" for name in edited]
        notes += [f"{name} was there at {self.revision} and {_GONE}" for name in gone]
        return replace(
            ledger,
            wanted=ledger.wanted - same,
            known=frozenset(name for name in known if "/" not in name),
            notes=(*ledger.notes, *notes),
        )

    def _place_then(self, place: Place) -> Place | None:
        """The same folder as the base's configuration has it; None where that names no such one.

        A configuration that is not under git (made by a deploy script) is no pull request's.
        """
        path = find_config(self.sources.start, self.sources.config)
        if checkout_of(path.parent) is None:
            return place
        here = path.read_bytes()
        if not self._base.object_of(path) and not BaseRevision("HEAD").object_of(path):
            return place
        try:
            text = self._base.text_of(path, here).decode("utf-8-sig")
            config = parse_config(path, text, self.sources.environment)
            places = self.sources.places_of(config)
        except (ProjectError, UsageError, UnicodeDecodeError):
            return None
        return next((other for other in places if other.folder == place.folder), None)


def _is_same(migration: Migration, name: str) -> bool:
    """Whether the file reads as it did, and as it was read to be judged."""
    path = migration.path
    if not name or path is None or path.is_symlink():
        return False
    data = path.read_bytes()
    return sha256(data).hexdigest() == migration.sha256 and is_object(data, name)
