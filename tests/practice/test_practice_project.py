import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from d1_preflight.core.errors import ProjectError, UsageError
from d1_preflight.core.project.settings import load_settings
from d1_preflight.core.schedule.window import calendar_of, timing
from d1_preflight.practice import run
from d1_preflight.practice.project import (
    CHOICES,
    lay_down,
    migrations,
    next_of,
    refuse_other_choices,
)
from d1_preflight.practice.run import settings_toml
from d1_preflight.practice.server import AlreadyRunning
from d1_preflight.practice.state import ACCOUNT_ID, DATABASE_ID, DATABASE_NAME
from practice.conftest import Client, Laid, client_of
from sampling import sampled

TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


def content(state: Path) -> dict[str, list[tuple[Any, ...]]]:
    connection = apsw.Connection(str(state / "d1.sqlite"))
    names = [row[0] for row in connection.execute(TABLES)]
    return {n: connection.execute(f'SELECT * FROM "{n}"').fetchall() for n in names}


def test_two_practice_databases_are_equal(tmp_path: Path, laid: Laid) -> None:
    assert content(laid(tmp_path / "a")) == content(lay_down(tmp_path / "b"))


@pytest.mark.parametrize("chosen", sampled(CHOICES, len(CHOICES)))  # the fixtures lay down 0061
def test_the_chosen_migration_is_the_first_pending_one(tmp_path: Path, chosen: str) -> None:
    state = lay_down(tmp_path / "p", next=chosen)
    applied = {str(row[1]) for row in content(state)["d1_migrations"]}
    pending = [m.name for m in migrations() if m.name not in applied]
    assert pending[0].startswith(chosen)
    assert all(name[:4] < chosen for name in applied)
    assert next_of(tmp_path / "p") == chosen


def test_every_table_has_rows_and_the_largest_more_than_ten_thousand(
    tmp_path: Path, laid: Laid
) -> None:
    rows = {name: len(found) for name, found in content(laid(tmp_path / "p")).items()}
    assert min(rows.values()) > 0
    assert len(rows) >= 12
    assert rows["workflow_runs"] == max(rows.values()) >= 10_000


def test_the_rows_hold_what_is_hard_to_copy(tmp_path: Path, laid: Laid) -> None:
    connection = apsw.Connection(str(laid(tmp_path / "p") / "d1.sqlite"))
    values = [v for row in connection.execute("SELECT * FROM webhook_deliveries") for v in row]
    assert {type(value) for value in values} == {int, float, str, bytes, type(None)}
    assert any(isinstance(value, int) and abs(value) > 2**53 for value in values)
    texts = [value for value in values if isinstance(value, str)]
    assert any("'" in t for t in texts)
    assert any("\n" in t for t in texts)
    assert any(not t.isascii() for t in texts)
    assert "" in texts


def test_the_names_and_headers_are_as_the_checklist_wants_them() -> None:
    for migration in migrations():
        assert re.fullmatch(r"\d{4}_[a-z0-9]+(?:_[a-z0-9]+)+\.sql", migration.name)
        assert migration.header.missing == ()
        assert migration.header.migration == migration.stem


def test_a_later_start_goes_on_where_it_was_left(
    tmp_path: Path, no_login: None, laid: Laid
) -> None:
    del no_login
    laid(tmp_path / "p")
    with run.start(tmp_path / "p") as running:
        client = client_of(running)
        client.query("DELETE FROM webhook_deliveries")
        mark, secret = client.bookmark(), running.environment["PREFLIGHT_WEBHOOK"]
    with run.start(tmp_path / "p") as running:
        client = client_of(running)
        assert client.count("webhook_deliveries") == 0
        assert client.bookmark() == mark
        assert (
            running.environment["PREFLIGHT_WEBHOOK"].split("/hooks/")[1]
            == secret.split("/hooks/")[1]
        )
        settings = (tmp_path / "p" / "preflight.toml").read_text()
        assert running.server.origin in settings


def test_the_settings_are_read_and_keep_what_the_operator_changed(
    tmp_path: Path, no_login: None, laid: Laid
) -> None:
    del no_login
    laid(tmp_path / "p")
    path = tmp_path / "p" / "preflight.toml"
    with run.start(tmp_path / "p") as running:
        settings = load_settings(path.read_text())
        worker = f"{running.server.origin}/worker/workway-api"
        assert [e.url for e in settings.verification.endpoints] == [
            f"{worker}/health",
            f"{worker}/users/me",
        ]
        assert settings.verification.endpoints[1].bearer_env in running.environment
        assert settings.notify.webhook_env in running.environment
        edited = path.read_text().replace("watch_minutes = 1", "watch_minutes = 7")
    (tmp_path / "p" / ".practice" / "port").unlink()
    path.write_text(edited)
    with run.start(tmp_path / "p") as running:
        settings = load_settings(path.read_text())
        assert settings.verification.watch_minutes == 7
        assert settings.verification.endpoints[0].url.startswith(running.server.origin + "/")


