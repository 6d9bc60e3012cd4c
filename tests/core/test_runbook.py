"""The card's commands carry the real names, and its SQL runs on D1's engine."""

import shlex
from dataclasses import replace
from functools import cache

import apsw
import pytest

from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.record import Outcome, Record, Status
from d1_preflight.core.record.safety_facts import (
    DeployOrderFacts,
    RollbackPath,
    RollbackPlanFacts,
)
from d1_preflight.core.recovery.runbook import Scenario, Target
from d1_preflight.core.recovery.scenarios import likely, runbook
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


@cache
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

    assert "Stop the writes first" in wrong_data.steps[0].words
    assert wrong_data.steps[1].words.startswith("Worker code did not change")
    assert not any("wrangler rollback" in command for command in commands((wrong_data,)))


def test_a_failed_check_after_the_ledger_speaks_for_wrong_data() -> None:
    session = scenes.rebuild().walked_to("rows")
    rows = session.checklist.step("rows")
    session._begin(rows, {})
    session._finish(rows, Outcome(Status.FAILED, "12 rows are missing."))

    assert likely(session.record) == 2


def test_the_chosen_way_back_stands_first() -> None:
    wrong_data = runbook(TARGET, walked())[2]

    back = [act.words for act in wrong_data.steps if act.words.startswith("Restore data")]
    assert back[0].startswith("Restore data: table restore")


@pytest.mark.parametrize("step", ["", "named", "ledger"])
def test_no_command_uses_what_does_not_pass_through_wrangler(step: str) -> None:
    told = " ".join(commands(runbook(TARGET, walked(step) if step else None)))

    assert ".schema" not in told
    assert "--version" not in told


@pytest.mark.parametrize("step", ["", "named", "ledger"])
def test_every_command_names_the_database_by_its_uuid_or_the_environment(step: str) -> None:
    for command in commands(runbook(TARGET, walked(step) if step else None)):
        if command.startswith("wrangler"):
            listed = command.startswith("wrangler d1 migrations list")
            own = listed or command.startswith("wrangler deploy ")
            assert ("--env=production" if own else f"--config {CONFIG}") in command


def test_without_a_place_of_its_own_the_environment_is_said_even_where_it_is_none() -> None:
    top = Target(database="shop", config="wrangler.jsonc", environment="")

    assert top.d1("info", "shop").endswith("--config wrangler.jsonc --env=")


@pytest.mark.parametrize("step", ["", "ledger"])
def test_every_query_runs_on_the_engine(step: str) -> None:
    db = apsw.Connection(":memory:")
    db.execute(
        "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at TEXT);"
        "CREATE TABLE table_name(a);" + "".join(f"CREATE TABLE {t}(a);" for t, _ in scenes._COUNTS)
    )
    asked = [
        word.removeprefix("--command=")
        for command in commands(runbook(TARGET, walked(step) if step else None))
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
            words[1] in ("deployments", "versions", "deploy", "tail")
        )  # fmt: skip


def test_without_a_record_the_card_asks_to_look() -> None:
    assert likely(None) == 4
    assert likely(walked()) == 2


def ordered(order: str) -> Record:
    session = scenes.rebuild()
    facts = DeployOrderFacts(order=order, worker="workway-api", version="5f2c11aa")
    session.script = {
        **scenes.outcomes(), "deploy_order": Outcome(Status.ATTESTED, order, facts)
    }  # fmt: skip
    return session.walked_to("ledger").record


ORDERS = next(
    prompt.choices
    for prompt in scenes.rebuild().checklist.step("deploy_order").prompts
    if prompt.key == "order"
)


@pytest.mark.parametrize("order", [*ORDERS, ""])
@pytest.mark.parametrize("scenario", [1, 2, 3])
def test_the_writes_are_stopped_by_a_command_whatever_the_order(order: str, scenario: int) -> None:
    steps = runbook(TARGET, ordered(order))[scenario].steps
    stops = [step for step in steps if "stop the writes first" in step.words.lower()]
    choose = next(n for n, step in enumerate(steps) if step.words.startswith("Choose one"))

    assert len(stops) == 1
    assert stops[0].command
    assert not stops[0].is_ready
    assert "wrangler rollback does not stop writes" in stops[0].words
    assert steps.index(stops[0]) < choose


def test_the_team_s_own_maintenance_deploy_is_shown_and_never_run() -> None:
    command = "wrangler deploy --env maintenance"
    steps = runbook(replace(TARGET, maintenance=command), walked())[2].steps

    assert steps[0].command == command
    assert not steps[0].is_ready


WRITING = ("wrangler deploy ", "wrangler versions deploy", "wrangler rollback", "--file=",
           "time-travel restore")  # fmt: skip


@pytest.mark.parametrize("step", ["", "named", "ledger"])
def test_whatever_writes_is_asked_for_once_more(step: str) -> None:
    target = replace(TARGET, maintenance="wrangler deploy --env maintenance", restore_file="r.sql")
    steps = [s for case in runbook(target, walked(step) if step else None) for s in case.steps]

    for act in steps:
        assert act.writes is any(words in act.command for words in WRITING), act.command


def planned(*ways: RollbackPath, chosen: str = "") -> list[str]:
    """The words and commands of the alternatives where these paths were proved."""
    session = scenes.rebuild()
    facts = RollbackPlanFacts(ways=ways, chosen=chosen)
    session.script = {**scenes.outcomes(), "way_back": Outcome(Status.ATTESTED, "", facts)}
    record = session.walked_to("ledger").record
    steps = runbook(replace(TARGET, restore_file="rows.sql"), record)[2].steps
    return [f"{step.option} {step.words}: {step.command}" for step in steps if step.option]


