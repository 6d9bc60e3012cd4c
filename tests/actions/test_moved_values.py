"""Values that move between copy, GO and apply; commits that come late; two operators at once."""

import shutil
from collections.abc import Callable
from datetime import timedelta

import apsw
import pytest

from actions.conftest import Walked
from actions.fake_target import DESTRUCTIVE, NAME, Bench, Clock, cut, refused
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.checklist.answers import FIXED_MANUALLY, ROLLED_BACK
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.record import Attempt, Status
from sampling import sampled

LOWER = "UPDATE members SET role = lower(role);\n"
CHANGES = {
    "teams": (
        "UPDATE teams SET name = 'other' WHERE id = 'a'",
        "UPDATE teams SET old = NULL WHERE id = 'a'",
        "INSERT INTO teams VALUES ('c', 'C', 'y')",
        "DELETE FROM members WHERE team = 'b'; DELETE FROM teams WHERE id = 'b'",
        "UPDATE teams SET name = iif(id = 'a', 'B', 'A')",
    ),
    "members": (
        "UPDATE members SET role = 'guest' WHERE id = 2",
        "INSERT INTO members VALUES (9, 'a', 'GUEST')",
        "DELETE FROM members WHERE id = 1",
        "UPDATE members SET role = CAST(role AS BLOB) WHERE id = 1",
    ),
    "log": ("INSERT INTO log VALUES ('out')", "DELETE FROM log", "UPDATE log SET what = 'x'"),
}
EVERY = [(table, sql) for table, statements in CHANGES.items() for sql in statements]
DURING = [(moment, table, sql) for moment in ("before", "during") for table, sql in EVERY]
LATE = [(sql, seconds) for sql in (DESTRUCTIVE, LOWER) for seconds in (0, 5, 25, 29)]


async def attempt_after(bench: Bench, moment: str, sql: str) -> Attempt:
    """Apply, after somebody wrote before it, or while the target is read once more for it."""
    if moment == "before":
        bench.target.connection.execute(sql)
    else:
        once = iter((sql,))
        bench.target.first["read"] = lambda: bench.target.connection.execute(next(once, ""))
    return await bench.step("applied")


@pytest.mark.parametrize(("moment", "table", "sql"), sampled(DURING, 7))
async def test_a_destructive_migration_waits_where_a_touched_table_moved(
    walked: Walked, moment: str, table: str, sql: str
) -> None:
    bench = await walked("applied")
    attempt = await attempt_after(bench, moment, sql)

    touches = table == "teams"
    assert ("apply" in bench.target.commands) is not touches, attempt.words
    if touches:
        assert attempt.status is Status.FAILED
        assert "teams" in ApplyFacts.from_attempt(attempt).moved
        assert attempt.words.startswith("Stopped, nothing was sent")


@pytest.mark.parametrize(("table", "sql"), sampled(EVERY, 3))
async def test_a_data_migration_waits_where_a_touched_table_moved(
    walked: Walked, table: str, sql: str
) -> None:
    bench = await walked("applied", LOWER, "transformative")

    attempt = await attempt_after(bench, "before", sql)

    touches = table == "members" or "members" in sql
    assert ("apply" in bench.target.commands) is not touches, attempt.words


@pytest.mark.parametrize("sql", ["UPDATE teams SET name = 'x'", "UPDATE members SET role = 'x'"])
async def test_a_copy_that_was_changed_on_this_machine_holds_the_apply(
    walked: Walked, sql: str
) -> None:
    """The target has the same change: held against this copy, nothing would have moved."""
    bench = await walked("applied")
    persist = bench.local.file(Folder.COPY.of(bench.session.environment))
    for connection in (apsw.Connection(str(persist)), bench.target.connection):
        connection.execute(sql)

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "in the copy on this machine is not as it was when it was copied" in attempt.words
    assert "apply" not in bench.target.commands


