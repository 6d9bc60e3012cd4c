"""`lint --base`, the GitHub Action's script, and what git knows: on a real repository."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from commands.hostile import VARIANTS
from d1_preflight.adapters.git.base_revision import BaseRevision
from d1_preflight.core.errors import UsageError
from example_record import EXAMPLE
from lint.running import POSTS, REBUILD, USERS, folder, preflight
from sampling import sampled

CONFIG = """{"name": "shop", "d1_databases": [
  {"binding": "DB", "database_name": "db", "database_id": "a", "migrations_dir": "db"}
]}
"""
SCRIPT = Path(__file__).resolve().parents[2] / ".github" / "actions" / "lint" / "lint.sh"


def git(root: Path, *words: str) -> str:
    identity = (
        "-c",
        "user.name=Ana",
        "-c",
        "user.email=ana@example.com",
        "-c",
        "commit.gpgsign=false",
    )
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *identity, *words],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("committed")
    folder(root, {"db/1_users.sql": USERS, "db/2_posts.sql": POSTS})
    git(root, "init", "--quiet", "--initial-branch=main", "--template=")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=before")
    return root


@pytest.fixture
def repository(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GITHUB_WORKSPACE", "GITHUB_BASE_REF", "CLOUDFLARE_ENV"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "a b"
    shutil.copytree(committed, root)
    folder(root, {"db/3_rebuild.sql": REBUILD})
    monkeypatch.chdir(root)
    return root


def names(text: str) -> list[str]:
    return [m["name"] for m in json.loads(text)["migrations"]]


@pytest.mark.usefixtures("repository")
def test_only_migrations_added_since_are_judged_on_the_schema_of_all() -> None:
    ran = preflight("lint", "db", "--base", "main", "--format", "json")
    [found] = json.loads(ran.out)["migrations"]
    assert ran.code == 1
    assert found["name"] == "3_rebuild.sql"
    assert found["effects"]["rows_deleted_in"] == ["posts"]


def test_a_new_file_below_the_highest_number_is_out_of_order(repository: Path) -> None:
    folder(repository, {"db/1_late.sql": "CREATE TABLE late(x);"})
    ran = preflight("lint", "db", "--base", "main", "--format", "json")
    late, rebuild = json.loads(ran.out)["migrations"]
    [found] = [f for f in late["findings"] if f["rule"] == "number-out-of-order"]
    assert found["severity"] == "warning"
    assert "2_posts.sql" in found["message"]
    assert "number-out-of-order" not in {f["rule"] for f in rebuild["findings"]}


def test_nothing_new_is_clear(repository: Path) -> None:
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=after")
    ran = preflight("lint", "db", "--base", "HEAD", "--format", "json")
    assert (ran.code, names(ran.out)) == (0, [])
    assert "no migration was added or changed since HEAD" in ran.err
    assert preflight("lint", "db", "--base", "HEAD").out == ""


def findings(text: str) -> dict[str, list[str]]:
    """Each migration's findings about the base revision; an allowed one in brackets."""
    about = {"edited", "applied-edited", "merged-removed", "down-edited"}
    return {
        m["name"]: [
            f"({f['rule']})" if "allowed" in f else f["rule"]
            for f in m["findings"]
            if f["rule"] in about
        ]
        for m in json.loads(text)["migrations"]
    }


def test_a_renamed_migration_counts_as_added_and_as_gone(repository: Path) -> None:
    git(repository, "mv", "db/2_posts.sql", "db/4_posts.sql")
    (repository / "db" / "3_rebuild.sql").unlink()
    ran = preflight("lint", "db", "--base", "main", "--format", "json")
    assert ran.code == 1
    assert findings(ran.out) == {"4_posts.sql": [], "2_posts.sql": ["merged-removed"]}


