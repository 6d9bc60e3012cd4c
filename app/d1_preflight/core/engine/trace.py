"""What SQLite said about each statement of a script, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from d1_preflight.core.schema.schema import Schema, Structure
from d1_preflight.core.sql.statement import ParsedStatement
from d1_preflight.core.sql.tokenizer import Statement

Place = tuple[str, str]
"""A table and a column, or an object's kind and name."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the authorizer reported while a statement was prepared, SQLite's own tables left out.

    `updates` are those of the statement itself and of foreign-key actions, which SQLite reports
    alike; `trigger_updates` those of trigger bodies.
    """

    deletes: tuple[str, ...] = ()
    updates: tuple[Place, ...] = ()
    trigger_updates: tuple[Place, ...] = ()
    inserts: tuple[str, ...] = ()
    reads: frozenset[Place] = frozenset()
    fired: tuple[str, ...] = ()
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Act:
    """One statement, and what SQLite said about it.

    `error` is why D1 would refuse it; `depends` why it failed here for want of rows (or because
    of them), which only a rehearsal can decide; `literal` is SQLite's error once double-quoted
    strings are off (a quoted name that is taken as text). Names of tables are of that moment.
    """

    statement: Statement
    phrase: ParsedStatement
    heard: Heard
    created: tuple[Place, ...] = ()
    dropped: tuple[Place, ...] = ()
    error: str = ""
    depends: str = ""
    literal: str = ""
    unsure: bool = False  # given up on, not refused
    into: tuple[str, ...] = ()  # of a copy: the columns of its target, in order
    source: tuple[str, ...] = ()  # and those of the table it copies
    lossy: str = ""  # of a copy: why its target may not take every row that it is given
    keys: int = 0  # of a statement that can REPLACE rows: by how many unique keys

    @property
    def line(self) -> int:
        """The line of the statement."""
        return self.statement.line

    @property
    def verb(self) -> str:
        """The phrase's verb."""
        return self.phrase.verb

    @property
    def target(self) -> str:
        """The phrase's target."""
        return self.phrase.target

    def made(self, kind: str) -> tuple[str, ...]:
        """The names of the objects of a kind that came into being."""
        return tuple(name for what, name in self.created if what == kind)

    def removed(self, kind: str) -> tuple[str, ...]:
        """The names of the objects of a kind that went."""
        return tuple(name for what, name in self.dropped if what == kind)


@dataclass(frozen=True, slots=True)
class Run:
    """A whole script run once: what each statement did, and the schema on both sides."""

    acts: tuple[Act, ...]
    before: Schema
    after: Schema
    old: Structure
    new: Structure
    count: int = 0  # of statements; of many like INSERTs only the first and last are in `acts`
    commit_error: str = ""
    unrecorded: str = ""  # why wrangler's row does not get into the ledger
    broken: Mapping[str, str] = field(default_factory=dict)  # table or view -> what SQLite says
