"""A clock that somebody sets, forwards or back: no wait ends early, and no age gets younger."""

import re
from datetime import timedelta
from hashlib import sha256

import pytest

from actions.conftest import Walked
from actions.fake_target import NAME, Bench, Clock, cut, invocations
from core.record_values import KEYS, START
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.record.apply_facts import ErrorRateFacts
from d1_preflight.core.record.record import Status
from d1_preflight.core.verify.verify import verify_record
from d1_preflight.report.fact_text import is_for_people
from sampling import sampled

MOVES = [timedelta(hours=-3), timedelta(minutes=-2), timedelta(minutes=2), timedelta(days=1)]


class Moved(Clock):
    """A clock that is set once, at its first sleep; what only grows is not touched by it."""

    def __init__(self, bench: Bench, by: timedelta) -> None:
        self.at, self.grown, self.by = bench.clock.at, 0.0, by

    def monotonic(self) -> float:
        return self.grown

    async def sleep(self, seconds: float) -> None:
        self.at, self.by = self.at + timedelta(seconds=seconds) + self.by, timedelta()
        self.grown += seconds


def moved(bench: Bench, by: timedelta) -> Moved:
    bench.clock = clock = Moved(bench, by)
    bench.opened()
    return clock


@pytest.mark.parametrize("by", MOVES, ids=str)
async def test_a_lost_reply_is_waited_for_as_long_as_a_statement_lives(
    walked: Walked, by: timedelta
) -> None:
    bench = await walked("applied")
    data = bench.target.connection.serialize("main")
    bench.target.then["apply"] = lambda: bench.target.connection.deserialize("main", data)
    bench.target.instead["apply"] = cut
    assert (await bench.step("applied")).status is Status.UNKNOWN
    clock = moved(bench, by)

    attempt = await bench.step("applied")

    assert "may be tried again" in attempt.words
    assert 45 <= clock.grown < 46


class Started(Moved):
    """The clock of a machine that was started once more; its seconds begin where the test says."""

    def __init__(self, bench: Bench, boot: str, grown: float) -> None:
        super().__init__(bench, timedelta())
        self.name, self.grown = boot, grown

    def boot(self) -> str:
        return self.name


async def lost_reply(walked: Walked, grown: float = 1_000.0) -> Bench:
    """An apply that did not arrive, and the first look that found nothing."""
    bench = await walked("applied")
    data = bench.target.connection.serialize("main")
    bench.target.then["apply"] = lambda: bench.target.connection.deserialize("main", data)
    bench.target.instead["apply"] = cut
    bench.clock = Started(bench, "this boot", grown)
    bench.opened()
    attempt = await bench.step("applied")
    assert attempt.status is Status.UNKNOWN
    shown = {key for key in attempt.facts if key.startswith("looked_") and is_for_people(key)}
    assert shown == {"looked_at"}
    return bench


@pytest.mark.parametrize(
    ("by", "boot", "later", "waits"),
    sampled(
        [
            (timedelta(days=1), "this boot", 2.0, 43.0),
            (timedelta(hours=-3), "this boot", 2.0, 43.0),
            (timedelta(), "this boot", 44.0, 1.0),
            (timedelta(), "this boot", 50.0, 0.0),
            (timedelta(days=1), "another boot", 50.0, 45.0),
            (timedelta(seconds=46), "another boot", -990.0, 45.0),
            (timedelta(days=1), "this boot", -5.0, 45.0),
        ],
        2,
    ),
)
async def test_a_clock_set_between_two_sessions_ends_no_wait_early(
    walked: Walked, by: timedelta, boot: str, later: float, waits: float
) -> None:
    bench = await lost_reply(walked)
    bench.clock = clock = Started(bench, boot, 1_000.0 + later)
    clock.at += by
    bench.opened()

    attempt = await bench.step("applied")

    assert "may be tried again" in attempt.words
    assert clock.grown - 1_000.0 - later == pytest.approx(waits)


async def test_a_record_that_knows_only_the_date_of_the_look_waits_anew(walked: Walked) -> None:
    bench = await lost_reply(walked)
    held = bench.store.held["record.toml"]
    bench.store.held["record.toml"] = re.sub(rb"\nfacts\.looked_(boot|uptime) = .*", b"", held)
    assert held.count(b"looked_") - bench.store.held["record.toml"].count(b"looked_") == 2
    bench.clock.at += timedelta(hours=1)
    bench.opened()

    await bench.step("applied")

    assert bench.clock.monotonic() == pytest.approx(1_045.0)


