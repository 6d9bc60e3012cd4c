"""Asks SQLite what a script does: runs it in a scratch database under the authorizer.

The scratch has D1's engine version, limits and allow-lists, foreign keys on, and the whole script
in one transaction. While it prepares a statement SQLite reports what the text cannot show: the
children whose rows a DROP TABLE deletes by cascade, the triggers that fire. Nothing here raises on
any input: what SQLite or D1 refuses is an act with an error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import apsw

from d1_preflight.core import d1
from d1_preflight.core.phrase import Phrase, read_phrase
from d1_preflight.core.schema import Schema, Structure, StructureReader
from d1_preflight.core.sql import Statement, quote_name, statements

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
    broken: Mapping[str, str] = field(default_factory=dict)  # table or view -> what SQLite says


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

    def run(self, script: str, *, keep: bool = False) -> Run:
        """Run a script as one transaction and take it back; `keep` lets its schema stand."""
        watch = _Watch(self._connection)
        changes = self._connection.total_changes()
        self._connection.execute("BEGIN")
        acts = tuple(watch.perform(statement) for statement in statements(script))
        after = _read(self._connection)
        new = self._reader.read(after)
        broken = self._broken_by(acts, new)
        run = Run(acts, self._schema, after, self._old, new, broken=broken)
        if keep and self._connection.total_changes() == changes:
            self._connection.execute("COMMIT")  # it left no row behind
        else:
            run = replace(run, commit_error=self._violation())
            self._connection.execute("ROLLBACK")
            if keep:
                self._define_again(run)
        self._settle()
        if keep:
            self._schema, self._old = run.after, run.new
        return run

    def _broken_by(self, acts: tuple[Act, ...], new: Structure) -> dict[str, str]:
        """What can no longer be read or written, although it could be before."""
        scope = _scope(acts, new)
        if not scope:
            return {}
        found = dict(_broken(self._connection, new, scope))
        if found:
            earlier = apsw.Connection(":memory:")
            self._schema.build(earlier)
            known = dict(_broken(earlier, self._old, frozenset(found)))
            earlier.close()
            found = {name: error for name, error in found.items() if name not in known}
        return found

    def _define_again(self, run: Run) -> None:
        """Bring a script's schema back without its rows."""
        self._connection.execute("PRAGMA foreign_keys = OFF")
        for act in run.acts:
            if not act.error and act.verb.split(" ")[0] in _DEFINES:
                try:
                    self._connection.execute(act.statement.body)
                except apsw.Error:  # it depended on a row: the comparison below rebuilds
                    break
        if _read(self._connection) != run.after:
            self._connection.close()
            self._connection, _ = _made(run.after)
            self._reader = StructureReader(self._connection)

    def _violation(self) -> str:
        try:
            row = self._connection.execute("PRAGMA foreign_key_check").fetchone()
        except apsw.Error:  # a key that fits no parent: told where it was made
            return ""
        return "FOREIGN KEY constraint failed" if row else ""

    def _settle(self) -> None:
        for name in ("legacy_alter_table", "ignore_check_constraints", "recursive_triggers"):
            self._connection.execute(f"PRAGMA {name} = OFF")
        self._connection.execute("PRAGMA foreign_keys = ON")


_BREAKING = frozenset(
    {"DROP TABLE", "DROP INDEX", "DROP VIEW", "ALTER TABLE RENAME", "ALTER TABLE RENAME COLUMN"}
    | {"ALTER TABLE DROP COLUMN"}
)


def _scope(acts: tuple[Act, ...], new: Structure) -> frozenset[str]:
    """The tables and views that a script may have broken: all once it drops or renames."""
    done = tuple(act for act in acts if not act.error)
    if any(act.verb in _BREAKING for act in done):
        return frozenset([*new.tables, *new.views])
    made = {act.target.lower() for act in done if act.verb in ("CREATE TABLE", "CREATE VIEW")}
    made |= {act.target.lower() for act in done if act.verb == "ALTER TABLE ADD COLUMN"}
    fresh = {name.lower() for act in done for name in act.made("trigger")}
    return frozenset(made | {new.triggers[n].table.lower() for n in fresh & new.triggers.keys()})


def _broken(
    connection: apsw.Connection, found: Structure, scope: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Prepare a read of every view and a write of every table; nothing is executed."""
    for name, view in found.views.items():
        if name in scope:
            yield from _refused(connection, name, f"SELECT * FROM {quote_name(view.name)}")
    for name, shape in found.tables.items():
        if shape.virtual or name in found.inner or name not in scope:
            continue
        quoted = quote_name(shape.name)
        column = quote_name(next((c.name for c in shape.columns if not c.hidden), "rowid"))
        for write in (
            f"INSERT INTO {quoted} DEFAULT VALUES",
            f"DELETE FROM {quoted}",
            f"UPDATE {quoted} SET {column} = NULL",
        ):
            problem = tuple(_refused(connection, name, write))
            if problem:
                yield from problem
                break


def _refused(connection: apsw.Connection, name: str, sql: str) -> Iterator[tuple[str, str]]:
    try:
        connection.execute("EXPLAIN " + sql).close()
    except apsw.Error as error:
        yield name, str(error)


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
        self._defined: list[str] = []

    def perform(self, statement: Statement) -> Act:
        phrase = read_phrase(statement.body)
        literal = self._without_literals(statement)
        self._heard, self._refusal = [], ""
        error, depends, unsure = self._execute(statement.text)
        before = self._objects
        if unsure and not self._connection.in_transaction:
            self._begin_again()
        elif not error:
            self._look_around(phrase)
            if phrase.verb.split(" ")[0] in _DEFINES:
                self._defined.append(statement.body)
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

    def _begin_again(self) -> None:
        """Bring the schema back: SQLite rolls everything back when it is interrupted."""
        self._connection.execute("BEGIN")
        for body in self._defined:
            try:
                self._connection.execute(body)
            except apsw.Error:  # it depended on rows that are gone
                continue

    def _look_around(self, phrase: Phrase) -> None:
        """Note which objects there are now; a table can bring or take others with it."""
        act, _, kind = phrase.verb.partition(" ")
        if kind in ("TABLE", "TABLE RENAME") or act == "CREATE" and not kind:
            self._objects = frozenset(_objects(self._connection))
        elif act == "CREATE" and not _has(self._objects, phrase.target):
            self._objects |= {(kind.lower(), phrase.target)}
        elif act == "DROP":
            wanted = phrase.target.lower()
            self._objects = frozenset(o for o in self._objects if o[1].lower() != wanted)

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
    refilled = {(n, by) for action, n, _, by in heard if action == apsw.SQLITE_INSERT and by}
    for action, first, second, source in heard:
        name, detail = first or "", second or ""
        if source:
            fired[source] = None
        if action == apsw.SQLITE_FUNCTION:
            functions.add(detail.lower())
        elif name.lower().startswith("sqlite_"):
            continue
        elif action == apsw.SQLITE_DELETE and (first, source) in refilled:
            trigger_updates[name, "*"] = None  # the trigger writes the row anew
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


def _has(objects: frozenset[Place], name: str) -> bool:
    return any(found.lower() == name.lower() for _, found in objects)


def _objects(connection: apsw.Connection) -> Iterator[Place]:
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'"
    ):
        yield str(kind), str(name)
