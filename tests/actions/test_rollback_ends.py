"""Every end of the rollback path, and of the close that says which one was gone."""

from collections.abc import Mapping

import pytest

from actions.conftest import Walked
from actions.fake_target import ADDITIVE, NAME, Bench, cut
from d1_preflight.actions.deploy_order import order_prompts
from d1_preflight.actions.rollback import (
    NONE,
    down_prompts,
    way_back_prompts,
)
from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT, ROLLED_BACK
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.record import Status
from sampling import sampled

UNDO = "ALTER TABLE teams ADD COLUMN old TEXT;\n"


def down(bench: Bench, sql: str) -> None:
    bench.files.down_file = Migration.from_text(NAME, sql)
    bench.opened()


async def test_a_down_file_that_is_there_is_asked_nothing(walked: Walked) -> None:
    bench = await walked("down_written")
    down(bench, UNDO)
    step = bench.session.checklist.step("down_written")
    assert down_prompts(bench.session.context(step)) == ()

    attempt = await bench.step("down_written")

    assert attempt.status is Status.PROVED
    assert attempt.words == f"migrations/down/{NAME} exists."
    assert attempt.facts["source"] == "found"


async def test_no_down_file_is_attested_and_none_is_tried(walked: Walked) -> None:
    bench = await walked("down_written")

    attempt = await bench.step("down_written", down=NONE)

    assert attempt.status is Status.ATTESTED
    assert attempt.words == (
        "No down migration: the rollback path is the backup. Reason: looked at, and fine"
    )
    assert bench.files.down_file is None


async def test_a_draft_that_is_read_back_otherwise_fails(walked: Walked) -> None:
    bench = await walked("down_written")
    bench.files.spoils = "-- and more\n"

    attempt = await bench.step("down_written")

    assert attempt.status is Status.FAILED
    assert attempt.words == (
        f"migrations/down/{NAME} differs from what was written. Check it, then try again."
    )


@pytest.mark.parametrize(
    ("sql", "status", "words"),
    sampled(
        [
            (UNDO, Status.PROVED, "Schema restored, 1 row differs from before"),
            (
                "ALTER TABLE teams ADD COLUMN older TEXT;\n",
                Status.FAILED,
                "Schema differs, 1 row differs from before: ",
            ),
            (
                f"{UNDO}DELETE FROM members;\n",
                Status.PROVED,
                "Schema restored, 3 rows stay lost",
            ),
            (
                f"{UNDO}UPDATE teams SET old = 'x' WHERE id = 'a';\n",
                Status.PROVED,
                "Schema restored, every row as before",
            ),
            (f"{UNDO}DROP INDEX members_team;\n", Status.FAILED, "Schema differs, 1 row differs"),
        ],
        2,
    ),
)
async def test_a_down_file_is_judged_by_what_it_gives_back(
    walked: Walked, sql: str, status: Status, words: str
) -> None:
    bench = await walked("down_tested")
    down(bench, sql)
    await bench.step("down_written")

    attempt = await bench.step("down_tested")

    assert attempt.status is status
    assert attempt.words.startswith(words)
    assert bench.target.kept[-1] is None


async def test_a_down_file_that_does_not_run_fails(walked: Walked) -> None:
    bench = await walked("down_tested")
    down(bench, "DROP TABLE nowhere;\n")
    await bench.step("down_written")

    attempt = await bench.step("down_tested")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("The down migration does not run: The database refused")
    assert attempt.facts == {"verdict": "does not run"}


async def test_the_rollback_paths_are_those_that_were_proved_the_mildest_first(
    walked: Walked,
) -> None:
    bench = await walked("way_back")
    step = bench.session.checklist.step("way_back")

    (prompt,) = way_back_prompts(bench.session.context(step))
    assert prompt.choices == ("table restore", "down migration", "time travel")
    assert prompt.help.splitlines() == [
        "table restore: loses later writes to the rows it restores",
        "down migration: loses values in 1 row",
        "time travel: loses every write since",
    ]

    attempt = await bench.step("way_back", way="time travel")
    assert attempt.status is Status.ATTESTED
    assert attempt.words == "Time travel; loses every write since."
    ways = attempt.facts["ways"]
    assert isinstance(ways, tuple)
    commands = {way["way"]: str(way["command"]) for way in ways if isinstance(way, Mapping)}
    assert commands["table restore"] == "preflight restore 0002_rebuild_teams"
    assert commands["time travel"].endswith("--bookmark 00000001-bookmark")
    assert commands["down migration"].endswith(f"--remote --file=migrations/down/{NAME}")


async def test_a_down_file_that_leaves_another_schema_is_no_path(walked: Walked) -> None:
    bench = await walked("way_back", ADDITIVE, "additive")
    step = bench.session.checklist.step("way_back")

    (prompt,) = way_back_prompts(bench.session.context(step))

    assert prompt.choices == ("leave it", "time travel")