def test_a_harmless_edit_blocks_in_every_format(repository: Path) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    folder(repository, {"db/2_posts.sql": f"{POSTS}-- more\n"})
    for form in ("text", "json", "sarif", "github"):
        ran = preflight("lint", "db", "--base", "main", "--format", form)
        assert (ran.code, "2_posts.sql" in ran.out) == (1, True)
        assert "edited" in ran.out


ALLOW = "-- preflight: allow edited — it ran nowhere yet\n"


@pytest.mark.parametrize("text", sampled([f"{ALLOW}{POSTS}", f"{POSTS}{ALLOW}", ALLOW], 2))
def test_a_declared_edit_is_judged_as_added(repository: Path, text: str) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    folder(repository, {"db/2_posts.sql": text})
    ran = preflight("lint", "db", "--base", "main", "--format", "json")
    assert (ran.code, findings(ran.out)) == (0, {"2_posts.sql": ["(edited)"]}), ran.out
    assert "allow-ignored" not in preflight("lint", "db").out


@pytest.mark.parametrize(
    "text", sampled([f"{ALLOW}{POSTS}DROP TABLE users;", f"SELECT '{ALLOW}';", ALLOW[:26]], 2)
)
def test_a_declared_edit_that_blocks_or_is_not_declared_blocks(repository: Path, text: str) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    folder(repository, {"db/2_posts.sql": text})
    assert preflight("lint", "db", "--base", "main").code == 1, text


@pytest.mark.parametrize("by_config", [pytest.param(True, marks=pytest.mark.matrix), False])
def test_what_a_record_calls_applied_can_never_be_edited(repository: Path, by_config: bool) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    at = "checklists/db/2_posts"
    folder(repository, {"wrangler.jsonc": CONFIG})
    shutil.copytree(EXAMPLE, repository / at)
    record = repository / at / "record.toml"
    text = record.read_text().replace("0061_rebuild_teams_remove_deprecated.sql", "2_posts.sql")
    record.write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=applied")
    shutil.rmtree(repository / at)
    allow = "-- preflight: allow edited — it ran nowhere yet\n"
    folder(repository, {"db/2_posts.sql": f"{allow}{POSTS}"})
    words = () if by_config else ("db",)
    ran = preflight("lint", *words, "--base", "main", "--format", "json")
    assert (ran.code, findings(ran.out)) == (1, {"2_posts.sql": ["applied-edited"]})


def test_a_record_that_cannot_be_read_may_say_applied(repository: Path) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    allow = "-- preflight: allow edited — it ran nowhere yet\n"
    damaged = {"checklists/db/2_posts/record.toml": "schema = 1\nx"}
    folder(repository, {"db/2_posts.sql": f"{allow}{POSTS}", **damaged})
    ran = preflight("lint", "db", "--base", "main", "--format", "json")
    assert (ran.code, findings(ran.out)) == (1, {"2_posts.sql": ["applied-edited"]})


@pytest.mark.parametrize("by_config", [True, pytest.param(False, marks=pytest.mark.matrix)])
def test_a_nested_migration_and_its_edit(repository: Path, by_config: bool) -> None:
    nested = CONFIG.replace('"binding"', '"migrations_pattern": "db/*/migration.sql", "binding"')
    shutil.rmtree(repository / "db")
    one, two = "db/20250101_a/migration.sql", "db/20250102_b/migration.sql"
    folder(repository, {"wrangler.jsonc": nested, one: USERS, two: POSTS})
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=nested")
    folder(repository, {one: f"{USERS}-- more"})
    (repository / two).unlink()
    words = () if by_config else ("db",)
    ran = preflight("lint", *words, "--base", "main", "--format", "json")
    told = {"20250101_a/migration.sql": ["edited"], "20250102_b/migration.sql": ["merged-removed"]}
    assert (ran.code, findings(ran.out)) == (1, told)


