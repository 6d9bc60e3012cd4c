"""A look at the target serves the steps after it while it is new; a write or time ends that."""

from datetime import timedelta
from pathlib import Path

import pytest

from actions.conftest import Walked
from actions.fake_target import NAME, Bench, failed
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.record.record import Status

_WORKERS = {"deployments", "versions"}


async def test_a_plain_walk_asks_the_database_nine_times_at_most(tmp_path: Path) -> None:
    bench = await Bench(tmp_path).walk()

    remote = [word for word in bench.target.commands if word not in {"rehearse", "down"}]
    assert len([word for word in remote if word not in _WORKERS]) <= 9
    assert remote.count("apply") == 1
    at = remote.index("apply")
    assert remote[at - 1] == remote[at + 1] == "read"  # re-checked right before, seen right after


async def test_the_look_after_the_apply_serves_ledger_schema_and_rows(walked: Walked) -> None:
    bench = await walked("applied")
    applied = await bench.step("applied")
    asked = len(bench.target.calls)

    for step in ("ledger", "schema", "rows"):
        attempt = await bench.step(step)
        assert attempt.status is Status.PROVED
        assert attempt.evidence == applied.evidence[-1:]

    assert len(bench.target.calls) == asked


async def test_an_older_look_serves_no_more(walked: Walked) -> None:
    bench = await walked("applied")
    await bench.step("applied")
    bench.target.connection.execute("DELETE FROM d1_migrations WHERE name = ?", (NAME,))
    bench.clock.at += timedelta(seconds=90)

    assert (await bench.step("ledger")).status is Status.FAILED


async def test_who_asks_for_the_ledger_again_is_given_a_new_look(walked: Walked) -> None:
    bench = await walked("applied")
    await bench.step("applied")
    await bench.step("ledger")
    bench.target.connection.execute("DELETE FROM d1_migrations WHERE name = ?", (NAME,))

    assert (await bench.step("ledger")).status is Status.FAILED


async def test_what_cannot_all_be_read_at_once_hides_no_applied_row(walked: Walked) -> None:
    bench = await walked("applied")
    refused = iter((failed("too much at once"),))

    def whole_is_refused() -> None:
        if refuse := next(refused, None):
            bench.target.instead["read"] = refuse
        else:
            bench.target.instead.pop("read", None)

    bench.target.then["apply"] = lambda: bench.target.first.update(read=whole_is_refused)

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED
    assert attempt.words.startswith("Applied: ledger row 2")
    bench.target.instead.pop("read", None)
    asked = len(bench.target.calls)
    assert (await bench.step("ledger")).status is Status.PROVED
    assert len(bench.target.calls) == asked + 1


async def test_the_copys_own_look_serves_the_counts_once(tmp_path: Path) -> None:
    bench = await Bench(tmp_path).walk("counted")
    asked = bench.target.commands.count("read")
    assert (await bench.step("counted")).status is Status.PROVED
    assert bench.target.commands.count("read") == asked

    bench.target.connection.execute("CREATE TABLE more(a)")
    assert (await bench.step("counted")).status is Status.FAILED


@pytest.mark.parametrize(
    ("drift", "reads"),
    [
        ("CREATE INDEX extra ON members(role)", 1),
        pytest.param("CREATE VIEW named AS SELECT name FROM teams", 1, marks=pytest.mark.matrix),
        pytest.param("DROP TRIGGER logged", 1, marks=pytest.mark.matrix),
        ("ALTER TABLE members ADD COLUMN more TEXT", 2),
        ("CREATE TABLE more(id INTEGER PRIMARY KEY)", 2),
    ],
)
async def test_only_other_tables_than_the_files_make_are_asked_for_their_rows_again(
    tmp_path: Path, drift: str, reads: int
) -> None:
    bench = Bench(tmp_path)
    bench.target.connection.execute(drift)

    await bench.walk("rehearsed")

    assert bench.target.commands.count("read") == reads
    copied = bench.local.schema(Folder.COPY.of(bench.session.environment))
    seen = bench.session.environment.cache.observation
    assert seen is not None
    assert copied.fingerprint == seen.schema.fingerprint
