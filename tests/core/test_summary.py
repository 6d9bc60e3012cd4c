"""The summary: six questions answered in forty lines, and nothing in it that could act."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.record_values import ANA, START, Walk, shipped_checklist
from d1_preflight.core.record.facts import Fact, Facts
from d1_preflight.core.record.record import DatabaseRef, Record, Status
from d1_preflight.core.summary.form import PRESENT_FORM, ROWS_FORM, SPLIT_FORM
from d1_preflight.core.summary.markdown import as_markdown, escaped
from d1_preflight.core.summary.summary import Summary, summary_of
from d1_preflight.core.verify.timeline import TimelineEntry

CHECKLIST = shipped_checklist()
HOSTILE = (
    "<img src=x onerror=alert(1)> | `x` @everyone [a](javascript:b) ![p](h)\x1b[31m\u202e\n# head"
)
MOST = 40
ENDS = (
    ("it stands", "closed: kept"),
    ("it was taken back", "closed: rolled back"),
    ("it was mended by hand", "closed: fixed manually"),
)


def counts(**rows: int) -> tuple[Fact, ...]:
    return tuple({"table": table, "rows": number} for table, number in rows.items())


REHEARSED: Facts = {
    "tables": (
        {"table": "members", "before": 1204, "after": 0, "lost": 1204, "changed": 0, "nulled": 0},
        {"table": "teams", "before": 112, "after": 112, "lost": 0, "changed": 84, "nulled": 0},
        {"table": "users", "before": 4310, "after": 4310, "lost": 0, "changed": 0, "nulled": 0},
    ),
    "schema": ({"change": "removed", "words": "column teams.old is gone: TEXT", "declared": True},),
    "counts_before": counts(members=1204, teams=112, users=4310),
    "counts_after": counts(members=0, teams=112, users=4310),
    "schema_after": "5e" * 32,
}
NOW: Facts = {"summary_form": PRESENT_FORM, "signer": ANA}
BEN_S: Facts = {"by": "ben@example.com", "fingerprint": "SHA256:b", "file": "go.review.toml"}
GO: Facts = {"decision": "go", "signer": ANA, "fingerprint": "SHA256:abc"}


def reckless(end: str = "it was mended by hand", **more: Fact) -> Walk:
    """The rebuild that takes the members, up to its close."""
    walk = Walk(CHECKLIST)
    losses: Facts = {"losses": ("teams: column old",), "loss_reason": "nobody reads it"}
    walk.answer("findings", Status.ATTESTED, losses)
    walk.answer("class", facts={"class": "destructive", "risk": "high"})
    walk.answer("purpose", Status.ATTESTED, words="Teams load faster.")
    walk.answer("rehearsed", facts=REHEARSED)
    walk.answer("window", Status.WAIVED, words="the outage is worse")
    walk.answer("way_back", facts={"chosen": "table restore"})
    walk.answer("go", Status.ATTESTED, GO)
    walk.answer("applied", Status.FAILED, {}, words="The reply was lost.")
    walk.answer("applied")
    found: Facts = {"table": "members", "expected": 0, "found": 0, "ok": True}
    teams: Facts = {"table": "teams", "expected": 112, "found": 112, "ok": True}
    walk.answer("rows", facts={"tables": (found, teams)})
    table: Facts = {"table": "members", "before": 1204, "after": 0, "now": 1200}
    facts: Facts = {"end": end, "signer": ANA, "fingerprint": "SHA256:abc", "tables": (table,)}
    return walk.answer("close", Status.ATTESTED, {**facts, **more}, words="Given back.")


def today(end: str = "it was mended by hand", **more: Fact) -> Walk:
    """The same with a summary of today's form."""
    return reckless(end, summary_form=PRESENT_FORM, **more)


def text_of(summary: Summary) -> str:
    return as_markdown(summary)


def facts_of(record: Record) -> Mapping[str, str]:
    return dict(summary_of(record).facts)


@pytest.mark.parametrize(("end", "verdict"), ENDS)
def test_the_verdict_says_how_it_ended(end: str, verdict: str) -> None:
    assert summary_of(reckless(end).record).verdict == verdict


