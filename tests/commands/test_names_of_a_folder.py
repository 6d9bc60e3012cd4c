"""`new`, `lint` and `doctor` in folders that are named by another convention, or by a tool."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands.asked_doctor import asked
from commands.real_records import CONFIG
from d1_preflight.adapters.project_files import ProjectFiles, open_surroundings
from d1_preflight.board import Board
from d1_preflight.cli import main
from d1_preflight.commands.checks import Check
from d1_preflight.commands.doctor import examine
from d1_preflight.core.record.record import Status
from d1_preflight.project_context import open_context

NESTED = '"migrations_dir": "migrations", "migrations_pattern": "migrations/*/migration.sql", '
JOURNAL = json.dumps({"entries": [{"idx": 0, "tag": "0000_auth"}, {"tag": "0001_dear_moon"}]})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A project with these files below its migrations folder."""
    monkeypatch.chdir(tmp_path)

    def made(files: dict[str, str], *, nested: bool = False, settings: str = "") -> Path:
        config = CONFIG.replace('"database_id"', f'{NESTED}"database_id"') if nested else CONFIG
        (tmp_path / "wrangler.jsonc").write_text(config)
        if settings:
            (tmp_path / "preflight.toml").write_text(settings)
        for name, text in files.items():
            path = tmp_path / "migrations" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text or f"CREATE TABLE t{abs(hash(name))}(id INTEGER);\n")
        return tmp_path

    return made


def doctors(title: str) -> Check:
    checks = examine(asked(), Path.cwd(), {"HOME": str(Path.cwd())})
    return next(check for check in checks if check.title == title)


DRIZZLE = {"0000_auth.sql": "", "0001_dear_moon.sql": "", "meta/_journal.json": JOURNAL}
DRIZZLE_1 = {
    "20260101120000_auth/migration.sql": "",
    "20260101120000_auth/snapshot.json": "{}",
    "20260102120000_dear_moon/migration.sql": "",
}
PRISMA = {
    "20260101120000_init/migration.sql": "",
    "20260102120000_Users/migration.sql": "",
    "migration_lock.toml": 'provider = "sqlite"\n',
}


@pytest.mark.parametrize(
    ("files", "nested", "command"),
    [
        (DRIZZLE, False, "npx drizzle-kit generate --name=add_users_email"),
        (DRIZZLE_1, True, "npx drizzle-kit generate --name=add_users_email"),
        (PRISMA, True, "npx prisma migrate dev --create-only --name add_users_email"),
    ],
)
def test_a_tools_folder_is_left_to_the_tool(
    folder: Callable[..., Path],
    files: dict[str, str],
    nested: bool,
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = folder(files, nested=nested)
    before = sorted(root.rglob("*"))

    assert main(["new", "add users email"]) == 2
    assert command in capsys.readouterr().err
    assert sorted(root.rglob("*")) == before
    assert main(["lint"]) == 0
    assert "name-pattern" not in capsys.readouterr().out
    assert "their names stay" in doctors("names").words


def test_a_damaged_journal_still_says_whose_folder_it_is(folder: Callable[..., Path]) -> None:
    folder(DRIZZLE | {"meta/_journal.json": '{"entries": [{}]}'})
    files = ProjectFiles(open_surroundings(Path.cwd()).project)

    assert files.naming(()).keeps("0000_auth.sql")


def test_new_follows_the_folders_convention_down_file_included(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder({"0001-init.sql": "", "0002-add-users.sql": ""})

    assert main(["new", "rebuild users table", "--type", "transformative"]) == 0

    made = root / "migrations" / "0003-rebuild-users-table.sql"
    assert made.read_text().startswith("-- Migration: 0003-rebuild-users-table\n")
    assert (root / "migrations" / "down" / made.name).is_file()
    assert main(["lint"]) == 0
    assert "name-pattern" not in capsys.readouterr().out


def test_new_writes_a_folder_where_the_folders_are_the_names(folder: Callable[..., Path]) -> None:
    root = folder({"0001_add_users/migration.sql": ""}, nested=True)

    assert main(["new", "add users email"]) == 0

    assert (root / "migrations" / "0002_add_users_email" / "migration.sql").is_file()


def test_a_set_convention_counts_for_new_lint_and_doctor(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder({"0001_add_users.sql": ""}, settings='[lint]\nnames = "timestamps"\n')

    main(["lint"])
    assert "is not YYYYMMDDHHMMSS_descriptive_action.sql" in capsys.readouterr().out
    assert main(["new", "add users email"]) == 0
    assert capsys.readouterr().out.endswith("_add_users_email.sql\n")
    assert "as [lint] names says" in doctors("names").words


def test_an_unknown_convention_is_refused_by_name(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder({"0001_add_users.sql": ""}, settings='[lint]\nnames = "camels"\n')

    assert main(["lint"]) == 2
    assert "preflight.toml:2: names: must be one of numbers, hyphens" in capsys.readouterr().err


def test_two_files_with_one_number_are_not_told_to_be_mended_where_they_may_be_applied(
    folder: Callable[..., Path],
) -> None:
    folder({"0001_add_users.sql": "", "0001_add_tags.sql": ""})

    assert doctors("migrations").status is Status.PROVED
    found = doctors("numbers")
    assert "0001_add_tags.sql, 0001_add_users.sql" in found.words
    assert found.fix.startswith("Leave those that are applied")


def test_doctor_names_a_folder_that_prisma_takes_for_a_migration(
    folder: Callable[..., Path],
) -> None:
    folder(PRISMA | {"down/20260102120000_Users/migration.sql": "DROP TABLE users;"}, nested=True)

    found = doctors("down files")

    assert (found.status, found.words) == (Status.UNKNOWN, "Prisma takes down/ for a migration")
    assert "as down.sql" in found.fix


async def test_a_journal_that_contradicts_the_folder_is_on_the_board_and_stops_the_walk(
    folder: Callable[..., Path],
) -> None:
    gone = json.dumps({"entries": [{"tag": "0000_auth"}, {"tag": "0009_gone"}]})
    folder(DRIZZLE | {"meta/_journal.json": gone})
    context = open_context(environ={"PATH": ""})
    board = Board(context)

    board.rows()

    assert "meta/_journal.json lists files that are gone: 0009_gone.sql." in board.header.remarks
    assert "meta/_journal.json does not list: 0001_dear_moon.sql." in board.header.remarks
    session = context.session("0001_dear_moon.sql")
    attempt = await session.perform(session.checklist.step("named"), {})
    session.close()
    assert attempt.status is Status.FAILED
    assert "drizzle's journal lists files that are gone: 0009_gone.sql." in attempt.words