async def test_a_living_table_is_rehearsed_again_and_applied(walked: Walked) -> None:
    bench = await walked("applied", LOWER, "transformative")
    bench.target.connection.execute("INSERT INTO members VALUES (9, 'a', 'GUEST')")
    held = await bench.step("applied")
    assert held.status is Status.FAILED
    bench.target.connection.execute("INSERT INTO members VALUES (10, 'a', 'GUEST')")

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED, attempt.words
    assert "members" in ApplyFacts.from_attempt(attempt).rehearsed_again
    await bench.walk("endpoints")
    assert bench.session.attempt("rows").status is Status.PROVED  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "by_hand",
    sampled(
        [LOWER, f"{LOWER} UPDATE members SET role = 'x' WHERE id = 2"], 2, ["alone", "and more"]
    ),
)
async def test_what_was_run_by_hand_is_never_run_again_however_often_it_is_tried(
    walked: Walked, by_hand: str
) -> None:
    bench = await walked("applied", LOWER, "transformative")
    bench.target.connection.execute(by_hand)

    first, *others = [(await bench.step("applied")).words for _ in range(4)]

    assert bench.target.reached == 0
    assert ("members holds exactly what the migration writes" in first) is (by_hand == LOWER)
    assert ("The next try" in first) is (by_hand != LOWER)
    assert all(" of members already hold what the migration writes" in told for told in others)


async def test_who_undoes_what_was_run_by_hand_may_apply(walked: Walked) -> None:
    bench = await walked("applied", LOWER, "transformative")
    bench.target.connection.execute(LOWER)
    held = [await bench.step("applied") for _ in range(2)]
    assert {attempt.status for attempt in held} == {Status.FAILED}
    bench.target.connection.execute("UPDATE members SET role = 'OWNER' WHERE id = 1")

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED, attempt.words


async def test_rows_that_cannot_be_read_again_leave_the_next_try_to_read_them(
    walked: Walked,
) -> None:
    bench = await walked("applied", LOWER, "transformative")
    bench.target.connection.execute("INSERT INTO members VALUES (9, 'a', 'GUEST')")
    assert (await bench.step("applied")).status is Status.FAILED
    reads = iter((None,))

    def once(ran: Evidence) -> Evidence:
        return ran if next(reads, "") is None else refused(ran.argv, "internal error")

    bench.target.instead["read"] = once
    unread = await bench.step("applied")
    del bench.target.instead["read"]
    applied = await bench.step("applied")

    assert (unread.status, applied.status) == (Status.FAILED, Status.PROVED), unread.words
    assert bench.target.reached == 1


async def test_on_living_rows_the_signed_loss_is_applied(walked: Walked) -> None:
    sql = "DELETE FROM members WHERE role = 'member';\n"
    bench = await walked("applied", sql, "destructive")
    bench.target.connection.execute("INSERT INTO members VALUES (9, 'a', 'GUEST')")
    assert (await bench.step("applied")).status is Status.FAILED

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED, attempt.words
    assert bench.query("SELECT id FROM members ORDER BY id") == [(1,), (3,), (9,)]


async def test_a_larger_loss_than_was_signed_is_not_applied(walked: Walked) -> None:
    sql = "DELETE FROM members WHERE role = 'member';\n"
    bench = await walked("applied", sql, "destructive")
    bench.target.connection.execute("UPDATE members SET role = 'member'")
    assert (await bench.step("applied")).status is Status.FAILED

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "loses more in members than was signed" in attempt.words
    assert "apply" not in bench.target.commands


class Late(Clock):
    """A clock in whose waiting time a statement commits, that many seconds after it was sent."""

    def __init__(self, after: float, commit: Callable[[], object]) -> None:
        super().__init__()
        self.due, self.commit, self.is_done = self.at + timedelta(seconds=after), commit, False

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.at >= self.due and not self.is_done:
            self.is_done = True
            self.commit()


@pytest.mark.parametrize(("sql", "seconds"), sampled(LATE, 3))
async def test_a_commit_that_comes_late_is_waited_for(
    walked: Walked, seconds: int, sql: str
) -> None:
    kind = "transformative" if sql == LOWER else "destructive"
    bench = await walked("applied", sql, kind)
    data = bench.target.connection.serialize("main")
    bench.target.then["apply"] = lambda: bench.target.connection.deserialize("main", data)
    bench.target.instead["apply"] = cut
    assert (await bench.step("applied")).status is Status.UNKNOWN
    late = Late(seconds, lambda: bench.target.apply(NAME, bench.files.own.text))
    late.at = bench.clock.at
    late.due = late.at + timedelta(seconds=seconds)
    bench.clock = late
    bench.opened()

    began = late.at

    attempt = await bench.step("applied")

    waited = (late.at - began).total_seconds()
    print(f"{kind}, committed {seconds} s late: {attempt.status} after {waited:.0f} s, sent once")
    assert attempt.status is Status.PROVED, attempt.words
    assert ApplyFacts.from_attempt(attempt).by == "unknown"
    assert bench.target.commands.count("apply") == 1