def test_a_practice_record_says_so_in_its_verdict() -> None:
    record = reckless().record
    practice = replace(record, database=DatabaseRef("d", "1", "", "practice"))

    assert summary_of(practice).verdict == "closed: fixed manually (practice)"


@pytest.mark.parametrize(
    ("step", "status", "facts", "verdict"),
    [
        ("rehearsed", Status.PROVED, {}, "open: GO is not signed; missing: “A”"),
        ("go", Status.ATTESTED, GO, "open: GO is signed, not applied yet; missing: “A”"),
        ("go", Status.FAILED, {"decision": "no-go"}, "open: NO-GO; missing: “A”"),
        ("applied", Status.PROVED, {}, "open: applied, not closed; missing: “A”"),
        (
            "applied", Status.INTERRUPTED, {},
            "open: whether it was applied is unknown; missing: “A”",
        ),
        (
            "applied", Status.UNKNOWN, {},
            "open: whether it was applied is unknown; missing: “A”",
        ),
        (
            "applied", Status.FAILED, {"half_way": True},
            "open: the apply failed half-way; missing: “A”",
        ),
    ],
)  # fmt: skip
def test_an_open_record_says_what_is_missing(
    step: str, status: Status, facts: Facts, verdict: str
) -> None:
    record = Walk(CHECKLIST).answer(step, status, facts).record

    assert summary_of(record, missing="“A”").verdict == verdict


def test_a_failed_apply_under_a_new_go_is_not_the_verdict() -> None:
    walk = Walk(CHECKLIST).answer("go", Status.ATTESTED, GO).answer("applied", Status.FAILED)

    again = walk.answer("go", Status.ATTESTED, GO).record

    assert summary_of(again).verdict == "open: GO is signed, not applied yet"


def test_six_questions_have_their_answer() -> None:
    found = facts_of(reckless().record)
    told = text_of(summary_of(reckless().record))

    assert "| members | 1,204 | 0 | 1,200 | 1,204 | 0 |" in told  # which rows went
    assert "| teams | 112 | 112 | ? | 0 | 84 |" in told
    assert "users" not in told  # an unchanged table is counted, not listed
    assert "1 table unchanged" in found["rows"]
    assert found["declared losses"] == "teams: column old. Because: nobody reads it"  # why
    assert "destructive, high risk: Teams load faster." in found["what"]
    assert found["who"] == f"GO: {ANA}, key SHA256:abc · close: {ANA}, key SHA256:abc"  # agreed
    assert "apply failed 2026-11-23 14:07:00 UTC: The reply was lost." in found["failed"]
    assert found["can be undone by"].startswith("table restore")  # can it be undone
    assert told.count("ssh-keygen -Y verify") == 2  # is it authentic
    assert found["given back"] == "members: 1,200 of 1,204 rows"
    assert found["waived"] == "window: the outage is worse"
    assert found["schema"].startswith("column teams.old is gone: TEXT, declared")


def test_it_names_the_migration_and_never_the_record() -> None:
    record = reckless().record

    assert record.subjects["migration"] in text_of(summary_of(record))
    assert len(re.findall(r"\b[0-9a-f]{64}\b", text_of(summary_of(record)))) == 1


def test_the_tools_and_the_checklist_change_nothing() -> None:
    record = reckless().record
    other = replace(record, tools={"wrangler": "5"}, checklist="f" * 64, subjects={})

    assert text_of(summary_of(other)) == text_of(summary_of(record))


