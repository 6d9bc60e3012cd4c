"""`preflight lint`: what it takes, what it says, and by which exit code."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from d1_preflight.adapters.lint_sources import MOST_BYTES
from lint.running import POSTS, REBUILD, USERS, folder, preflight

GOOD = "-- Migration: 0002_add_age\n-- Description: Age.\n-- Type: additive\n-- Rollback: drop it\n"
ADD = f"{GOOD}ALTER TABLE users ADD COLUMN age INTEGER;\n"
CONFIG = (
    """{"d1_databases": [{"binding": "DB", "database_name": "d", "migrations_dir": "sql"%s}]}"""
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("CLOUDFLARE_ENV", raising=False)
    return tmp_path


def rules(text: str) -> dict[str, list[str]]:
    document = json.loads(text)
    return {m["path"]: [f["rule"] for f in m["findings"]] for m in document["migrations"]}


def classes(text: str) -> dict[str, str]:
    return {m["path"]: m["class"] for m in json.loads(text)["migrations"]}


def test_a_file_that_harms_nothing_is_clear(here: Path) -> None:
    folder(here, {"m/0001_make_users.sql": USERS, "m/0002_add_age.sql": ADD})
    ran = preflight("lint", "m/0002_add_age.sql")
    assert ran.code == 0
    assert ran.out.startswith("✓ m/0002_add_age.sql  additive")
    assert ran.err == "preflight lint: 1 migration · 1 additive · 0 blocking, 0 warnings, 0 notes\n"


def test_a_file_is_judged_on_the_schema_of_its_earlier_siblings(here: Path) -> None:
    folder(
        here, {"m/1_users.sql": USERS, "m/2_posts.sql": POSTS, "m/10_x.sql": REBUILD,
               "m/11_later.sql": "DROP TABLE posts;"}
    )  # fmt: skip
    ran = preflight("lint", "--format", "json", "m/10_x.sql")
    [found] = json.loads(ran.out)["migrations"]
    assert ran.code == 1
    assert (found["name"], found["class"]) == ("10_x.sql", "destructive")
    assert found["effects"]["rows_deleted_in"] == ["posts"]
    place = next(f for f in found["findings"] if f["rule"] == "cascade-delete")
    assert (place["line"], place["severity"]) == (3, "blocking")


def test_a_blocking_finding_shows_its_place_underlined_and_what_to_write_instead(
    here: Path,
) -> None:
    folder(here, {"m/1_users.sql": USERS, "m/2_posts.sql": POSTS, "m/3_x.sql": REBUILD})
    lines = preflight("lint", "m/3_x.sql").out.splitlines()
    first = next(n for n, line in enumerate(lines) if "blocking[cascade-delete]" in line)
    place = lines[first].split(" ")[0]
    path, line, column, _ = place.split(":")
    assert (path, line) == ("m/3_x.sql", "3")
    assert lines[first + 2] == "3 | DROP TABLE users;"
    assert lines[first + 3].index("^") - len("3 | ") + 1 == int(column)
    assert '"posts"' in lines[first + 4]
    assert any(line.strip().startswith("1. ") for line in lines[first:])


def test_a_folder_is_judged_in_ledger_order(here: Path) -> None:
    folder(here, {"m/10_x.sql": REBUILD, "m/2_posts.sql": POSTS, "m/1_users.sql": USERS})
    ran = preflight("lint", "m", "--format", "json")
    assert list(classes(ran.out)) == ["m/1_users.sql", "m/2_posts.sql", "m/10_x.sql"]
    assert classes(ran.out)["m/10_x.sql"] == "destructive"


def test_the_project_is_judged_where_nothing_is_named(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"wrangler.jsonc": CONFIG % "", "sql/1_users.sql": USERS, "sql/2_posts.sql": POSTS}
    folder(here, {**files, "src/index.ts": ""})
    monkeypatch.chdir(here / "src")
    assert list(classes(preflight("lint", "--format", "json").out)) == [
        str(here / "sql/1_users.sql"), str(here / "sql/2_posts.sql")
    ]  # fmt: skip


def test_the_folder_above_the_migrations_holds_them(here: Path) -> None:
    folder(here, {"api/migrations/1_users.sql": USERS, "api/migrations/2_posts.sql": POSTS})
    wanted = ["api/migrations/1_users.sql", "api/migrations/2_posts.sql"]
    assert list(classes(preflight("lint", "api", "--format", "json").out)) == wanted


def test_the_projects_pattern_decides_what_is_a_migration(here: Path) -> None:
    pattern = ', "migrations_pattern": "sql/*/migration.sql"'
    folder(
        here, {"wrangler.json": CONFIG % pattern, "sql/1_users/migration.sql": USERS,
               "sql/2_posts/migration.sql": POSTS, "sql/3_not_one.sql": REBUILD}
    )  # fmt: skip
    wanted = ["sql/1_users/migration.sql", "sql/2_posts/migration.sql"]
    assert list(classes(preflight("lint", "--format", "json").out)) == wanted
    assert list(classes(preflight("lint", "sql", "--format", "json").out)) == wanted
    one = json.loads(preflight("lint", wanted[1], "--format", "json").out)["migrations"]
    assert [(m["name"], m["class"]) for m in one] == [("2_posts/migration.sql", "additive")]


def test_every_folder_of_a_project_with_several_databases_is_judged(here: Path) -> None:
    databases = [{"binding": n, "database_name": n, "migrations_dir": n} for n in ("a", "b")]
    folder(
        here, {"wrangler.json": json.dumps({"d1_databases": databases}),
               "a/1_users.sql": USERS, "b/1_users.sql": USERS}
    )  # fmt: skip
    both = ["a/1_users.sql", "b/1_users.sql"]
    assert list(classes(preflight("lint", "--format", "json").out)) == both
    only = preflight("lint", "--database", "b", "--format", "json").out
    assert list(classes(only)) == both[1:]


@pytest.mark.usefixtures("here")
def test_text_from_stdin_is_judged() -> None:
    ran = preflight("lint", "-", "--format", "json", stdin=b"DROP TABLE users;")
    assert ran.code == 1
    assert list(rules(ran.out)) == ["<stdin>"]
    assert {"baseline-missing", "drop-unknown"} <= set(rules(ran.out)["<stdin>"])
    assert "name-pattern" not in rules(ran.out)["<stdin>"]


def test_an_environments_database_is_found_as_wrangler_finds_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = {"binding": "DB", "database_name": "d", "migrations_dir": "live"}
    config = {"env": {"production": {"d1_databases": [database]}}}
    folder(here, {"wrangler.json": json.dumps(config), "live/1_users.sql": USERS})
    assert preflight("lint").code == 2
    assert preflight("lint", "--env", "production").code == 0
    monkeypatch.setenv("CLOUDFLARE_ENV", "production")
    assert preflight("lint").code == 0


def test_text_from_stdin_takes_the_place_of_its_file(here: Path) -> None:
    folder(here, {"m/1_users.sql": USERS, "m/2_posts.sql": POSTS, "m/3_x.sql": "not sql at all"})
    words = ("lint", "-", "--stdin-filename", "m/3_x.sql", "--format", "json")
    ran = preflight(*words, stdin=REBUILD.encode())
    assert classes(ran.out) == {"m/3_x.sql": "destructive"}


def test_a_way_back_is_judged_on_the_schema_it_takes_back(here: Path) -> None:
    folder(
        here, {"m/1_users.sql": USERS, "m/2_posts.sql": POSTS, "m/3_tags.sql": "DROP TABLE posts;",
               "m/down/2_posts.sql": "DROP TABLE posts;"}
    )  # fmt: skip
    ran = preflight("lint", "m/down/2_posts.sql", "--format", "json")
    [found] = json.loads(ran.out)["migrations"]
    assert found["effects"]["tables_dropped"] == ["posts"]


@pytest.mark.parametrize("down", ["m/2_posts/down.sql", "m/down/2_posts/migration.sql"])
def test_a_way_back_of_a_folder_is_judged_on_the_schema_it_takes_back(
    here: Path, down: str
) -> None:
    folder(here, {"m/1_users/migration.sql": USERS, "m/2_posts/migration.sql": POSTS,
                  "m/3_tags/migration.sql": "DROP TABLE posts;",
                  down: "DROP TABLE posts;"})  # fmt: skip
    ran = preflight("lint", down, "--format", "json")
    [found] = json.loads(ran.out)["migrations"]
    assert found["effects"]["tables_dropped"] == ["posts"]
    assert "down-file" not in ran.out


def test_a_file_that_a_pattern_takes_is_no_way_back(here: Path) -> None:
    pattern = ', "migrations_pattern": "sql/**/*.sql"'
    folder(here, {"wrangler.jsonc": CONFIG % pattern, "sql/1_users.sql": USERS,
                  "sql/down/1_users.sql": "DROP TABLE users;"})  # fmt: skip
    ran = preflight("lint", "sql/down/1_users.sql", "--format", "json")
    [found] = json.loads(ran.out)["migrations"]
    assert found["effects"]["tables_dropped"] == ["users"]
    assert found["name"] == "down/1_users.sql"


def test_a_waiver_in_the_file_is_shown_with_its_reason(here: Path) -> None:
    allow = "-- preflight: allow add-column-not-null — the table is empty\n"
    add = "ALTER TABLE users ADD COLUMN tag TEXT NOT NULL;"
    folder(here, {"m/1_users.sql": USERS, "m/2_x.sql": f"{allow}{add}"})
    ran = preflight("lint", "m/2_x.sql", "--format", "json")
    [migration] = json.loads(ran.out)["migrations"]
    found = next(f for f in migration["findings"] if f["rule"] == "add-column-not-null")
    assert (found["severity"], found["allowed"]) == ("blocking", "the table is empty")
    assert "1 allowed in the file" in ran.err


def test_no_waiver_in_the_file_makes_d1_accept_it(here: Path) -> None:
    allow = "-- preflight: allow add-column-unique — the old database has it\n"
    add = "ALTER TABLE users ADD COLUMN tag TEXT UNIQUE;"
    folder(here, {"m/1_users.sql": USERS, "m/2_x.sql": f"{allow}{add}"})
    ran = preflight("lint", "m/2_x.sql", "--format", "json")
    [migration] = json.loads(ran.out)["migrations"]
    found = {f["rule"]: f for f in migration["findings"]}
    assert "allowed" not in found["add-column-unique"]
    assert "D1 refuses it anyway" in found["allow-ignored"]["message"]
    assert migration["class"] == "unknown"
    assert ran.code == 1


def test_a_waiver_lets_a_sound_file_pass(here: Path) -> None:
    allow = "-- preflight: allow declared-type-differs — an old template\n"
    text = f"{allow}-- Type: additive\nUPDATE users SET name = 'x' WHERE id = 1;"
    folder(here, {"m/1_users.sql": USERS, "m/2_x.sql": text})
    assert preflight("lint", "m/2_x.sql").code == 0
    folder(here, {"m/2_x.sql": text.removeprefix(allow)})
    assert preflight("lint", "m/2_x.sql").code == 1


def test_no_waiver_in_the_file_silences_the_loss_of_rows(here: Path) -> None:
    allowed = REBUILD.replace("DROP", "-- preflight: allow cascade-delete — fine\nDROP")
    folder(here, {"m/1_users.sql": USERS, "m/2_posts.sql": POSTS, "m/3_x.sql": allowed})
    ran = preflight("lint", "m/3_x.sql")
    assert ran.code == 1
    assert "blocking[cascade-delete]" in ran.out


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-file.sql",),
        ("no-such-folder/1_x.sql",),
        ("empty",),
        ("-", "more.sql"),
        ("--format", "xml"),
        ("--config", "nowhere.toml"),
        ("--base", "HEAD", "m"),
        (),
    ],
    ids=str,
)
def test_what_cannot_be_judged_is_a_usage_error(here: Path, words: tuple[str, ...]) -> None:
    folder(here, {"m/1_users.sql": USERS, "empty/README.md": "nothing here"})
    ran = preflight("lint", *words)
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.startswith(("preflight: ", "usage: "))


@pytest.mark.parametrize(
    ("content", "rule", "code"),
    [
        ("CREATE TABLE a(x);\n-- caf\xe9;".encode("latin-1"), "not-utf-8", 1),
        ("CREATE TABLE a(x);".encode("utf-16"), "not-utf-8", 1),
        (b"\xef\xbb\xbfCREATE TRIGGER t;", "byte-order-mark", 1),
        (b"CREATE TABLE a(x);\0", "nul-byte", 1),
        (b"", "empty-file", 0),
        (b"-- only a comment\n/* and another */\n", "empty-file", 0),
        (b"Dear Sir or Madam,\n", "syntax-error", 1),
    ],
    ids=["latin-1", "utf-16", "bom", "nul", "empty", "comments", "prose"],
)
def test_a_bad_file_is_a_finding(here: Path, content: bytes, rule: str, code: int) -> None:
    folder(here, {"m/0001_a_b.sql": content})
    ran = preflight("lint", "m/0001_a_b.sql", "--format", "json")
    assert rule in rules(ran.out)["m/0001_a_b.sql"]
    assert ran.code == code


def test_a_byte_order_mark_hides_nothing(here: Path) -> None:
    folder(here, {"1_users.sql": f"\ufeff{USERS}", "2_x.sql": "\ufeffDROP TABLE users;"})
    ran = preflight("lint", ".", "--format", "json")
    assert classes(ran.out) == {"1_users.sql": "additive", "2_x.sql": "destructive"}


def test_crlf_moves_no_place(here: Path) -> None:
    folder(here, {"m/1_a.sql": b"CREATE TABLE a(x);\r\n\r\nDROP TABLE zzz;\r\n"})
    ran = preflight("lint", "m")
    lines = ran.out.splitlines()
    shown = next(n for n, line in enumerate(lines) if line.startswith("m/1_a.sql:3:"))
    assert lines[shown + 2] == "3 | DROP TABLE zzz;"


def test_a_file_that_is_too_long_is_refused_without_being_read_whole(here: Path) -> None:
    with (here / "1_seed.sql").open("wb") as file:
        file.truncate(50 * MOST_BYTES)
    ran = preflight("lint", "1_seed.sql")
    assert ran.code == 2
    assert "too long to judge" in ran.err


def test_a_later_file_that_cannot_be_read_does_not_matter(here: Path) -> None:
    folder(here, {"1_users.sql": USERS})
    with (here / "2_seed.sql").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert preflight("lint", "1_users.sql").code == 0


def test_a_path_that_is_no_text_is_told_not_shown_raw(here: Path) -> None:
    (here / "m").mkdir()
    (here / "m" / "1_\x1b[31mred.sql").write_text("DROP TABLE zzz;")
    ran = preflight("lint", "m")
    assert ran.code == 1
    assert "\x1b" not in ran.out


def test_files_below_the_checkout_are_named_from_its_root_for_github(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(here, {"apps/api/m/1_x.sql": "DROP TABLE zzz;"})
    monkeypatch.setenv("GITHUB_WORKSPACE", str(here))
    monkeypatch.chdir(here / "apps" / "api")
    assert "file=apps/api/m/1_x.sql," in preflight("lint", "m", "--format", "github").out
    sarif = json.loads(preflight("lint", "m", "--format", "sarif").out)
    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "apps/api/m/1_x.sql", "uriBaseId": "%SRCROOT%"}
    assert preflight("lint", "m").out.startswith("✗ m/1_x.sql")


_FRESH = """
import sys
from d1_preflight.cli import main
code = main(["lint", sys.argv[1]])
heavy = {"textual", "questionary", "httpx", "sqlglot", "rich", "prompt_toolkit", "asyncio"}
print(code, sorted(heavy & sys.modules.keys()))
"""


@pytest.mark.matrix  # the suite has it: commands/test_start
def test_lint_starts_without_a_face_the_network_or_a_second_parser(here: Path) -> None:
    folder(here, {"m/1_users.sql": USERS})
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, "m/1_users.sql"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.matrix  # the suite has it: commands/test_output
def test_a_reader_who_leaves_early_changes_no_exit_code(here: Path) -> None:
    folder(here, {"m/1_x.sql": "DROP TABLE zzz;\n" * 400})
    with subprocess.Popen(
        [sys.executable, "-m", "d1_preflight", "lint", "m", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as lint:
        assert lint.stdout
        lint.stdout.read(1)
        lint.stdout.close()
        assert lint.stderr
        told = lint.stderr.read().decode()
        assert lint.wait() == 1
    assert "Traceback" not in told


def lint_process(here: Path, words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The program as a shell starts it, its output redirected as `words` say."""
    line = f'"{sys.executable}" -m d1_preflight lint m {words}'
    return subprocess.run(
        ["bash", "-c", line],
        cwd=here,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.matrix  # the suite has it for other commands: commands/test_output
def test_a_terminal_that_knows_no_unicode_is_no_obstacle(here: Path) -> None:
    folder(here, {"m/1_ä.sql": "DROP TABLE “名”;"})
    ran = lint_process(here, "", PYTHONIOENCODING="ascii")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "warning[" in ran.stdout


@pytest.mark.matrix  # the suite has it for other commands: commands/test_output
def test_a_closed_stdout_changes_no_exit_code(here: Path) -> None:
    folder(here, {"m/1_x.sql": "DROP TABLE zzz;"})
    ran = lint_process(here, ">&-")
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told(here: Path) -> None:
    folder(here, {"m/1_x.sql": "DROP TABLE zzz;"})
    ran = lint_process(here, ">/dev/full")
    assert ran.returncode == 2
    assert "could not be written" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("environ", "painted"),
    [({}, True), pytest.param({"NO_COLOR": "1"}, False, marks=pytest.mark.matrix)],
)
def test_only_a_terminal_gets_colours(here: Path, environ: dict[str, str], painted: bool) -> None:
    folder(here, {"m/1_x.sql": "DROP TABLE zzz;"})
    main_end, child_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "d1_preflight", "lint", "m"],
        cwd=here,
        env={"PATH": os.environ["PATH"], "TERM": "xterm", **environ},
        stdout=child_end,
        stderr=subprocess.DEVNULL,
    ) as lint:
        os.close(child_end)
        told = _read_all(main_end)
        assert lint.wait() == 1
    assert (b"\x1b[1;31m" in told) is painted
    assert b"m/1_x.sql:1:" in told


def _read_all(descriptor: int) -> bytes:
    parts = []
    try:
        while part := os.read(descriptor, 65_536):
            parts.append(part)
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(descriptor)
    return b"".join(parts)
