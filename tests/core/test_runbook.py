"""The card's commands carry the real names, and its SQL runs on D1's engine."""

import shlex

import apsw
import pytest

from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.record import Outcome, Record, Status
from d1_preflight.core.record.safety_facts import DeployOrderFacts
from d1_preflight.core.recovery.runbook import Scenario, Target, likely, runbook
from tui import scenes

CONFIG = ".preflight/targets/a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d.json"
TARGET = Target(
    database="marketplace-production",
    migration=scenes.REBUILD,
    config=CONFIG,
    worker="workway-api",
    project_config="wrangler.jsonc",
    project_environment="production",
)


def walked(step: str = "ledger") -> Record:
    return scenes.rebuild().walked_to(step).record


def commands(situations: tuple[Scenario, ...]) -> list[str]:
    return [act.command for s in situations for act in s.steps if act.command]


def test_the_way_back_is_filled_in_from_the_record() -> None:
    wrong_data = runbook(TARGET, walked())[2]

    told = [act.command for act in wrong_data.steps]
    assert f"wrangler rollback 5f2c11aa --name workway-api --config {CONFIG}" in told
    assert any(scenes.BOOKMARK in command and "time-travel restore" in command for command in told)
    assert "preflight restore 0061" in told


def lossy() -> Record:
    """As walked, but the rehearsal saw rows of team_members go."""
    session = scenes.rebuild()
    gone = Outcome(Status.PROVED, "Declared.", RehearsalFacts.read(scenes._rehearsed(1_204)))
    session.script = {**scenes.outcomes(), "rehearsed": gone}
    return session.walked_to("ledger").record


def test_the_restore_gives_back_whatever_the_rehearsal_took() -> None:
    told = commands(runbook(TARGET, lossy())[2:3])

    assert "preflight restore 0061" in told


def test_a_way_that_leaves_rows_lost_stands_last_and_says_so() -> None:
    acts = runbook(TARGET, lossy())[2].steps
    words = [act.words for act in acts]
    down = next(i for i, said in enumerate(words) if "down migration" in said)
    restore = next(i for i, said in enumerate(words) if "table restore" in said)

    assert restore < down
    assert words[down].startswith("Restores the schema only; rows stay lost")


def test_without_code_no_worker_is_rolled_back() -> None:
    session = scenes.rebuild()
    alone = Outcome(
        Status.ATTESTED, "No code.", DeployOrderFacts(order="no code goes along", worker="w")
    )
    session.script = {**scenes.outcomes(), "deploy_order": alone}
    wrong_data = runbook(TARGET, session.walked_to("ledger").record)[2]

    assert wrong_data.steps[0].words.startswith("Worker code did not change")
    assert not any("rollback" in command for command in commands((wrong_data,)))


def test_a_failed_check_after_the_ledger_speaks_for_wrong_data() -> None:
    session = scenes.rebuild().walked_to("rows")
    rows = session.checklist.step("rows")
    session._begin(rows, {})
    session._finish(Outcome(Status.FAILED, "12 rows are missing."))

    assert likely(session.record) == 2


def test_the_chosen_way_back_stands_first() -> None:
    wrong_data = runbook(TARGET, walked())[2]

    back = [act.words for act in wrong_data.steps if act.words.startswith("Restore data")]
    assert back[0].startswith("Restore data: table restore")


@pytest.mark.parametrize("record", [None, walked("named"), walked()])
def test_no_command_uses_what_does_not_pass_through_wrangler(record: Record | None) -> None:
    told = " ".join(commands(runbook(TARGET, record)))

    assert ".schema" not in told
    assert "--version" not in told


@pytest.mark.parametrize("record", [None, walked("named"), walked()])
def test_every_command_names_the_database_by_its_uuid_or_the_environment(
    record: Record | None,
) -> None:
    for command in commands(runbook(TARGET, record)):
        if command.startswith("wrangler"):
            listed = command.startswith("wrangler d1 migrations list")
            assert ("--env=production" if listed else f"--config {CONFIG}") in command


def test_without_a_place_of_its_own_the_environment_is_said_even_where_it_is_none() -> None:
    top = Target(database="shop", config="wrangler.jsonc", environment="")

    assert top.d1("info", "shop").endswith("--config wrangler.jsonc --env=")


@pytest.mark.parametrize("record", [None, walked()])
def test_every_query_runs_on_the_engine(record: Record | None) -> None:
    db = apsw.Connection(":memory:")
    db.execute(
        "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at TEXT);"
        "CREATE TABLE table_name(a);" + "".join(f"CREATE TABLE {t}(a);" for t, _ in scenes._COUNTS)
    )
    asked = [
        word.removeprefix("--command=")
        for command in commands(runbook(TARGET, record))
        for word in shlex.split(command)
        if word.startswith("--command=")
    ]

    assert len(asked) >= 5
    for sql in asked:
        db.execute(sql).fetchall()


def test_a_name_with_quotes_survives_the_shell() -> None:
    odd = Target(database='it\'s "mine"', ledger='my "ledger"')

    for command in commands(runbook(odd)):
        words = shlex.split(command)
        assert "<bookmark>" in words or "--remote" in words or odd.database in words or (
            words[:2] == ["wrangler", "deployments"]
        )  # fmt: skip


def test_without_a_record_the_card_asks_to_look() -> None:
    assert likely(None) == 3
    assert likely(walked()) == 2
