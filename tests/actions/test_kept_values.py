"""What was kept is compared at the close: traffic is named, values from before contradict it."""

import shutil

import pytest

from actions.conftest import Walked
from actions.fake_target import DESTRUCTIVE
from d1_preflight.actions import close
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.checklist.answers import KEPT, ROLLED_BACK
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.record import Status

LOWER = "UPDATE members SET role = lower(role);\n"
TRAFFIC = {
    "a row came": ("INSERT INTO members VALUES (9, 'a', 'guest')", "members (3 rows then, 4 now)"),
    "a value": ("UPDATE members SET role = 'x' WHERE id = 2", "members (other values)"),
    "a row went": ("DELETE FROM members WHERE id = 3", "members (3 rows then, 2 now)"),
}


@pytest.mark.parametrize(("sql", "words"), TRAFFIC.values(), ids=TRAFFIC.keys())
async def test_what_moved_since_is_named_and_closes(walked: Walked, sql: str, words: str) -> None:
    bench = await walked("close", LOWER, "transformative")
    bench.target.connection.execute(sql)

    attempt = await bench.step("close", end=KEPT, verdict="fine")

    assert attempt.status is Status.ATTESTED
    assert attempt.words == f"fine Since the rehearsal, values moved in {words}."
    assert CloseFacts.from_attempt(attempt).moved == ("members",)
    assert bench.target.commands.count("read") == 1


async def test_where_nothing_moved_the_close_says_no_more(walked: Walked) -> None:
    bench = await walked("close", LOWER, "transformative")
    bench.target.connection.execute("UPDATE teams SET name = 'other'")

    attempt = await bench.step("close", end=KEPT, verdict="fine")

    assert attempt.words == "fine"
    assert "moved" not in attempt.facts


async def test_data_that_was_put_back_by_hand_was_not_kept(walked: Walked) -> None:
    bench = await walked("close", LOWER, "transformative")
    bench.target.connection.execute("UPDATE members SET role = 'OWNER' WHERE id = 1")

    kept = await bench.step("close", end=KEPT, verdict="fine")
    rolled_back = await bench.step("close", end=ROLLED_BACK, verdict="fine")

    assert kept.status is Status.FAILED
    assert "members holds the values from before: it was not kept." in kept.words
    assert rolled_back.status is Status.ATTESTED


async def test_of_a_changed_schema_values_are_named_too(walked: Walked) -> None:
    bench = await walked("close", DESTRUCTIVE)
    bench.target.connection.execute("UPDATE teams SET name = 'other' WHERE id = 'a'")

    attempt = await bench.step("close", end=KEPT, verdict="fine")

    assert attempt.status is Status.ATTESTED
    assert "values moved in teams (other values)" in attempt.words


async def test_a_large_table_of_a_changed_schema_is_not_read_once_more(
    walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(close, "_CHEAP_ROWS", 1)
    bench = await walked("close")
    bench.target.connection.execute("UPDATE teams SET name = 'other'")

    attempt = await bench.step("close", end=KEPT, verdict="fine")

    assert attempt.words == "fine"


async def test_of_data_alone_a_large_table_is_read_once_more(
    walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(close, "_CHEAP_ROWS", 1)
    bench = await walked("close", LOWER, "transformative")
    bench.target.connection.execute("UPDATE members SET role = 'x'")

    attempt = await bench.step("close", end=KEPT, verdict="fine")

    assert "values moved in members" in attempt.words


async def test_without_the_rehearsal_it_is_said_that_values_were_not_compared(
    walked: Walked,
) -> None:
    bench = await walked("close", LOWER, "transformative")
    shutil.rmtree(Folder.REHEARSAL.of(bench.session.environment))

    attempt = await bench.step("close", end=KEPT, verdict="fine")

    assert attempt.status is Status.ATTESTED
    assert "Values were not compared: the rehearsal is not on this machine." in attempt.words


async def test_a_target_that_cannot_say_its_values_is_asked_for_the_rest(walked: Walked) -> None:
    bench = await walked("close")
    bench.target.connection.execute("ALTER TABLE teams RENAME TO others")

    attempt = await bench.step("close", end=KEPT, verdict="fine")

    assert attempt.status is Status.FAILED
    assert "no longer the rehearsed one" in attempt.words
