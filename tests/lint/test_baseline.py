"""A base schema that no file makes: what lint says without it, and with `[lint] baseline`."""

import json
from pathlib import Path

import pytest

from lint.running import Ran, folder, preflight

FILES = {
    "m/0001_add_salt.sql": "ALTER TABLE users ADD COLUMN salt TEXT;",
    "m/0002_add_name.sql": "ALTER TABLE users ADD COLUMN name TEXT;",
    "m/0003_drop_friends.sql": "DROP TABLE IF EXISTS friends;",
    "m/0004_make_pets.sql": "DROP TABLE IF EXISTS pets;\nCREATE TABLE pets (id INTEGER);",
}
NAMED = {"preflight.toml": '[lint]\nbaseline = "db/schema.sql"\n'}
SCHEMA = (
    "PRAGMA defer_foreign_keys=TRUE;\nCREATE TABLE _cf_KV (key TEXT PRIMARY KEY);\n"
    "CREATE TABLE d1_migrations (id INTEGER);\nCREATE TABLE users (id TEXT PRIMARY KEY NOT NULL);\n"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return folder(tmp_path, FILES)


def judged(ran: Ran) -> dict[str, tuple[str, list[str]]]:
    rules = {"name-missing", "baseline-missing", "drop-unknown"}
    return {
        m["name"]: (m["class"], [f["rule"] for f in m["findings"] if f["rule"] in rules])
        for m in json.loads(ran.out)["migrations"]
    }


def test_what_no_file_makes_is_ours_to_say_and_said_once(here: Path) -> None:
    assert here.is_dir()
    ran = preflight("lint", "--format", "json", "m")
    assert ran.code == 1
    assert judged(ran) == {
        "0001_add_salt.sql": ("unknown", ["baseline-missing"]),
        "0002_add_name.sql": ("unknown", []),
        "0003_drop_friends.sql": ("destructive", ["drop-unknown"]),
        "0004_make_pets.sql": ("destructive", ["drop-unknown"]),
    }
    assert "D1 answers" not in ran.out


def test_each_file_that_is_unknown_for_it_blocks(here: Path) -> None:
    folder(here, {"m/0002_add_name.sql": "ALTER TABLE users ADD COLUMN name TEXT;"})
    ran = preflight("lint", "m")
    assert ran.out.count("✗") == 2


def test_a_baseline_makes_it_known(here: Path) -> None:
    folder(here, NAMED | {"db/schema.sql": SCHEMA})
    ran = preflight("lint", "--format", "json", "m")
    assert ran.code == 0
    assert judged(ran) == {
        "0001_add_salt.sql": ("additive", []),
        "0002_add_name.sql": ("additive", []),
        "0003_drop_friends.sql": ("none", []),
        "0004_make_pets.sql": ("additive", []),
    }
    assert "judged on the baseline db/schema.sql" in ran.err


def test_a_table_of_the_baseline_is_lost_as_any_other(here: Path) -> None:
    schema = SCHEMA + "CREATE TABLE friends (id INTEGER);\nCREATE TABLE pets (id INTEGER);\n"
    folder(here, NAMED | {"db/schema.sql": schema})
    found = json.loads(preflight("lint", "--format", "json", "m").out)["migrations"]
    assert [m["class"] for m in found] == ["additive", "additive", "destructive", "destructive"]
    assert [f["rule"] for f in found[3]["findings"] if f["severity"] == "blocking"] == [
        "rebuild-without-copy"
    ]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('[lint]\nbaseline = "nowhere.sql"\n', "cannot be read"),
        ('[lint]\nbaseline = "../schema.sql"\n', "inside the project"),
        ('[lint]\nbaseline = "m/0001_add_salt.sql"\n', "no such table: users"),
    ],
)
def test_a_baseline_that_is_none_is_refused_in_a_sentence(
    here: Path, settings: str, says: str
) -> None:
    folder(here, {"preflight.toml": settings})
    ran = preflight("lint", "m")
    assert ran.code == 2
    assert says in ran.err
