"""`doctor` reads the target's ledgers with a token, and names every lie that is planted there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.asked_doctor import asked
from commands.served_practice import served
from d1_preflight.commands.checks import Check
from d1_preflight.commands.doctor import examine
from d1_preflight.core.record.record import Status
from d1_preflight.practice.api import API_TOKEN
from d1_preflight.practice.server import Server
from d1_preflight.practice.state import ACCOUNT_ID, DATABASE_ID, DATABASE_NAME
from sampling import sampled

DRIZZLE = 'CREATE TABLE "__drizzle_migrations"(id INTEGER PRIMARY KEY, hash TEXT, created_at INT);'

TWICE = """ALTER TABLE d1_migrations RENAME TO m;
CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at TEXT);
INSERT INTO d1_migrations SELECT * FROM m;
INSERT INTO d1_migrations(name) SELECT name FROM m WHERE id = 1; DROP TABLE m"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served(tmp_path / "practice") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "practice"


def checks(server: Server, folder: Path, id_: str = DATABASE_ID, **more: str) -> list[Check]:
    entry = {"binding": "DB", "database_name": DATABASE_NAME, "database_id": id_}
    entry = {key: value for key, value in entry.items() if value}
    text = {"name": "api", "account_id": ACCOUNT_ID, "d1_databases": [entry]}
    (folder / "wrangler.jsonc").write_text(json.dumps(text))
    env = {
        "HOME": str(folder / "home"), "PATH": "", "CLOUDFLARE_API_TOKEN": API_TOKEN,
        "CLOUDFLARE_API_BASE_URL": f"{server.origin}/client/v4", **more,
    }  # fmt: skip
    return list(examine(asked(), folder, env))


def of(found: list[Check], title: str) -> list[tuple[Status, str]]:
    return [(check.status, check.words) for check in found if check.title == title]


def test_a_ledger_of_the_folders_files_is_good(server: Server, folder: Path) -> None:
    ((status, words),) = of(checks(server, folder), "ledger")

    assert (status, "each a file here" in words) == (Status.PROVED, True)


@pytest.mark.parametrize(
    ("planted", "words"),
    sampled([
        ("INSERT INTO d1_migrations(name) VALUES ('0099_gone.sql')", "not here: 0099_gone.sql"),
        ("DELETE FROM d1_migrations WHERE name LIKE '0023%'", "a later file is applied, not 0023"),
        (DRIZZLE, "There is also __drizzle_migrations (drizzle's ledger)"),
        ("DROP TABLE d1_migrations; CREATE TABLE d1_migrations(id TEXT, note TEXT)",
         "is not wrangler's ledger: id, note"),
        ("DROP TABLE d1_migrations", "there is no d1_migrations, and 1"),
        (f"DROP TABLE d1_migrations; {DRIZZLE}", "but __drizzle_migrations (drizzle's ledger)"),
        ("DELETE FROM d1_migrations", "it is empty, and the database is not"),
        (TWICE, "two rows each for: 0001_create_users_and_sessions.sql"),
    ], 2),
)  # fmt: skip
def test_every_planted_lie_is_named(server: Server, folder: Path, planted: str, words: str) -> None:
    server.cloud.query(planted)

    found = of(checks(server, folder), "ledger")

    assert all(not status.is_answered for status, _ in found)
    assert words in " ".join(told for _, told in found)
    assert all("INSERT" not in request for request in server.requests)


def test_an_id_of_another_account_is_named(server: Server, folder: Path) -> None:
    found = checks(server, folder, DATABASE_ID.replace("3", "4"))

    ((status, words),) = of(found, "D1 access")
    assert (status, "no database of this id" in words) == (Status.FAILED, True)


def test_a_name_is_resolved_and_one_of_two_databases_is_refused(
    server: Server, folder: Path
) -> None:
    assert f"found by its name: {DATABASE_ID}" in str(of(checks(server, folder, ""), "database"))

    server.api.d1.twins.append("b1b2c3d4-0000-4000-8000-000000000002")

    found = of(checks(server, folder, ""), "database")
    assert any(status is Status.FAILED and "2 databases are named" in w for status, w in found)


def test_a_journal_that_contradicts_the_folder_is_named(server: Server, folder: Path) -> None:
    meta = folder / "migrations" / "meta"
    meta.mkdir()
    entries = [{"tag": "0001_create_users_and_sessions"}, {"tag": "0002_gone"}]
    (meta / "_journal.json").write_text(json.dumps({"entries": entries}))

    ((status, words),) = of(checks(server, folder), "journal")

    assert status is Status.UNKNOWN
    assert "lists files that are gone: 0002_gone.sql" in words
    assert "does not list: 0007_" in words


def test_without_a_token_nothing_is_asked(server: Server, folder: Path) -> None:
    assert of(checks(server, folder, CLOUDFLARE_API_TOKEN=""), "ledger") == []
    assert not server.requests
