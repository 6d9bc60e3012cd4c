"""A record of schema 2 is short, and says all that the long form says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.record_values import START, Walk, shipped_checklist
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.record.facts import Fact, Facts
from d1_preflight.core.record.file import dump_record, history_sha256, load_record
from d1_preflight.core.record.packing import packed, unpacked
from d1_preflight.core.record.record import Record, Status

CHECKLIST = shipped_checklist()
ROWS = {"members": 1204, "teams": 112, "users": 4310, "zones": 7}


def counts(**rows: int) -> tuple[Fact, ...]:
    return tuple({"table": table, "rows": number} for table, number in rows.items())


def change(table: str, after: int | None = None) -> Facts:
    rows = ROWS[table]
    same: Facts = {"lost": 0, "added": 0, "changed": 0, "nulled": 0, "verdict": "unchanged"}
    before: Facts = {"table": table, "before": rows, "after": rows if after is None else after}
    return {**before, **same, "ok": True}


def walked() -> Record:
    """A rehearsal in which one of four tables changed."""
    walk = Walk(CHECKLIST, schema=2).answer("named")
    walk.answer("copied", facts={"tables": counts(**ROWS), "rows": 5633})
    tables = (change("teams", 3), change("members"), change("users"), change("zones"))
    after = counts(**{**ROWS, "teams": 3})
    walk.answer("rehearsed", facts={"tables": tables, "counts_after": after})
    return walk.record


def test_unchanged_tables_are_counted_and_not_listed() -> None:
    document = dump_record(walked())

    assert load_record(document) == walked()
    assert document.count(b"members") == 1  # in the copy, and nowhere else
    assert b"{ unchanged = 3 }" in document
    run = b'[{ unchanged = 1 }, { table = "teams", rows = 3 }, { unchanged = 2 }]'
    assert b"facts.counts_after = " + run in document


def test_the_operator_and_the_files_are_said_once() -> None:
    document = dump_record(walked())

    assert document.count(b"by = ") == 1
    assert document.count(b"\nsubjects = ") + document.count(b"\nsubjects.") <= 4


def test_the_history_before_go_is_a_piece_of_the_record() -> None:
    record = walked()
    whole = dump_record(record)
    part = whole[whole.index(b"\n[[attempt]]\n") :]

    assert history_sha256(record.attempts) != history_sha256(record.attempts[:2])
    for number in range(len(record.attempts) + 1):
        one = dump_record(replace(record, attempts=record.attempts[:number]))
        start = one.find(b"\n[[attempt]]\n")
        assert start < 0 or part.startswith(one[start:])


lists = st.lists(
    st.sampled_from([*map(change, ROWS), change("teams", 3), "text", {"table": "new"}, {}]),
    max_size=6,
).map(tuple)


@given(lists, st.sampled_from([("rehearsed", "tables"), ("rows", "tables"), ("other", "tables")]))
def test_whatever_a_list_holds_comes_back(items: tuple[Fact, ...], where: tuple[str, str]) -> None:
    step, key = where
    facts: Facts = {key: items}

    assert unpacked(step, packed(step, facts, ROWS), ROWS) == facts


def test_what_else_unchanged_tables_share_is_kept() -> None:
    checks: tuple[Facts, ...] = tuple(
        {"table": t, "expected": n, "found": n, "ok": True, "same_values": t != "zones"}
        for t, n in ROWS.items()
    )

    short = packed("rows", {"tables": checks}, ROWS)

    assert short["tables"] == (
        {"unchanged": 3, "same_values": True},
        {"unchanged": 1, "same_values": False},
    )
    assert unpacked("rows", short, ROWS) == {"tables": checks}


def test_traffic_is_one_line() -> None:
    hours = ("1 2 3", "4 5 6")
    samples: tuple[Facts, ...] = tuple(
        {"at": f"t{n}", "requests": n, "errors": 0} for n in range(3)
    )

    assert packed("window", {"hours": hours}, {}) == {"hours": "1 2 3 / 4 5 6"}
    line = packed("errors", {"samples": samples}, {})
    assert line == {"samples": "t0 0 0 / t1 1 0 / t2 2 0"}
    assert unpacked("errors", line, {}) == {"samples": samples}


@pytest.mark.parametrize("line", [("1 / 2",), ("",), ("a", 1)])
def test_traffic_that_no_line_can_say_is_written_whole(line: tuple[Fact, ...]) -> None:
    assert packed("window", {"hours": line}, {}) == {"hours": line}


@pytest.mark.parametrize(
    "short",
    ["{ unchanged = 5 }", "{ unchanged = 0 }", "{ unchanged = -1 }", "{ unchanged = true }",
     '{ unchanged = "3" }', "{ unchanged = 2 }, { unchanged = 3 }"],
)  # fmt: skip
def test_a_short_form_that_stands_for_nothing_is_refused(short: str) -> None:
    document = dump_record(walked()).replace(b"{ unchanged = 3 }", short.encode())

    with pytest.raises(RecordInvalid, match="attempt 3"):
        load_record(document)


def test_a_sample_that_is_none_is_refused() -> None:
    walk = Walk(CHECKLIST, schema=2)
    samples: tuple[Fact, ...] = ({"at": "t", "requests": 1, "errors": 0},)
    document = dump_record(walk.answer("errors", facts={"samples": samples}).record)

    for bad in (b"t one 0", b"t 1", b""):
        with pytest.raises(RecordInvalid, match="not a traffic sample"):
            load_record(document.replace(b"t 1 0", bad))


def test_a_long_form_where_the_short_one_is_written_was_edited() -> None:
    record = walked()
    document = dump_record(record)
    long = document.replace(b'[[attempt]]\nstep = "copied"', b'[[attempt]]\nstep = "copied"\n'
                            b'by = "ana@example.com"')  # fmt: skip

    assert load_record(long) == record
    assert dump_record(load_record(long)) != long


def test_a_running_attempt_has_one_moment() -> None:
    record = Walk(CHECKLIST, schema=2).record.begin(CHECKLIST.step("named"), {}, by="ana", at=START)

    assert b'when = "2026-11-23T14:00:00Z"\n' in dump_record(record)
    assert load_record(dump_record(record)).attempts[-1].status is Status.RUNNING