def test_down_files_are_held_against_the_base_too(repository: Path) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    one, two = "db/down/1_users.sql", "db/down/2_posts.sql"
    folder(repository, {"wrangler.jsonc": CONFIG, one: "DROP TABLE users;", two: "SELECT 1;"})
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=down")
    assert preflight("lint", "--base", "main").code == 0
    folder(repository, {one: "DROP TABLE posts;"})
    (repository / two).unlink()
    ran = preflight("lint", "--base", "main", "--format", "json")
    told = {"down/1_users.sql": ["down-edited"], "down/2_posts.sql": ["down-edited"]}
    assert (ran.code, findings(ran.out)) == (1, told)
    git(repository, "checkout", "--quiet", two)
    folder(repository, {one: "-- preflight: allow edited — better\nDROP TABLE posts;"})
    assert preflight("lint", "--base", "main").code == 0
    named = preflight("lint", one, "--base", "main", "--format", "json")
    assert findings(named.out) == {"1_users.sql": ["(down-edited)"]}


@pytest.mark.parametrize(
    "down",
    [
        "db/20250101_a/down.sql",
        pytest.param("db/down/20250101_a/migration.sql", marks=pytest.mark.matrix),
    ],
)
def test_the_down_file_of_a_folder_is_held_against_the_base(repository: Path, down: str) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    nested = CONFIG.replace(
        '"migrations_dir"', '"migrations_pattern": "db/*/migration.sql", "migrations_dir"'
    )
    folder(
        repository,
        {"wrangler.jsonc": nested, "db/20250101_a/migration.sql": USERS, down: "DROP TABLE users;"},
    )
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=down")
    assert preflight("lint", "--base", "HEAD").code == 0
    folder(repository, {down: "DROP TABLE posts;"})
    ran = preflight("lint", "--base", "HEAD", "--format", "json")
    assert (ran.code, findings(ran.out)) == (1, {down.removeprefix("db/"): ["down-edited"]})
    named = preflight("lint", down, "--base", "HEAD", "--format", "json")
    assert ["(down-edited)"] in findings(named.out).values() or ["down-edited"] in findings(
        named.out
    ).values()


def test_a_branch_that_is_behind_removes_nothing(repository: Path) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    git(repository, "checkout", "--quiet", "-b", "later")
    folder(repository, {"db/4_more.sql": "CREATE TABLE more(x);"})
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=later")
    git(repository, "checkout", "--quiet", "main")
    ran = preflight("lint", "db", "--base", "later", "--format", "json")
    assert (ran.code, names(ran.out)) == (0, [])
    assert "4_more.sql exists at later but not where this branch began" in ran.err


def test_a_folder_that_is_moved_takes_its_history_along(repository: Path) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    folder(repository, {"wrangler.jsonc": CONFIG, "db/3_more.sql": "CREATE TABLE more(x);"})
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=three")
    git(repository, "mv", "db", "sql")
    folder(repository, {"wrangler.jsonc": CONFIG.replace('_dir": "db"', '_dir": "sql"')})
    ran = preflight("lint", "--base", "main", "--format", "json")
    assert (ran.code, names(ran.out)) == (0, [])
    folder(repository, {"sql/1_users.sql": f"{USERS}-- more"})
    (repository / "sql" / "3_more.sql").unlink()
    ran = preflight("lint", "--base", "main", "--format", "json")
    told = {"1_users.sql": ["edited"], "3_more.sql": ["merged-removed"]}
    assert (ran.code, findings(ran.out)) == (1, told)


def test_every_migration_gone_blocks(repository: Path) -> None:
    folder(repository, {"wrangler.jsonc": CONFIG})
    git(repository, "rm", "--quiet", "db/1_users.sql", "db/2_posts.sql")
    assert preflight("lint", "--base", "main").code == 1
    (repository / "db" / "3_rebuild.sql").unlink()
    assert preflight("lint", "--base", "main").code == 2


