"""What is said to whoever leaves a migration that was applied and is not closed."""

from dataclasses import replace

from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.recovery.scenarios import on_leaving
from tui import scenes
from tui.scenarios import app_at, settle


def left_at(step: str, *wrong: tuple[str, Status, str]) -> tuple[str, ...]:
    session = scenes.rebuild()
    outcomes = {key: Outcome(status, words) for key, status, words in wrong}
    session.script = {**session.script, **outcomes}
    session.walked_to(step)
    return on_leaving(session.record, session.path)


def test_before_the_apply_nothing_is_to_tell() -> None:
    assert left_at("go") == ()
    assert left_at("applied") == ()


def test_an_applied_migration_names_what_is_not_done() -> None:
    (told,) = left_at("ledger")

    assert told.startswith("Applied, but not done: ledger, schema, rows, ")
    assert told.endswith(f"sign close. Next: preflight run {scenes.REBUILD}")


def test_a_verification_that_failed_is_told_with_its_reason_and_the_next_step() -> None:
    session = scenes.rebuild().walked_to("rows")
    words = "team_members should hold 1,204 rows and holds 0."
    failed = replace(session.record.attempts[-1], step="rows", status=Status.FAILED, words=words)
    record = replace(session.record, attempts=(*session.record.attempts, failed))

    assert on_leaving(record, session.path) == (
        f"✗ rows: {words}",
        f"Next: preflight run {scenes.REBUILD}, then ! for the emergency card.",
    )


def test_an_apply_whose_end_is_unknown_is_told_too() -> None:
    session = scenes.rebuild().walked_to("ledger")
    unknown = replace(session.record.attempts[-1], status=Status.UNKNOWN, words="Not seen.")
    record = replace(session.record, attempts=(*session.record.attempts[:-1], unknown))

    assert on_leaving(record, session.path)[0] == "? apply: Not seen."


async def test_the_screen_hands_it_on_when_it_is_left() -> None:
    app = app_at("ledger")
    async with app.run_test() as pilot:
        await settle(pilot)
        (left,) = app.worked_on

    assert on_leaving(left.record, left.path)[0].startswith("Applied, but not done: ledger")
