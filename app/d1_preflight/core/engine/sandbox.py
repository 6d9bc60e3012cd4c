"""Asks SQLite what a script does: runs it in a scratch database under the authorizer.

The scratch has D1's engine version, limits and allow-lists, foreign keys on, and the whole script
in one transaction. While it prepares a statement SQLite reports what the text cannot show: the
children whose rows a DROP TABLE deletes by cascade, the triggers that fire. Nothing here raises on
any input: what SQLite or D1 refuses is an act with an error.
"""

from dataclasses import replace

import apsw

from d1_preflight.core import d1
from d1_preflight.core.engine.integrity import broken_in, scope_of
from d1_preflight.core.engine.ledger import ledger_insert
from d1_preflight.core.engine.trace import Act, Run
from d1_preflight.core.engine.watch import DEFINES, Watch
from d1_preflight.core.schema.schema import Schema, Structure, StructureReader
from d1_preflight.core.sql.tokenizer import each_statement

_SMALL = 10_000
_PAGES = 65_536  # 256 MiB: a script cannot fill the machine's memory
_LEDGER_SQL = f"CREATE TABLE IF NOT EXISTS {d1.LEDGER}{d1.LEDGER_COLUMNS}"
_SWALLOWED = "the end of the file swallows wrangler's row for the ledger: it is not recorded"


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

    def run(self, script: str, *, keep: bool = False, name: str = "") -> Run:
        """Run a script as one transaction and take it back; `keep` lets its schema stand.

        With a migration's `name`, wrangler's row for the ledger is tried at its end.
        """
        watch = Watch(self._connection)
        changes = self._connection.total_changes()
        self._connection.execute("BEGIN")
        acts, count = _followed(watch, script)
        after = _read(self._connection)
        new = self._reader.read(after)
        broken = self._broken_by(acts, new)
        run = Run(acts, self._schema, after, self._old, new, count=count, broken=broken)
        left_no_row = self._connection.total_changes() == changes
        if name:
            run = replace(run, unrecorded=self._unrecorded(acts, script, name))
        if keep and left_no_row:
            self._connection.execute("COMMIT")
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
        scope = scope_of(acts, self._old, new)
        if not scope:
            return {}
        found = dict(broken_in(self._connection, new, scope))
        if found:
            earlier = apsw.Connection(":memory:")
            self._schema.build(earlier)
            known = dict(broken_in(earlier, self._old, frozenset(found)))
            earlier.close()
            found = {name: error for name, error in found.items() if name not in known}
        return found

    def _unrecorded(self, acts: tuple[Act, ...], script: str, name: str) -> str:
        """Why wrangler's INSERT, glued to the end of the script, does not write its row."""
        last = acts[-1].statement if acts else None
        tail = script[(last.end if last.complete else last.start) if last else 0 :]
        self._connection.execute("SAVEPOINT ledger")
        try:
            for statement in each_statement(f"{tail}\n{ledger_insert(name)}"):
                self._connection.execute(statement.text)
            query = f"SELECT 1 FROM {d1.LEDGER} WHERE name = ?"
            found = self._connection.execute(query, (name,)).fetchone()
        except (apsw.Error, ValueError) as error:
            return str(error)
        finally:
            self._connection.execute("ROLLBACK TO ledger; RELEASE ledger")
        return "" if found else _SWALLOWED

    def _define_again(self, run: Run) -> None:
        """Bring a script's schema back without its rows."""
        self._connection.execute("PRAGMA foreign_keys = OFF")
        for act in run.acts:
            if not act.error and act.verb.split(" ")[0] in DEFINES:
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
        self._connection.execute(_LEDGER_SQL)  # as wrangler does before each file


def _followed(watch: Watch, script: str) -> tuple[tuple[Act, ...], int]:
    """Perform every statement; of a run of like INSERTs only the first and last are kept."""
    acts: list[Act] = []
    count, held = 0, None
    for statement in each_statement(script):
        act = watch.perform(statement)
        count += 1
        if acts and _is_like(act, acts[-1]):
            held = act
            continue
        acts += [held, act] if held else [act]
        held = None
    return (*acts, held) if held else tuple(acts), count


def _is_like(act: Act, other: Act) -> bool:
    plain = not (act.error or act.depends or act.literal or other.error or other.depends)
    small = len(act.statement.text) < _SMALL
    return plain and small and act.phrase is other.phrase and act.heard == other.heard


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