def crowded(form: int) -> Record:
    """Everything that a summary bounds, in masses."""
    walk = Walk(CHECKLIST)
    long = "word " * 400
    table: tuple[Facts, ...] = tuple(
        {"table": f"t{n}{'x' * 90}", "before": n + 5, "after": 0, "lost": n + 5} for n in range(50)
    )
    schema: tuple[Facts, ...] = tuple(
        {"words": f"{n} {long}", "declared": False} for n in range(50)
    )
    walk.answer("purpose", Status.ATTESTED, words=long)
    walk.answer("rehearsed", facts={"tables": table, "schema": schema})
    for step in CHECKLIST.steps:
        walk.answer(step.id, Status.FAILED, words=long)
        if step.waivable:
            walk.answer(step.id, Status.WAIVED, words=long)
    walk.answer("rehearsed", facts={"tables": table, "schema": schema})
    losses: Facts = {"losses": (long,) * 50, "loss_reason": long}
    walk.answer("findings", Status.ATTESTED, losses)
    walk.answer("backed_up", facts={"rows": 5, "tables": table})
    walk.answer("bookmark", facts={"good_until": long})
    walk.answer("way_back", facts={"chosen": long, "ways": ({"way": long, "loses": long},)})
    walk.answer("go", Status.ATTESTED, GO)
    closed: Facts = {
        "end": "it was mended by hand", "signer": ANA, "differs": (long,) * 50,
        "tables": tuple({**t, "now": 1} for t in table), "summary_form": form,
        "reviews": ({**BEN_S, "verdict": "sent back", "reason": long},) * 50,
    }  # fmt: skip
    return walk.answer("close", Status.ATTESTED, closed, words=long).record


@pytest.mark.parametrize(("form", "more"), [(1, 44), (2, 45), (3, 47), (4, 47)])
def test_however_much_happened_it_fits_forty_lines(form: int, more: int) -> None:
    events = tuple(TimelineEntry(START + timedelta(minutes=n), "x " * 900) for n in range(300))

    lines = text_of(summary_of(crowded(form), events, "y" * 900)).splitlines()

    assert len(lines) <= MOST
    assert max(map(len, lines)) < 2000
    assert f"| … and {more} more |" in lines
    left = 297 if form >= SPLIT_FORM else 295
    assert any(f"… {left} more in timeline.md" in line for line in lines)


def test_the_down_file_and_accepted_findings_have_a_line_each() -> None:
    """A stranger read “can be undone by … gives back 0” as a success."""
    walk = Walk(CHECKLIST)
    accepted: Fact = ({"rule": "copy-by-position", "answer": "both have the same columns"},)
    walk.answer("findings", Status.ATTESTED, {"findings": accepted})
    walk.answer("rehearsed", facts=REHEARSED)
    walk.answer("down_tested", facts={"schema": "restored", "verdict": "loses rows"})
    walk.answer("way_back", facts={"chosen": "table restore"})
    walk.answer("go", Status.ATTESTED, {**GO, "summary_form": PRESENT_FORM})

    found = facts_of(walk.record)

    assert found["findings accepted"] == "copy-by-position: both have the same columns"
    assert found["down file"].startswith("tested on the copy: 1,204 rows lost, 84 changed; ")
    assert "tested" not in found["can be undone by"]


def test_only_what_goes_is_called_a_loss() -> None:
    new: Fact = {"change": "added", "words": "column teams.new is new: TEXT", "declared": True}
    gone: Fact = {"change": "removed", "words": "column teams.old is gone", "declared": True}
    facts: Facts = {**REHEARSED, "schema": (new, gone)}
    walk = Walk(CHECKLIST).answer("rehearsed", facts=facts)

    assert facts_of(walk.record)["schema"] == (
        "column teams.new is new: TEXT (declared); column teams.old is gone (a declared loss)"
    )


def test_one_person_with_one_key_is_named_once() -> None:
    assert facts_of(today().record)["who"] == f"GO and close: {ANA}, key SHA256:abc"


def test_a_practice_record_of_today_says_that_no_database_was_there() -> None:
    practice = replace(today().record, database=DatabaseRef("d", "1", "", "practice"))

    assert facts_of(practice)["where"] == "d, uuid 1, practice on this machine: no real database"


@pytest.mark.parametrize("number", [1, 6, 7])
def test_the_timeline_is_told_whole_or_says_what_it_leaves_out(number: int) -> None:
    events = tuple(TimelineEntry(START, f"event {n}") for n in range(number))

    told = summary_of(reckless().record, events).events

    assert len(told) == min(number, 6)
    assert told[-1].endswith(f"event {number - 1}")
    left = number - sum("event" in line for line in told)
    assert not left or f"… {left} more in timeline.md" in told


