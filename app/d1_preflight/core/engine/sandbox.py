"""Asks SQLite what a script does: runs it in an in-memory database under the authorizer.

The sandbox has D1's engine version, limits and allow-lists, foreign keys on, and the whole script
in one transaction. While it prepares a statement SQLite reports what the text cannot show: the
children whose rows a DROP TABLE deletes by cascade, the triggers that fire. Nothing here raises on
any input: what SQLite or D1 refuses is a statement trace with an error.
"""

from contextlib import closing
from functools import lru_cache

import apsw

from d1_preflight.core import d1
from d1_preflight.core.engine.authorizer import DEFINES, Tracer, go_on
from d1_preflight.core.engine.execution import ledger_insert
from d1_preflight.core.engine.integrity import affected_objects, unusable_objects
from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace, Unusable
from d1_preflight.core.schema.schema import Schema, Structure, StructureReader
from d1_preflight.core.sql.tokenizer import each_statement
from d1_preflight.lazy_dataclass import replace

_SMALL = 10_000
_STEPS_BETWEEN_LOOKS = 10_000
_PAGES = 32_768  # 128 MiB: a script cannot fill the machine's memory
_LEDGER_SQL = f"CREATE TABLE IF NOT EXISTS {d1.LEDGER}{d1.LEDGER_COLUMNS}"
_SWALLOWED = "the end of the file swallows wrangler's ledger row, so the file is not recorded"


class Sandbox:
    """An in-memory database with a schema and no rows, as like D1 as is known."""

    def __init__(self, schema: Schema | None = None, *, whole: bool = False) -> None:
        """Make `schema`; it is `whole` where nothing but it can be there."""
        self._connection, self.problems = _made(schema or Schema())
        self._reader = StructureReader(self._connection)
        self._schema = _read(self._connection)
        self._old = self._reader.read(self._schema)
        self._whole = whole
        self._made = frozenset(found.name.lower() for found in self._schema.objects)

    @property
    def schema(self) -> Schema:
        """The present schema."""
        return self._schema

    def close(self) -> None:
        """Free the memory."""
        self._connection.close()

    def run(self, script: str, *, keep: bool = False, name: str = "") -> ScriptTrace:
        """Run a script as one transaction and roll it back; `keep` keeps its schema.

        With a migration's `name`, wrangler's row for the ledger is tried at its end.
        """
        tracer = Tracer(self._connection)
        changes = self._connection.total_changes()
        self._connection.execute("BEGIN")
        traces, count = _followed(tracer, script)
        after = _read(self._connection)
        new = self._reader.read(after)
        unusable = self._unusable_after(traces, new)
        made_at = {
            made.lower(): one.statement.start for one in reversed(traces) for _, made in one.created
        }
        trace = ScriptTrace(
            traces, self._schema, after, self._old, new, count=count, unusable=unusable,
            is_whole=self._whole, made_before=self._made, made_at=made_at,
        )  # fmt: skip
        left_no_row = self._connection.total_changes() == changes
        if keep and left_no_row:
            self._connection.execute("COMMIT")
        if name:  # behind a commit, where undoing it costs no second reading of the schema
            trace = replace(trace, unrecorded=self._unrecorded(traces, script, name))
        if not (keep and left_no_row):
            trace = replace(trace, commit_error=self._violation())
            self._connection.execute("ROLLBACK")
            if keep:
                self._define_again(trace)
        self._settle()
        if keep:
            self._schema, self._old = trace.after, trace.new
            self._made |= made_at.keys()
        return trace

    def _unusable_after(
        self, traces: tuple[StatementTrace, ...], new: Structure
    ) -> tuple[Unusable, ...]:
        """What can no longer be read or written, although it could be before."""
        scope = affected_objects(traces, self._old, new)
        found = tuple(unusable_objects(self._connection, new, scope)) if scope else ()
        if not found:
            return ()
        earlier = apsw.Connection(":memory:")
        earlier.set_progress_handler(go_on, _STEPS_BETWEEN_LOOKS)
        self._schema.build(earlier)
        names = frozenset(one.name for one in found)
        known = tuple(unusable_objects(earlier, self._old, names))
        earlier.close()
        return tuple(one for one in found if not any(one.was(other) for other in known))

    def _unrecorded(self, traces: tuple[StatementTrace, ...], script: str, name: str) -> str:
        """Why wrangler's INSERT, glued to the end of the script, does not write its row."""
        last = traces[-1].statement if traces else None
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

    def _define_again(self, script: ScriptTrace) -> None:
        """Bring a script's schema back without its rows."""
        self._connection.execute("PRAGMA foreign_keys = OFF")
        for trace in script.statements:
            if not trace.error and trace.verb.split(" ")[0] in DEFINES:
                try:
                    self._connection.execute(trace.statement.body)
                except apsw.Error:  # it depended on a row: the comparison below rebuilds
                    break
        if _read(self._connection) != script.after:
            self._connection.close()
            self._connection, _ = _made(script.after)
            self._reader = StructureReader(self._connection)

    def _violation(self) -> str:
        try:
            row = self._connection.execute("PRAGMA foreign_key_check").fetchone()
        except apsw.Error:  # a key that fits no parent: reported where it was made
            return ""
        return "FOREIGN KEY constraint failed" if row else ""

    def _settle(self) -> None:
        for name in ("legacy_alter_table", "ignore_check_constraints", "recursive_triggers"):
            self._connection.execute(f"PRAGMA {name} = OFF")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute(_LEDGER_SQL)  # as wrangler does before each file


def _followed(tracer: Tracer, script: str) -> tuple[tuple[StatementTrace, ...], int]:
    """Perform every statement; of a series of like INSERTs only the first and last are kept."""
    traces: list[StatementTrace] = []
    count, held = 0, None
    for statement in each_statement(script):
        trace = tracer.perform(statement)
        count += 1
        if traces and _is_like(trace, traces[-1]):
            held = trace
            continue
        traces += [held, trace] if held else [trace]
        held = None
    return (*traces, held) if held else tuple(traces), count


def _is_like(trace: StatementTrace, other: StatementTrace) -> bool:
    plain = not (
        trace.error
        or trace.data_dependent_error
        or trace.dqs_error
        or other.error
        or other.data_dependent_error
    )
    small = len(trace.statement.text) < _SMALL
    return plain and small and trace.parsed is other.parsed and trace.access == other.access


def _made(schema: Schema) -> tuple[apsw.Connection, tuple[str, ...]]:
    connection = apsw.Connection(":memory:", statementcachesize=0)
    data, problems = _image(schema)
    with closing(apsw.Connection(":memory:")) as source:
        source.deserialize("main", data)
        with connection.backup("main", source, "main") as copy:
            copy.step()
    connection.execute(f"PRAGMA max_page_count = {_PAGES}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.set_progress_handler(go_on, _STEPS_BETWEEN_LOOKS)
    for limit, value in d1.LIMITS:
        connection.limit(limit, value)
    return connection, problems


@lru_cache(maxsize=4)  # the same schema is met by a file, its rewrites and its down file
def _image(schema: Schema) -> tuple[bytes, tuple[str, ...]]:
    """A database with the schema, as SQLite keeps it, and what could not be made."""
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(f"PRAGMA max_page_count = {_PAGES}")
        connection.execute(_LEDGER_SQL)  # wrangler makes it before the first file
        connection.set_progress_handler(go_on, _STEPS_BETWEEN_LOOKS)
        problems = schema.without(d1.LEDGER).build(connection)
        return connection.serialize("main"), problems


def _read(connection: apsw.Connection) -> Schema:
    return Schema.from_connection(connection).without(d1.LEDGER)
