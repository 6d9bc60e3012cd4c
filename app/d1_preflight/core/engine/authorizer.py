"""Runs statements under SQLite's authorizer and interprets its events.

The authorizer says which tables a statement deletes from, not that a REPLACE deletes the rows it
collides with, nor that a trigger writes the row anew which it has just deleted: that is added
from the schema of that moment.
"""

import re
from functools import lru_cache

import apsw

from d1_preflight.core import d1
from d1_preflight.core.engine.execution import run_to_end
from d1_preflight.core.engine.resolver import Resolver
from d1_preflight.core.engine.trace import Access, ColumnRef, ObjectRef, StatementTrace
from d1_preflight.core.sql.statement import ParsedStatement, read_statement
from d1_preflight.core.sql.tokenizer import Statement, quote_name, tokens

DEFINES = frozenset({"CREATE", "ALTER", "DROP", "PRAGMA"})
"""The first words of statements that make up the schema, apart from rows."""
_WORK_STEP = 50_000  # engine steps between two looks at the meter
_WORK_LIMIT = 400  # looks: 20 million steps, about a second


def go_on() -> bool:
    """Never stop the engine, but let Python look in, as for a time limit that was reached."""
    return False


AuthorizerEvent = tuple[int, str | None, str | None, str | None]
"""An action, its two details, and the trigger that does it."""
_ObjectChanges = tuple[tuple[ObjectRef, ...], tuple[ObjectRef, ...]]  # created, dropped
_EQUAL = r"\S+(?: \. \S+)? = (?:OLD|NEW) \. \S+"
_REWRITE = r"DELETE FROM {} WHERE " + rf"{_EQUAL}(?: AND {_EQUAL})* ;"
_OWN = "SQLITE_"
_OWN_TABLE = re.compile(r": (?:main\.)?(_cf_\w+)", re.IGNORECASE)


class Tracer:
    """Performs statements one by one and records the authorizer's events."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._events: list[AuthorizerEvent] = []
        self._refusal = ""
        self._work = 0
        self._objects = _objects(connection)
        self._defined: list[str] = []
        self._reader = _EventReader(connection)
        self._resolver = Resolver(connection, self._reader.columns)

    def perform(self, statement: Statement) -> StatementTrace:
        """Perform one statement; the trace says what goes wrong."""
        parsed = read_statement(statement.body)
        dqs_error = self._dqs_error(statement)
        self._events, self._refusal = [], ""
        error, data_dependent_error, aborted = self._execute(statement.text)
        error = _of_the_target(parsed, error)
        is_done = parsed.verb != "EXPLAIN"  # which is prepared only
        access = self._reader.access(self._events, parsed) if is_done else Access()
        parsed = parsed if error or aborted else self._resolver.resolve(parsed, access)
        created, dropped = tuple[ObjectRef, ...](), tuple[ObjectRef, ...]()
        if aborted and not self._connection.in_transaction:
            self._restore_schema()
        elif not error:
            created, dropped = self._object_changes(parsed)
            if parsed.verb.split(" ")[0] in DEFINES:
                self._defined.append(statement.body)
                self._reader.schema_changed()
        copied = parsed.copy if not error else None
        return StatementTrace(
            statement,
            parsed,
            access,
            created=created,
            dropped=dropped,
            error=error,
            data_dependent_error=data_dependent_error,
            dqs_error="" if error else dqs_error,
            aborted=aborted,
            into=self._reader.columns(parsed.target, written=True) if copied else (),
            source=self._reader.columns(copied.source) if copied else (),
            drop_reason=self._reader.drop_reason(parsed.target, access) if copied else "",
            replace_key_count=0 if error else self._reader.replace_key_count(parsed),
        )

    def _restore_schema(self) -> None:
        """Bring the schema back: SQLite rolls everything back when it is interrupted."""
        self._connection.execute("BEGIN")
        for body in self._defined:
            try:
                self._connection.execute(body)
            except apsw.Error:  # it depended on rows that are gone
                continue

    def _object_changes(self, parsed: ParsedStatement) -> _ObjectChanges:
        """The created and dropped objects; a table can bring or take others with it."""
        action, _, kind = parsed.verb.partition(" ")
        is_plain = action == "CREATE" and kind and parsed.tokens[1].word != "VIRTUAL"
        if (not is_plain and kind in ("TABLE", "TABLE RENAME")) or (
            action == "CREATE" and not kind
        ):
            return self._compare_objects()
        wanted = _key(kind.lower(), parsed.target)
        if action == "CREATE" and wanted not in self._objects:
            self._objects[wanted] = (kind.lower(), parsed.target)
            return (self._objects[wanted],), ()
        if action == "DROP" and wanted in self._objects:
            return (), (self._objects.pop(wanted),)
        return (), ()

    def _compare_objects(self) -> _ObjectChanges:
        before = set(self._objects.values())
        self._objects = _objects(self._connection)
        now = set(self._objects.values())
        return tuple(sorted(now - before)), tuple(sorted(before - now))

    def _execute(self, text: str) -> tuple[str, str, bool]:
        """Run to the end: the error, the data-dependent error, whether it was given up."""
        self._work = 0
        self._connection.authorizer = self._authorize
        self._connection.set_progress_handler(self._count_work, _WORK_STEP)
        try:
            run_to_end(self._connection, text)
        except (apsw.InterruptError, apsw.FullError, apsw.NoMemError):
            return "", "it does more than preflight can follow", True
        except apsw.ConstraintError as error:
            return "", str(error), False
        except apsw.TooBigError:
            return "statement too long: SQLITE_TOOBIG", "", False
        except (apsw.Error, ValueError, OverflowError, TypeError) as error:
            return self._refusal or str(error), "", False
        finally:
            self._connection.authorizer = None
            self._connection.set_progress_handler(go_on, _WORK_STEP)
        return self._refusal, "", False

    def _dqs_error(self, statement: Statement) -> str:
        """SQLite's error for the statement once double quotes never make a string."""
        if '"' not in statement.text:
            return ""
        self._allow_dqs(0)
        try:
            self._connection.execute("EXPLAIN " + statement.body).close()
        except (apsw.Error, ValueError) as error:
            return str(error) if "no such column" in str(error) else ""
        finally:
            self._allow_dqs(1)
        return ""

    def _allow_dqs(self, on: int) -> None:
        self._connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, on)
        self._connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, on)

    def _count_work(self) -> bool:
        self._work += 1
        return self._work > _WORK_LIMIT

    def _authorize(
        self,
        action: int,
        first: str | None,
        second: str | None,
        _database: str | None,
        source: str | None,
    ) -> int:
        self._events.append((action, first, second, source))
        refused = d1.refusal(action, first, second)
        if refused:
            self._refusal = self._refusal or refused
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK


class _EventReader:
    """Reads events; caches what it looks up about tables and triggers until the schema changes."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._texts: dict[tuple[str, str], str] = {}
        self._keys: dict[str, int] = {}

    def schema_changed(self) -> None:
        """Forget what was looked up."""
        self._texts.clear()
        self._keys.clear()

    def columns(self, table: str, *, written: bool = False) -> tuple[str, ...]:
        """The columns that `*` reads, or those that an INSERT without a list writes."""
        if not table:
            return ()
        rows = self._connection.execute(f"PRAGMA table_xinfo({quote_name(table)})")
        return tuple(str(row[1]) for row in rows if (not row[6] if written else row[6] != 1))

    def drop_reason(self, table: str, access: Access) -> str:
        """Why a table may not keep every row that is copied into it; "" if it does."""
        text = self._text("table", table)
        for word in ("IGNORE", "REPLACE"):
            if f"ON CONFLICT {word}" in text:
                return f"ON CONFLICT {word}"
        if table.lower() in {name.lower() for name in access.deletes}:
            return "a trigger that deletes rows"
        if any("RAISE ( IGNORE" in self._text("trigger", name) for name in access.fired):
            return "a trigger with RAISE(IGNORE)"
        return ""

    def replace_key_count(self, parsed: ParsedStatement) -> int:
        """By how many unique keys a statement can delete rows that are in its way."""
        if parsed.verb not in ("INSERT", "UPDATE"):
            return 0
        by_table = not parsed.conflict and self._replaces(parsed.target)
        return self._unique(parsed.target) if parsed.conflict == "REPLACE" or by_table else 0

    def access(self, events: list[AuthorizerEvent], parsed: ParsedStatement) -> Access:
        """The access of one statement, out of its authorizer events."""
        found = _AccessBuilder()
        refilled = {(n, by) for action, n, _, by in events if action == apsw.SQLITE_INSERT and by}
        for action, first, second, source in events:
            name, detail = first or "", second or ""
            if source:
                found.fired[source] = None
            if name.upper().startswith(_OWN) and action != apsw.SQLITE_FUNCTION:
                continue
            if action == apsw.SQLITE_DELETE and (first, source) in refilled:
                if self._writes_anew(source or "", name):
                    found.trigger_updates[name, "*"] = None
                    continue
            elif source and action in (apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE):
                self._collide(found, parsed, action, name, source)
            found.add(action, name, detail, by_trigger=source is not None)
        return found.access()

    def _collide(
        self, found: "_AccessBuilder", parsed: ParsedStatement, action: int, name: str, trigger: str
    ) -> None:
        """A trigger's REPLACE, which it may have from the statement that fired it."""
        text = self._text("trigger", trigger)
        said = "OR REPLACE" in text or "REPLACE INTO" in text
        if not (parsed.conflict == "REPLACE" or said or self._replaces(name)):
            return
        keys = self._unique(name)
        if keys > (1 if action == apsw.SQLITE_INSERT else 0):
            found.deletes[name] = None
        elif keys:
            found.trigger_updates[name, "*"] = None

    def _writes_anew(self, trigger: str, table: str) -> bool:
        named = re.escape(table.upper())
        pattern = _REWRITE.format(rf"(?:MAIN \. )?[\"`\[]?{named}[\"`\]]?")
        text = self._text("trigger", trigger)
        deletes = len(re.findall(rf"DELETE FROM (?:MAIN \. )?[\"`\[]?{named}[\"`\]]? ", text))
        return deletes == len(re.findall(pattern, text)) > 0

    def _replaces(self, table: str) -> bool:
        return "ON CONFLICT REPLACE" in self._text("table", table)

    def _unique(self, table: str) -> int:
        """How many unique keys a table has, its primary key too."""
        if table not in self._keys:
            quoted = quote_name(table)
            indexes = self._connection.execute(f"PRAGMA index_list({quoted})").fetchall()
            keyed = any(row[5] for row in self._connection.execute(f"PRAGMA table_xinfo({quoted})"))
            by_rowid = keyed and all(row[3] != "pk" for row in indexes)
            self._keys[table] = sum(bool(row[2]) for row in indexes) + by_rowid
        return self._keys[table]

    def _text(self, kind: str, name: str) -> str:
        """The CREATE of a table or trigger, in capitals, comments left out, one blank between."""
        key = (kind, name.lower())
        if key not in self._texts:
            query = "SELECT sql FROM sqlite_schema WHERE type = ? AND lower(name) = ?"
            row = self._connection.execute(query, key).fetchone()
            sql = str(row[0]) if row and row[0] else ""
            self._texts[key] = _even_text(sql)
        return self._texts[key]


