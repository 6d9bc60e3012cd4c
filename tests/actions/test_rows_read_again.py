"""Rows too long for a query's fingerprint are read again: before, rehearsed, or neither."""

import pytest

from actions.conftest import Walked
from actions.fake_target import Bench, cut
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.record import Status

EARLIER = "CREATE TABLE pages(id INTEGER PRIMARY KEY, title TEXT, body BLOB);\n"
ROWS = "INSERT INTO pages VALUES (1, 'a', zeroblob(6000)), (2, 'b', zeroblob(6000))"
SQL = "UPDATE pages SET title = title || '!';\n"


async def at_apply(walked: Walked) -> Bench:
    bench: Bench = await walked("applied", SQL, "transformative", earlier=EARLIER, rows=ROWS)
    return bench


async def lost(walked: Walked, then: str) -> Bench:
    """An apply that wrote no row into the ledger and answered nothing; what the rows hold now."""
    bench = await at_apply(walked)
    before = bench.target.connection.serialize("main")

    def undone() -> None:
        bench.target.connection.deserialize("main", before)
        bench.target.connection.execute(then)

    bench.target.then["apply"], bench.target.instead["apply"] = undone, cut
    assert (await bench.step("applied")).status is Status.UNKNOWN
    return bench


@pytest.mark.parametrize(
    ("then", "status", "words", "half_way"),
    [
        ("SELECT 1", Status.FAILED, "Checked: it was not applied", None),
        (SQL, Status.FAILED, "Half-way: the ledger has no row, but pages has", True),
        (
            f"{SQL.strip().rstrip(';')} WHERE id = 1",
            Status.UNKNOWN,
            "It is unknown whether it was applied",
            None,
        ),
        pytest.param(
            "UPDATE pages SET title = 'other'",
            Status.UNKNOWN,
            "It is unknown whether it was applied",
            None,
            marks=pytest.mark.matrix,
        ),
    ],
)
async def test_what_long_rows_hold_after_a_lost_reply_is_told_by_the_rows(
    walked: Walked, then: str, status: Status, words: str, *, half_way: bool | None
) -> None:
    bench = await lost(walked, then)

    attempt = await bench.step("applied")

    assert (attempt.status, attempt.words[: len(words)]) == (status, words)
    assert ApplyFacts.from_attempt(attempt).half_way is half_way
    assert bench.target.commands.count("apply") == 1


@pytest.mark.parametrize(
    ("change", "is_sent"),
    [("SELECT 1", True), ("UPDATE pages SET body = zeroblob(6001) WHERE id = 2", False)],
)
async def test_long_rows_that_moved_hold_the_apply(
    walked: Walked, change: str, *, is_sent: bool
) -> None:
    bench = await at_apply(walked)
    bench.target.connection.execute(change)

    attempt = await bench.step("applied")

    assert ("apply" in bench.target.commands) is is_sent
    assert ("pages" in ApplyFacts.from_attempt(attempt).moved) is not is_sent