def test_an_edited_migration_blocks_by_what_it_does_now(repository: Path) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    folder(repository, {"db/2_posts.sql": f"{POSTS}DROP TABLE users;\n"})
    ran = preflight("lint", "db", "--base", "main", "--format", "json")
    assert (ran.code, names(ran.out)) == (1, ["2_posts.sql"])
    [edited] = json.loads(ran.out)["migrations"]
    assert "number-out-of-order" not in {f["rule"] for f in edited["findings"]}


def test_other_line_ends_are_no_edit(repository: Path) -> None:
    (repository / "db" / "3_rebuild.sql").unlink()
    folder(repository, {"db/1_users.sql": USERS.replace("\n", "\r\n")})
    ran = preflight("lint", "db", "--base", "main", "--format", "json")
    assert (ran.code, names(ran.out)) == (0, [])


def test_files_of_a_revision_are_named_from_the_folder(repository: Path) -> None:
    base = BaseRevision("main")
    assert base.files(repository / "db").keys() == {"1_users.sql", "2_posts.sql"}
    assert base.files(repository / "nowhere") == {}
    (repository / "db" / "1_users.sql").unlink()
    assert "1_users.sql" in BaseRevision("main").files(repository / "db")


@pytest.mark.parametrize("revision", ["no-such", "--help", "-x", "main:db/1_users.sql", "", "x\0y"])
def test_a_revision_that_is_none_is_refused(repository: Path, revision: str) -> None:
    with pytest.raises(UsageError):
        BaseRevision(revision).files(repository)


def test_outside_of_a_repository_it_is_a_usage_error(tmp_path: Path) -> None:
    folder(tmp_path, {"db/1_users.sql": USERS})
    ran = preflight("lint", str(tmp_path / "db"), "--base", "main")
    assert ran.code == 2
    assert "git work tree" in ran.err


