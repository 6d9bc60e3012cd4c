"""Another tool's ledger beside wrangler's: both rows in one batch, or nothing is applied."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from actions.conftest import Walked
from actions.fake_target import ADDITIVE, DESTRUCTIVE, EARLIER, NAME, ROWS, Bench, lost
from core.record_values import KEYS
from d1_preflight.actions.apply import apply_plan
from d1_preflight.core.record.change_facts import CopyFacts
from d1_preflight.core.record.record import Attempt, Status
from d1_preflight.core.record.signed_plan import GO_FILE, SignedPlan
from d1_preflight.core.verify.verify import verify_record
from sampling import sampled

DRIZZLE = (
    'CREATE TABLE "__drizzle_migrations"(id SERIAL PRIMARY KEY, hash text NOT NULL, '
    "created_at numeric);"
)
OWN = (
    "CREATE TABLE app_migrations(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
    "at TEXT DEFAULT CURRENT_TIMESTAMP);"
)
FIRST, SECOND = 1_709_543_564_000, 1_709_629_964_000


def drizzle(
    folder: Path, *, sql: str = ADDITIVE, kind: str = "additive", ledger: str = DRIZZLE
) -> Bench:
    """A target that drizzle migrated, with its journal."""
    bench = Bench(folder, sql, kind, earlier=EARLIER + ledger, rows=ROWS)
    migrated(bench)
    return bench


def migrated(bench: Bench) -> None:
    """Drizzle ran the earlier file, and its journal knows both."""
    (prior,) = bench.files.others
    bench.files.times = {prior.name: FIRST, NAME: SECOND}
    insert = "INSERT INTO __drizzle_migrations(hash, created_at) VALUES (?, ?)"
    bench.target.connection.execute(insert, (prior.sha256, FIRST))


async def at_apply(walked: Walked) -> Bench:
    bench: Bench = await walked(
        "applied", ADDITIVE, "additive", earlier=EARLIER + DRIZZLE, prepare=migrated
    )
    return bench


def own(folder: Path, said: str = "0001_prior_state", ledger: str = OWN) -> Bench:
    """A target whose program notes names in a table of its own."""
    bench = Bench(folder, ADDITIVE, "additive", earlier=EARLIER + ledger, rows=ROWS)
    bench.target.connection.execute("INSERT INTO app_migrations(name) VALUES (?)", (said,))
    return bench


async def copied(bench: Bench) -> Attempt:
    await bench.walk("copied")
    return await bench.step("copied")


@pytest.mark.parametrize(
    ("sql", "kind"), sampled([(DESTRUCTIVE, "destructive"), (ADDITIVE, "additive")], 2)
)
async def test_both_rows_are_written_in_one_act_and_seen(
    tmp_path: Path, sql: str, kind: str
) -> None:
    bench = drizzle(tmp_path, sql=sql, kind=kind)
    own_file = bench.files.own

    await bench.walk("applied")
    step = bench.session.checklist.step("applied")
    plan = apply_plan(bench.session.context(step))
    await bench.walk()

    insert = (
        'INSERT INTO "__drizzle_migrations" ("hash", "created_at")'
        f" VALUES ('{own_file.sha256}', {SECOND});"
    )
    assert f"in the same batch: {insert}" in plan
    signed = SignedPlan.from_bytes(bench.store.held[GO_FILE])
    assert signed.proofs.also_writes == (insert,)
    assert bench.query("SELECT * FROM __drizzle_migrations ORDER BY created_at")[1:] == [
        (None, own_file.sha256, SECOND)
    ]
    assert bench.target.reached == 1
    assert bench.session.closed
    ledger = bench.session.attempt("ledger")
    assert ledger is not None
    assert ledger.words.endswith("__drizzle_migrations has its row, too.")
    found = verify_record(bench.store.files(), bench.session.checklist, KEYS)
    assert [problem.words for problem in found.problems] == []


@pytest.mark.parametrize(
    ("said", "row"),
    [
        ("0001_prior_state", "0002_rebuild_teams"),
        pytest.param("0001_prior_state.sql", NAME, marks=pytest.mark.matrix),
        pytest.param("0001", "0002", marks=pytest.mark.matrix),
        ("1", "2"),
    ],
)
async def test_a_program_of_ones_own_gets_the_name_in_its_own_form(
    tmp_path: Path, said: str, row: str
) -> None:
    bench = own(tmp_path, said)

    attempt = await copied(bench)

    (beside,) = CopyFacts.from_attempt(attempt).beside
    assert beside.sql == f'INSERT INTO "app_migrations" ("name") VALUES (\'{row}\');'


async def test_a_hand_made_ledger_is_walked_to_the_close(tmp_path: Path) -> None:
    bench = await own(tmp_path).walk()

    assert bench.session.closed
    rows = bench.query("SELECT name, at IS NOT NULL FROM app_migrations ORDER BY id")
    assert rows[1:] == [("0002_rebuild_teams", 1)]


def without_journal(bench: Bench) -> None:
    bench.files.times = {}


def earlier_time(bench: Bench) -> None:
    bench.files.times[NAME] = FIRST


def another_row(bench: Bench) -> None:
    row = "INSERT INTO __drizzle_migrations(hash, created_at) VALUES ('abc', 1)"
    bench.target.connection.execute(row)


def no_row_of_wranglers(bench: Bench) -> None:
    bench.target.connection.execute("DELETE FROM d1_migrations")


def another_time(bench: Bench) -> None:
    bench.target.connection.execute("UPDATE __drizzle_migrations SET created_at = 7")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_journal, "journal has no time for 0001_prior_state.sql"),
        (earlier_time, "drizzle would skip 0002_rebuild_teams.sql: its time"),
        (another_row, "its rows do not match the files"),
        (no_row_of_wranglers, "its rows do not match the files"),
        (another_time, "its rows do not match the files"),
    ],
)  # fmt: skip
async def test_where_drizzles_row_is_not_surely_known_nothing_is_applied(
    tmp_path: Path, spoil: object, words: str
) -> None:
    bench = drizzle(tmp_path)
    assert callable(spoil)
    spoil(bench)

    attempt = await copied(bench)

    assert attempt.status is Status.FAILED
    assert words in attempt.words
    assert "ignore_ledgers" in attempt.words


LEDGERS: Mapping[str, tuple[str, str]] = {
    "a column that no default fills": (OWN.replace(" DEFAULT CURRENT_TIMESTAMP", ""), "into at"),
    "a default that is no time": (OWN.replace("at TEXT", "batch INT DEFAULT 1, at TEXT"), "batch"),
    "drizzle's of another version": (
        "CREATE TABLE app_migrations(id INTEGER, hash TEXT, created_at INT, name TEXT);",
        "its columns are not those",
    ),
    "Prisma's": (
        "CREATE TABLE app_migrations(name TEXT, migration_name TEXT, checksum, finished_at);",
        "Prisma writes more there",
    ),
}


@pytest.mark.parametrize("case", LEDGERS)
async def test_a_ledger_of_another_shape_is_refused(tmp_path: Path, case: str) -> None:
    ledger, words = LEDGERS[case]
    bench = own(tmp_path, ledger=ledger)

    attempt = await copied(bench)

    assert attempt.status is Status.FAILED
    assert words in attempt.words


async def test_a_name_that_is_no_file_of_ours_is_refused(tmp_path: Path) -> None:
    attempt = await copied(own(tmp_path, "create the first tables"))

    assert attempt.status is Status.FAILED
    assert "its rows do not match the files" in attempt.words


async def test_a_file_that_changes_the_ledger_itself_is_refused(tmp_path: Path) -> None:
    insert = "INSERT INTO __drizzle_migrations(hash, created_at) VALUES ('a', 1);"

    attempt = await copied(drizzle(tmp_path, sql=ADDITIVE + insert))

    assert attempt.status is Status.FAILED
    assert "the file itself changes that table" in attempt.words


@pytest.mark.parametrize("what", sampled(["ledger", "journal"], 2))
async def test_what_changed_after_go_is_not_applied(walked: Walked, what: str) -> None:
    bench = await at_apply(walked)
    if what == "ledger":
        another_row(bench)
    else:
        bench.files.times[NAME] = SECOND + 1

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "__drizzle_migrations or its tool's journal changed" in attempt.words
    assert bench.target.reached == 0


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_killed_apply_has_both_rows_or_neither(walked: Walked, *, arrived: bool) -> None:
    bench = await at_apply(walked)
    real = bench.target.apply

    class Killed(BaseException):
        """The process died here."""

    def apply(name: str, sql: str) -> None:
        if arrived:
            real(name, sql)
        raise Killed

    bench.target.apply = apply  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await bench.step("applied")
    bench.target.apply = real  # type: ignore[method-assign]

    bench.opened()
    attempt = await bench.step("applied")

    assert attempt.status is (Status.PROVED if arrived else Status.FAILED)
    await bench.walk()
    assert bench.session.closed
    assert bench.target.reached == (1 if arrived else 2)
    assert bench.query("SELECT count(*) FROM __drizzle_migrations") == [(2,)]
    assert bench.query("SELECT count(*) FROM d1_migrations") == [(2,)]


async def test_a_batch_that_fails_leaves_neither_row(walked: Walked) -> None:
    bench = await at_apply(walked)
    refuse = "CREATE TRIGGER no BEFORE INSERT ON d1_migrations BEGIN SELECT RAISE(ABORT, 'no'); END"
    bench.target.first["apply"] = bench.writes(refuse)

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert bench.query("SELECT count(*) FROM __drizzle_migrations") == [(1,)]


async def test_who_applied_by_wrangler_alone_left_the_other_ledger_without_its_row(
    walked: Walked,
) -> None:
    bench = await at_apply(walked)
    bench.target.instead["apply"] = lost
    bench.target.then["apply"] = bench.writes(
        f"DELETE FROM __drizzle_migrations WHERE created_at = {SECOND}"
    )
    await bench.step("applied")

    attempt = await bench.step("ledger")

    assert attempt.status is Status.FAILED
    assert "But __drizzle_migrations has no row for it: INSERT INTO" in attempt.words