DOWN = RollbackPath(way="down migration", command="wrangler d1 execute x --file=d.sql",
                    loses="nothing", takes_ms=1500)  # fmt: skip
TABLE = RollbackPath(way="table restore", command="preflight restore 0061", loses="later writes")


@pytest.mark.parametrize("chosen", [DOWN, TABLE])
def test_of_two_that_keep_the_rows_the_chosen_one_is_the_first(chosen: RollbackPath) -> None:
    first = planned(DOWN, TABLE, chosen=chosen.way)[0]

    assert first.startswith(f"A Restore data: {chosen.way}, loses {chosen.loses}; ")
    assert ("1.5 s locally" in first) is (chosen is DOWN)
    assert ("time not measured" in first) is (chosen is TABLE)


def test_a_table_restore_is_run_from_the_file_that_it_made() -> None:
    told = planned(DOWN, TABLE, chosen=TABLE.way)

    assert told[0].endswith("First, write the rows as SQL: preflight restore 0061")
    assert told[1].startswith("A Then run it")
    assert "--file=rows.sql" in told[1]
    down = next(line for line in told if "--file=d.sql" in line)
    assert down.startswith("B Restore data: down")


def test_a_recorded_command_that_no_shell_reads_is_shown_as_it_is() -> None:
    odd = replace(DOWN, command="wrangler d1 execute 'x --file=d.sql")

    assert planned(odd)[0].endswith(f": {odd.command}")


@pytest.mark.parametrize("order", ["database first, then Worker", "Worker first, then database"])
def test_a_worker_whose_version_is_not_known_is_looked_for_first(order: str) -> None:
    session = scenes.rebuild()
    facts = DeployOrderFacts(order=order, worker="workway-api")
    session.script = {**scenes.outcomes(), "deploy_order": Outcome(Status.ATTESTED, "", facts)}
    told = commands(runbook(replace(TARGET, version=""), session.walked_to("ledger").record)[2:3])

    assert any("wrangler rollback '<version-id>'" in line or
               "wrangler rollback <version-id>" in line for line in told)  # fmt: skip
    assert any(line.startswith("wrangler deployments list") for line in told)


def test_a_worker_that_went_first_is_not_rolled_back_to_a_version_that_may_be_the_new_one() -> None:
    for scenario in runbook(TARGET, ordered("Worker first, then database")):
        for step in scenario.steps:
            assert "rollback 5f2c11aa" not in step.command
    steps = runbook(TARGET, ordered("Worker first, then database"))[2].steps
    listed = next(step for step in steps if "deployments list" in step.command)
    assert "5f2c11aa was live when the order was chosen; it may be the new one" in listed.words


def test_the_database_first_rolls_the_worker_back_only_if_it_is_live() -> None:
    steps = runbook(TARGET, ordered("database first, then Worker"))[2].steps
    back = next(step for step in steps if "rollback 5f2c11aa" in step.command)

    assert back.words.startswith("If the new Worker is live")
    assert back.is_ready


def test_rollback_paths_are_alternatives_with_their_cost() -> None:
    scenario = runbook(TARGET, walked())[2]
    options = [step for step in scenario.steps if step.option]
    letters = list(dict.fromkeys(step.option for step in options))
    choose = next(step for step in scenario.steps if step.words.startswith("Choose one"))

    assert letters == ["A", "B", "C"]
    assert choose.words == "Choose one, A, B or C: they are alternatives"
    for letter in letters:
        first = [step.words for step in options if step.option == letter]
        assert any("loses" in words or "rows stay lost" in words for words in first)
        assert any("locally" in words or "not measured" in words for words in first)
    assert [step.option for step in options if "time-travel" in step.command] == ["C", "C"]


def test_alternatives_share_a_number_and_have_letters() -> None:
    scenario = runbook(TARGET, walked())[2]
    labels = dict(zip((step.words for step in scenario.steps), scenario.labels, strict=True))
    choose = next(label for words, label in labels.items() if words.startswith("Choose one"))

    assert {f"{choose}A", f"{choose}B", f"{choose}C"} <= set(labels.values())
    assert labels[scenario.steps[-1].words] == str(int(choose) + 2)


def test_an_application_that_fails_on_sound_data_has_its_own_case() -> None:
    session = scenes.rebuild().walked_to("errors")
    errors = session.checklist.step("errors")
    session._begin(errors, {})
    session._finish(errors, Outcome(Status.FAILED, "Error rate 4 % is over the limit."))

    assert likely(session.record) == 3
    failing = runbook(TARGET, session.record)[3]
    assert failing.title == "applied, the app fails"
    told = commands((failing,))
    assert any(command.startswith("wrangler tail workway-api") for command in told)
    assert any("rollback 5f2c11aa" in command for command in told)
    options = [step.words for step in failing.steps if step.option]
    assert options[0].startswith("Deploy the Worker that fits the new schema")
    assert "the previous code runs on the new schema" in options[1]


def test_without_code_the_failing_application_has_no_older_worker() -> None:
    told = commands(runbook(TARGET, ordered("no code goes along"))[3:4])

    assert not any("wrangler rollback" in command for command in told)


def test_broken_data_comes_before_a_failing_application() -> None:
    session = scenes.rebuild().walked_to("errors")
    for step in map(session.checklist.step, ("rows", "errors")):
        session._begin(step, {})
        session._finish(step, Outcome(Status.FAILED, "12 rows are missing."))

    assert likely(session.record) == 2
