"""Asks SQLite what a script does: runs it in a scratch database under the authorizer.

The scratch has D1's engine version, limits and allow-lists, foreign keys on, and the whole script
in one transaction. While it prepares a statement SQLite reports what the text cannot show: the
children whose rows a DROP TABLE deletes by cascade, the triggers that fire. Nothing here raises on
any input: what SQLite or D1 refuses is an act with an error.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from d1_preflight.core import d1
from d1_preflight.core.phrase import Phrase, read_phrase
from d1_preflight.core.schema import Schema, Structure, StructureReader
from d1_preflight.core.sql import Statement, statements

_WORK_STEP = 50_000  # engine steps between two looks at the meter
_WORK_LIMIT = 400  # looks: 20 million steps, about a second
_PAGES = 65_536  # 256 MiB: a script cannot fill the machine's memory
_DEFINES = frozenset({"CREATE", "ALTER", "DROP", "PRAGMA"})
_LEDGER_SQL = (
    f"CREATE TABLE {d1.LEDGER}(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,"
    " applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)"
)
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
    phrase: Phrase
    heard: Heard
    created: tuple[Place, ...] = ()
    dropped: tuple[Place, ...] = ()
    error: str = ""
    depends: str = ""
    literal: str = ""
    unsure: bool = False  # given up on, not refused

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

    @property
    def side_deletes(self) -> tuple[str, ...]:
        """The tables whose rows go although the statement does not name them."""
        return tuple(name for name in self.heard.deletes if name.lower() != self.target.lower())

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
    commit_error: str = ""


class Scratch:
    """An in-memory database with a schema and no rows, like D1 in everything that can be known."""

    def __init__(self, schema: Schema | None = None) -> None:
        self._connection, self.problems = _made(schema or Schema())
        self._reader = StructureReader(self._connection)
        self._schema = _read(self._connection)
        self._old = self._reader.read(self._schema)

    @property
    def schema(self) -> Schema:
        """The present schema."""
        return self._schema

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def run(self, script: str) -> Run:
        """Run a script as one transaction and take it back, rows and schema."""
        watch = _Watch(self._connection)
        self._connection.execute("BEGIN")
        acts = tuple(watch.perform(statement) for statement in statements(script))
        after = _read(self._connection)
        new = self._reader.read(after)
        commit_error = self._end()
        return Run(acts, self._schema, after, self._old, new, commit_error)

    def keep(self, run: Run) -> None:
        """Let the schema of a run stand, without its rows; the next run sees it as prior."""
        self._connection.execute("PRAGMA foreign_keys = OFF")
        for act in run.acts:
            if not act.error and act.verb.split(" ")[0] in _DEFINES:
                try:
                    self._connection.execute(act.statement.body)
                except apsw.Error:  # it depended on a row: the comparison below rebuilds
                    break
        self._settle()
        if _read(self._connection) != run.after:
            self._rebuild(run.after)
        self._schema, self._old = run.after, run.new

    def _settle(self) -> None:
        for name in ("legacy_alter_table", "ignore_check_constraints", "recursive_triggers"):
            self._connection.execute(f"PRAGMA {name} = OFF")
        self._connection.execute("PRAGMA foreign_keys = ON")

    def _rebuild(self, schema: Schema) -> None:
        self._connection.close()
        self._connection, _ = _made(schema)
        self._reader = StructureReader(self._connection)

    def _end(self) -> str:
        """Try to commit, to hear of violations held back; then take everything back."""
        error = ""
        if self._connection.in_transaction:
            self._connection.execute("SAVEPOINT preflight_end")
            try:
                row = self._connection.execute("PRAGMA foreign_key_check").fetchone()
                error = "FOREIGN KEY constraint failed" if row else ""
            except apsw.Error:
                error = ""  # a key whose parent is not there: told where it was made
            self._connection.execute("ROLLBACK")
        self._settle()
        return error


def _made(schema: Schema) -> tuple[apsw.Connection, tuple[str, ...]]:
    connection = apsw.Connection(":memory:", statementcachesize=0)
    connection.execute(f"PRAGMA max_page_count = {_PAGES}")
    connection.execute(_LEDGER_SQL)  # wrangler makes it before the first file
    problems = schema.without(d1.LEDGER).build(connection)
    for limit, value in d1.LIMITS:
        connection.limit(limit, value)
    return connection, problems


def _read(connection: apsw.Connection) -> Schema:
    return Schema.from_connection(connection).without(d1.LEDGER)


_Report = tuple[int, str | None, str | None, str | None]


class _Watch:
    """Performs statements one by one and notes what the authorizer hears."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._heard: list[_Report] = []
        self._refusal = ""
        self._looks = 0
        self._objects = frozenset(_objects(connection))

    def perform(self, statement: Statement) -> Act:
        phrase = read_phrase(statement.body)
        literal = self._without_literals(statement)
        self._heard, self._refusal = [], ""
        error, depends, unsure = self._execute(statement.text)
        before = self._objects
        if not error and phrase.verb.split(" ")[0] in ("CREATE", "DROP", "ALTER", ""):
            self._objects = frozenset(_objects(self._connection))
        return Act(
            statement,
            phrase,
            _sorted_out(self._heard),
            created=tuple(sorted(self._objects - before)),
            dropped=tuple(sorted(before - self._objects)),
            error=error,
            depends=depends,
            literal="" if error else literal,
            unsure=unsure,
        )

    def _execute(self, text: str) -> tuple[str, str, bool]:
        """Run to the end; why it is refused, why it depends on rows, whether it was given up."""
        self._looks = 0
        self._connection.authorizer = self._authorize
        self._connection.set_progress_handler(self._look, _WORK_STEP)
        try:
            for _row in self._connection.execute(text):
                pass
        except (apsw.InterruptError, apsw.FullError, apsw.NoMemError):
            return "", "it does more than can be followed here", True
        except apsw.ConstraintError as error:
            return "", str(error), False
        except apsw.TooBigError:
            return "statement too long: SQLITE_TOOBIG", "", False
        except (apsw.Error, ValueError, OverflowError, TypeError) as error:
            return self._refusal or str(error), "", False
        finally:
            self._connection.authorizer = None
            self._connection.set_progress_handler(None)
        return self._refusal, "", False

    def _without_literals(self, statement: Statement) -> str:
        """What SQLite says against the statement once text in double quotes is never a string."""
        if '"' not in statement.text:
            return ""
        self._literals(0)
        try:
            self._connection.execute("EXPLAIN " + statement.body).close()
        except (apsw.Error, ValueError) as error:
            return str(error) if "no such column" in str(error) else ""
        finally:
            self._literals(1)
        return ""

    def _literals(self, on: int) -> None:
        self._connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, on)
        self._connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, on)

    def _look(self) -> bool:
        self._looks += 1
        return self._looks > _WORK_LIMIT

    def _authorize(
        self,
        action: int,
        first: str | None,
        second: str | None,
        _database: str | None,
        source: str | None,
    ) -> int:
        self._heard.append((action, first, second, source))
        refused = d1.refusal(action, first, second)
        if refused:
            self._refusal = self._refusal or refused
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK


def _sorted_out(heard: list[_Report]) -> Heard:
    updates: dict[Place, None] = {}
    trigger_updates: dict[Place, None] = {}
    deletes: dict[str, None] = {}
    inserts: dict[str, None] = {}
    fired: dict[str, None] = {}
    reads, functions = set[Place](), set[str]()
    for action, first, second, source in heard:
        name, detail = first or "", second or ""
        if source:
            fired[source] = None
        if action == apsw.SQLITE_FUNCTION:
            functions.add(detail.lower())
        elif name.lower().startswith("sqlite_"):
            continue
        elif action == apsw.SQLITE_DELETE:
            deletes[name] = None
        elif action == apsw.SQLITE_INSERT:
            inserts[name] = None
        elif action == apsw.SQLITE_READ:
            reads.add((name, detail))
        elif action == apsw.SQLITE_UPDATE:
            (updates if source is None else trigger_updates)[name, detail] = None
    return Heard(
        tuple(deletes),
        tuple(updates),
        tuple(trigger_updates),
        tuple(inserts),
        frozenset(reads),
        tuple(fired),
        frozenset(functions),
    )


def _objects(connection: apsw.Connection) -> Iterator[Place]:
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'"
    ):
        yield str(kind), str(name)
