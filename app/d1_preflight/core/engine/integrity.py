"""What a script leaves broken: every kind of statement on every object that it may have broken.

SQLite accepts a DROP or RENAME that leaves a trigger, view or full-text index without the table,
column or index that it names; only the statement that needs it fails, after the migration.
"""

from collections.abc import Collection, Iterator, Mapping

import apsw

from d1_preflight.core.engine.trace import StatementTrace, Unusable
from d1_preflight.core.schema.ddl import names_in, trigger_head
from d1_preflight.core.schema.schema import SchemaObject, Structure
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name

_BREAKING = frozenset(
    {"DROP TABLE", "DROP INDEX", "DROP VIEW", "ALTER TABLE RENAME", "ALTER TABLE RENAME COLUMN"}
    | {"ALTER TABLE DROP COLUMN"}
)
_MAKING = frozenset({"CREATE TABLE", "CREATE VIEW", "ALTER TABLE ADD COLUMN"})


def affected_objects(
    traces: tuple[StatementTrace, ...], old: Structure, new: Structure
) -> frozenset[str]:
    """The tables and views that a script may have broken: what it touched, and what needs that."""
    done = tuple(trace for trace in traces if not trace.error)
    touched = {name for trace in done if trace.verb in _BREAKING for name in _named(trace, old)}
    made = {trace.target.lower() for trace in done if trace.verb in _MAKING}
    fresh = {name.lower() for trace in done for name in trace.made("trigger")}
    made |= {new.triggers[name].table.lower() for name in fresh & new.triggers.keys()}
    return frozenset(made | _needing(touched, new)) if made or touched else frozenset()


def _named(trace: StatementTrace, old: Structure) -> Iterator[str]:
    yield trace.target.lower()
    yield trace.parsed.new_name.lower() or trace.target.lower()
    if trace.verb == "DROP INDEX" and trace.target.lower() in old.indexes:
        yield old.indexes[trace.target.lower()].table.lower()


def _needing(touched: Collection[str], new: Structure) -> set[str]:
    """The objects whose triggers, keys, views or contents lead to one of the touched ones."""
    if not touched:
        return set()
    needed_by = _needed_by(new)
    found, waiting = set(touched), list(touched)
    while waiting:
        fresh = needed_by.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def _needed_by(new: Structure) -> Mapping[str, set[str]]:
    """For each name the objects on which a statement fails once what has that name is broken."""
    found: dict[str, set[str]] = {}
    triggered = {trigger.table.lower() for trigger in new.triggers.values()}
    for trigger in new.triggers.values():
        for name in names_in(trigger.sql):
            found.setdefault(name, set()).add(trigger.table.lower())
    for name, view in new.views.items():
        for other in names_in(view.sql):
            found.setdefault(other, set()).add(name)
    for name, table in new.tables.items():
        for other in names_in(table.sql) if table.is_virtual else table.parents:
            found.setdefault(other, set()).add(name)
            if name in triggered and not table.is_virtual:  # a cascade fires them
                found.setdefault(name, set()).add(other)
    return found


def unusable_objects(
    connection: apsw.Connection, found: Structure, scope: frozenset[str]
) -> Iterator[Unusable]:
    """Prepare every kind of statement on the objects in scope; only virtual tables are read.

    A virtual table opens its content when it is read, so that preparing proves nothing. Preparing
    a view of views can take for ever, and only the authorizer lets Python look in meanwhile.
    """
    connection.authorizer = lambda *_event: apsw.SQLITE_OK
    try:
        yield from _unusable(connection, found, scope)
    finally:
        connection.authorizer = None


def _unusable(
    connection: apsw.Connection, found: Structure, scope: frozenset[str]
) -> Iterator[Unusable]:
    broken = set[str]()
    for name, table in found.tables.items():
        if name in scope and name not in found.inner:
            if table.is_virtual:
                read = f"SELECT * FROM {quote_name(table.name)} LIMIT 1"
                problems = tuple(_refused(connection, name, "SELECT", read))
                broken |= {name} if problems else set()
                yield from problems
            else:
                yield from _unwritable(connection, name, table)
    for name, view in found.views.items():
        if name in scope:
            yield from _unusable_view(connection, found, view, broken)


def _unwritable(connection: apsw.Connection, name: str, table: Table) -> Iterator[Unusable]:
    quoted = quote_name(table.name)
    yield from _refused(connection, name, "INSERT", f"EXPLAIN INSERT INTO {quoted} DEFAULT VALUES")
    yield from _refused(connection, name, "DELETE", f"EXPLAIN DELETE FROM {quoted}")
    columns = tuple(c.name for c in table.columns if not c.hidden) or ("rowid",)
    yield from _not_updatable(connection, name, quoted, columns)


def _not_updatable(
    connection: apsw.Connection, name: str, quoted: str, columns: tuple[str, ...]
) -> Iterator[Unusable]:
    """UPDATE of all columns at once fires every trigger; where it fails, column by column."""

    def errors(*written: str) -> tuple[str, ...]:
        sets = ", ".join(f"{quote_name(column)} = NULL" for column in written)
        sql = f"EXPLAIN UPDATE {quoted} SET {sets}"
        return tuple(problem.error for problem in _refused(connection, name, "", sql))

    for error in errors(*columns):
        failing = [column for column in columns if error in errors(column)]
        whole = not failing or failing == list(columns)
        yield Unusable(name, "UPDATE" if whole else f"UPDATE OF {', '.join(failing)}", error)


def _unusable_view(
    connection: apsw.Connection, found: Structure, view: SchemaObject, broken: set[str]
) -> Iterator[Unusable]:
    name, quoted = view.name.lower(), quote_name(view.name)
    problems = tuple(_refused(connection, name, "SELECT", f"EXPLAIN SELECT * FROM {quoted}"))
    unread = "" if problems else next(iter(sorted(names_in(view.sql) & broken - {name})), "")
    yield from problems
    if unread:
        broken.add(name)
        yield Unusable(name, "SELECT", f"{unread} cannot be read")
    if not problems:
        yield from _not_written_through(connection, found, name, quoted)


def _not_written_through(
    connection: apsw.Connection, found: Structure, name: str, quoted: str
) -> Iterator[Unusable]:
    """The writes that a view's INSTEAD OF triggers take, as far as they fail."""
    triggers = (t.sql for t in found.triggers.values() if t.table.lower() == name)
    events = {head.event for head in map(trigger_head, triggers) if head.instead}
    if "INSERT" in events:
        statement = f"EXPLAIN INSERT INTO {quoted} DEFAULT VALUES"
        yield from _refused(connection, name, "INSERT", statement)
    if "DELETE" in events:
        yield from _refused(connection, name, "DELETE", f"EXPLAIN DELETE FROM {quoted}")
    if "UPDATE" in events:
        rows = connection.execute(f"PRAGMA table_info({quoted})").fetchall()
        columns = tuple(str(row[1]) for row in rows)
        yield from _not_updatable(connection, name, quoted, columns)


def _refused(connection: apsw.Connection, name: str, kind: str, sql: str) -> Iterator[Unusable]:
    try:
        connection.execute(sql).close()  # of EXPLAIN nothing more can fail, of a read its one row
    except apsw.Error as error:
        yield Unusable(name, kind, str(error))
