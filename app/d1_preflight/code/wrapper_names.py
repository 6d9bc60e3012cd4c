"""Knows under which names files reach a wrapper, and where it goes out of sight.

Its own name, what imports and exports make of it, and what it is kept under as a value.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from d1_preflight.code.expression import Function, within
from d1_preflight.code.facts import Use
from d1_preflight.code.linking import Linker

Renamed = tuple[str, str, str]
"""A file, the name that it gives something, and the specifier of where it has that from."""
Place = tuple[str, int]
"""A file and a line."""


@dataclass(frozen=True, slots=True)
class _Reach:
    """By what a wrapper is reached: names, methods with the file that makes them, lost places.

    `wholes` are the names that files give all that its home exports.
    """

    names: frozenset[str]
    wholes: frozenset[str]
    methods: frozenset[tuple[str, str]]
    lost: tuple[Place, ...]


class WrapperNames:
    """The names of wrappers; it grows with the uses that are found under them.

    `imports` says whether a file imports another: a method is called by name alone, and one of
    the same name in a file that knows nothing of the wrapper is another's.
    """

    def __init__(
        self,
        linker: Linker,
        imports: Callable[[str, str], bool],
        renames: Mapping[str, Sequence[Renamed]],
    ) -> None:
        self._linker = linker
        self._imports = imports
        self._renames = renames
        self._uses: dict[str, dict[tuple[str, Use], None]] = defaultdict(dict)
        self._reached: dict[str, _Reach] = {}
        self._contained: dict[tuple[str, Use], frozenset[str]] = {}
        self._told: set[str] = set()

    def add_uses(self, path: str, uses: Iterable[Use]) -> None:
        """Take the uses of one file."""
        for use in uses:
            self._uses[use.name][path, use] = None
            self._reached.clear()

    def of(self, wrapper: str) -> frozenset[str]:
        """The names under which any file may call it."""
        return self._reach(wrapper).names

    def called_by(self, wrapper: str) -> frozenset[str]:
        """All names under which it is called."""
        reach = self._reach(wrapper)
        return reach.names | reach.wholes

    def is_told(self, wrapper: str) -> bool:
        """Whether its own names were told already."""
        return wrapper in self._told

    def lost(self, wrapper: str) -> tuple[Place, ...]:
        """Where it goes out of sight."""
        return self._reach(wrapper).lost

    def own(self, wrappers: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """The names of wrappers that only one file knows, by that file; each is told once."""
        found: dict[str, set[str]] = defaultdict(set)
        for wrapper in set(wrappers) - self._told:
            self._told.add(wrapper)
            home, name = wrapper.partition("\0")[0], self.name(wrapper)
            if name and name in self._linker.files[home].handed:
                found[home].add(name)
            for local, path in self._wholes(home) if name else ():
                found[path].add(local)
        return {path: frozenset(names) for path, names in found.items()}

    def name(self, wrapper: str) -> str:
        """The name that its own file gives it; "" for none."""
        path, _, id_ = wrapper.partition("\0")
        facts = self._linker.files.get(path)
        return facts.functions.get(id_, "") if facts else ""

    def is_method(self, name: str, path: str, wrapper: str) -> bool:
        """Whether a method of this name that a file calls on something can be the wrapper."""
        return self._may_call(name, path, wrapper, self._reach(wrapper).methods)

    def _may_call(
        self, name: str, path: str, wrapper: str, methods: Iterable[tuple[str, str]]
    ) -> bool:
        """Whether a file knows one that makes a method of this name of the wrapper."""
        home, _, id_ = wrapper.partition("\0")
        makers = [maker for key, maker in methods if key == name]
        if id_ in self._linker.files[home].methods:
            makers.append(home)
        return any(maker == path or self._imports(path, maker) for maker in makers)

    def _reach(self, wrapper: str) -> _Reach:
        if wrapper not in self._reached:
            self._reached[wrapper] = self._found(wrapper)
        return self._reached[wrapper]

    def _found(self, wrapper: str) -> _Reach:
        home, _, id_ = wrapper.partition("\0")
        own, wholes = self.name(wrapper), dict.fromkeys(self._wholes(home))
        names = {(own, home): None} if own else {}
        if own:
            exports = self._linker.files[home].exports.items()
            names |= {(n, home): None for n, v in exports if Function(id_) in within(v)} | wholes
        methods: set[tuple[str, str]] = set()
        lost: dict[Place, None] = {}
        waiting = list(names)
        while waiting:
            name, file = waiting.pop()
            fresh = self._renamed(name, file)
            for path, use in self._uses.get(name, ()):
                if not self._is_of(use, path, wrapper, methods):
                    continue
                if use.is_lost or self._is_hidden(use, path, wrapper):
                    lost[path, use.line] = None
                fresh += [(one, path) for one in (use.exported, use.key) if one]
                methods |= {(use.key, path)} if use.key and not use.exported else set()
            waiting += [one for one in fresh if one not in names]
            names |= dict.fromkeys(fresh)
        known = frozenset(name for name, _ in names.keys() - wholes.keys()) - {"default"}
        of_wholes = frozenset(name for name, _ in wholes)
        return _Reach(known, of_wholes, frozenset(methods), tuple(sorted(lost)))

    def _wholes(self, home: str) -> list[tuple[str, str]]:
        """The names that files give all that a file exports, each with that file."""
        renamed = self._renames.get("*", ())
        return [(local, path) for path, local, of in renamed if self._linker.find(path, of) == home]

    def _renamed(self, name: str, file: str) -> list[tuple[str, str]]:
        """What imports and exports make of a name that a file gives."""
        return [
            (local, path)
            for path, local, of in self._renames.get(name, ())
            if name != "default" or self._linker.find(path, of) == file
        ]

    def _is_of(self, use: Use, path: str, wrapper: str, methods: Iterable[tuple[str, str]]) -> bool:
        """Whether a use is of this wrapper, by what it names or by the method's name."""
        if use.target is not None:
            key = (path, use)
            if key not in self._contained:
                self._contained[key] = self._linker.contained(use.target, path)
            return wrapper in self._contained[key]
        home, _, id_ = wrapper.partition("\0")
        if use.is_bare and id_ in self._linker.files[home].bound:
            return False
        return self._may_call(use.name, path, wrapper, methods)

    def _is_hidden(self, use: Use, path: str, wrapper: str) -> bool:
        """Whether what a file exports can not be told to be the wrapper."""
        if not use.exported:
            return False
        facts = self._linker.files.get(path)
        value = facts.exports.get(use.exported) if facts is not None else None
        return value is None or wrapper not in self._linker.contained(value, path)
