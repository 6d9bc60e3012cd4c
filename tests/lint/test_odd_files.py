"""What lies among the migrations and is none: links, FIFOs, names that are no UTF-8, no folder."""

import os
from pathlib import Path

import pytest

from lint.running import USERS, folder, preflight

CONFIG = '[[d1_databases]]\nbinding = "DB"\ndatabase_name = "shop"\ndatabase_id = "1"\n'
ODD = os.fsdecode(b"0004_\xe9_x.sql")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder(tmp_path, {"wrangler.toml": CONFIG})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def migrations(here: Path) -> Path:
    return folder(here, {"migrations/0001_add_users.sql": USERS}) / "migrations"


def test_a_missing_folder_is_called_missing(here: Path) -> None:
    ran = preflight("lint")

    assert ran.code == 2
    assert f"There is no migrations folder at {here / 'migrations'}." in ran.err
    assert "preflight new NAME" in ran.err


def test_a_file_in_the_folders_place_is_said(here: Path) -> None:
    (here / "migrations").write_text("")

    ran = preflight("lint")

    assert ran.code == 2
    assert "is not a folder" in ran.err
    assert "Correct migrations_dir" in ran.err


@pytest.mark.parametrize("words", [("lint",), ("lint", "migrations")])
def test_links_and_fifos_are_passed_over_as_wrangler_does_and_said(
    here: Path, words: tuple[str, ...]
) -> None:
    os.mkfifo(migrations(here) / "0002_add_fifo.sql")
    (here / "migrations" / "0003_add_link.sql").symlink_to("0001_add_users.sql")

    ran = preflight(*words)

    assert ran.code == 0
    assert "0002_add_fifo.sql is not a regular file: wrangler does not apply it" in ran.err
    assert "0003_add_link.sql is a symbolic link: wrangler does not apply it" in ran.err


def test_a_named_fifo_is_not_waited_for_and_not_clear(here: Path) -> None:
    os.mkfifo(migrations(here) / "0002_add_fifo.sql")

    ran = preflight("lint", "migrations/0002_add_fifo.sql", "migrations/0001_add_users.sql")

    assert ran.code == 2
    assert "0002_add_fifo.sql is not a regular file" in ran.err
    assert "✓ migrations/0001_add_users.sql" in ran.out


def test_a_named_link_is_judged_and_said_to_be_none(here: Path) -> None:
    (migrations(here) / "0003_add_link.sql").symlink_to("0001_add_users.sql")

    ran = preflight("lint", "migrations/0003_add_link.sql")

    assert ran.code == 1
    assert "already-exists" in ran.out
    assert "is a symbolic link: wrangler does not apply it" in ran.err


def test_a_folder_of_links_alone_says_why_it_holds_none(here: Path) -> None:
    migrations(here)
    (here / "other").mkdir()
    (here / "other" / "0001_add_users.sql").symlink_to("../migrations/0001_add_users.sql")

    ran = preflight("lint", "other")

    assert ran.code == 2
    assert "is a symbolic link: wrangler does not apply it" in ran.err


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_a_name_that_is_no_utf8_does_not_hide_the_others(here: Path, form: str) -> None:
    (migrations(here) / ODD).write_text("SELECT 1;")

    ran = preflight("lint", "--format", form)

    assert ran.code == 2
    assert "The name 0004_\ufffd_x.sql is not UTF-8" in ran.err
    assert form == "github" or "0001_add_users.sql" in ran.out
    folder(here, {"migrations/0002_drop_zzz.sql": "DROP TABLE zzz;"})
    assert preflight("lint", "--format", form).code == 1
