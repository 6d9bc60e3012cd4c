"""`preflight fix` and `lint --fix`: what is shown, what is written, and what is refused."""

import json
import os
from pathlib import Path

import pytest

from commands.real_records import CONFIG
from d1_preflight.adapters.project_files import open_surroundings
from lint.running import POSTS, REBUILD, USERS, folder, preflight
from lint.test_forms import sarif_errors
from sampling import sampled

FILES = {
    "wrangler.jsonc": CONFIG,
    "migrations/0001_make_users.sql": USERS + POSTS,
    "migrations/0002_rebuild_users.sql": REBUILD,
}
PATH = "migrations/0002_rebuild_users.sql"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder(tmp_path, FILES))
    return tmp_path


def test_without_write_the_diff_is_shown_and_nothing_is_written(project: Path) -> None:
    ran = preflight("fix", PATH)
    assert ran.code == 1
    assert '+CREATE TABLE "_park_posts" AS SELECT' in ran.out
    assert "cascade-delete: sets the rows of posts aside while users is rebuilt" in ran.err
    assert "proved on rows in every table" in ran.err
    assert (project / PATH).read_text() == REBUILD
    assert not (project / ".preflight").exists()


def test_write_writes_the_whole_and_keeps_what_was_there(project: Path) -> None:
    ran = preflight("fix", PATH, "--write", "--unapplied")
    assert ran.code == 0, ran.err
    assert ran.out == ""
    assert "applied nowhere" in ran.err
    assert '"_park_posts"' in (project / PATH).read_text()
    [kept] = (project / ".preflight" / "before-fix").iterdir()
    assert kept.read_text() == REBUILD
    assert preflight("fix", PATH).code == 0
    assert "cascade-delete" not in preflight("lint", PATH).out


@pytest.mark.usefixtures("project")
def test_the_diff_is_shown_beside_the_writing_where_it_is_asked_for() -> None:
    ran = preflight("fix", PATH, "--write", "--unapplied", "--diff")
    assert (ran.code, "+DELETE FROM" in ran.out) == (0, True)


@pytest.mark.usefixtures("project")
def test_one_rule_alone() -> None:
    ran = preflight("fix", PATH, "--rule", "header-missing")
    assert "_park_" not in ran.out
    assert "+-- Migration: 0002_rebuild_users" in ran.out
    assert preflight("fix", PATH, "--rule", "no-such-rule").code == 2


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "word", sampled(["0002", "0002_rebuild_users", "0002_rebuild_users.sql"], 3)
)
def test_a_migration_is_named_as_in_run(word: str) -> None:
    assert '"_park_posts"' in preflight("fix", word).out


def test_where_no_target_answers_nothing_is_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / "cache"))  # nor is a wrangler kept there
    ran = preflight("fix", PATH, "--write")
    assert ran.code == 2
    assert "is applied is not known" in ran.err
    assert "--unapplied" in ran.err
    assert (project / PATH).read_text() == REBUILD


def test_a_recorded_migration_is_refused(project: Path) -> None:
    record = open_surroundings(project).project.records / "0002_rebuild_users" / "record.toml"
    folder(record.parent, {"record.toml": "schema = 1\n"})
    ran = preflight("fix", PATH, "--write", "--unapplied")
    assert (ran.code, "has a record" in ran.err) == (2, True)
    assert (project / PATH).read_text() == REBUILD


def test_a_link_and_a_pipe_are_refused(project: Path) -> None:
    link, pipe = project / "migrations/0003_a_link.sql", project / "migrations/0004_a_pipe.sql"
    link.symlink_to(project / PATH)
    os.mkfifo(pipe)
    for path in (link, pipe, project / "migrations"):
        ran = preflight("fix", str(path), "--write", "--unapplied")
        assert ran.code == 2, path
    assert (project / PATH).read_text() == REBUILD


def test_another_encoding_is_refused(project: Path) -> None:
    (project / PATH).write_bytes(b"-- caf\xe9\n" + REBUILD.encode())
    ran = preflight("fix", PATH, "--write", "--unapplied")
    assert (ran.code, "not UTF-8" in ran.err) == (2, True)


def test_a_read_only_file_is_refused(project: Path) -> None:
    (project / PATH).chmod(0o444)
    ran = preflight("fix", PATH, "--write", "--unapplied")
    assert (ran.code, "read-only" in ran.err) == (2, True)
    assert (project / PATH).read_text() == REBUILD


@pytest.mark.usefixtures("project")
def test_a_file_without_anything_to_rewrite_ends_well() -> None:
    ran = preflight("fix", "migrations/0001_make_users.sql", "--rule", "cascade-delete")
    assert (ran.code, ran.out) == (0, "")


def test_line_ends_stay(project: Path) -> None:
    (project / PATH).write_bytes(REBUILD.replace("\n", "\r\n").encode())
    preflight("fix", PATH, "--write", "--unapplied")
    data = (project / PATH).read_bytes()
    assert b"_park_posts" in data
    assert b"\n" not in data.replace(b"\r\n", b"")


@pytest.mark.usefixtures("project")
def test_lint_fix_shows_the_findings_and_the_rewrite() -> None:
    ran = preflight("lint", PATH, "--fix")
    assert ran.code == 1
    assert "cascade-delete" in ran.out
    assert '+CREATE TABLE "_park_posts"' in ran.out