async def test_a_migration_that_passes_others_by_says_why(walked: Walked) -> None:
    bench = await walked("copied", ADDITIVE, "additive")
    earlier = tuple(Migration.from_text(f"0001_y{n}.sql", "SELECT 1;") for n in range(5))
    bench.files.others = (*bench.files.others, *earlier)
    await bench.walk("deploy_order")
    step = bench.session.checklist.step("deploy_order")

    (prompt,) = order_prompts(bench.session.context(step))
    assert prompt.label == (
        "Pending before it: 0001_y0.sql, 0001_y1.sql, 0001_y2.sql and 2 more."
        " Why is this one first?"
    )
    attempt = await bench.step("deploy_order", out_of_order="they wait for the new Worker")
    passed = ", ".join(file.name for file in earlier)
    assert attempt.facts["out_of_order"] == f"{passed}: they wait for the new Worker"


# The close: what the operator says is held against the database.

NOT_FIXED = "nothing was fixed manually. Choose how it really ended."
NOT_BEFORE = "The schema differs from before"
NEITHER = "If it is not the rehearsed one either, choose “fixed manually”."
INDEX = "create index members_team on members ( team )"
ENDS = {
    "kept": (KEPT, "", Status.ATTESTED, "fine"),
    "kept, but the row is gone": (
        KEPT,
        f"DELETE FROM d1_migrations WHERE name = '{NAME}'",
        Status.FAILED,
        f"The ledger no longer has a row for {NAME}, so it was not kept.",
    ),
    "kept, but the schema is another one": (
        KEPT,
        "CREATE TABLE more(a)",
        Status.FAILED,
        "The schema is no longer the rehearsed one: “rolled back”, or “fixed manually”?",
    ),
    "rolled back": (ROLLED_BACK, UNDO, Status.ATTESTED, "Rolled back. fine"),
    "rolled back, but nothing was": (
        ROLLED_BACK,
        "",
        Status.FAILED,
        f"{NOT_BEFORE}: column teams.old is gone: TEXT. {NEITHER}",
    ),
    "rolled back by half": (
        ROLLED_BACK,
        f"{UNDO}DROP INDEX members_team",
        Status.FAILED,
        f"{NOT_BEFORE}: index members_team is gone: {INDEX}. {NEITHER}",
    ),
    "fixed manually": (
        FIXED_MANUALLY,
        "CREATE TABLE more(a)",
        Status.ATTESTED,
        "Fixed manually. fine",
    ),
    "fixed manually, but nothing was": (
        FIXED_MANUALLY,
        "",
        Status.FAILED,
        f"The schema is the rehearsed one: {NOT_FIXED}",
    ),
    "fixed manually, but it is as before": (
        FIXED_MANUALLY,
        UNDO,
        Status.FAILED,
        f"The schema is the one from before: {NOT_FIXED}",
    ),
}


@pytest.mark.parametrize(("end", "sql", "status", "words"), ENDS.values(), ids=ENDS.keys())
async def test_how_it_ended_is_what_the_database_says(
    walked: Walked, end: str, sql: str, status: Status, words: str
) -> None:
    bench = await walked("close")
    bench.target.connection.execute(sql)

    attempt = await bench.step("close", end=end, verdict="fine")

    assert (attempt.status, attempt.words) == (status, words)
    assert bench.session.closed is (status is Status.ATTESTED)
    assert attempt.facts["end"] == end
    assert ("record.toml.sig" in bench.store.held) is bench.session.closed


async def test_a_close_that_cannot_read_the_database_is_none(walked: Walked) -> None:
    bench = await walked("close")
    bench.target.instead["read"] = cut

    attempt = await bench.step("close", end=KEPT, verdict="fine")

    assert attempt.status is Status.UNKNOWN
    assert not bench.session.closed


@pytest.mark.parametrize(("there", "status"), [(True, Status.ATTESTED), (False, Status.UNKNOWN)])
async def test_a_schema_in_other_words_is_the_one_from_before_by_its_copy(
    walked: Walked, status: Status, *, there: bool
) -> None:
    bench = await walked("close")
    bench.target.connection.execute('ALTER TABLE teams ADD COLUMN "old" TEXT')
    if not there:
        bench.local.file(bench.folder / ".preflight" / "copy" / "d1").unlink()

    attempt = await bench.step("close", end=ROLLED_BACK, verdict="fine")

    assert attempt.status is status


async def test_a_manual_fix_says_in_what_it_differs(walked: Walked) -> None:
    bench = await walked("close")
    bench.target.connection.execute("CREATE TABLE more(a); DROP VIEW roles")

    attempt = await bench.step("close", end=FIXED_MANUALLY, verdict="fine")

    differs = attempt.facts["differs"]
    assert isinstance(differs, tuple)
    assert len(differs) == 2
    assert any("more" in str(words) for words in differs)
    assert any("roles" in str(words) for words in differs)