def hostile(words: str) -> Record:
    """The same walk with hostile text wherever a person, a file or a database gives it."""
    seen: Fact = ({"by": words, "fingerprint": words, "verdict": words, "reason": words},)
    walk = today(words, reviews=seen)
    attempts = tuple(
        replace(
            a, words=words, by=words,
            facts={k: words if isinstance(v, str) else v for k, v in a.facts.items()},
        )
        for a in walk.record.attempts
    )  # fmt: skip
    return replace(
        walk.record, attempts=attempts, migration=words, database=DatabaseRef(words, words, words)
    )


@given(st.text(max_size=60) | st.just(HOSTILE) | st.just("``` \n```\n# x"))
def test_no_text_of_a_record_drives_a_terminal_or_a_page(words: str) -> None:
    event = TimelineEntry(START, words)
    told = text_of(summary_of(hostile(words), (event,), words))

    assert len(told.splitlines()) <= MOST
    assert all(line.replace("\u200b", "").isprintable() for line in told.split("\n"))
    headings = [line for line in told.splitlines() if line.startswith("#")]
    assert len(headings) == 1


def test_no_text_becomes_a_tag_a_link_a_mention_or_a_cell() -> None:
    shown = escaped(HOSTILE)

    assert not re.search(r"(?<!\\)[<>\[\]|`*]", shown)
    assert "@everyone" not in shown
    assert "\n" not in shown
    assert escaped("see https://evil.example or www.evil.example") == (
        r"see https\://evil.example or www\.evil.example"
    )
    assert escaped("see https://evil.example", 1) == "see https://evil.example"


def test_a_signer_cannot_add_to_the_command() -> None:
    walk = reckless(signer="x; rm -rf ~ `id`")

    (_, command) = summary_of(walk.record).commands

    assert "-I 'x; rm -rf ~ `id`' -n" in command


def test_names_stay_as_they_are() -> None:
    assert escaped("team_members of ana@example.com (0061)") == (
        "team_members of ana@example.com (0061)"
    )


def test_the_measured_losses_come_before_those_that_were_declared_earlier() -> None:
    walk = Walk(CHECKLIST)
    early: Facts = {"losses": (), "loss_reason": ""}
    walk.answer("findings", Status.ATTESTED, early)
    measured: Facts = {"losses": ("teams: old in 84 of 112 rows",), "loss_reason": "unread"}
    walk.answer("losses", Status.ATTESTED, measured)

    found = facts_of(walk.record)["declared losses"]

    assert found == "teams: old in 84 of 112 rows. Because: unread"


def test_a_summary_of_today_says_what_did_not_happen() -> None:
    """A stranger cannot tell "nothing failed" from a line that is not there."""
    walk = Walk(CHECKLIST).answer("go", Status.ATTESTED, {**GO, "summary_form": PRESENT_FORM})
    closed = walk.answer("close", Status.ATTESTED, {"end": "it stands", **NOW}).record

    found = facts_of(closed)
    assert found["failed"] == "nothing. Steps: 2 attested"
    assert found["reviews"] == "nobody else had reviewed it by the close"
    assert found["can be undone by"] == "nothing: no path, no backup and no bookmark is recorded"


def test_reviews_by_the_close_are_named_with_their_verdict() -> None:
    cleo: Facts = {**BEN_S, "by": "cleo@example.com", "verdict": "sent back", "reason": "counts?"}
    seen: Fact = ({**BEN_S, "verdict": "approved"}, cleo)

    assert facts_of(today(reviews=seen).record)["reviews"] == (
        "GO approved by ben@example.com, key SHA256:b; "
        "GO sent back by cleo@example.com, key SHA256:b: counts?"
    )


@pytest.mark.parametrize(
    ("end", "begins"),
    [
        ("it stands", "table restore"),
        ("it was taken back", "it was rolled back. Planned: table restore"),
        ("it was mended by hand", "neither the schema before nor the rehearsed one is there now"),
    ],
)
def test_how_it_ended_decides_whether_it_can_be_undone(end: str, begins: str) -> None:
    assert facts_of(today(end).record)["can be undone by"].startswith(begins)


