"""Nothing that a database says is believed before it has said that it is the one that is meant."""

from dataclasses import replace

import pytest

from actions.test_reading_in_batches import UUID, EngineWrangler, tools_with, wide_database
from d1_preflight.actions.target import observe
from d1_preflight.core.errors import RemoteFailed


async def test_a_database_that_says_another_uuid_is_not_believed() -> None:
    environment = tools_with(
        EngineWrangler(wide_database(), uuid="00000000-0000-4000-8000-000000000000")
    )

    with pytest.raises(RemoteFailed, match=f"asked {UUID} and got the database 00000000"):
        await observe(environment)
    assert environment.cache.observation is None
    assert environment.cache.uuid == ""


@pytest.mark.parametrize("uuid", ["", None, 7])
async def test_a_database_that_does_not_say_its_uuid_is_not_believed(uuid: object) -> None:
    environment = tools_with(EngineWrangler(wide_database(), uuid=uuid))  # type: ignore[arg-type]  # as it may answer

    with pytest.raises(RemoteFailed, match="Another database answered"):
        await observe(environment)
    assert environment.cache.observation is None


async def test_it_is_asked_once_a_session() -> None:
    wrangler = EngineWrangler(wide_database(), uuid=UUID.upper())
    environment = tools_with(wrangler)

    await observe(environment)
    await observe(environment)

    assert wrangler.asked_who == 1
    assert environment.cache.uuid == UUID.upper()


async def test_a_ledger_that_does_not_go_on_makes_it_say_its_uuid_again() -> None:
    wrangler = EngineWrangler(wide_database())
    environment = tools_with(wrangler)
    await observe(environment)
    seen = environment.cache.observation
    assert seen is not None
    wrangler.connection.execute("UPDATE d1_migrations SET applied_at = '2020-01-01 00:00:00'")
    wrangler.uuid = "00000000-0000-4000-8000-000000000000"

    with pytest.raises(RemoteFailed, match="Another database answered"):
        await observe(environment)
    assert environment.cache.observation is seen


async def test_rows_added_to_the_ledger_or_taken_from_its_end_are_the_same_database() -> None:
    wrangler = EngineWrangler(wide_database())
    environment = tools_with(wrangler)
    await observe(environment)
    for change in (
        "INSERT INTO d1_migrations VALUES (2, '0002_b.sql', '2026-11-24 14:00:00')",
        "DELETE FROM d1_migrations WHERE id = 2",
    ):
        wrangler.connection.execute(change)
        await observe(environment)
    assert wrangler.asked_who == 1


async def test_the_ledger_seen_before_goes_on() -> None:
    look = await observe(tools_with(EngineWrangler(wide_database())))
    seen = look.observation
    longer = replace(seen, ledger=(*seen.ledger, replace(seen.ledger[0], id=2, name="0002_b.sql")))
    other = replace(seen, ledger=(replace(seen.ledger[0], applied_at="then"),))

    assert longer.continues(seen)
    assert seen.continues(longer)
    assert not other.continues(seen)
