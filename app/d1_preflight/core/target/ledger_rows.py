"""Rows written into ledgers: wrangler's by an adoption, another tool's beside an apply.

The other tool's row is the one that it would have written itself; where that is not surely known,
there is none, and nothing is applied.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

import apsw

from d1_preflight.core.d1 import LEDGER_COLUMNS, STATEMENT_BYTES
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.table import Column, Table
from d1_preflight.core.sql.tokenizer import quote_name, quote_text
from d1_preflight.core.target.ledgers import DRIZZLE, key_column, listed, tool_of

_COMMAND_BYTES = 120_000  # of one argument of a program, on Linux
_DRIZZLES = frozenset({"id", "hash", "created_at"})
_NOW = re.compile(r"(?i)current_timestamp|current_date|'now'|\b(?:unixepoch|datetime|date)\(\)")
_WITH_A_NAME = frozenset({"", "NuxtHub"})


class NoRow(Exception):
    """The row that the other tool would write is not surely known."""


@dataclass(frozen=True, slots=True)
class OtherLedger:
    """Another tool's ledger as it was read: its table, and all its rows."""

    table: Table
    rows: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Books:
    """The project's files, those that wrangler's ledger has, and the times of drizzle's journal."""

    files: Sequence[Migration]
    applied: frozenset[str]
    journal: Mapping[str, int] = field(default_factory=dict)

    @property
    def done(self) -> tuple[Migration, ...]:
        """The files that are applied, by wrangler's ledger."""
        return tuple(file for file in self.files if file.name in self.applied)