def test_two_runs_never_serve_one_folder(client: Client, no_login: None) -> None:
    del no_login
    folder = client.running.project
    with pytest.raises(AlreadyRunning, match=re.escape(str(folder))):
        run.start(folder)
    assert client.count("teams") == 112


def test_an_interrupted_start_begins_again(tmp_path: Path, laid: Laid) -> None:
    laid(tmp_path / "p")
    (tmp_path / "p" / ".practice").rename(tmp_path / "p" / ".practice.part")
    assert (lay_down(tmp_path / "p") / "d1.sqlite").exists()


def test_a_folder_with_another_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_text('name = "theirs"')
    with pytest.raises(ProjectError, match="is not empty"):
        lay_down(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["wrangler.toml"]


def test_an_unknown_next_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0099"):
        lay_down(tmp_path / "p", next="0099")


@pytest.mark.parametrize("name", [*run.REAL_LOGINS, *run.OTHER_ADDRESSES])
def test_practice_does_not_run_next_to_a_real_login(name: str) -> None:
    with pytest.raises(run.RealCredentials) as caught:
        run.refuse_real_credentials({name: "https://real"})
    assert name in caught.value.message
    assert "real" not in caught.value.hint.replace(name, "")


def test_its_own_environment_is_no_real_login(client: Client) -> None:
    own = dict(client.running.environment)
    assert set(own) & set(run.REAL_LOGINS)
    assert set(own) & set(run.OTHER_ADDRESSES)

    run.refuse_real_credentials(own)

    for name in {*run.REAL_LOGINS, *run.OTHER_ADDRESSES} & set(own):
        with pytest.raises(run.RealCredentials, match=name):
            run.refuse_real_credentials({**own, name: "https://real"})


def test_the_configuration_names_the_stand_in_s_account_and_database(
    tmp_path: Path, laid: Laid
) -> None:
    laid(tmp_path / "p")
    text = (tmp_path / "p" / "wrangler.jsonc").read_text()
    for word in (ACCOUNT_ID, DATABASE_ID, DATABASE_NAME, "workway-api", "migrations"):
        assert json.dumps(word) in text
    assert ".practice/" in (tmp_path / "p" / ".gitignore").read_text()


def test_git_begins_once_and_only_where_it_can(tmp_path: Path, no_login: None, laid: Laid) -> None:
    del no_login
    laid(tmp_path / "p")
    commands: list[tuple[str, ...]] = []

    def remember(command: tuple[str, ...], folder: Path) -> None:
        commands.append(command)
        (folder / ".git").mkdir(exist_ok=True)

    for _ in range(2):
        with run.start(tmp_path / "p", ask_git=remember):
            pass
    assert [command[0] for command in commands[:2]] == ["init", "add"]
    assert commands[-1][-3:] == ("--quiet", "-m", "Show team, role and last run")
    assert len(commands) == 3


def test_nobody_s_files_are_written_over(tmp_path: Path) -> None:
    mine = tmp_path / "package.json"
    mine.write_text("mine")

    with pytest.raises(ProjectError, match="is not empty"):
        lay_down(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["package.json"]
    assert mine.read_text() == "mine"


def test_another_choice_needs_another_folder(tmp_path: Path, laid: Laid) -> None:
    place = tmp_path / "p"
    refuse_other_choices(place, next="0061", like="drizzle")
    laid(place)
    assert next_of(place) == "0061"
    refuse_other_choices(place, next="0061", like="sample")
    refuse_other_choices(place, next="", like="")
    for choice in ({"next": "0057", "like": ""}, {"next": "", "like": "drizzle"}):
        with pytest.raises(UsageError, match="needs a new project"):
            refuse_other_choices(place, **choice)


def test_a_project_that_does_not_say_its_choice_goes_on(tmp_path: Path, laid: Laid) -> None:
    (laid(tmp_path / "p") / "next").unlink()
    refuse_other_choices(tmp_path / "p", next="0057", like="")
    assert next_of(tmp_path / "p") == ""


HOURS = [(day, hour) for day in range(23, 30) for hour in range(24)]


@pytest.mark.parametrize(("day", "hour"), sampled(HOURS, 5))
def test_the_made_up_users_never_work_while_the_project_is_laid_down(day: int, hour: int) -> None:
    now = datetime(2026, 11, day, hour, 30, tzinfo=UTC)
    settings = load_settings(settings_toml("http://127.0.0.1:1", now))

    for later in (0, 29):
        at = now + timedelta(minutes=later)
        assert timing(calendar_of(settings), at, timedelta(minutes=1)).is_quiet