async def test_a_second_lost_reply_is_waited_for_from_its_own_look(walked: Walked) -> None:
    bench = await lost_reply(walked)
    assert "may be tried again" in (await bench.step("applied")).words
    begun = bench.clock.monotonic()
    assert (await bench.step("applied")).status is Status.UNKNOWN

    assert "may be tried again" in (await bench.step("applied")).words

    assert bench.clock.monotonic() - begun == pytest.approx(45.0, abs=1)


@pytest.mark.parametrize("by", MOVES, ids=str)
async def test_the_error_rate_is_watched_for_the_signed_time(walked: Walked, by: timedelta) -> None:
    bench = await walked("errors")
    bench.web.samples = [invocations((START, 100, 0))]
    clock = moved(bench, by)

    attempt = await bench.step("errors")

    assert attempt.status is Status.PROVED
    watch = bench.session.environment.settings.verification.watch_minutes * 60
    assert ErrorRateFacts.from_attempt(attempt).watched_s == watch == pytest.approx(clock.grown)


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(hours=5), timedelta(days=2)])
async def test_a_go_of_the_future_is_signed_again(walked: Walked, back: timedelta) -> None:
    bench = await walked("applied")
    bench.clock.at -= back

    go = bench.session.checklist.step("go")
    assert (bench.session.status_of(go) is Status.PENDING) is (back > timedelta(minutes=30))
    with pytest.raises(NotAllowed) as refused:
        await bench.step("applied")

    assert "behind the record's last answer" in refused.value.message
    assert "apply" not in bench.target.commands


async def test_a_clock_that_is_set_back_while_the_target_is_read_holds_the_apply(
    walked: Walked,
) -> None:
    bench = await walked("applied")

    def set_back() -> None:
        bench.clock.at -= timedelta(hours=1)

    bench.target.first["read"] = set_back

    attempt = await bench.step("applied")

    assert attempt.words.startswith("GO was signed at a time that this machine's clock has not")
    assert "apply" not in bench.target.commands


@pytest.mark.parametrize("seconds", [1, 59])
async def test_two_clocks_that_differ_by_seconds_hold_nothing(walked: Walked, seconds: int) -> None:
    bench = await walked("applied")
    bench.clock.at -= timedelta(seconds=seconds)

    assert (await bench.step("applied")).status is Status.PROVED
    assert bench.query(f"SELECT count(*) FROM d1_migrations WHERE name = '{NAME}'") == [(1,)]


def problems(bench: Bench) -> list[str]:
    digest = sha256(bench.files.own.text.encode()).hexdigest()
    found = verify_record(
        bench.store.files(), bench.session.checklist, KEYS, migration_sha256=digest
    )
    return [problem.words for problem in found.problems]


CORRECTED = ("go", "applied", "schema", "close", "bookmark", "rehearsed")


@pytest.mark.parametrize("step", sampled(CORRECTED, 3))
async def test_a_clock_corrected_by_seconds_leaves_a_record_that_verifies(
    walked: Walked, step: str
) -> None:
    bench = await walked(step)
    bench.clock.at -= timedelta(seconds=50)

    await bench.walk()

    assert bench.session.closed
    assert problems(bench) == []


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(days=2)], ids=str)
async def test_after_the_apply_no_clock_holds_its_end_up(walked: Walked, back: timedelta) -> None:
    bench = await walked("ledger")
    bench.clock.at -= back

    await bench.walk("errors")
    bench.session.waive(bench.session.checklist.step("errors"), "its clock was wrong")
    await bench.walk()

    assert bench.session.closed
    assert problems(bench) == []


@pytest.mark.parametrize("step", ["rehearsed", "bookmark", "go"])
async def test_before_it_a_clock_behind_the_record_holds_every_step(
    walked: Walked, step: str
) -> None:
    bench = await walked(step)
    bench.clock.at -= timedelta(hours=2)
    tried = len(bench.session.record.attempts)

    with pytest.raises(NotAllowed, match="clock is 2 h behind the record's last answer"):
        await bench.step(step)

    assert len(bench.session.record.attempts) == tried


@pytest.mark.parametrize(("minutes", "is_held"), [(100, False), (130, True)])
async def test_a_proof_that_grows_too_old_while_the_target_is_read_holds_the_apply(
    walked: Walked, minutes: int, *, is_held: bool
) -> None:
    bench = await walked("go", settings=Settings(go_minutes=240))
    assert (await bench.step("go")).status.is_answered
    once = iter((timedelta(minutes=minutes),))

    def time_passes() -> None:
        bench.clock.at += next(once, timedelta())

    bench.target.first["read"] = time_passes

    attempt = await bench.step("applied")

    assert ("is stale: " in attempt.words) is is_held
    assert ("apply" in bench.target.commands) is not is_held
