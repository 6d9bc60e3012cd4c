"""Every end of the verification: a difference, an error or silence is never a pass."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import pytest

from actions.conftest import Walked
from actions.fake_target import NAME, Bench, cut, invocations
from d1_preflight.actions.verification import row_prompts
from d1_preflight.adapters.http import ProbeResult
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.project.settings import Settings, Verification
from d1_preflight.core.record.record import Outcome, Status

APPLIED_AT = "2026-11-23T14:30:00Z"  # as the fake's ledger says
FINE = ProbeResult(200, 12, ok=True, words="200 in 12 ms")
BROKEN = ProbeResult(500, 9, ok=False, words="answered 500")
SILENT = ProbeResult(None, 10_000, ok=False, words="did not answer")


async def test_a_ledger_without_the_row_fails(walked: Walked) -> None:
    bench = await walked("ledger")
    bench.target.connection.execute("DELETE FROM d1_migrations WHERE name = ?", (NAME,))

    attempt = await bench.step("ledger")

    assert attempt.status is Status.FAILED
    assert attempt.words == f"The ledger has no row for {NAME}. See the emergency card."


async def test_a_row_that_is_missing_after_a_proved_apply_is_not_explained_away(
    walked: Walked,
) -> None:
    bench = await walked("ledger")
    step = bench.session.checklist.step("ledger")
    bench.target.connection.execute("DELETE FROM d1_migrations WHERE name = ?", (NAME,))
    await bench.step("ledger")

    assert bench.session.prompts(step) == ()
    assert (await bench.step("ledger", explanation="Ana took it out.")).status is Status.FAILED


async def test_the_ledgers_row_is_kept(walked: Walked) -> None:
    bench = await walked("ledger")

    attempt = await bench.step("ledger")

    assert attempt.status is Status.PROVED
    assert attempt.facts == {"id": 2, "name": NAME, "applied_at": "2026-11-23 14:30:00"}


@pytest.mark.parametrize("step", ["ledger", "schema", "rows"])
async def test_a_target_that_does_not_answer_proves_nothing(walked: Walked, step: str) -> None:
    bench = await walked(step)
    bench.target.instead["read"] = cut

    assert (await bench.step(step)).status is Status.UNKNOWN


DIFFERENCES = {
    "a table": "CREATE TABLE more(a)",
    "a column": "ALTER TABLE log ADD COLUMN at INTEGER",
    "an index that went": "DROP INDEX members_team",
    "an index that came": "CREATE INDEX more ON log(what)",
    "a trigger that went": "DROP TRIGGER logged",
    "a view that went": "DROP VIEW roles",
    "another view": "DROP VIEW roles; CREATE VIEW roles AS SELECT id FROM members",
}


@pytest.mark.parametrize("sql", DIFFERENCES.values(), ids=DIFFERENCES.keys())
async def test_every_difference_from_the_rehearsed_schema_fails(walked: Walked, sql: str) -> None:
    bench = await walked("schema")
    bench.target.connection.execute(sql)

    attempt = await bench.step("schema")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("1 difference from the rehearsal: ")
    assert attempt.facts["equal"] is False
    assert attempt.facts["differences"] == (attempt.words.partition(": ")[2],)


async def test_a_rehearsal_that_is_another_one_proves_no_schema(walked: Walked) -> None:
    bench = await walked("schema")
    bench.local.run_sql(bench.folder / ".preflight" / "rehearsal" / "d1", "CREATE TABLE other(a)")

    attempt = await bench.step("schema")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words == "The rehearsed schema on this machine is not the one in the record."


LOST = "members should hold 3 rows and holds 2."


async def test_a_row_that_went_fails_and_may_be_explained_once_it_was_seen(walked: Walked) -> None:
    bench = await walked("rows")
    step = bench.session.checklist.step("rows")
    assert row_prompts(bench.session.context(step)) == ()
    bench.target.connection.execute("DELETE FROM members WHERE id = 3")

    attempt = await bench.step("rows")
    assert (attempt.status, attempt.words) == (Status.FAILED, LOST)

    (prompt,) = row_prompts(bench.session.context(step))
    assert (prompt.key, prompt.optional, prompt.help) == ("explanation", True, LOST)
    again = await bench.step("rows", explanation="")
    assert again.status is Status.FAILED
    told = await bench.step("rows", explanation="Ana deleted it by hand.")
    assert told.status is Status.ATTESTED
    assert told.words == f"{LOST} Explained: Ana deleted it by hand."


async def test_a_table_that_went_fails(walked: Walked) -> None:
    bench = await walked("rows")
    bench.target.connection.execute("DROP TABLE log")

    assert (await bench.step("rows")).status is Status.FAILED


async def test_a_broken_reference_fails_whatever_the_counts_say(walked: Walked) -> None:
    bench = await walked("rows")
    bench.target.connection.execute("PRAGMA foreign_keys = OFF")
    bench.target.connection.execute("UPDATE members SET team = 'nobody' WHERE id = 3")

    attempt = await bench.step("rows", explanation="It was so before.")

    assert attempt.status is Status.FAILED
    assert attempt.words == "quick_check: ok; 1 broken reference."
    assert attempt.facts["broken_references"] == 1


async def test_the_read_of_the_ledger_serves_schema_and_rows_for_a_while(walked: Walked) -> None:
    bench = await walked("ledger")
    await bench.step("ledger")
    reads = bench.target.commands.count("read")
    assert (await bench.step("schema")).status is Status.PROVED
    assert bench.target.commands.count("read") == reads
    bench.clock.at += timedelta(seconds=89)
    bench.target.connection.execute("DELETE FROM members WHERE id = 3")

    assert (await bench.step("schema")).status is Status.PROVED
    assert (await bench.step("rows")).status is Status.PROVED
    assert bench.target.commands.count("read") == reads

    bench.clock.at += timedelta(seconds=1)
    assert (await bench.step("rows")).status is Status.FAILED
    assert bench.target.commands.count("read") == reads + 1


def asking(*endpoints: str, **more: object) -> Settings:
    named = tuple(Endpoint(url) for url in endpoints)
    return Settings(verification=Verification(endpoints=named, **more))  # type: ignore[arg-type]


async def test_no_endpoint_is_no_pass(walked: Walked) -> None:
    bench = await walked("endpoints")

    attempt = await bench.step("endpoints")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("No endpoints are configured")


@pytest.mark.parametrize(
    ("answers", "status", "words"),
    [
        ((FINE, FINE), Status.PROVED, "2 endpoints answer as expected."),
        (
            (BROKEN, FINE),
            Status.FAILED,
            "GET https://a.test: answered 500. See the emergency card.",
        ),
        (
            (FINE, SILENT),
            Status.FAILED,
            "GET https://b.test: did not answer. See the emergency card.",
        ),
    ],
)
async def test_every_endpoint_is_asked_and_one_that_is_wrong_fails(
    walked: Walked, answers: tuple[ProbeResult, ...], status: Status, words: str
) -> None:
    bench = await walked("endpoints", settings=asking("https://a.test", "https://b.test"))
    bench.web.probes = list(answers)

    attempt = await bench.step("endpoints")

    assert (attempt.status, attempt.words) == (status, words)
    assert bench.web.probes == []
    told = attempt.facts["endpoints"]
    assert isinstance(told, tuple)
    answered = [answer["status"] for answer in told if isinstance(answer, Mapping)]
    assert answered == [answer.status or 0 for answer in answers]


async def watched(walked: Walked, **criteria: object) -> Bench:
    """A bench at the watch; what GO fixed holds, whatever the settings say."""
    loose = Verification(error_rate_percent=Decimal(50), watch_minutes=1, **criteria)  # type: ignore[arg-type]
    bench: Bench = await walked("errors", settings=Settings(verification=loose))
    return bench


async def test_errors_over_the_signed_limit_fail_at_once(walked: Walked) -> None:
    bench = await watched(walked)
    bench.web.samples = [
        invocations((bench.clock.at, 1000, 0)),
        invocations((bench.clock.at, 1000, 2)),
    ]
    begun = bench.clock.at

    attempt = await bench.step("errors")

    assert attempt.status is Status.FAILED
    assert attempt.words == "Error rate 0.20 % is over the limit of 0.1 %. See the emergency card."
    assert bench.clock.at == begun
    assert (attempt.facts["requests"], attempt.facts["errors"]) == (1000, 2)
    assert attempt.facts["baseline"] == "0.00"


async def test_errors_at_the_limit_are_watched_for_the_signed_time(walked: Walked) -> None:
    bench = await watched(walked)
    bench.web.samples = [
        invocations(),
        invocations((bench.clock.at, 1000, 1)),
    ]
    begun = bench.clock.at

    attempt = await bench.step("errors")

    assert attempt.status is Status.PROVED
    assert attempt.words == "0.10 % over 5 min (limit 0.1 %, before: unknown)."
    assert bench.clock.at - begun == timedelta(minutes=5)
    assert (attempt.facts["watched_s"], attempt.facts["watch_s"]) == (300, 300)
    assert "left_s" not in attempt.facts


async def test_errors_that_come_during_the_watch_fail(walked: Walked) -> None:
    bench = await watched(walked)
    calm, bad = invocations((bench.clock.at, 10, 0)), invocations((bench.clock.at, 10, 9))
    bench.web.samples = [calm, calm, calm, bad]
    begun = bench.clock.at

    attempt = await bench.step("errors")

    assert attempt.status is Status.FAILED
    assert bench.clock.at - begun == timedelta(seconds=10)


async def test_silence_during_the_watch_is_unknown(walked: Walked) -> None:
    bench = await watched(walked)
    bench.web.samples = [invocations()]

    attempt = await bench.step("errors")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words == "No request came in during the watch; the error rate is unknown."


async def test_an_hour_before_the_apply_is_the_baseline_and_the_watch_begins_at_it(
    walked: Walked,
) -> None:
    bench = await watched(walked)

    await bench.step("errors")

    before, first, *_ = bench.web.asked
    assert (before["since"], before["until"]) == ("2026-11-23T13:30:00Z", APPLIED_AT)
    assert first["since"] == APPLIED_AT
    assert (first["script"], first["account"]) == ("workway-api", "account")


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.UNKNOWN])
async def test_errors_before_an_interrupted_watch_still_count(
    walked: Walked, status: Status
) -> None:
    bench = await watched(walked)
    ended_as(bench, status)

    await bench.step("errors")

    assert bench.web.asked[1]["since"] == APPLIED_AT


async def test_after_a_failed_watch_what_was_mended_counts_anew(walked: Walked) -> None:
    bench = await watched(walked)
    bench.clock.at += timedelta(hours=1)
    ended_as(bench, Status.FAILED)

    await bench.step("errors")

    since = bench.session.record.attempts[-2].finished_at
    assert since is not None
    assert bench.web.asked[1]["since"] == since.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert bench.web.asked[1]["since"] != APPLIED_AT


def ended_as(bench: Bench, status: Status) -> None:
    """An earlier watch that ended like this."""
    step = bench.session.checklist.step("errors")
    record = bench.session.record.begin(step, {}, by="ana@example.com", at=bench.clock.at)
    bench.store.save(record.finish(Outcome(status, "before"), at=bench.clock.at))
    bench.opened()


@pytest.mark.parametrize("answer", [{"viewer": {}}, {"viewer": {"accounts": [{}]}}])
async def test_analytics_that_cannot_be_read_are_unknown(
    walked: Walked, answer: Mapping[str, object]
) -> None:
    bench = await watched(walked)
    bench.web.samples = [answer]

    attempt = await bench.step("errors")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("The error rate cannot be read: ")


async def test_the_worker_of_the_settings_is_watched(walked: Walked) -> None:
    bench = await watched(walked, worker="other-api")

    await bench.step("errors")

    assert {asked["script"] for asked in bench.web.asked} == {"other-api"}
