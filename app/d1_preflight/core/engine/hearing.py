"""Makes sense of what SQLite's authorizer reports, with what the schema of that moment adds.

The authorizer says which tables a statement deletes from, not that a REPLACE deletes the rows it
collides with, nor that a trigger writes the row anew which it has just deleted.
"""

import re

import apsw

from d1_preflight.core.engine.trace import Heard, Place
from d1_preflight.core.sql.statement import ParsedStatement
from d1_preflight.core.sql.tokenizer import quote_name, tokens

Report = tuple[int, str | None, str | None, str | None]
"""An action, its two details, and the trigger that does it."""
_EQUAL = r"\S+(?: \. \S+)? = (?:OLD|NEW) \. \S+"
_REWRITE = r"DELETE FROM {} WHERE " + rf"{_EQUAL}(?: AND {_EQUAL})* ;"
_OWN = "SQLITE_"


class Hearing:
    """Reads reports; keeps what it looked up about tables and triggers until the schema changes."""

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

    def takes_not_all(self, table: str, heard: Heard) -> str:
        """Why a table may not keep every row that is copied into it, "" where it does."""
        text = self._text("table", table)
        for word in ("IGNORE", "REPLACE"):
            if f"ON CONFLICT {word}" in text:
                return f"ON CONFLICT {word}"
        if table.lower() in {name.lower() for name in heard.deletes}:
            return "a trigger that deletes rows"
        if any("RAISE ( IGNORE" in self._text("trigger", name) for name in heard.fired):
            return "a trigger with RAISE(IGNORE)"
        return ""

    def replacing_keys(self, phrase: ParsedStatement) -> int:
        """By how many unique keys a statement can delete rows that are in its way."""
        if phrase.verb not in ("INSERT", "UPDATE"):
            return 0
        by_table = not phrase.conflict and self._replaces(phrase.target)
        return self._unique(phrase.target) if phrase.conflict == "REPLACE" or by_table else 0

    def heard(self, reports: list[Report], phrase: ParsedStatement) -> Heard:
        """The reports of one statement, sorted out."""
        found = _Sorted()
        refilled = {(n, by) for act, n, _, by in reports if act == apsw.SQLITE_INSERT and by}
        for action, first, second, source in reports:
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
                self._collide(found, phrase, action, name, source)
            found.add(action, name, detail, by_trigger=source is not None)
        return found.heard()

    def _collide(
        self, found: "_Sorted", phrase: ParsedStatement, action: int, name: str, trigger: str
    ) -> None:
        """A trigger's REPLACE, which it may have from the statement that fired it."""
        text = self._text("trigger", trigger)
        said = "OR REPLACE" in text or "REPLACE INTO" in text
        if not (phrase.conflict == "REPLACE" or said or self._replaces(name)):
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
            self._texts[key] = " ".join(t.text.upper() for t in tokens(sql, limit=len(sql)))
        return self._texts[key]


class _Sorted:
    """What is heard of one statement, in order and each once."""

    def __init__(self) -> None:
        self.deletes: dict[str, None] = {}
        self.updates: dict[Place, None] = {}
        self.trigger_updates: dict[Place, None] = {}
        self.inserts: dict[str, None] = {}
        self.fired: dict[str, None] = {}
        self.reads = set[Place]()
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

    def heard(self) -> Heard:
        return Heard(
            tuple(self.deletes),
            tuple(self.updates),
            tuple(self.trigger_updates),
            tuple(self.inserts),
            frozenset(self.reads),
            tuple(self.fired),
            frozenset(self.functions),
        )