def adoption_sql(table: str, names: Sequence[str]) -> str:
    """The statements of one batch; the UNIQUE name makes a second run fail as a whole.

    Raises NotAllowed where it is too long for one batch.
    """
    make = f"CREATE TABLE IF NOT EXISTS {quote_name(table)}{LEDGER_COLUMNS};"
    rows = [f"({quote_text(name)})" for name in names]
    inserts, held = list[str](), list[str]()
    for row in (*rows, ""):
        if held and (not row or len(", ".join((*held, row)).encode()) > STATEMENT_BYTES // 2):
            inserts.append(f"INSERT INTO {quote_name(table)} (name) VALUES {', '.join(held)};")
            held = []
        held.append(row)
    sql = " ".join((make, *inserts))
    if len(sql.encode()) > _COMMAND_BYTES:
        raise NotAllowed(
            f"{len(names)} rows are too many for one batch.",
            hint="Nothing was written. Leave out what need not be adopted, or squash old files.",
        )
    return sql


def undo_sql(table: str, names: Sequence[str]) -> str:
    """What takes the rows of an adoption out again."""
    listed = ", ".join(quote_text(name) for name in names)
    return f"DELETE FROM {quote_name(table)} WHERE name IN ({listed});"


def takes_twice(ddl: Sequence[str], table: str, name: str) -> bool:
    """Whether a ledger so declared lets wrangler write a second row of this name; tried here.

    wrangler's own has a UNIQUE name, on which it rests that of two operators one is refused. What
    cannot be tried counts as one that does. Without a table there is none: wrangler makes its own.
    """
    if not ddl:
        return False
    insert = f"INSERT INTO {quote_name(table)} (name) VALUES (?)"
    with closing(apsw.Connection(":memory:")) as connection, suppress(apsw.Error):
        try:
            for statement in (*ddl, insert, insert):
                connection.execute(statement, (name,) if statement is insert else ())
        except apsw.ConstraintError:
            held = connection.execute(f"SELECT count(*) FROM {quote_name(table)}").fetchone()
            return held != (1,)
    return True


def refusal_sql(table: str, name: str) -> str:
    """A query that fails, and its batch with it, where the ledger has this name already."""
    words = quote_text("already in the ledger: ")
    return (
        f"SELECT json_extract('{{}}', {words} || name) FROM {quote_name(table)}"
        f" WHERE name = {quote_text(name)};"
    )


@dataclass(frozen=True, slots=True)
class NotedFile:
    """How another tool's ledger notes one file; the values are SQL."""

    table: str
    values: Mapping[str, str]

    @property
    def insert(self) -> str:
        """The statement that writes the row."""
        columns = ", ".join(map(quote_name, self.values))
        return (
            f"INSERT INTO {quote_name(self.table)} ({columns})"
            f" VALUES ({', '.join(self.values.values())});"
        )

    @property
    def question(self) -> str:
        """The query for how many such rows there are."""
        same = (f"{quote_name(column)} = {value}" for column, value in self.values.items())
        return f"SELECT count(*) AS held FROM {quote_name(self.table)} WHERE {' AND '.join(same)}"


def row_beside(ledger: OtherLedger, file: Migration, books: Books) -> NotedFile:
    """How another tool's ledger would note a file.

    Raises NoRow with the reason where that is not surely known.
    """
    tool = tool_of(ledger.table)
    if tool == DRIZZLE:
        return _drizzles(ledger, file, books)
    if tool in _WITH_A_NAME:
        return _named(ledger, file, books)
    raise NoRow(f"{tool} writes more there than a name and a time")


def _drizzles(ledger: OtherLedger, file: Migration, books: Books) -> NotedFile:
    """The hash of the file's text and the journal's time, by which drizzle decides what is next."""
    if {column.name for column in ledger.table.columns} != _DRIZZLES:
        raise NoRow("its columns are not those of a drizzle version that preflight knows")
    lacking = [f.name for f in (*books.done, file) if f.name not in books.journal]
    if lacking:
        raise NoRow(f"drizzle's journal has no time for {listed(lacking)}")
    found = sorted((str(row.get("hash")), _whole(row.get("created_at"))) for row in ledger.rows)
    if found != sorted((f.sha256, books.journal[f.name]) for f in books.done):
        raise NoRow("its rows do not match the files in wrangler's ledger")
    when = books.journal[file.name]
    if any(when <= earlier for _, earlier in found):
        raise NoRow(f"drizzle would skip {file.name}: its time is not the latest")
    values = {"hash": quote_text(file.sha256), "created_at": str(when)}
    return NotedFile(ledger.table.name, values)


def _named(ledger: OtherLedger, file: Migration, books: Books) -> NotedFile:
    """The file in the form of the other rows; what else there is must fill itself in."""
    table, key = ledger.table, key_column(ledger.table)
    open_columns = [c.name for c in table.columns if c.name != key and not _fills_itself(c)]
    if open_columns:
        raise NoRow(f"preflight does not know what to write into {listed(open_columns)}")
    held = [row.get(key) for row in ledger.rows]
    whole = all(isinstance(value, int) for value in held)
    said = sorted(str(value) for value in held)
    values = {
        form(file)
        for form in _FORMS
        if said == sorted(form(done) for done in books.done) and form(file)
    }
    if not values:
        raise NoRow("its rows do not match the files in wrangler's ledger")
    if len(values) > 1:
        raise NoRow(f"the row could be {' or '.join(sorted(values))}")
    value = values.pop()
    return NotedFile(table.name, {key: value if whole else quote_text(value)})


def _fills_itself(column: Column) -> bool:
    """Whether SQLite gives the value that a tool would: a row's number, or the time."""
    is_number = column.pk and column.type.upper() == "INTEGER"
    return is_number or not column.holds_data or bool(_NOW.search(column.default or ""))


def _folder(file: Migration) -> str:
    folder, _, base = file.name.rpartition("/")
    return folder.rpartition("/")[2] if base == "migration.sql" else ""


_FORMS: tuple[Callable[[Migration], str], ...] = (
    lambda file: file.name,
    lambda file: file.stem,
    lambda file: file.name.rpartition("/")[2],
    _folder,
    lambda file: "" if file.number is None else str(file.number),
    lambda file: file.name.partition("_")[0] if file.number is not None else "",
)
"""What tools of one's own call a file: its name, its stem, its folder, or its number."""


def _whole(value: object) -> int:
    """A time as the journal has it; -1 where it is none."""
    text = str(value)
    return int(float(text)) if re.fullmatch(r"\d+(?:\.0+)?", text) else -1
