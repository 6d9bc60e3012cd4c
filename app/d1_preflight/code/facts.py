"""What one source file holds of SQL: its queries, constants, functions and imports, as values."""

from collections.abc import Mapping
from dataclasses import field

from d1_preflight.code.expression import Expression
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
