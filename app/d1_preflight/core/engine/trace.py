"""SQLite's report on each statement of a script, as values."""

import re
from collections.abc import Mapping

from d1_preflight.core.d1 import LEDGER
from d1_preflight.core.schema.schema import Schema, Structure
from d1_preflight.core.sql.statement import ParsedStatement
from d1_preflight.core.sql.tokenizer import Statement
from d1_preflight.lazy_dataclass import dataclass, field

ColumnRef = tuple[str, str]
"""A table and a column."""
ObjectRef = tuple[str, str]
"""An object's kind and name."""
_MISSING = re.compile(r"no such (?:table|view|index|trigger): (?:main\.)?(.+)")
_OWN = ("sqlite_", "_cf_", LEDGER)


@dataclass(frozen=True, slots=True)
class Access:
    """De-duplicated authorizer events of one statement, without SQLite's own tables.

    `updates` are those of the statement itself and of foreign-key actions, which SQLite reports
    alike; `trigger_updates` those of trigger bodies.
    """

    deletes: tuple[str, ...] = ()
    updates: tuple[ColumnRef, ...] = ()
    trigger_updates: tuple[ColumnRef, ...] = ()
    inserts: tuple[str, ...] = ()
    reads: frozenset[ColumnRef] = frozenset()
    fired: tuple[str, ...] = ()
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """One statement with SQLite's report.

    `error` is why D1 would refuse it; `data_dependent_error` why it failed here for want of rows
    (or because of them), which only a rehearsal can decide; `dqs_error` is SQLite's error once
    double-quoted strings are off (a quoted name that is taken as text). Names of tables are of
    that moment.
    """

    statement: Statement
    parsed: ParsedStatement
    access: Access
    created: tuple[ObjectRef, ...] = ()
    dropped: tuple[ObjectRef, ...] = ()
    error: str = ""
    data_dependent_error: str = ""
    dqs_error: str = ""
    aborted: bool = False  # given up on, not refused
    into: tuple[str, ...] = ()  # of a copy: the columns of its target, in order
    source: tuple[str, ...] = ()  # and those of the table it copies
    drop_reason: str = ""  # of a copy: why its target may not keep every row that it is given
    replace_key_count: int = 0  # of a statement that can REPLACE rows: by how many unique keys

    @property
    def line(self) -> int:
        """The line of the statement."""
        return self.statement.line

    @property
    def verb(self) -> str:
        """The statement's verb."""
        return self.parsed.verb

    @property
    def target(self) -> str:
        """The statement's target."""
        return self.parsed.target

    def made(self, kind: str) -> tuple[str, ...]:
        """The names of the objects of a kind that were created."""
        return tuple(name for what, name in self.created if what == kind)

    def removed(self, kind: str) -> tuple[str, ...]:
        """The names of the objects of a kind that were dropped."""
        return tuple(name for what, name in self.dropped if what == kind)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A statement that can no longer be run on a table or view, and SQLite's error."""

    name: str  # in lower case
    statement: str  # SELECT, INSERT, DELETE, UPDATE or UPDATE OF with its columns
    error: str

    def was(self, earlier: "Unusable") -> bool:
        """Whether an earlier problem is this one."""
        same = earlier.error == self.error or earlier.statement == self.statement
        return earlier.name == self.name and same


@dataclass(frozen=True, slots=True)
class ScriptTrace:
    """A whole script run once: what each statement did, and the schema on both sides."""

    statements: tuple[StatementTrace, ...]
    before: Schema
    after: Schema
    old: Structure
    new: Structure
    count: int = 0  # of many like INSERTs only the first and last are in `statements`
    commit_error: str = ""
    unrecorded: str = ""  # why wrangler's row does not get into the ledger
    unusable: tuple[Unusable, ...] = ()
    is_whole: bool = True  # whether the schema before is all that there is
    made_before: frozenset[str] = frozenset()  # every name that earlier files made, in lower case
    made_at: Mapping[str, int] = field(default_factory=dict)  # what this script makes first where

    def is_unknown(self, name: str, *, before: int | None = None) -> bool:
        """Whether no file makes an object of this name, so that it may be made elsewhere.

        With `before` a place of this script, what the script makes from there on does not count.
        """
        lower = name.lower()
        if self.is_whole or lower in self.made_before or lower.startswith(_OWN):
            return False
        made = self.made_at.get(lower)
        return made is None or (before is not None and made >= before)

    def missing(self, trace: StatementTrace) -> str:
        """The object that a refused statement misses and that no file makes, in lower case."""
        name = missing_name(trace.error) if trace.error else ""
        before = trace.statement.start
        return name if name and self.is_unknown(name, before=before) else ""


def missing_name(error: str) -> str:
    """The object that SQLite says is not there, in lower case; "" where it says something else."""
    found = _MISSING.search(error)
    return found[1].lower() if found else ""