def test_rows_are_told_with_their_tables_and_what_is_still_missing() -> None:
    found = facts_of(today().record)
    told = text_of(summary_of(today().record))

    assert found["rows"] == (
        "1,204 rows lost (members 1,204), 84 rows changed (teams 84); 1 table unchanged; "
        "at the close 4 rows fewer than before (members 4)"
    )
    assert found["given back"] == "members: 1,200 of 1,204 rows, 4 still missing"
    assert "| table | before | after | at the close | lost | changed |" in told


def test_the_commands_are_those_of_a_record_in_its_project() -> None:
    commands = summary_of(today().record).commands

    assert commands[0] == "preflight verify 0057_add_team_billing"
    assert all("-f ../../allowed_signers" in command for command in commands[1:])


def test_a_record_of_the_first_form_is_rendered_as_it_was_signed() -> None:
    first = text_of(summary_of(reckless().record))

    assert "reviews" not in first
    assert "-f allowed_signers" in first
    assert "| table | before | after | now | lost | changed |" in first


def test_rows_that_the_emergency_took_are_not_told_as_none_lost() -> None:
    """The migration took none, and at the close they were not there."""
    walk = Walk(CHECKLIST).answer("rehearsed", facts={"counts_before": counts(teams=2)})
    table: Facts = {"table": "teams", "before": 2, "after": 2, "now": 1}
    closed: Facts = {"end": "it was mended by hand", "tables": (table,), **NOW}

    found = facts_of(walk.answer("close", Status.ATTESTED, closed).record)

    assert found["rows"] == (
        "no row lost; 0 tables unchanged; at the close 1 row fewer than before (teams 1)"
    )


def test_what_failed_more_than_once_is_one_line_except_the_apply() -> None:
    walk = Walk(CHECKLIST)
    for words in ("Now is Monday 10:05.", "Now is Monday 10:06."):
        walk.answer("window", Status.FAILED, words=words)
    walk.answer("window", Status.WAIVED, words="quiet enough")
    walk.answer("errors", Status.UNKNOWN, words="no request came in")
    for words in ("first", "second"):
        walk.answer("applied", Status.FAILED, words=words)

    failed = facts_of(walk.record)["failed"]

    assert failed.count("window failed") == 1
    assert ", the last of 2 times: Now is Monday 10:06" in failed
    assert failed.count("apply failed") == 2
    assert "error rate unknown" in failed
    walk.answer("go", Status.ATTESTED, {**GO, "summary_form": SPLIT_FORM})
    assert facts_of(walk.record)["failed"].endswith("Monday 10:06.; 1 more")  # as it was signed


def test_who_alone_works_on_an_open_record_is_not_named_as_another() -> None:
    assert facts_of(Walk(CHECKLIST).answer("named").record)["who"] == f"at work: {ANA}"


@pytest.mark.parametrize(("form", "words"), [(4, "85 rows changed"), (5, "45 rows changed")])
def test_a_row_that_changed_and_became_null_counts_once(form: int, words: str) -> None:
    walk = Walk(CHECKLIST)
    table: Facts = {"table": "t", "before": 45, "after": 45, "changed": 45, "nulled": 40}
    walk.answer("rehearsed", facts={"tables": (table,)})
    walk.answer("go", Status.ATTESTED, {**GO, "summary_form": form})

    assert words in facts_of(walk.record)["rows"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (ROWS_FORM, "leave it (loses nothing)"),
        (PRESENT_FORM, "no rollback: none needed, leaving it applied loses nothing"),
    ],
)
def test_a_rollback_that_is_not_needed_is_named_as_it_was_chosen(form: int, words: str) -> None:
    walk = Walk(CHECKLIST)
    path: Facts = {"way": "leave it", "takes_ms": 0, "loses": "nothing"}
    walk.answer("way_back", Status.ATTESTED, {"chosen": "leave it", "ways": (path,)})
    walk.answer("go", Status.ATTESTED, {**GO, "summary_form": form})

    assert dict(summary_of(walk.record, ()).facts)["can be undone by"].rstrip(".") == words