def test_lint_fix_writes_with_write_and_then_nothing_blocks(project: Path) -> None:
    assert preflight("lint", PATH, "--fix", "--write", "--unapplied").code == 0
    assert '"_park_posts"' in (project / PATH).read_text()
    assert preflight("lint", PATH).code == 0


@pytest.mark.usefixtures("project")
def test_sarif_carries_the_fix() -> None:
    document = json.loads(preflight("lint", PATH, "--fix", "--format", "sarif").out)
    results = document["runs"][0]["results"]
    [found] = [r for r in results if r["ruleId"] == "cascade-delete"]
    [change] = found["fixes"][0]["artifactChanges"]
    lines = REBUILD.splitlines(keepends=True)
    for part in reversed(change["replacements"]):
        region = part["deletedRegion"]
        lines[region["startLine"] - 1 : region["endLine"] - 1] = [part["insertedContent"]["text"]]
    assert "".join(lines).count("_park_posts") == 3
    assert sarif_errors(json.dumps(document)) == []


@pytest.mark.usefixtures("project")
def test_github_gets_a_suggestion() -> None:
    out = preflight("lint", PATH, "--fix", "--format", "github").out
    assert "```suggestion%0A" in out
    assert "A proved rewrite sets the rows of posts" in out


def test_stdin_is_not_fixed() -> None:
    ran = preflight("lint", "-", "--fix", stdin=REBUILD.encode())
    assert (ran.code, "stdin has no file to rewrite" in ran.err) == (2, True)


SEVERAL = (
    "ALTER TABLE users RENAME COLUMN name TO title;\n"
    "-- preflight: loses logs.b — unused\nALTER TABLE logs DROP COLUMN b;\n"
)
LOGS = "CREATE TABLE logs (id INTEGER PRIMARY KEY, b TEXT);\n"


def several(project: Path) -> str:
    """A project whose last file holds two changes; its path."""
    folder(project, {"migrations/0002_rebuild_users.sql": LOGS})
    path = "migrations/0003_change_it_all.sql"
    folder(project, {path: SEVERAL})
    return path


def test_several_changes_need_a_second_file_which_fix_says(project: Path) -> None:
    ran = preflight("fix", several(project))
    assert "several-changes stays: It needs a second file" in ran.err


def test_the_split_is_shown_and_both_files_are_written_on_the_yes(project: Path) -> None:
    path = several(project)
    words = ("fix", path, "--rule", "several-changes")
    shown = preflight(*words)
    assert shown.code == 1
    assert "0004_delete_logs.sql" in shown.out
    assert (project / path).read_text() == SEVERAL
    assert preflight(*words, "--write", "--unapplied").code == 0
    second = project / "migrations/0004_delete_logs.sql"
    assert "DROP COLUMN b" in second.read_text()
    assert (project / path).read_text() == "ALTER TABLE users RENAME COLUMN name TO title;\n"
    [kept] = (project / ".preflight" / "before-fix").iterdir()
    assert kept.read_text() == SEVERAL
    assert preflight(*words).code == 0


def test_where_the_file_cannot_be_written_the_second_is_not_there_either(project: Path) -> None:
    path = several(project)
    (project / path).chmod(0o444)
    ran = preflight("fix", path, "--rule", "several-changes", "--write", "--unapplied")
    assert ran.code == 2
    assert not (project / "migrations/0004_delete_logs.sql").exists()


def test_a_tools_file_gets_no_header_and_is_told_what_comes_again(project: Path) -> None:
    journal = '{"entries": [{"tag": "0001_make_users"}, {"tag": "0002_rebuild_users"}]}'
    parts = REBUILD.replace(";\n", ";\n--> statement-breakpoint\n")
    folder(project, {"migrations/meta/_journal.json": journal, PATH: parts})
    ran = preflight("fix", PATH, "--write", "--unapplied")
    assert ran.code == 0, ran.err
    assert "drizzle generates this rebuild again" in ran.err
    assert "drizzle's snapshot of the schema stays correct" in ran.err
    text = (project / PATH).read_text()
    assert "-- Migration:" not in text
    statements = text.split("--> statement-breakpoint\n")
    assert all(part.count(";") == 1 for part in statements if part.strip())


def test_the_down_file_that_is_missing_is_drafted_and_written_on_the_yes(project: Path) -> None:
    path = "migrations/0003_rename_users_name.sql"
    header = "-- Migration: 0003_rename_users_name\n-- Description: x\n-- Type: Transformative\n"
    text = f"{header}-- Rollback: down\n\nALTER TABLE users RENAME COLUMN name TO title;\n"
    folder(project, {path: text})
    shown = preflight("fix", path)
    assert (shown.code, "is missing: a draft undoes all of it" in shown.err) == (1, True)
    assert not (project / "migrations/down").exists()
    assert preflight("fix", path, "--write", "--unapplied").code == 0
    [down] = (project / "migrations/down").iterdir()
    assert 'RENAME COLUMN "title" TO "name"' in down.read_text()
    assert preflight("fix", path).code == 0
    assert (project / path).read_text() == text
