"""What two codes of one project share: where specifiers lead, and the queries already linked.

A query that was linked for one code is that of the other too, where all files that it rests on are
the same there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from d1_preflight.code.imports import Specifiers
from d1_preflight.code.scripts import config_paths, is_wanted
from d1_preflight.code.source import SourceTree

_Made = TypeVar("_Made")
_Entry = tuple[tuple[object, ...], tuple[Any, ...], Mapping[str, str]]
"""The values that queries were made of, these, and the files they rest on with their blobs."""


@dataclass(slots=True)
class Ground:
    """What the codes of trees with the same paths and the same configuration share."""

    configs: Mapping[str, bytes]
    specifiers: Specifiers
    entries: dict[tuple[object, ...], _Entry] = field(default_factory=dict)


def ground_of(tree: SourceTree, known: list[Ground]) -> Ground:
    """The ground of a tree, one of the `known` where it is the same."""
    paths = frozenset(filter(is_wanted, tree.blobs))
    configs = tree.read(config_paths(tree.blobs))
    for ground in known:
        if ground.specifiers.paths == paths and ground.configs == configs:
            return ground
    known.append(Ground(configs, Specifiers.of(paths, configs)))
    return known[-1]


@dataclass(frozen=True, slots=True)
class Linked:
    """The linked queries of one tree, of which another one may have been read before."""

    ground: Ground
    blobs: Mapping[str, str]

    def once(
        self,
        name: str,
        values: tuple[object, ...],
        touched: set[str],
        made: Callable[[], Iterable[_Made]],
    ) -> tuple[_Made, ...]:
        """What is made of values that are known by their identity; `made` fills `touched`."""
        key = (name, *map(id, values))
        known = self.ground.entries.get(key)
        if known is not None and all(self.blobs.get(p) == blob for p, blob in known[2].items()):
            return known[1]
        touched.clear()
        found = tuple(made())
        rests_on = {path: self.blobs.get(path, "") for path in touched}
        self.ground.entries[key] = (values, found, rests_on)
        return found
