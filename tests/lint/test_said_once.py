"""What is true of a whole folder is said once, and a file of a second line has one finding."""

import json
from collections import Counter
from pathlib import Path

import pytest

from lint.running import folder, preflight

TWO = "CREATE TABLE users (id INTEGER PRIMARY KEY);\nCREATE TABLE posts (id INTEGER PRIMARY KEY);\n"
HEADER = "-- Migration: 0002_b_c\n-- Description: b\n-- Type: additive\n-- Rollback: drop it\n"


def told(files: dict[str, str], here: Path, rule: str) -> list[tuple[str, str]]:
    folder(here, files)
    found = json.loads(preflight("lint", "--format", "json", "m").out)["migrations"]
    return [(m["name"], f["severity"]) for m in found for f in m["findings"] if f["rule"] == rule]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_header_anywhere_is_one_note(here: Path) -> None:
    files = {f"m/000{n}_a_b.sql": f"CREATE TABLE t{n} (a);" for n in range(1, 6)}
    assert told(files, here, "header-missing") == [("0001_a_b.sql", "note")]


def test_beside_a_file_with_a_header_each_without_one_is_told(here: Path) -> None:
    files = {f"m/000{n}_a_b.sql": f"CREATE TABLE t{n} (a);" for n in (1, 3)}
    files["m/0002_b_c.sql"] = f"{HEADER}CREATE TABLE t2 (a);"
    assert told(files, here, "header-missing") == [
        ("0001_a_b.sql", "warning"), ("0003_a_b.sql", "warning")
    ]  # fmt: skip


def test_a_file_of_a_second_line_has_one_finding(here: Path) -> None:
    files = {
        "m/0001_a_b.sql": TWO,
        "m/0002_a_b.sql": "ALTER TABLE users DROP COLUMN id2;",
        "m/0003_other_line.sql": TWO.replace("INTEGER", "TEXT") + "CREATE INDEX i ON posts(x);",
        "m/0004_other_line.sql": "ALTER TABLE users ADD COLUMN id TEXT;\nDROP INDEX i;",
    }
    folder(here, files)
    found = json.loads(preflight("lint", "--format", "json", "m").out)["migrations"]
    blocking = {
        m["name"]: Counter(f["rule"] for f in m["findings"] if f["severity"] == "blocking")
        for m in found
    }
    assert blocking["0003_other_line.sql"] == {"two-lineages": 1}
    assert blocking["0004_other_line.sql"] == {"two-lineages": 1}
    assert "two-lineages" not in blocking["0002_a_b.sql"]