@pytest.mark.parametrize("sql", sampled(["ALTER TABLE teams DROP COLUMN old;\n", LOWER], 2))
async def test_what_never_committed_may_be_tried_again_after_the_wait(
    walked: Walked, sql: str
) -> None:
    kind = "transformative" if sql == LOWER else "destructive"
    bench = await walked("applied", sql, kind)
    data = bench.target.connection.serialize("main")
    bench.target.then["apply"] = lambda: bench.target.connection.deserialize("main", data)
    bench.target.instead["apply"] = cut
    sent = bench.clock.now()
    assert (await bench.step("applied")).status is Status.UNKNOWN

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "may be tried again" in attempt.words
    assert bench.clock.now() - sent >= timedelta(seconds=45)
    bench.target.then.clear()
    bench.target.instead.clear()
    assert (await bench.step("applied")).status is Status.PROVED


async def unseen(walked: Walked) -> Bench:
    """A data migration that was sent, whose reply was lost and which never committed."""
    bench = await walked("applied", LOWER, "transformative")
    data = bench.target.connection.serialize("main")
    bench.target.then["apply"] = lambda: bench.target.connection.deserialize("main", data)
    bench.target.instead["apply"] = cut
    assert (await bench.step("applied")).status is Status.UNKNOWN
    return bench


async def test_values_that_are_neither_need_a_persons_words(walked: Walked) -> None:
    bench = await unseen(walked)
    bench.target.connection.execute("UPDATE members SET role = 'else'")

    unknown = await bench.step("applied")
    still = await bench.step("applied", stands="")
    attested = await bench.step("applied", stands="I compared the rows: it was not applied")

    assert unknown.status is still.status is Status.UNKNOWN
    assert "members" in unknown.words
    assert attested.status is Status.ATTESTED
    assert bench.target.commands.count("apply") == 1
    assert (await bench.step("ledger")).status is Status.FAILED
    explained = await bench.step("ledger", explanation="it never committed")
    assert explained.status is Status.ATTESTED
    assert (await bench.step("schema")).status is Status.PROVED
    assert (await bench.step("rows")).status is Status.FAILED
    await bench.walk("close", explanation="somebody wrote every role anew")
    closed = await bench.step("close", end=FIXED_MANUALLY, verdict="done by hand")
    assert closed.status is Status.ATTESTED, closed.words


async def test_rehearsed_values_without_a_ledger_row_are_half_way(walked: Walked) -> None:
    bench = await unseen(walked)
    bench.target.connection.execute(LOWER)

    attempt = await bench.step("applied")

    facts = ApplyFacts.from_attempt(attempt)
    assert (attempt.status, facts.half_way) == (Status.FAILED, True)
    assert "members has what the migration writes" in attempt.words
    with pytest.raises(NotAllowed, match="has to wait"):  # the backup is the one rollback path
        await bench.step("backed_up")


async def test_without_the_copy_nobody_can_tell_what_the_tables_hold(walked: Walked) -> None:
    bench = await unseen(walked)
    shutil.rmtree(Folder.COPY.of(bench.session.environment))

    attempt = await bench.step("applied")

    assert attempt.status is Status.UNKNOWN
    assert ApplyFacts.from_attempt(attempt).moved == ("members",)
    assert bench.target.commands.count("apply") == 1


RACES = [
    (kind, sql, call, side)
    for kind, sql in (("destructive", DESTRUCTIVE), ("transformative", LOWER))
    for call in range(1, 6)
    for side in ("before", "after")
]


@pytest.mark.parametrize(("kind", "sql", "call", "side"), sampled(RACES, 5))
async def test_of_two_operators_only_one_applies_and_says_so(
    walked: Walked, kind: str, sql: str, call: int, side: str
) -> None:
    """The other one applies before or after each call of ours, or when ours has ended."""
    ours, theirs = await walked("applied", sql, kind), await walked("applied", sql, kind)
    theirs.target.connection = ours.target.connection
    other: list[Attempt] = []
    real = ours.target.run

    async def run(*args: object, **named: object) -> object:
        is_now = len(ours.target.calls) == call - 1 and not other
        if is_now and side == "before":
            other.append(await theirs.step("applied"))
        ran = await real(*args, **named)  # type: ignore[arg-type]
        if is_now and side == "after":
            other.append(await theirs.step("applied"))
        return ran

    ours.target.run = run  # type: ignore[method-assign, assignment]
    mine = await ours.step("applied")
    if not other:
        other.append(await theirs.step("applied"))

    found = [ApplyFacts.from_attempt(attempt).by or "" for attempt in (mine, other[0])]
    print(f"{kind}, {side} call {call}: ours {found[0] or 'held'}, theirs {found[1] or 'held'}")
    assert sorted(found) in (["", "us"], ["another", "us"])
    for by, attempt in zip(found, (mine, other[0]), strict=True):
        assert attempt.words.startswith("Applied: ") is (by == "us"), attempt.words
    rows = ours.query(f"SELECT count(*) FROM d1_migrations WHERE name = '{NAME}'")
    assert rows == [(1,)]


