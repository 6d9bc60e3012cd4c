"""The D1 part of the API: query, import, export, information and time travel of one database."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from secrets import token_hex
from typing import Any

from d1_preflight.core.errors import PreflightError
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.practice.engine import ENGINE_RESET, INTERNAL, OVERTIME, Database
from d1_preflight.practice.replies import Reply, failed, listed, ok
from d1_preflight.practice.results import Json, StatementRefused
from d1_preflight.practice.state import DATABASE_NAME, Cloud

_TABLES = (
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%'"
    " ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
_KEEP_FILES = 5
_OBJECTS = (
    "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
    " ORDER BY rowid"
)
_VIRTUAL = "CREATE VIRTUAL TABLE"


class D1Api:
    """Serves one database of the account, found by name or id."""

    def __init__(self, cloud: Cloud, origin: str) -> None:
        self._cloud, self._origin = cloud, origin
        self._signatures: dict[str, str] = {}
        self._imports: dict[str, Json] = {}
        self.twins: list[str] = []  # the ids of other databases of the same name
        for folder in (self._exports, self._uploads):
            folder.mkdir(exist_ok=True)

    def answer(
        self,
        method: str,
        parts: tuple[str, ...],
        query: Mapping[str, str],
        body: Mapping[str, Any],
        *,
        break_after: int | None = None,
    ) -> Reply | None:
        """The answer to a call below `/d1/database`, None where there is no such call."""
        if not parts:
            return self._list(query) if method == "GET" else None
        try:
            return self._of_database(method, parts[1:], query, body, break_after)
        except StatementRefused as error:
            broken = error.message.startswith((ENGINE_RESET, INTERNAL))
            code = 7429 if error.message == OVERTIME else 7500
            return failed(500 if broken else 400, code, error.message)
        except PreflightError as error:
            return failed(400, 7400, error.message)

    def _of_database(
        self,
        method: str,
        parts: tuple[str, ...],
        query: Mapping[str, str],
        body: Mapping[str, Any],
        break_after: int | None,
    ) -> Reply | None:
        match method, parts:
            case "GET", ():
                return ok(self._information())
            case "POST", ("query",):
                results = self._cloud.query(
                    str(body.get("sql", "")), body.get("params") or (), break_after=break_after
                )
                return ok([result.as_json() for result in results])
            case "POST", ("import",):
                return ok(self._import(body))
            case "POST", ("export",):
                return ok(self._export(body))
            case "GET", ("time_travel", "bookmark"):
                return ok({"bookmark": self._bookmark(query.get("timestamp"))})
            case "POST", ("time_travel", "restore"):
                return ok(self._restore(query.get("bookmark", "")))
        return None

    # -- files that are fetched and sent outside the API, by signed address ----------------------

    def stored_file(self, name: str, signature: str) -> Path | None:
        """The export behind a signed address, None where the signature is not right."""
        path = self._exports / name
        return path if self._signed(name, signature) and path.exists() else None

    def store_file(self, name: str, signature: str, data: bytes) -> str | None:
        """Take an upload to a signed address; its ETag, None where the signature is not right."""
        if not self._signed(name, signature):
            return None
        (self._uploads / name).write_bytes(data)
        return md5(data, usedforsecurity=False).hexdigest()

    def _signed(self, name: str, signature: str) -> bool:
        return bool(signature) and self._signatures.get(name) == signature

    def _sign(self, kind: str, name: str) -> str:
        self._signatures[name] = token_hex(16)
        return f"{self._origin}/practice/{kind}/{name}?signature={self._signatures[name]}"

    # -- the calls ------------------------------------------------------------------------------

    def _list(self, query: Mapping[str, str]) -> Reply:
        page, size = int(query.get("page", "1")), int(query.get("per_page", "10"))
        whole = self._information()
        twins = [{**whole, "uuid": uuid} for uuid in self.twins]
        return listed([whole, *twins], page=max(page, 1), per_page=max(size, 1))

    def _information(self) -> Json:
        tables = self._cloud.database.rows(_TABLES)[0][0]
        return {
            "uuid": self._cloud.uuid,
            "name": DATABASE_NAME,
            "version": "production",
            "created_at": "2024-03-04T09:12:44.101Z",
            "num_tables": tables,
            "file_size": self._cloud.database.size,
            "running_in_region": "PRACTICE",
            "read_replication": {"mode": "disabled"},
        }

    def _import(self, body: Mapping[str, Any]) -> Json:
        match body.get("action"):
            case "init":
                name = f"{md5(str(body['etag']).encode(), usedforsecurity=False).hexdigest()}.sql"
                return {"filename": name, "upload_url": self._sign("uploads", name)}
            case "ingest":
                mark = self._cloud.time_travel.latest.bookmark
                self._imports[mark] = self._ingest(str(body["filename"]))
                return _progress(mark, "Processed the file.")
            case "poll" if body.get("current_bookmark") in self._imports:
                return self._imports.pop(str(body["current_bookmark"]))
        return {"success": False, "error": "Not currently importing anything.", "messages": []}

    def _ingest(self, name: str) -> Json:
        if name not in self._signatures:
            return {"success": False, "error": f"{name} was not uploaded.", "messages": []}
        sql = (self._uploads / name).read_text(encoding="utf-8", errors="replace")
        (self._uploads / name).unlink()
        try:
            results = self._cloud.query(sql)
        except StatementRefused as error:
            return {"success": False, "error": error.message, "messages": []}
        meta: Json = {
            "duration": sum(result.meta.duration for result in results),
            "rows_read": sum(result.meta.rows_read for result in results),
            "rows_written": sum(result.meta.rows_written for result in results),
            "size_after": self._cloud.database.size,
        }
        mark = self._cloud.time_travel.latest.bookmark
        result = {"num_queries": len(results), "final_bookmark": mark, "meta": meta}
        return _progress(mark, "Import complete.") | {"status": "complete", "result": result}

    def _export(self, body: Mapping[str, Any]) -> Json:
        mark = self._cloud.time_travel.latest.bookmark
        if not body.get("current_bookmark"):
            return _progress(mark, "Generating the export.")
        options = body.get("dump_options") or {}
        name = f"{DATABASE_NAME}-{token_hex(8)}.sql"
        with self._cloud.lock, (self._exports / name).open("w", encoding="utf-8") as file:
            file.writelines(
                dump(
                    self._cloud.database,
                    tables=frozenset(options.get("tables") or ()),
                    schema=not options.get("no_schema"),
                    data=not options.get("no_data"),
                )
            )
        self._forget_old_exports()
        result = {"filename": name, "signed_url": self._sign("exports", name)}
        return _progress(mark, "Uploaded part 1") | {"status": "complete", "result": result}

    def _forget_old_exports(self) -> None:
        by_age = sorted(self._exports.glob("*.sql"), key=lambda path: path.stat().st_mtime_ns)
        for old in by_age[:-_KEEP_FILES]:
            old.unlink()

    def _bookmark(self, timestamp: str | None) -> str:
        if timestamp is None:
            return self._cloud.time_travel.latest.bookmark
        moment = datetime.fromisoformat(timestamp)
        return self._cloud.time_travel.at(moment.astimezone(UTC)).bookmark

    def _restore(self, bookmark: str) -> Json:
        before, after = self._cloud.restore(bookmark)
        message = f"Database restored to {bookmark}."
        marks = {"bookmark": after.bookmark, "previous_bookmark": before.bookmark}
        return {**marks, "message": message}

    @property
    def _exports(self) -> Path:
        return self._cloud.folder / "exports"

    @property
    def _uploads(self) -> Path:
        return self._cloud.folder / "uploads"


def _progress(mark: str, message: str) -> Json:
    return {"success": True, "status": "active", "at_bookmark": mark, "messages": [message]}


class NotExportable(PreflightError):
    """D1 refuses to export a database with virtual tables."""


def dump(
    database: Database, *, tables: Collection[str] = (), schema: bool = True, data: bool = True
) -> Iterator[str]:
    """A database as SQL in the form of `wrangler d1 export`: tables with rows, then the rest.

    `tables` empty means everything.
    """
    objects = [(str(kind), str(name), str(sql)) for kind, name, sql in database.rows(_OBJECTS)]
    if any(sql.upper().startswith(_VIRTUAL) for _, _, sql in objects):
        raise NotExportable("D1 Export error: cannot export databases with Virtual Tables (fts5)")
    yield "PRAGMA defer_foreign_keys=TRUE;\n"
    for kind, name, sql in objects:
        if kind == "table" and (not tables or name in tables):
            if schema:
                yield f"{sql};\n"
            if data:
                yield from _inserts(database, name)
    if data and not tables:
        yield from _sequence(database)
    if schema and not tables:
        for wanted in ("view", "trigger", "index"):
            yield from (f"{sql};\n" for kind, _, sql in objects if kind == wanted)


def _inserts(database: Database, table: str) -> Iterator[str]:
    stored = database.rows("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0", (table,))
    columns = [quote_name(str(row[0])) for row in stored]
    values = " || ',' || ".join(_literal(column) for column in columns)
    names = ",".join(columns)
    for row in database.rows(f"SELECT {values} FROM {quote_name(table)}"):
        yield f"INSERT INTO {quote_name(table)} ({names}) VALUES({row[0]!s});\n"


def _sequence(database: Database) -> Iterator[str]:
    known = database.rows("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'")
    if known:
        yield "DELETE FROM sqlite_sequence;\n"
        for row in database.rows("SELECT quote(name), seq FROM sqlite_sequence"):
            yield f"INSERT INTO sqlite_sequence VALUES({row[0]!s},{row[1]!s});\n"


def _literal(column: str) -> str:
    # quote() ends a text at a NUL character
    return (
        f"CASE WHEN typeof({column}) = 'text' AND instr({column}, char(0))"
        f" THEN 'CAST(X''' || hex({column}) || ''' AS TEXT)' ELSE quote({column}) END"
    )
