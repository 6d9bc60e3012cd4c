"""Performs statements under SQLite's authorizer and keeps what it reports."""

from collections.abc import Iterator

import apsw

from d1_preflight.core import d1
from d1_preflight.core.engine.hearing import Hearing, Report
from d1_preflight.core.engine.resolver import Resolver
from d1_preflight.core.engine.trace import Act, Heard, Place
from d1_preflight.core.sql.statement import ParsedStatement, read_statement
from d1_preflight.core.sql.tokenizer import Statement

DEFINES = frozenset({"CREATE", "ALTER", "DROP", "PRAGMA"})
"""The first words of statements that make up the schema, apart from rows."""
_WORK_STEP = 50_000  # engine steps between two looks at the meter
_WORK_LIMIT = 400  # looks: 20 million steps, about a second


class Watch:
    """Performs statements one by one and notes what the authorizer hears."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._heard: list[Report] = []
        self._refusal = ""
        self._looks = 0
        self._objects = {_key(*place): place for place in _objects(connection)}
        self._defined: list[str] = []
        self._hearing = Hearing(connection)
        self._resolver = Resolver(connection, self._hearing.columns)

    def perform(self, statement: Statement) -> Act:
        """Perform one statement; what goes wrong is told in the act."""
        parsed = read_statement(statement.body)
        literal = self._without_literals(statement)
        self._heard, self._refusal = [], ""
        error, depends, unsure = self._execute(statement.text)
        heard = self._hear(parsed)
        phrase = parsed if error or unsure else self._resolver.resolve(parsed, heard)
        created, dropped = tuple[Place, ...](), tuple[Place, ...]()
        if unsure and not self._connection.in_transaction:
            self._begin_again()
        elif not error:
            created, dropped = self._look_around(phrase)
            if phrase.verb.split(" ")[0] in DEFINES:
                self._defined.append(statement.body)
                self._hearing.schema_changed()
        copied = phrase.copy if not error else None
        return Act(
            statement,
            phrase,
            heard,
            created=created,
            dropped=dropped,
            error=error,
            depends=depends,
            literal="" if error else literal,
            unsure=unsure,
            into=self._hearing.columns(phrase.target, written=True) if copied else (),
            source=self._hearing.columns(copied.source) if copied else (),
            lossy=self._hearing.takes_not_all(phrase.target, heard) if copied else "",
            keys=0 if error else self._hearing.replacing_keys(phrase),
        )

    def _hear(self, phrase: ParsedStatement) -> Heard:
        if phrase.verb == "EXPLAIN":  # prepared, not done
            return Heard()
        return self._hearing.heard(self._heard, phrase)

    def _begin_again(self) -> None:
        """Bring the schema back: SQLite rolls everything back when it is interrupted."""
        self._connection.execute("BEGIN")
        for body in self._defined:
            try:
                self._connection.execute(body)
            except apsw.Error:  # it depended on rows that are gone
                continue

    def _look_around(self, phrase: ParsedStatement) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
        """Which objects came and went; a table can bring or take others with it."""
        act, _, kind = phrase.verb.partition(" ")
        is_plain = act == "CREATE" and kind and phrase.tokens[1].word != "VIRTUAL"
        if (not is_plain and kind in ("TABLE", "TABLE RENAME")) or (act == "CREATE" and not kind):
            return self._look_anew()
        wanted = _key(kind.lower(), phrase.target)
        if act == "CREATE" and wanted not in self._objects:
            self._objects[wanted] = (kind.lower(), phrase.target)
            return (self._objects[wanted],), ()
        if act == "DROP" and wanted in self._objects:
            return (), (self._objects.pop(wanted),)
        return (), ()

    def _look_anew(self) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
        before = set(self._objects.values())
        self._objects = {_key(*place): place for place in _objects(self._connection)}
        now = set(self._objects.values())
        return tuple(sorted(now - before)), tuple(sorted(before - now))

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


def _key(kind: str, name: str) -> Place:
    """Tables, views and indexes share their names; triggers have their own."""
    return "trigger" if kind == "trigger" else "", name.lower()


def _objects(connection: apsw.Connection) -> Iterator[Place]:
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'"
    ):
        yield str(kind), str(name)