def run_action(root: Path, tmp_path: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The Action's script, with the program in place of the one it would install."""
    program = tmp_path / "preflight"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m d1_preflight "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return subprocess.run(
        ["bash", str(SCRIPT)],
        cwd=root,
        env={"PATH": os.environ["PATH"], "PREFLIGHT": str(program), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_action_judges_what_a_pull_request_adds(repository: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "checkout"
    git(repository, "checkout", "--quiet", "-b", "feature")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=feature")
    git(
        tmp_path, "clone", "--quiet", "--depth=1", "--branch=feature",
        repository.as_uri(), str(shallow),
    )  # fmt: skip
    workspace = {"GITHUB_WORKSPACE": str(shallow), "PREFLIGHT_PATHS": "db\n"}
    ran = run_action(shallow, tmp_path, GITHUB_BASE_REF="main", **workspace)
    assert ran.returncode == 1
    assert "::error file=db/3_rebuild.sql,line=3," in ran.stdout
    assert "1 migration ·" in ran.stderr


@pytest.mark.matrix  # the suite has that base where an input names a program, below
def test_the_action_judges_all_where_there_is_no_base(repository: Path, tmp_path: Path) -> None:
    workspace = {"GITHUB_WORKSPACE": str(repository), "PREFLIGHT_PATHS": "db\n"}
    ran = run_action(repository, tmp_path, PREFLIGHT_BASE="none", **workspace)
    assert ran.returncode == 1
    assert "3 migrations ·" in ran.stderr


def test_the_action_runs_nothing_that_an_input_names(repository: Path, tmp_path: Path) -> None:
    evil = 'db"; touch hacked; "\n$(touch hacked)\n--help'
    ran = run_action(repository, tmp_path, PREFLIGHT_PATHS=evil, PREFLIGHT_BASE="none")
    assert ran.returncode == 2
    assert not (repository / "hacked").exists()


@pytest.mark.matrix  # the suite has it without the script: commands/test_hostile_checkout
def test_the_action_asks_no_planted_repository(tmp_path: Path) -> None:
    ci = VARIANTS["bare repository in the Worker's folder"](tmp_path / "a")
    (ci.worker / "config").write_text(
        f'[core]\n\tworktree = .\n\tfsmonitor = "{ci.command}"\n\thooksPath = .\n'
        f'[remote "origin"]\n\turl = /\n\tuploadpack = "{ci.command}"\n'
    )
    ran = run_action(ci.worker, tmp_path, GITHUB_BASE_REF="main")
    assert (ran.returncode, ci.marker.exists()) == (1, False), ran.stderr
    assert "0002_drop_teams.sql" in ran.stdout


@pytest.mark.matrix  # as the one above
def test_the_action_asks_the_repository_around_a_submodule(tmp_path: Path) -> None:
    ci = VARIANTS["submodule"](tmp_path / "a")
    workspace = {"PREFLIGHT_PATHS": ".", "GITHUB_BASE_REF": "main"}
    ran = run_action(ci.root / "migrations", tmp_path, **workspace)
    assert (ran.returncode, ci.marker.exists()) == (1, False), ran.stderr
    assert "0002_drop_teams.sql" in ran.stdout


@pytest.mark.matrix  # the suite has it without the script: test_git, test_hostile_checkout
def test_the_action_runs_no_program_and_follows_no_variable_of_the_checkout(
    tmp_path: Path,
) -> None:
    ci = VARIANTS["programs in node_modules/.bin"](tmp_path / "a")
    path = f"{ci.environ['PATH']}:{os.environ['PATH']}"
    environ = {"PATH": path, "GIT_DIR": "/nowhere", "GIT_SSH_COMMAND": str(ci.program)}
    (ci.root / "preflight.toml").unlink()
    ran = run_action(ci.root, tmp_path, GITHUB_BASE_REF="main", **environ)
    assert (ran.returncode, ci.marker.exists()) == (1, False), ran.stderr


def test_the_action_writes_through_no_link(repository: Path, tmp_path: Path) -> None:
    (repository / "found.sarif").symlink_to(tmp_path / "elsewhere")
    ran = run_action(repository, tmp_path, PREFLIGHT_PATHS="db", PREFLIGHT_OUTPUT="found.sarif")
    assert ran.returncode == 2
    assert not (tmp_path / "elsewhere").exists()


def test_the_action_puts_no_expression_into_a_script_and_runs_python_isolated() -> None:
    text = SCRIPT.with_name("action.yml").read_text()
    lines = text.splitlines()
    scripts = [line for line in lines if "${{" in line]
    assert all(re.fullmatch(r"\s+[\w-]+: \$\{\{ [\w.-]+ \}\}[/\w.]*", line) for line in scripts)
    assert not any(line.lstrip().startswith("run:") for line in scripts)
    assert all(" -I " in line for line in lines if "-m venv" in line or "-m pip" in line)


def test_no_file_of_a_commit_is_an_option_of_the_hook(repository: Path) -> None:
    hook = (SCRIPT.parents[3] / ".pre-commit-hooks.yaml").read_text()
    assert "args: [--]" in hook
    odd = "--format=json/migrations/3_rebuild.sql"
    folder(repository, {odd: REBUILD})
    ran = preflight("lint", "--", odd)
    assert ran.code == 1
    assert odd in ran.out
    assert not ran.out.startswith("{")


def test_modules_of_the_folder_one_stands_in_are_not_imported(tmp_path: Path) -> None:
    for name in ("argparse", "tomllib", "apsw", "json"):
        folder(tmp_path, {f"{name}.py": "open('RAN', 'w')\n"})
    words = (sys.executable, "-m", "d1_preflight", "explain", "cascade-delete")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "RAN").exists()) == (0, False), done.stderr


def test_the_action_writes_a_file_for_upload(repository: Path, tmp_path: Path) -> None:
    inputs = {"PREFLIGHT_PATHS": "db", "PREFLIGHT_OUTPUT": "found.sarif"}
    ran = run_action(repository, tmp_path, PREFLIGHT_FORMAT="sarif", **inputs)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert json.loads((repository / "found.sarif").read_text())["version"] == "2.1.0"
