"""A local database made by us holds what it is told to hold, and wrangler takes it as its own."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from d1_preflight.adapters.localdb import (
    Contents,
    create,
    duplicate,
    local_file,
    open_read,
    read_counts,
    read_ledger,
    read_schema,
)
from d1_preflight.adapters.row_copies import compare_copy, open_copy
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.errors import PreflightError, ProjectError, RecordInvalid, RemoteFailed
from d1_preflight.core.rows.paging import Page
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.sequences import local_sequences
from d1_preflight.core.schema.table import TableKind
from d1_preflight.core.target.snapshot import LedgerRow
from local_copies import copy_rows, diff_files, opened, read_digests, read_shapes

if TYPE_CHECKING:
    from d1_preflight.core.rows.codec import Row

SHOP = """
CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT NOT NULL, CHECK (length(name) < 5));
CREATE TABLE members(id INTEGER PRIMARY KEY AUTOINCREMENT,
  team TEXT REFERENCES teams(id) ON DELETE CASCADE, big INTEGER, v, twice AS (big * 2));
CREATE TABLE log(what TEXT);
CREATE TABLE pairs(a TEXT, b INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID, STRICT;
CREATE VIRTUAL TABLE notes USING fts5(body);
CREATE INDEX members_team ON members(team);
CREATE VIEW named AS SELECT name FROM teams;
CREATE TRIGGER members_log AFTER INSERT ON members BEGIN INSERT INTO log VALUES ('x'); END;
CREATE TRIGGER named_insert INSTEAD OF INSERT ON named BEGIN SELECT 1; END;
INSERT INTO teams VALUES ('a', 'A'), ('b', 'B');
INSERT INTO members(team, big, v) VALUES ('a', 9007199254740993, x'00ff'), ('b', 1, 9e999),
  ('dangling', -9223372036854775808, CAST(x'ff00' AS TEXT));
DELETE FROM members WHERE id = 2;
INSERT INTO pairs VALUES ('x', 1), ('x', 2);
INSERT INTO notes VALUES ('hello world'), ('other words');
PRAGMA ignore_check_constraints = ON; UPDATE teams SET name = 'too long' WHERE id = 'b';
"""
LEDGER = (LedgerRow(1, "0001_a.sql", "2026-01-01 00:00:00"), LedgerRow(4, "0002_b.sql", "x"))
ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF")
    connection.execute(SHOP)
    connection.close()
    return path


@pytest.fixture
def contents(shop: Path, tmp_path: Path) -> Contents:
    names = [t.name for t in read_shapes(shop) if t.kind is not TableKind.VIRTUAL]
    return Contents(
        read_schema(shop),
        copy_rows(shop, names, tmp_path / "copies"),
        ledger=LEDGER,
    )


def test_the_files_name_is_wranglers() -> None:
    name = "1d86945724128759ebd10400e22d0254fbaa8faa130296b866e732c3fac26237.sqlite"
    assert local_file(Path("p"), ID).parts == ("p", "v3", "d1", "miniflare-D1DatabaseObject", name)


def test_a_database_made_from_copies_holds_what_the_first_held(
    shop: Path, contents: Contents, tmp_path: Path
) -> None:
    made = local_file(tmp_path / "persist", ID)
    create(made, contents)
    assert read_digests(made) == read_digests(shop) | {
        "d1_migrations": read_digests(made)["d1_migrations"]
    }
    assert read_counts(made) == read_counts(shop) | {"d1_migrations": 2}
    assert read_schema(made).without("d1_migrations").fingerprint == contents.schema.fingerprint
    assert local_sequences(opened(made)) == {"members": 3, "d1_migrations": 4}
    assert read_ledger(made) == LEDGER


def test_a_full_text_index_is_carried_with_its_shadows(contents: Contents, tmp_path: Path) -> None:
    create(made := tmp_path / "made.sqlite", contents)
    with open_read(made) as connection:
        found = connection.execute("SELECT rowid FROM notes WHERE notes MATCH 'words'").fetchall()
    assert found == [(2,)]


def test_loading_fires_no_trigger(contents: Contents, shop: Path, tmp_path: Path) -> None:
    create(made := tmp_path / "made.sqlite", contents)
    assert read_counts(made)["log"] == read_counts(shop)["log"] == 3


def test_files_and_folders_are_private(contents: Contents, tmp_path: Path) -> None:
    made = local_file(tmp_path / "persist", ID)
    create(made, contents)
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700


def test_what_lies_only_in_the_wal_is_read_and_copied(tmp_path: Path) -> None:
    path = tmp_path / "live.sqlite"
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0")
    writer.execute("CREATE TABLE t(v); INSERT INTO t VALUES (1), (2)")
    assert path.stat().st_size <= 4096
    assert read_counts(path) == {"t": 2}
    duplicate(path, tmp_path / "copy.sqlite")
    writer.close()
    assert read_counts(tmp_path / "copy.sqlite") == {"t": 2}


def test_an_existing_database_is_never_overwritten(contents: Contents, tmp_path: Path) -> None:
    create(made := tmp_path / "made.sqlite", contents)
    with pytest.raises(ProjectError, match="File exists"):
        create(made, contents)
    assert read_ledger(made) == LEDGER


@pytest.mark.wrangler
def test_wrangler_takes_the_file_and_gives_every_value_back(
    contents: Contents,
    shop: Path,
    tmp_path: Path,
    wrangler_command: Toolchain,
    quiet_environ: dict[str, str],
) -> None:
    from core.test_rows import TRICKY, _fill, _read_table, _same

    tricky = tmp_path / "tricky.sqlite"
    _fill(connection := apsw.Connection(str(tricky)), TRICKY)
    expected = _read_table(connection)
    connection.close()
    (copy,) = copy_rows(tricky, ["t"], tmp_path / "tricky")
    schema = type(contents.schema)((*contents.schema.objects, *read_schema(tricky).objects))
    create(
        local_file(tmp_path / ".wrangler" / "state", ID),
        Contents(schema, (*contents.copies, copy), LEDGER),
    )
    config = tmp_path / "wrangler.json"
    config.write_text(
        json.dumps(
            {
                "name": "shop",
                "compatibility_date": "2026-01-01",
                "d1_databases": [{"binding": "DB", "database_name": "shop", "database_id": ID}],
            }
        )
    )
    tables = {t.name: t for t in (*read_shapes(shop), *read_shapes(tricky))}

    def ask(*statements: str) -> list[list[dict[str, object]]]:
        argv = (*wrangler_command.argv, "d1", "execute", "shop", "--local", "--json")
        found = asyncio.run(
            _run((*argv, f"--command={';'.join(statements)}"), config, quiet_environ)
        )
        return [item["results"] for item in json.loads(found)]

    pages = {name: Page(table) for name, table in tables.items() if table.walk}
    answers = ask(*(page.sql for page in pages.values()))
    rows: dict[str, list[Row]] = {}
    for (name, page), answer in zip(pages.items(), answers, strict=True):
        found = page.read(answer)
        rows[name] = list(found.rows)
        assert found.following is None
    assert all(
        _same(a, b)
        for got, wanted in zip(rows["t"], expected, strict=True)
        for a, b in zip(got.cells, wanted.cells, strict=True)
    )
    assert {n: len(found) for n, found in rows.items()}["members"] == 2
    assert "notes_content" in rows


async def _run(argv: tuple[str, ...], config: Path, environ: dict[str, str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *argv,
        f"--config={config}",
        cwd=config.parent,
        env=environ | {"CI": "1", "WRANGLER_SEND_METRICS": "false"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (out, err)
    return out


SECRET = "canary-3f9a77"


def schema_of(sql: str) -> Schema:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    found = Schema.from_connection(connection)
    connection.close()
    return found


def told(tmp_path: Path, kind: type[PreflightError], rows: str, schema: str) -> PreflightError:
    """Why rows, read under one schema, cannot be loaded under another; nothing is left of it."""
    source = tmp_path / "source.sqlite"
    connection = apsw.Connection(str(source))
    connection.execute(rows)
    connection.close()
    copies = copy_rows(source, ["t"], tmp_path / "copies")
    made = tmp_path / "made.sqlite"
    with pytest.raises(kind) as raised:
        create(made, Contents(schema_of(schema), copies))
    assert not made.exists()
    assert raised.value.hint
    assert SECRET not in f"{raised.value.message} {raised.value.hint}"
    return raised.value


TWICE = f"CREATE TABLE t(id INTEGER, v TEXT); INSERT INTO t VALUES (1, '{SECRET}'), (1, 'b')"


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)",
        "CREATE TABLE t(id INTEGER, v TEXT); CREATE UNIQUE INDEX t_id ON t(id)",
    ],
    ids=["a key", "an index"],
)
def test_rows_that_were_read_twice_say_that_the_target_changed(tmp_path: Path, schema: str) -> None:
    error = told(tmp_path, RemoteFailed, TWICE, schema)
    assert "t.id" in error.message
    assert "changed while it was read" in error.hint


@pytest.mark.parametrize(
    "schema", ["CREATE TABLE other(id INTEGER)", "CREATE TABLE t(id INTEGER)"], ids=["table", "col"]
)
def test_rows_of_another_schema_say_so(tmp_path: Path, schema: str) -> None:
    error = told(tmp_path, ProjectError, TWICE, schema)
    assert "do not fit the schema" in error.message


def test_an_expression_that_fails_on_a_row_quotes_none(tmp_path: Path) -> None:
    rows = f"CREATE TABLE t(id INTEGER, v TEXT); INSERT INTO t VALUES (1, '{SECRET}')"
    failing = "CREATE TABLE t(id INTEGER, v TEXT, j GENERATED ALWAYS AS (json(v)) STORED)"
    assert "cannot be loaded" in told(tmp_path, ProjectError, rows, failing).message


def test_a_copy_that_is_gone_is_said(contents: Contents, tmp_path: Path) -> None:
    contents.copies[0].path.unlink()
    with pytest.raises(RecordInvalid, match="missing"):
        create(tmp_path / "made.sqlite", contents)


def test_a_file_that_is_no_database_is_said(contents: Contents, tmp_path: Path) -> None:
    bad = tmp_path / "bad.sqlite"
    bad.write_bytes(b"no database at all " * 100)
    for read in (read_schema, read_counts, read_ledger):
        with pytest.raises(ProjectError, match=r"bad\.sqlite cannot be read"):
            read(bad)
    with pytest.raises(ProjectError, match=r"bad\.sqlite cannot be read"):
        duplicate(bad, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()
    with pytest.raises(ProjectError, match="cannot be opened"):
        compare_copy(contents.copies[0], bad)
    with pytest.raises(ProjectError, match="cannot be"):
        diff_files(bad, bad)


def test_a_copy_that_says_too_little_about_itself_is_none(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "0001.rows"))
    connection.execute("CREATE TABLE about(name, value)")
    connection.execute("INSERT INTO about VALUES ('format', 'd1-preflight rows 1')")
    connection.close()
    with pytest.raises(RecordInvalid, match="not a complete copy"):
        open_copy(tmp_path / "0001.rows")