@lru_cache(maxsize=512)
def _even_text(sql: str) -> str:
    return " ".join(token.text.upper() for token in tokens(sql, limit=len(sql)))


class _AccessBuilder:
    """De-duplicated authorizer events of one statement, in order."""

    def __init__(self) -> None:
        self.deletes: dict[str, None] = {}
        self.updates: dict[ColumnRef, None] = {}
        self.trigger_updates: dict[ColumnRef, None] = {}
        self.inserts: dict[str, None] = {}
        self.fired: dict[str, None] = {}
        self.reads = set[ColumnRef]()
        self.functions = set[str]()

    def add(self, action: int, name: str, detail: str, *, by_trigger: bool) -> None:
        if action == apsw.SQLITE_FUNCTION:
            self.functions.add(detail.lower())
        elif action == apsw.SQLITE_DELETE:
            self.deletes[name] = None
        elif action == apsw.SQLITE_INSERT:
            self.inserts[name] = None
        elif action == apsw.SQLITE_READ:
            self.reads.add((name, detail))
        elif action == apsw.SQLITE_UPDATE:
            (self.trigger_updates if by_trigger else self.updates)[name, detail] = None

    def access(self) -> Access:
        return Access(
            tuple(self.deletes),
            tuple(self.updates),
            tuple(self.trigger_updates),
            tuple(self.inserts),
            frozenset(self.reads),
            tuple(self.fired),
            frozenset(self.functions),
        )


def _of_the_target(parsed: ParsedStatement, error: str) -> str:
    """The error on D1, which has tables of its own that are not here: no statement may use them."""
    own = _OWN_TABLE.search(error)
    unseen = parsed.verb == "DROP TABLE" and _OWN_TABLE.fullmatch(f": {parsed.target}")
    name = own[1] if own else parsed.target if unseen and not error else ""
    return f"D1 keeps {name} to itself" if name else error


def _key(kind: str, name: str) -> ObjectRef:
    """Tables, views and indexes share their names; triggers have their own."""
    return "trigger" if kind == "trigger" else "", name.lower()


def _objects(connection: apsw.Connection) -> dict[ObjectRef, ObjectRef]:
    """All objects by their keys."""
    query = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'"
    return {_key(kind, name): (kind, name) for kind, name in connection.execute(query)}
