"""`new`, `doctor` and `init` in a project on disk."""

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from commands.real_records import CONFIG
from d1_preflight.adapters.git.facts import read_git
from d1_preflight.adapters.project_files import read_settings
from d1_preflight.commands import doctor, init, new
from d1_preflight.commands.checks import Check
from d1_preflight.commands.doctor import examine
from d1_preflight.commands.faces import add_project_arguments
from d1_preflight.commands.init import initialise
from d1_preflight.core.checklist.checklist import Prompt
from d1_preflight.core.errors import ProjectError, UsageError
from d1_preflight.core.project.setting_types import SecondPerson
from d1_preflight.core.record.record import Status
from sampling import sampled


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "wrangler.jsonc").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@cache
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    add_project_arguments(made, first=True)
    commands = made.add_subparsers()
    for command in (new, doctor, init):
        command.add_parser(commands)
    return made


def arguments(*words: str) -> argparse.Namespace:
    return parser().parse_args(words)


def code(*words: str) -> int:
    found = arguments(*words)
    ended: int = found.run(found)
    return ended


def test_new_writes_a_numbered_file_and_prints_its_path(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("new", "add users last login") == 0

    path = project / "migrations" / "0001_add_users_last_login.sql"
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_text().startswith("-- Migration: 0001_add_users_last_login\n")
    assert not (project / "migrations" / "down").exists()


def test_new_writes_the_way_back_of_what_is_not_additive(project: Path) -> None:
    code("new", "rebuild_teams_table", "--type", "destructive")

    assert (project / "migrations" / "down" / "0001_rebuild_teams_table.sql").is_file()


def test_new_touches_nothing_that_is_there(project: Path) -> None:
    down = project / "migrations" / "down" / "0001_rebuild_teams_table.sql"
    down.parent.mkdir(parents=True)
    down.write_text("-- mine\n")

    with pytest.raises(ProjectError, match="already exists") as raised:
        code("new", "rebuild_teams_table", "--type", "destructive")

    assert "0001_rebuild_teams_table.sql was removed" in raised.value.hint
    assert [path.name for path in (project / "migrations").iterdir()] == ["down"]

    assert down.read_text() == "-- mine\n"


def test_new_goes_on_from_the_last_number(project: Path) -> None:
    (project / "migrations").mkdir()
    (project / "migrations" / "0056_add_tags_table.sql").write_text("SELECT 1;\n")

    code("new", "add_users_email")

    assert (project / "migrations" / "0057_add_users_email.sql").is_file()


@pytest.mark.parametrize("name", ["teams", "٠٠٠١_add_users", "００01_add_users", "add_üsers"])
def test_new_refuses_a_name_that_says_nothing_and_makes_nothing(project: Path, name: str) -> None:
    with pytest.raises(UsageError):
        code("new", name)

    assert not (project / "migrations").exists()


@pytest.mark.parametrize("room", [0, 1])
def test_new_on_a_full_disk_leaves_no_empty_file(project: Path, room: int) -> None:
    folder = project / "migrations"
    folder.mkdir()
    words = ("mount", "-t", "tmpfs", "-o", "size=16k,nr_inodes=10", "tmpfs", str(folder))
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can make a small disk")
    try:
        (folder / "filler").write_bytes(b"x" * 4096 * (4 - room))

        with pytest.raises(ProjectError, match="The disk is full") as raised:
            code("new", "rebuild_teams_table", "--type", "destructive")

        assert ("was removed" in raised.value.hint) is bool(room)
        assert not [path for path in folder.rglob("*") if path.is_file() and path.name != "filler"]
    finally:
        subprocess.run(("umount", "-l", str(folder)), check=True)


def examined(folder: Path, **environ: str) -> Iterator[Check]:
    env = {"HOME": str(folder / "home"), "PATH": "/usr/bin:/bin", **environ}
    return examine(arguments("doctor"), folder, env)


def looked(folder: Path, **environ: str) -> dict[str, Check]:
    return {check.title: check for check in examined(folder, **environ)}


def one(title: str, folder: Path, **environ: str) -> Check:
    """The check of this title; those after it are not made."""
    return next(check for check in examined(folder, **environ) if check.title == title)


def test_doctor_tells_a_fix_for_everything_that_is_missing(project: Path) -> None:
    found = looked(project)

    assert all(check.fix for check in found.values() if not check.status.is_answered)
    assert found["migrations"].status is Status.FAILED
    assert found["users' zones"].status is Status.UNKNOWN
    assert found["database"].words.startswith("marketplace-production a1b2c3d4")
    assert found["credentials"].status is Status.FAILED


@pytest.mark.parametrize(
    "placeholder",
    sampled(["${D1_ID}", "YOUR_D1_DATABASE_ID", "<id>", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
             "00000000-0000-0000-0000-000000000000", "replace-with-your-d1-database-id"], 2),
)  # fmt: skip
def test_doctor_takes_no_placeholder_for_an_id(project: Path, placeholder: str) -> None:
    path = project / "wrangler.jsonc"
    path.write_text(re.sub(r'"a1b2c3d4[^"]*"', f'"{placeholder}"', path.read_text()))
    found = one("database", project)
    assert found.status is Status.FAILED
    assert "is a placeholder, not an id" in found.words
    assert "wrangler.jsonc" in found.fix


def test_doctor_sees_a_key_that_wrangler_took_away(project: Path) -> None:
    path = project / "wrangler.jsonc"
    path.write_text(path.read_text().replace("{", '{"node_compat": true,', 1))
    found = one("project", project)
    assert found.status is Status.FAILED
    assert "node_compat" in found.words
    assert "nodejs_compat" in found.fix


UUID = "a1b2c3d4-0000-4000-8000-000000000001"


@pytest.mark.parametrize(("environment", "status"), [("", Status.PROVED), ("other", Status.FAILED)])
def test_doctor_sees_such_a_key_in_the_environment_that_is_meant(
    project: Path, environment: str, status: Status
) -> None:
    path = project / "wrangler.jsonc"
    database = {"binding": "DB", "database_name": "app", "database_id": UUID}
    other = {"node_compat": True, "d1_databases": [database]}
    path.write_text(json.dumps({"name": "w", "d1_databases": [database], "env": {"other": other}}))

    assert one("project", project, CLOUDFLARE_ENV=environment).status is status


def test_doctor_sees_credentials_but_never_shows_them(project: Path) -> None:
    found = looked(project, CLOUDFLARE_API_TOKEN="canary-3141592653589793")

    assert found["credentials"].status is Status.PROVED
    assert "canary" not in repr(found)


def test_doctor_names_the_variables_that_are_not_set(project: Path) -> None:
    (project / "preflight.toml").write_text(
        '[notify]\nwebhook_env = "TEAM_WEBHOOK"\n'
        '[[verification.endpoints]]\nurl = "https://api.example.com"\nbearer_env = "API_TOKEN"\n'
    )

    assert one("variables", project).words == "not set: TEAM_WEBHOOK, API_TOKEN"
    assert one("variables", project, TEAM_WEBHOOK="x", API_TOKEN="y").status is Status.PROVED


def test_doctor_finds_what_wrangler_would_apply_by_mistake(project: Path) -> None:
    folder = project / "migrations"
    folder.mkdir()
    for name in ("0001_a_b.sql", "0001_c_d.sql", "0002_e_f.down.sql"):
        (folder / name).write_text("SELECT 1;\n")
    (folder / "0003_latin_one.sql").write_bytes(b"-- \xe9\n")

    words = one("migrations", project).words

    assert "0002_e_f.down.sql would be applied as a migration" in words
    assert "same number: 0001_a_b.sql, 0001_c_d.sql" in one("numbers", project).words
    assert "0003_latin_one.sql is not UTF-8" in words


def test_doctor_says_that_git_is_missing_or_hangs(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path_factory.mktemp("bin")
    monkeypatch.setenv("PATH", str(programs))
    assert one("git", project).words == "git was not found on PATH"

    hanging = programs / "git"
    hanging.write_text("#!/bin/sh\n/bin/sleep 60\n")
    hanging.chmod(0o755)
    read_git(project, 0.3)  # doctor would wait longer, and asks no second time
    found = one("git", project)
    assert (found.status, found.words) == (Status.FAILED, "git gave no answer within 0.3 s")


def test_doctor_looks_at_the_projects_own_checklist(project: Path) -> None:
    assert one("checklist", project).words == "as shipped"
    own = project / "checklists" / "d1.toml"
    own.parent.mkdir()
    own.write_text("schema = ")
    assert one("checklist", project).status is Status.FAILED
    assert "d1.toml" in one("checklist", project).words


def test_doctor_sees_that_nothing_can_be_written(project: Path) -> None:
    assert one("folder", project).status is Status.PROVED
    (project / "checklists").write_text("a file in the folder's place")
    found = one("folder", project)
    assert found.status is Status.FAILED
    assert found.words == f"{project / 'checklists'} is not writable"
    assert found.fix.startswith("chmod u+rwx")


def test_doctor_without_a_project_still_looks_at_the_machine(tmp_path: Path) -> None:
    found = looked(tmp_path)

    assert found["Python"].status is Status.PROVED
    assert found["project"].status is Status.FAILED
    assert "preflight practice" in found["project"].fix


def test_doctor_exits_with_1_while_something_is_missing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (project / "wrangler.jsonc").is_file()
    assert code("doctor") == 1
    assert "checks failed" in capsys.readouterr().out


class Answers:
    """Answers by key; a list is worn off answer by answer."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.asked: list[Prompt] = []

    async def ask(self, prompt: Prompt) -> object:
        self.asked.append(prompt)
        found = self.answers.get(prompt.key, "")
        return found.pop(0) if isinstance(found, list) else found


async def test_init_writes_what_was_answered(project: Path) -> None:
    answers = Answers(
        team="WORKWAY", zone="America/New_York", users="America/New_York Europe/Berlin",
        critical="users, teams", webhook="TEAM_WEBHOOK",
        endpoints="https://api.example.com/health", second="destructive", write=True,
    )  # fmt: skip

    assert await initialise(project, answers) == project / "preflight.toml"

    settings = read_settings(project)
    assert settings.team.name == "WORKWAY"
    assert settings.users.timezones == ("America/New_York", "Europe/Berlin")
    assert settings.data.critical_tables == ("users", "teams")
    assert settings.verification.endpoints[0].url == "https://api.example.com/health"
    assert settings.signing.second_person is SecondPerson.DESTRUCTIVE


async def test_init_asks_again_for_what_a_setting_cannot_be(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = Answers(zone=["Middle/Earth", "Europe/Berlin"], second="never", write=True)

    await initialise(project, answers)

    assert read_settings(project).team.timezone == "Europe/Berlin"
    assert "Middle/Earth" in capsys.readouterr().err


async def test_init_keeps_what_is_not_asked_for(project: Path) -> None:
    (project / "preflight.toml").write_text(
        'go_minutes = 45\n[team]\nname = "WORKWAY"\n[[verification.endpoints]]\n'
        'url = "https://api.example.com/me"\nbearer_env = "API_TOKEN"\n'
    )

    await initialise(
        project, Answers(endpoints="https://api.example.com/me", second="never", write=True)
    )

    settings = read_settings(project)
    assert settings.go_minutes == 45
    assert settings.team.name == "WORKWAY"
    assert settings.verification.endpoints[0].bearer_env == "API_TOKEN"


class EnterThroughout(Answers):
    """Presses Enter at every question: empty words, and the first of the choices."""

    async def ask(self, prompt: Prompt) -> object:
        self.asked.append(prompt)
        return prompt.choices[0] if prompt.choices else ""


async def test_enter_throughout_keeps_the_file_byte_for_byte(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "# ours\r\n[signing]\nsecond_person = 'destructive'  # since the outage\n"
        '[team]\nname = "WORKWAY"\n[data]\ncritical_tables = ["users"]\n'
    )
    (project / "preflight.toml").write_bytes(text.encode())
    person = EnterThroughout()

    assert await initialise(project, person) == project / "preflight.toml"

    assert (project / "preflight.toml").read_bytes() == text.encode()
    assert "Nothing changes" in capsys.readouterr().err
    assert "write" not in [prompt.key for prompt in person.asked]
    (second,) = [prompt for prompt in person.asked if prompt.key == "second"]
    assert second.help == "Enter keeps: destructive."


async def test_what_changes_is_shown_before_a_file_with_comments_is_written_anew(
    project: Path,
) -> None:
    before = '# ours\n[team]\nname = "WORKWAY"\n'
    (project / "preflight.toml").write_text(before)
    person = Answers(team="Shop", second="never", write=False)

    assert await initialise(project, person) is None

    shown = person.asked[-1].help.splitlines()
    assert {"-# ours", '-name = "WORKWAY"', '+name = "Shop"'} <= set(shown)
    assert "comments in it are lost" in shown[-1]
    assert (project / "preflight.toml").read_text() == before


@pytest.mark.parametrize("answers", [Answers(team=None), Answers(second="never", write=False)])
async def test_init_writes_nothing_without_a_yes(project: Path, answers: Answers) -> None:
    assert await initialise(project, answers) is None
    assert not (project / "preflight.toml").exists()


def test_init_without_a_terminal_says_so(project: Path) -> None:
    assert (project / "wrangler.jsonc").is_file()
    with pytest.raises(UsageError, match="no terminal"):
        code("init")
