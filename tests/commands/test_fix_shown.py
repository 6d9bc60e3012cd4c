"""What `preflight fix` shows: paths as written from here, a patch, and no empty down file."""

import subprocess
from pathlib import Path

import pytest

from commands.real_records import CONFIG
from d1_preflight.core.findings import Finding, Severity
from d1_preflight.core.remedies.fix import Answer, Fix
from lint.running import POSTS, REBUILD, USERS, folder, preflight

PATH = "migrations/0002_rebuild_users.sql"
RENAMED = "migrations/0003_rename_users_name.sql"
FILES = {
    "wrangler.jsonc": CONFIG,
    "migrations/0001_make_users.sql": USERS + POSTS,
    PATH: REBUILD,
}
UPSERT = "INSERT OR REPLACE INTO users (id, name) VALUES (1, 'a');\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(folder(home, FILES))
    return home


@pytest.mark.parametrize("words", [("fix", "0002"), ("lint", PATH, "--fix")])
def test_the_paths_are_those_from_here(project: Path, words: tuple[str, ...]) -> None:
    ran = preflight(*words)
    assert f"--- a/{PATH}\n+++ b/{PATH}\n" in ran.out
    assert str(project) not in ran.out + ran.err


def test_the_output_is_one_patch_with_the_down_file(project: Path) -> None:
    folder(project, {RENAMED: "ALTER TABLE users RENAME COLUMN name TO title;\n"})
    shown = preflight("fix", "0003").out
    down = "migrations/down/0003_rename_users_name.sql"
    assert f"--- /dev/null\n+++ b/{down}\n" in shown
    subprocess.run(["git", "apply", "-"], cwd=project, input=shown.encode(), check=True)
    assert (project / RENAMED).read_text().startswith("-- Migration: 0003_rename_users_name\n")
    assert 'RENAME COLUMN "title" TO "name"' in (project / down).read_text()


def test_a_file_outside_of_the_tree_is_not_written(project: Path) -> None:
    [other] = folder(project.parent / "other", {"0001_create_logs.sql": USERS}).iterdir()
    ran = preflight("fix", str(other), "--write", "--unapplied")
    assert (ran.code, "lies outside of" in ran.err) == (2, True)
    assert other.read_text() == USERS
    (project / "wrangler.jsonc").unlink()
    assert preflight("fix", str(other), "--write", "--unapplied").code == 2
    assert other.read_text() == USERS


def test_a_down_file_without_a_statement_is_not_offered(project: Path) -> None:
    folder(project, {"migrations/0003_seed_users.sql": UPSERT})
    assert preflight("fix", "0003", "--write", "--unapplied").code == 0
    ran = preflight("fix", "0003", "--write", "--unapplied")
    assert (ran.code, ran.out) == (0, "")
    assert "no statement undoes the file" in ran.err
    assert not (project / "migrations/down").exists()


def test_one_reason_is_said_once(project: Path) -> None:
    folder(project, {
        "migrations/0003_add_logs.sql": "CREATE TABLE logs (id INTEGER PRIMARY KEY, a, b, c);\n",
        "migrations/0004_drop_logs.sql": "".join(
            f"ALTER TABLE logs DROP COLUMN {name};\n" for name in "ab"
        ),
    })  # fmt: skip
    ran = preflight("fix", "0004", "--rule", "drop-column")
    assert "  1, 2: drop-column stays: Only the author knows whether the column" in ran.err
    assert ran.err.count("drop-column") == 1


def test_a_reason_ends_with_one_full_stop() -> None:
    finding = Finding("syntax-error", Severity.BLOCKING, 1, 1, "", "")
    found = Fix("a", "b", done=(Answer(finding),)).refused("D1 answers no such table.")
    assert found.left[0].reason == "The rewrite is not proved: D1 answers no such table."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ALTER TABLE users ALTER COLUMN name TYPE INTEGER;\n",
         "alter-type-unsupported stays: D1 refuses the file as it is"),
        ("ALTER TABEL users ADD COLUMN a TEXT;\n",
         "syntax-error stays: A missing ; does not explain it"),
        ("ALTER TABLE users RENAME COLUMN name TO title;\n",
         "rename-column stays: The file does not show whether running"),
        ("CREATE UNIQUE INDEX users_name ON users(name);\n",
         "index-on-rows stays: The file does not show whether the rows fit"),
    ],
)  # fmt: skip
def test_what_stays_says_why(project: Path, text: str, said: str) -> None:
    folder(project, {"migrations/0003_change_users.sql": text})
    ran = preflight("fix", "0003")
    assert said in ran.err
    assert "knows no rewrite" not in ran.err


def test_the_name_of_a_file_stays(project: Path) -> None:
    folder(project, {"migrations/0003_Users.sql": "CREATE TABLE logs (id INTEGER PRIMARY KEY);\n"})
    assert "name-pattern stays: fix keeps the name of a file" in preflight("fix", "0003_Users").err
