"""`preflight new --pattern`: what is written, on what it rests, and what is asked."""

import argparse
from pathlib import Path

import pytest

from commands.real_records import CONFIG
from d1_preflight.adapters.project_files import open_folder
from d1_preflight.commands.pattern_questions import ask_pattern, ask_rest
from d1_preflight.commands.patterns import start_of
from d1_preflight.core.checklist.checklist import Prompt
from d1_preflight.core.errors import UsageError
from d1_preflight.core.remedies.patterns.pattern import Pattern
from lint.running import POSTS, USERS, folder, preflight

CODE = 'export default { fetch: (_, env) => env.DB.prepare("SELECT COLUMN FROM users").all() };\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"wrangler.jsonc": CONFIG, "migrations/0001_make_users.sql": USERS + POSTS}
    monkeypatch.chdir(folder(tmp_path, files))
    return tmp_path


def made(project: Path) -> list[str]:
    return sorted(p.relative_to(project).as_posix() for p in project.rglob("0002*"))


def test_the_file_and_its_down_file_are_written_and_pass_the_linter(project: Path) -> None:
    ran = preflight("new", "add_users_seen", "--pattern", "column", "--table", "users",
                    "--column", "seen INTEGER")  # fmt: skip
    assert ran.code == 0, ran.err
    assert made(project) == [
        "migrations/0002_add_users_seen.sql", "migrations/down/0002_add_users_seen.sql"
    ]  # fmt: skip
    assert "up and down proved on rows in every table" in ran.err
    text = (project / "migrations/0002_add_users_seen.sql").read_text()
    assert "-- Rollback: See down/0002_add_users_seen.sql" in text
    assert preflight("lint", "migrations/0002_add_users_seen.sql").code == 0


@pytest.mark.usefixtures("project")
def test_a_rebuild_parks_the_children_of_the_real_schema() -> None:
    words = ("--table", "users", "--column", "name TEXT NOT NULL DEFAULT ''")
    assert preflight("new", "rebuild_users_name", "--pattern", "rebuild", *words).code == 0
    text = Path("migrations/0002_rebuild_users_name.sql").read_text()
    assert 'INSERT INTO "posts" ("id", "user_id") SELECT' in text


def test_what_is_refused_leaves_nothing_on_the_disk(project: Path) -> None:
    for words in (
        ("--table", "nobody", "--column", "x"),
        ("--table", "users", "--column", "x INTEGER NOT NULL"),
        ("--table", "users"),
        (),
    ):
        assert preflight("new", "add_it_all", "--pattern", "column", *words).code == 2
    assert made(project) == []


def test_a_file_in_the_way_leaves_none_of_the_others(project: Path) -> None:
    folder(project, {"migrations/down/0002_add_users_seen.sql": "-- mine\n"})
    ran = preflight("new", "add_users_seen", "--pattern", "column", "--table", "users",
                    "--column", "seen INTEGER")  # fmt: skip
    assert (ran.code, "removed" in ran.err) == (2, True)
    assert made(project) == ["migrations/down/0002_add_users_seen.sql"]


@pytest.mark.parametrize(
    ("code", "more", "files"),
    [
        (CODE.replace("COLUMN", "name"), (), 2),
        (CODE.replace("COLUMN", "id"), (), 1),
        (CODE.replace("COLUMN", "name"), ("--one-step",), 1),
        ("", (), 2),  # no query was seen: unknown is never a pass
    ],
)
def test_a_rename_is_a_pair_where_the_code_uses_the_name(
    project: Path, code: str, more: tuple[str, ...], files: int
) -> None:
    folder(project, {"src/index.ts": code})
    main = CONFIG.replace("{", '{ "main": "src/index.ts",', 1)
    folder(project, {"wrangler.jsonc": main})
    ran = preflight("new", "rename_users_name", "--pattern", "rename", "--table", "users",
                    "--column", "name", "--to", "title", *more)  # fmt: skip
    assert ran.code == 0, ran.err
    assert len(list((project / "migrations").glob("000[23]*.sql"))) == files
    assert ("src/index.ts:1" in ran.err) is (files == 2 and bool(code))


@pytest.mark.parametrize(
    ("books", "pattern", "words"),
    [
        (
            {"migrations/meta/_journal.json": '{"entries": []}'},
            "data",
            "drizzle-kit generate --custom --name=change_it_all",
        ),
        ({"migrations/meta/_journal.json": '{"entries": []}'}, "rename", "change its schema.ts"),
        ({"migrations/migration_lock.toml": ""}, "rebuild", "change schema.prisma"),
    ],
)
def test_in_a_tools_folder_its_own_command_is_named(
    project: Path, books: dict[str, str], pattern: str, words: str
) -> None:
    folder(project, books)
    ran = preflight("new", "change_it_all", "--pattern", pattern, "--table", "users")
    assert (ran.code, words in ran.err) == (2, True), ran.err


class Answers:
    """Answers in order; remembers what was asked."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def ask(self, prompt: Prompt) -> object:
        self.asked.append(prompt.label)
        return self._answers.pop(0)


def arguments(pattern: str = "") -> argparse.Namespace:
    lists = dict.fromkeys(("column", "drop", "index", "value"), ())
    texts = dict.fromkeys(("table", "to", "reason", "set", "where"), "")
    return argparse.Namespace(name="it", pattern=pattern, **lists, **texts)


def test_the_pattern_is_chosen_by_a_question() -> None:
    asked = arguments()
    ask_pattern(asked, Answers("rename a column"))
    assert asked.pattern == Pattern.RENAME
    ask_pattern(asked, Answers("an empty file with its header"))
    assert asked.pattern == ""
    with pytest.raises(UsageError):
        ask_pattern(asked, Answers(""))


@pytest.mark.parametrize(
    ("pattern", "answers", "expected"),
    [
        ("column", ("users", "seen INTEGER"), {"table": "users", "columns": ("seen INTEGER",)}),
        ("table", ("logs", "id INTEGER PRIMARY KEY", "at TEXT", ""),
         {"table": "logs", "columns": ("id INTEGER PRIMARY KEY", "at TEXT")}),
        ("rename", ("users", "name", "title"), {"column": "name", "to": "title"}),
        ("rebuild", ("users", "name", "", "nobody reads it"),
         {"drop": ("name",), "reason": "nobody reads it"}),
        ("rebuild", ("users", "name", "name TEXT NOT NULL DEFAULT ''"),
         {"columns": ("name TEXT NOT NULL DEFAULT ''",)}),
        ("data", ("users", "name", "lower(name)", ""), {"expression": "lower(name)", "where": ""}),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("project")
def test_what_is_not_said_is_asked(
    pattern: str, answers: tuple[str, ...], expected: dict[str, object]
) -> None:
    asker = Answers(*answers)
    wanted = ask_rest(arguments(pattern), start_of(open_folder(Path.cwd())), asker)
    assert {name: getattr(wanted, name) for name in expected} == expected
    assert len(asker.asked) == len(answers)
