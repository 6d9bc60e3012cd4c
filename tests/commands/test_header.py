"""`preflight header` writes what was found; the statements stay, byte for byte."""

import json
from pathlib import Path

import pytest

from commands.real_records import CONFIG
from d1_preflight.cli import main
from d1_preflight.core.project.migration import parse_header

FIRST = "CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT);\n"
CASES = {
    "CREATE TABLE tags(id INTEGER);\n": ("additive", "creates tags"),
    "ALTER TABLE users ADD COLUMN age INTEGER;\n": ("additive", "adds column users.age"),
    "UPDATE users SET email = lower(email) WHERE id > 0;\n": ("transformative", "updates users"),
    "ALTER TABLE users DROP COLUMN email;\n": ("destructive", "drops column users.email"),
    "DROP TABLE users;\n": ("destructive", "drops users"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "wrangler.jsonc").write_text(CONFIG)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_create_users.sql").write_text(FIRST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lay(project: Path, text: str) -> Path:
    path = project / "migrations" / "0002_change_users_table.sql"
    path.write_bytes(text.encode())
    return path


def rules(capsys: pytest.CaptureFixture[str]) -> set[str]:
    capsys.readouterr()
    main(["lint", "--format", "json"])
    found = json.loads(capsys.readouterr().out)["migrations"]
    ours = next(one for one in found if one["name"].startswith("0002"))
    return {finding["rule"] for finding in ours["findings"]}


@pytest.mark.parametrize("sql", CASES)
def test_the_header_says_what_was_found_and_lint_agrees(
    project: Path, sql: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay(project, sql)

    assert main(["header", "0002", "--description", "For  the bills"]) == 0

    text = path.read_text()
    header = parse_header(text)
    kind, effects = CASES[sql]
    assert text.endswith(sql)
    assert header.missing == ()
    assert header.type.lower().startswith(kind)
    assert header.description == "For the bills"
    assert f"-- Effects: {effects}" in text
    assert bool(header.critical) is (kind == "destructive")
    about = {"header-missing", "header-name-differs", "declared-type-differs", "critical-missing"}
    assert not rules(capsys) & (about | {"rollback-undocumented", "declared-type-unknown"})


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_an_earlier_header_is_replaced_and_other_comments_stay(
    project: Path, end: str, mark: str
) -> None:
    old = "-- Migration: wrong\n-- Description: Kept words\n-- Type: Additive\n-- why: see 12\n"
    path = lay(project, mark + (old + "\nDROP TABLE users; -- Type: x\n").replace("\n", end))

    assert main(["header", "0002"]) == 0
    once = path.read_bytes()
    assert main(["header", "0002"]) == 0

    assert path.read_bytes() == once
    text = once.decode()
    assert parse_header(text).description == "Kept words"
    assert text.endswith(f"-- why: see 12{end}{end}DROP TABLE users; -- Type: x{end}")
    assert text.count("-- Migration:") == 1
    assert text.startswith(mark)
    assert text.count("\n") == text.count(end)


def test_without_a_terminal_the_description_is_what_the_name_says(project: Path) -> None:
    path = lay(project, "DROP TABLE users;\n")

    assert main(["header", "0002"]) == 0
    assert parse_header(path.read_text()).description == "change users table"


def test_a_written_down_file_is_the_way_to_take_it_back(project: Path) -> None:
    path = lay(project, "ALTER TABLE users ADD COLUMN age INTEGER;\n")
    down = project / "migrations" / "down" / path.name
    down.parent.mkdir()
    down.write_text("ALTER TABLE users DROP COLUMN age;\n")

    assert main(["header", "0002"]) == 0
    assert parse_header(path.read_text()).rollback == f"See down/{path.name}"


def test_a_class_that_the_target_showed_is_taken(project: Path) -> None:
    path = lay(project, "CREATE TABLE tags(id);\n")

    assert main(["header", "0002", "--type", "destructive"]) == 0
    assert parse_header(path.read_text()).type.startswith("Destructive")


def test_what_is_not_certain_is_not_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay(project, "ALTER TABLE elsewhere DROP COLUMN x;\n")

    assert main(["header", "0002"]) == 2
    assert "--type" in capsys.readouterr().err
    assert path.read_text() == "ALTER TABLE elsewhere DROP COLUMN x;\n"


def test_a_generated_file_is_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = lay(project, "DROP TABLE users;\n")
    journal = project / "migrations" / "meta" / "_journal.json"
    journal.parent.mkdir()
    journal.write_text(json.dumps({"entries": [{"tag": path.stem}]}))

    assert main(["header", "0002"]) == 2
    assert path.read_text() == "DROP TABLE users;\n"
    assert "in the record" in capsys.readouterr().err
    assert "header-missing" not in rules(capsys)


def test_a_header_in_the_record_is_not_missed_in_the_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(project, "DROP TABLE users;\n")
    (project / "preflight.toml").write_text('[checklist]\nheader = "record"\n')

    assert "header-missing" not in rules(capsys)


def test_a_file_without_a_statement_gets_no_type_that_nobody_knows(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "migrations" / "0009_add_more_things.sql"
    path.write_text("-- Migration number: 0009\n")

    assert main(["header", "0009"]) == 2

    assert "Nothing is written in 0009_add_more_things.sql yet" in capsys.readouterr().err
    assert path.read_text() == "-- Migration number: 0009\n"
    assert main(["header", "0009", "--type", "additive"]) == 0
    assert "-- Type: Additive" in path.read_text()
