"""What one source file holds of SQL: its queries, constants, functions and imports, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from d1_preflight.code.expression import Expression, Import, dump, load, load_all
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Sink:
    """One place that hands SQL to a database: `prepare`, `exec`, `batch`, a tag, a wrapper.

    `method` is what is called; `function` the id of the function around it, "" outside of any;
    `bound` is what `.bind(…)` gives it at once.
    """

    method: str
    sql: Expression
    line: int
    function: str = ""
    bound: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function that may be a wrapper; `target` names it as its caller does."""

    name: str
    target: Expression | None
    arguments: tuple[Expression, ...]
    line: int
    function: str = ""

    def to_json(self) -> list[Any]:
        """As JSON holds it."""
        target = dump(self.target) if self.target is not None else None
        return [self.name, target, [dump(a) for a in self.arguments], self.line, self.function]

    @classmethod
    def from_json(cls, raw: Sequence[Any]) -> "Call":
        """Read it again; raises KeyError, TypeError or ValueError where it is none."""
        name, target, arguments, line, function = raw
        named = load(target) if target is not None else None
        return cls(str(name), named, tuple(map(load, arguments)), int(line), str(function))


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a function that may be a wrapper is used as a value, under its `name`.

    Other files reach it from there by what is `exported`, or as the method `key` of an object;
    with neither it goes out of sight. One that `is_bare` is a method without its object.
    """

    name: str
    target: Expression | None
    line: int
    exported: str = ""
    key: str = ""
    is_bare: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether nobody can tell who calls it from there."""
        return not self.exported and not self.key

    def to_json(self) -> list[Any]:
        """As JSON holds it."""
        target = dump(self.target) if self.target is not None else None
        return [self.name, target, self.line, self.exported, self.key, self.is_bare]

    @classmethod
    def from_json(cls, raw: Sequence[Any]) -> "Use":
        """Read it again; raises KeyError, TypeError or ValueError where it is none."""
        name, target, line, exported, key, is_bare = raw
        named = load(target) if target is not None else None
        return cls(str(name), named, int(line), str(exported), str(key), bool(is_bare))


Named = tuple[tuple[Call, ...], tuple[Use, ...]]
"""The calls of functions with some names, and where these are used as values."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file; `functions` are names by id, `methods` the ids of those called on an object.

    `exports` are what others can import by name, `handed` names of its functions used as values,
    `bound` the ids of methods that need their object.
    `again` are the specifiers of which everything is exported on. `problem` says why the file,
    or a part of it, was not read.
    """

    sinks: tuple[Sink, ...] = ()
    functions: Mapping[str, str] = field(default_factory=dict)
    methods: frozenset[str] = frozenset()
    exports: Mapping[str, Expression] = field(default_factory=dict)
    again: tuple[str, ...] = ()
    problem: str = ""
    handed: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "sinks": [
                [s.method, dump(s.sql), s.line, s.function, [dump(b) for b in s.bound]]
                for s in self.sinks
            ],
            "functions": dict(self.functions),
            "methods": sorted(self.methods),
            "exports": {name: dump(found) for name, found in self.exports.items()},
            "again": list(self.again),
            "problem": self.problem,
            "handed": sorted(self.handed),
            "bound": sorted(self.bound),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "FileFacts":
        """Read them again; raises KeyError, TypeError or ValueError where they are none."""
        return cls(
            tuple(
                Sink(m, load(sql), line, f, tuple(map(load, bound)))
                for m, sql, line, f, bound in raw["sinks"]
            ),
            dict(raw["functions"]),
            frozenset(raw["methods"]),
            load_all(raw["exports"]),
            tuple(raw["again"]),
            str(raw["problem"]),
            frozenset(raw["handed"]),
            frozenset(raw["bound"]),
        )


def exported(facts: FileFacts, name: str) -> Expression | None:
    """What a file exports under a name itself."""
    found = facts.exports.get(name)
    return None if found == Import("", name) else found
