"""The card's commands carry the real names, and its SQL runs on D1's engine."""

import shlex

import apsw
import pytest

from d1_preflight.core.emergency import Situation, Target, card, likely
from d1_preflight.core.record import Record
from tui import scenes

TARGET = Target(
    database="marketplace-production",
    migration=scenes.REBUILD,
    config="wrangler.jsonc",
    environment="production",
    worker="workway-api",
)


def walked(step: str = "ledger") -> Record:
    return scenes.rebuild().walked_to(step).record


def commands(situations: tuple[Situation, ...]) -> list[str]:
    return [act.command for s in situations for act in s.steps if act.command]


def test_the_way_back_is_filled_in_from_the_record() -> None:
    wrong_data = card(TARGET, walked())[2]

    told = [act.command for act in wrong_data.steps]
    assert "wrangler rollback 5f2c11aa --name workway-api" in told
    assert any(scenes.BOOKMARK in command and "time-travel restore" in command for command in told)
    assert any("--table team_members" in command for command in told)


def test_the_chosen_way_back_stands_first() -> None:
    wrong_data = card(TARGET, walked())[2]

    back = [act.words for act in wrong_data.steps if act.words.startswith("Bring data back")]
    assert back[0].startswith("Bring data back: table restore")


@pytest.mark.parametrize("record", [None, walked("named"), walked()])
def test_no_command_uses_what_does_not_pass_through_wrangler(record: Record | None) -> None:
    told = " ".join(commands(card(TARGET, record)))

    assert ".schema" not in told
    assert "--version" not in told
    assert "--env production" in told


@pytest.mark.parametrize("record", [None, walked()])
def test_every_query_runs_on_the_engine(record: Record | None) -> None:
    db = apsw.Connection(":memory:")
    db.execute(
        "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at TEXT);"
        "CREATE TABLE table_name(a);" + "".join(f"CREATE TABLE {t}(a);" for t, _ in scenes._COUNTS)
    )
    asked = [
        word.removeprefix("--command=")
        for command in commands(card(TARGET, record))
        for word in shlex.split(command)
        if word.startswith("--command=")
    ]

    assert len(asked) >= 5
    for sql in asked:
        db.execute(sql).fetchall()


def test_a_name_with_quotes_survives_the_shell() -> None:
    odd = Target(database='it\'s "mine"', ledger='my "ledger"')

    for command in commands(card(odd)):
        words = shlex.split(command)
        assert "<bookmark>" in words or "--remote" in words or odd.database in words or (
            words[:2] == ["wrangler", "deployments"]
        )  # fmt: skip


def test_without_a_record_the_card_asks_to_look() -> None:
    assert likely(None) == 3
    assert likely(walked()) == 2
