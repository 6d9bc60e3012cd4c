"""Every end of an apply: what the database says afterwards decides, never the exit code."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from actions.conftest import Walked
from actions.fake_target import ADDITIVE, DESTRUCTIVE, NAME, Answer, Bench, cut, failed, lost
from d1_preflight.actions.apply import apply_plan, apply_prompts
from d1_preflight.actions.apply_end import By
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.settings import Settings, Verification
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.record import Status
from sampling import sampled


def timed_out(ran: Evidence) -> Evidence:
    return replace(ran, exit_code=-9, timed_out=True)


def reports(code: int) -> Answer:
    return lambda ran: replace(ran, exit_code=code)


def undone(bench: Bench, sql: str = "") -> Callable[[], object]:
    """The apply leaves no row in the ledger, and what the test says in the schema."""

    def undo() -> None:
        bench.target.connection.execute("DELETE FROM d1_migrations WHERE id > 1")
        bench.target.connection.execute(sql or "ALTER TABLE teams ADD COLUMN old TEXT")

    return undo


async def at_apply(walked: Walked) -> Bench:
    bench: Bench = await walked("applied")
    return bench


@pytest.mark.parametrize("code", sampled([1, 0], 2))
async def test_a_row_in_the_ledger_is_applied_whatever_wrangler_reports(
    walked: Walked, code: int
) -> None:
    bench = await at_apply(walked)
    bench.target.instead["apply"] = reports(code)

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED
    who = "Applied, but it is unknown by whom" if code else "Applied"
    assert attempt.words.startswith(f"{who}: ledger row 2 at 2026-11-23 14:30:00 UTC")
    assert attempt.facts["ledger_id"] == 2
    assert attempt.facts["applied_at"] == "2026-11-23 14:30:00"
    assert attempt.facts["exit_code"] == code
    assert "observed" not in attempt.facts
    assert attempt.facts["rechecked"] == (
        "file", "configuration", "pending", "schema", "ledger", "values", "backup", "window",
        "GO signature",
    )  # fmt: skip
    assert bench.target.protected == ["apply"]
    assert bench.target.commands[-2:] == ["apply", "read"]


async def test_what_the_database_refused_is_failed_and_may_be_tried_again(walked: Walked) -> None:
    bench = await at_apply(walked)
    bench.target.first["apply"] = lambda: bench.target.connection.execute("DROP VIEW roles")
    bench.target.connection.execute("PRAGMA foreign_keys = ON")
    bench.target.then["apply"] = undone_view(bench)
    bench.target.instead["apply"] = failed("no such column: old: SQLITE_ERROR")

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words == (
        "Not applied: The database refused the statement: no such column: old: SQLITE_ERROR."
        " Ledger and schema are as before."
    )
    assert "half_way" not in attempt.facts


def undone_view(bench: Bench) -> Callable[[], object]:
    """The database as it was before, by its exact text."""
    before = bench.target.connection.serialize("main")
    return lambda: bench.target.connection.deserialize("main", before)


async def test_nothing_applied_and_no_error_is_failed_too(walked: Walked) -> None:
    bench = await at_apply(walked)
    bench.target.then["apply"] = undone_view(bench)

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words == (
        "Checked: it was not applied; ledger, schema and values are as before."
        " It may be tried again."
    )


async def test_a_changed_schema_without_a_ledger_row_is_half_way(walked: Walked) -> None:
    bench = await at_apply(walked)
    bench.target.then["apply"] = undone(bench, "SELECT 1")
    bench.target.instead["apply"] = failed("it stopped: SQLITE_ERROR")

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith(
        "Half-way: The database refused the statement: it stopped: SQLITE_ERROR. The ledger has"
    )
    assert attempt.words.endswith(
        "The ledger has no row, but the schema changed. See the emergency card."
    )
    assert attempt.facts["half_way"] is True
    assert [i.step.id for i in bench.session.blockers(bench.session.checklist.step("backed_up"))]


@pytest.mark.parametrize("answer", [cut, lost, timed_out])
async def test_an_apply_that_nobody_answered_is_unknown_while_it_is_not_seen(
    walked: Walked, answer: Answer
) -> None:
    bench = await at_apply(walked)
    bench.target.then["apply"] = undone_view(bench)
    bench.target.instead["apply"] = answer

    attempt = await bench.step("applied")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("Not in the ledger yet: ")
    assert attempt.words.endswith("It may still be running. Check again.")


async def test_a_refusal_while_the_child_still_writes_is_unknown(walked: Walked) -> None:
    bench = await at_apply(walked)
    bench.target.then["apply"] = undone_view(bench)
    bench.target.instead["apply"] = failed("no: SQLITE_ERROR")
    bench.target.writing = True

    assert (await bench.step("applied")).status is Status.UNKNOWN


async def test_an_apply_whose_result_cannot_be_read_is_unknown(walked: Walked) -> None:
    bench = await at_apply(walked)

    def unreadable() -> None:
        bench.target.instead["read"] = cut

    bench.target.then["apply"] = unreadable

    attempt = await bench.step("applied")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("The apply ran, but its result could not be read: ")
    assert attempt.words.endswith("Check the target before you do anything else.")


async def after_unknown(walked: Walked) -> Bench:
    """An apply that arrived, of which nobody knows it; the next look tells."""
    bench = await at_apply(walked)
    before = undone_view(bench)
    bench.target.then["apply"], bench.target.instead["apply"] = before, cut
    assert (await bench.step("applied")).status is Status.UNKNOWN
    return bench


def applied_since(bench: Bench) -> None:
    bench.target.apply(NAME, bench.files.own.text)


async def test_after_an_unknown_end_nothing_is_asked_and_only_read(walked: Walked) -> None:
    bench = await after_unknown(walked)
    context = bench.session.context(bench.session.checklist.step("applied"))
    assert apply_prompts(context) == ()
    assert apply_plan(context) == (
        "read ledger and schema of marketplace-production; write nothing",
    )
    applied_since(bench)

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED
    assert attempt.words == (
        "Applied, but it is unknown by whom: ledger row 2 at 2026-11-23 14:30:00 UTC;"
        " preflight saw no reply to its own apply."
    )
    assert attempt.facts["observed"] is True
    assert bench.target.commands.count("apply") == 1


async def test_a_row_that_appears_after_an_apply_of_ours_that_was_not_seen_is_observed(
    walked: Walked,
) -> None:
    bench = await at_apply(walked)
    bench.target.then["apply"] = undone_view(bench)
    bench.target.instead["apply"] = failed("no: SQLITE_ERROR")
    assert (await bench.step("applied")).status is Status.FAILED
    applied_since(bench)

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED
    assert attempt.facts["observed"] is True
    assert "exit_code" not in attempt.facts
    assert bench.target.commands.count("apply") == 1


async def test_a_look_that_finds_everything_as_before_is_no_proof_of_an_apply(
    walked: Walked,
) -> None:
    bench = await after_unknown(walked)

    attempt = await bench.step("applied")

    assert not attempt.status.is_answered
    assert attempt.facts["observed"] is True
    assert "half_way" not in attempt.facts
    assert bench.target.commands.count("apply") == 1


async def test_a_look_while_the_child_writes_does_not_read(walked: Walked) -> None:
    bench = await after_unknown(walked)
    bench.target.writing = True
    calls = len(bench.target.calls)

    attempt = await bench.step("applied")

    assert attempt.status is Status.UNKNOWN
    assert "still running on this machine" in attempt.words
    assert len(bench.target.calls) == calls


async def test_a_look_that_finds_another_schema_is_half_way(walked: Walked) -> None:
    bench = await after_unknown(walked)
    bench.target.connection.execute("ALTER TABLE teams DROP COLUMN old")

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words == (
        "Checked: the ledger has no row, but the schema changed. See the emergency card."
    )
    assert (attempt.facts["half_way"], attempt.facts["observed"]) == (True, True)


async def test_a_look_that_cannot_read_stays_unknown_and_keeps_what_was_left(
    walked: Walked,
) -> None:
    bench = await after_unknown(walked)
    bench.target.left = (Evidence(("wrangler", "left"), 0, 1),)
    bench.target.instead["read"] = cut

    attempt = await bench.step("applied")

    assert attempt.status is Status.UNKNOWN
    assert attempt.words.startswith("The target could not be read: Cloudflare's API could not be")
    assert [e.argv for e in attempt.evidence] == [("wrangler", "left")]


async def test_what_is_asked_before_an_apply_is_typed(walked: Walked) -> None:
    bench = await at_apply(walked)
    context = bench.session.context(bench.session.checklist.step("applied"))

    prompts = {prompt.key: prompt.typed for prompt in apply_prompts(context)}

    assert prompts == {"database": "marketplace-production"}  # values go, and no row
    first, command, last = apply_plan(context)
    assert first == "re-check ledger, schema and values of marketplace-production"
    assert command.startswith("wrangler d1 migrations apply marketplace-production --config")
    assert command.endswith("--remote")
    assert last == "read the ledger again"


async def test_where_rows_go_their_number_is_typed_as_well(walked: Walked) -> None:
    bench = await walked("applied", "DELETE FROM members WHERE role IS NULL;\n")

    prompts = {
        p.key: p.typed for p in bench.session.prompts(bench.session.checklist.step("applied"))
    }

    assert prompts == {"database": "marketplace-production", "rows": "1"}


GOES = (
    "DROP TRIGGER logged;\nDROP TABLE log;\n",  # it holds no row
    "ALTER TABLE teams RENAME COLUMN old TO older;\nALTER TABLE teams DROP COLUMN older;\n",
    DESTRUCTIVE,
    "DROP TRIGGER logged;\nALTER TABLE log RENAME TO past;\nDROP TABLE past;\n",
)


@pytest.mark.parametrize("sql", sampled(GOES, 2))
async def test_where_a_table_or_column_goes_the_name_is_typed(walked: Walked, sql: str) -> None:
    bench = await walked("applied", sql, "destructive")

    asked = bench.session.prompts(bench.session.checklist.step("applied"))

    assert asked[0].typed == "marketplace-production"


NOTHING_GOES = (
    (ADDITIVE, "additive"),
    ("DROP VIEW roles;\n", "transformative"),
    ("DROP INDEX members_team;\n", "transformative"),
    ("ALTER TABLE members RENAME COLUMN role TO duty;\n", "transformative"),
    ("ALTER TABLE members RENAME TO people;\n", "transformative"),
)


@pytest.mark.parametrize(("sql", "kind"), sampled(NOTHING_GOES, 3))
async def test_where_nothing_goes_nothing_is_typed(walked: Walked, sql: str, kind: str) -> None:
    bench = await walked("applied", sql, kind)

    assert bench.session.prompts(bench.session.checklist.step("applied")) == ()


# What was signed is held against the present before anything is sent.


def colleague(bench: Bench) -> None:
    bench.target.apply("0001_z.sql", "SELECT 1")


def no_own_ledger_row(bench: Bench) -> None:
    bench.target.connection.execute("DELETE FROM d1_migrations")


CHANGES: dict[str, tuple[Callable[[Bench], object], str]] = {
    "schema": (
        lambda bench: bench.target.connection.execute("CREATE TABLE more(a)"),
        "Since the rehearsal, the schema of the target changed.",
    ),
    "index": (
        lambda bench: bench.target.connection.execute("DROP INDEX members_team"),
        "Since the rehearsal, the schema of the target changed.",
    ),
    "rows that may be lost": (
        lambda bench: bench.target.connection.execute("INSERT INTO teams VALUES ('c', 'C', 'z')"),
        "Stopped, nothing was sent: since the copy, values changed in teams (2 rows then, 3 now).",
    ),
    "ledger": (
        colleague,
        "Since the rehearsal, the ledger (someone applied a migration) changed.",
    ),
    "a ledger row that went": (
        no_own_ledger_row,
        "Since the rehearsal, the set of pending migrations and the ledger (someone applied",
    ),
    "wrangler": (
        lambda bench: setattr(bench.target, "version", "4.165.0"),
        "Since the rehearsal, wrangler's version changed.",
    ),
    "a new file": (
        lambda bench: setattr(
            bench.files,
            "others",
            (*bench.files.others, Migration.from_text("0003_c.sql", "SELECT 1;")),
        ),
        "Since the rehearsal, the set of pending migrations changed.",
    ),
    "the ledger has it": (
        applied_since,
        f"{NAME} is already in the ledger, and not by this record.",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_changed_since_go_keeps_the_apply_from_being_sent(
    walked: Walked, change: str
) -> None:
    bench = await at_apply(walked)
    happens, words = CHANGES[change]
    happens(bench)

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith(words)
    assert "apply" not in bench.target.commands
    assert "half_way" not in attempt.facts


async def test_rows_that_came_into_a_table_that_loses_nothing_keep_nobody(walked: Walked) -> None:
    bench = await at_apply(walked)
    bench.target.connection.execute("INSERT INTO log VALUES ('more')")

    assert (await bench.step("applied")).status is Status.PROVED


async def test_a_target_that_cannot_be_read_again_is_not_applied_to(walked: Walked) -> None:
    bench = await at_apply(walked)
    bench.target.instead["read"] = cut

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("The target could not be re-checked: ")
    assert "Nothing was applied." in attempt.words
    assert "apply" not in bench.target.commands


async def test_a_go_that_expires_during_the_recheck_is_not_applied(walked: Walked) -> None:
    bench = await at_apply(walked)

    def late() -> None:
        bench.clock.at += timedelta(hours=1)

    bench.target.first["read"] = late

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("The signed GO has expired.")
    assert "apply" not in bench.target.commands


async def test_a_file_edited_during_the_recheck_is_not_applied(walked: Walked) -> None:
    bench = await at_apply(walked)

    def edited() -> None:
        bench.files.own = Migration.from_text(NAME, bench.files.own.text + "-- and more\n")

    bench.target.first["read"] = edited

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith(f"{NAME} is not the file that was signed.")
    assert "apply" not in bench.target.commands


async def test_a_configuration_edited_during_the_recheck_is_not_applied(walked: Walked) -> None:
    bench = await at_apply(walked)
    bench.target.first["read"] = lambda: setattr(bench.files, "config", "d" * 64)

    attempt = await bench.step("applied")

    assert attempt.words.startswith("Since the rehearsal, the configuration changed.")
    assert "apply" not in bench.target.commands


@pytest.mark.parametrize("name", ["go.toml", "go.toml.sig"])
async def test_an_edited_plan_is_not_applied(walked: Walked, name: str) -> None:
    bench = await at_apply(walked)
    bench.store.held[name] += b"\n"

    with pytest.raises(NotAllowed, match="“GO / NO-GO” is pending") as refused:
        await bench.step("applied")

    assert refused.value.hint.startswith("go.toml or its signature is not what was signed.")
    assert "apply" not in bench.target.commands


@pytest.mark.parametrize("name", ["go.toml", "go.toml.sig"])
async def test_a_plan_that_is_gone_is_not_applied(walked: Walked, name: str) -> None:
    bench = await at_apply(walked)
    del bench.store.held[name]

    with pytest.raises(NotAllowed) as refused:
        await bench.step("applied")

    assert refused.value.hint.startswith("go.toml or its signature is not what was signed.")
    assert "apply" not in bench.target.commands


async def test_a_plan_whose_signature_is_nobodys_is_not_applied(walked: Walked) -> None:
    bench = await at_apply(walked)
    go = bench.session.record.last("go")
    assert go is not None
    bench.store.held["go.toml.sig"] = forged = b"mallory@example.com 00\n"
    named = str(go.facts["signature_sha256"]).encode()
    record = bench.store.held["record.toml"]
    bench.store.held["record.toml"] = record.replace(named, sha256(forged).hexdigest().encode())
    bench.opened()

    with pytest.raises(NotAllowed) as refused:
        await bench.step("applied")

    assert refused.value.hint.startswith("go.toml or its signature is not what was signed.")
    assert "apply" not in bench.target.commands


async def test_abort_criteria_of_today_are_those_that_were_signed(walked: Walked) -> None:
    loose = Settings(verification=Verification(watch_minutes=1))
    bench = await walked("applied", settings=loose)

    attempt = await bench.step("applied")

    assert attempt.words.startswith("The abort criteria in preflight.toml are not those")
    assert "apply" not in bench.target.commands


async def test_a_bookmark_that_does_not_outlast_the_watch_is_not_gone_back_to(
    walked: Walked,
) -> None:
    bench = await at_apply(walked)
    bench.clock.at += timedelta(minutes=20)
    held = bench.store.held["record.toml"]
    good_until = next(a for a in bench.session.record.attempts if a.step == "bookmark").facts
    old = str(good_until["good_until"]).encode()
    bench.store.held["record.toml"] = held.replace(old, b"2026-11-23T14:21:00Z")
    bench.opened()

    attempt = await bench.step("applied")

    assert "bookmark is good until 2026-11-23 14:21:00 UTC: it would expire" in attempt.words
    assert "apply" not in bench.target.commands


@pytest.mark.parametrize("harm", ["gone", "other"])
async def test_a_backup_that_is_not_the_one_that_was_written_holds_the_apply(
    walked: Walked, harm: str
) -> None:
    bench = await at_apply(walked)
    bench.harm_backup(harm)

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "backup" in attempt.words
    assert "apply" not in bench.target.commands


@pytest.mark.parametrize(
    ("reply", "reached", "by"),
    [
        (cut, True, By.UNKNOWN),
        (cut, False, By.ANOTHER),
        (failed("it stopped: SQLITE_ERROR"), True, By.UNKNOWN),
        (failed("no such column: old: SQLITE_ERROR"), False, By.ANOTHER),
    ],
    ids=["lost and arrived", "lost and never arrived", "stopped half-way", "refused"],
)
async def test_a_row_that_comes_later_is_anothers_only_where_ours_surely_did_not_arrive(
    walked: Walked, reply: Answer, *, reached: bool, by: By
) -> None:
    bench = await at_apply(walked)
    bench.target.then["apply"] = undone(bench, "SELECT 1") if reached else undone_view(bench)
    bench.target.instead["apply"] = reply
    while (await bench.step("applied")).status is Status.UNKNOWN:
        pass
    if not reached:
        bench.target.connection.execute(bench.files.own.text)
    row = "INSERT INTO d1_migrations(name, applied_at) VALUES (?, '2026-11-23 14:31:00')"
    bench.target.connection.execute(row, (NAME,))

    attempt = await bench.step("applied")

    assert attempt.status is Status.PROVED
    assert ApplyFacts.from_attempt(attempt).by == by
    assert bench.target.reached == 1