@pytest.mark.parametrize(
    ("sql", "status"),
    [("UPDATE members SET role = 'OWNER' WHERE id = 1", Status.ATTESTED), ("", Status.FAILED)],
)
async def test_a_data_migration_is_rolled_back_when_its_values_are_those_from_before(
    walked: Walked, sql: str, status: Status
) -> None:
    bench = await walked("close", LOWER, "transformative")
    bench.target.connection.execute(sql)

    attempt = await bench.step("close", end=ROLLED_BACK, verdict="fine")

    assert attempt.status is status, attempt.words
    assert ("members (other values)" in attempt.words) is (status is Status.FAILED)


async def test_an_apply_that_was_held_is_not_taken_for_one_that_was_refused(
    walked: Walked,
) -> None:
    bench = await walked("applied", LOWER, "transformative")
    bench.target.connection.execute("UPDATE members SET role = 'guest' WHERE id = 2")
    assert (await bench.step("applied")).status is Status.FAILED
    bench.target.apply(NAME, "UPDATE members SET role = 'theirs'")  # another's, of another text

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "already in the ledger, and not by this record" in attempt.words
    assert "apply" not in bench.target.commands


async def test_what_a_command_can_show_is_not_asked_of_a_person(walked: Walked) -> None:
    bench = await unseen(walked)
    bench.target.connection.execute("UPDATE members SET role = 'else'")
    assert (await bench.step("applied")).status is Status.UNKNOWN
    bench.target.apply(NAME, bench.files.own.text)

    attempt = await bench.step("applied", stands="I think that it was not applied")

    assert attempt.status is Status.PROVED
    assert "ledger row" in attempt.words


async def test_the_time_of_the_wait_begins_when_the_sender_is_gone(walked: Walked) -> None:
    bench = await walked("applied")
    data = bench.target.connection.serialize("main")
    bench.target.then["apply"] = lambda: bench.target.connection.deserialize("main", data)
    bench.target.instead["apply"], bench.target.writing = cut, True
    attempt = await bench.step("applied")
    assert "looked_at" not in attempt.facts
    bench.clock.at += timedelta(minutes=2)
    bench.target.writing = False
    gone = bench.clock.now()

    await bench.step("applied")

    assert bench.clock.now() - gone >= timedelta(seconds=45)


async def test_more_values_lost_with_a_column_than_were_signed_are_not_applied(
    walked: Walked,
) -> None:
    bench = await walked("applied")
    bench.target.connection.execute("UPDATE teams SET old = 'more'")
    assert (await bench.step("applied")).status is Status.FAILED

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "loses more in teams than was signed" in attempt.words
    assert "apply" not in bench.target.commands


async def test_a_go_that_expires_while_it_is_rehearsed_again_is_not_applied(
    walked: Walked,
) -> None:
    bench = await walked("applied", LOWER, "transformative")
    bench.target.connection.execute("INSERT INTO members VALUES (9, 'a', 'GUEST')")
    assert (await bench.step("applied")).status is Status.FAILED

    def takes_long() -> None:
        bench.clock.at += timedelta(minutes=31)

    bench.target.first["rehearse"] = takes_long
    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "expired" in attempt.words
    assert "apply" not in bench.target.commands


async def test_a_target_that_cannot_say_its_values_is_not_applied_to(walked: Walked) -> None:
    bench = await walked("applied")

    def no_function(ran: Evidence) -> Evidence:
        asks = any("atan2" in word for word in ran.argv)
        return refused(ran.argv, "no such function: atan2: SQLITE_ERROR") if asks else ran

    bench.target.instead["read"] = no_function
    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "could not say which values" in attempt.words
    assert "apply" not in bench.target.commands
