"""The record's bytes: the same facts, the same bytes; whatever a person types comes back whole."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.record_values import Walk, closed_files, shipped_checklist
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.facts import instant, moment
from d1_preflight.core.record.file import (
    dump_facts,
    dump_record,
    load_facts,
    load_record,
)
from d1_preflight.core.record.record import Attempt, DatabaseRef, Record, Status

text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.dictionaries(text, text, max_size=3)
moments = st.integers(0, 10**9).map(lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(0, s))
fact = st.recursive(
    text | st.booleans() | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
facts = st.dictionaries(text, fact, max_size=4)
evidence = st.builds(
    Evidence,
    st.lists(text, max_size=3).map(tuple),
    st.none() | st.integers(0, 255),
    st.integers(0, 10**6),
    names,
)
attempts = st.builds(
    Attempt,
    step=text,
    status=st.sampled_from(Status),
    started_at=moments,
    by=text,
    subjects=names,
    finished_at=st.none() | moments,
    words=text,
    answers=st.dictionaries(
        text, text | st.booleans() | st.lists(text, max_size=2).map(tuple), max_size=3
    ),
    facts=facts,
    evidence=st.lists(evidence, max_size=2).map(tuple),
)
records = st.builds(
    Record,
    migration=text,
    database=st.builds(DatabaseRef, text, text, text, text),
    checklist=text,
    subjects=names,
    tools=names,
    attempts=st.lists(attempts, max_size=3).map(tuple),
    schema=st.sampled_from((1, 2)),
)


@given(records)
def test_a_record_comes_back_whole_and_gives_the_same_bytes(record: Record) -> None:
    document = dump_record(record)

    assert load_record(document) == record
    assert dump_record(load_record(document)) == document


@given(facts)
def test_any_tree_of_facts_comes_back_whole(tree: dict[str, object]) -> None:
    document = dump_facts(tree)

    assert load_facts(document, "go.toml") == tree
    assert dump_facts(load_facts(document, "go.toml")) == document


@given(st.text(st.characters(categories=["Cs", "Ll"])))
def test_half_a_character_typed_into_a_terminal_does_not_stop_the_save(typed: str) -> None:
    walk = Walk(shipped_checklist()).answer("named", words=typed)

    assert load_record(dump_record(walk.record)).attempts[0].step == "named"


@given(moments)
def test_a_moment_is_written_in_utc_to_the_second(at: datetime) -> None:
    assert moment(instant(at)) == at


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_refused_in_words(data: bytes) -> None:
    with pytest.raises(RecordInvalid) as refused:
        load_record(data, "record.toml")

    assert re.match(r"record\.toml(:\d+)?: ", refused.value.message)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema = 1", "schema = 3"),
        ("schema = 1", "schema = 1\ncolour = 'red'"),
        ('status = "proved"', 'status = "sworn"'),
        ('status = "proved"', "status = 1"),
        ('target = "remote"', ""),
        ('target = "remote"', 'target = "remote"\nregion = "weur"'),
        ("milliseconds = 12", "milliseconds = 1.5"),
        ('started_at = "2026-11-23T14:00:00Z"', "started_at = 2026-11-23T14:00:00Z"),
        ("exit_code = 0", "exit_code = 0\ncolour = 1"),
        ("schema = 1", "schema = true"),
        ("milliseconds = 12", "milliseconds = true"),
        ('by = "', "by = 1 # "),
    ],
)
def test_what_the_reader_does_not_know_it_refuses_with_its_line(old: str, new: str) -> None:
    document = closed_files()[0]["record.toml"].decode()
    assert old in document
    line = document[: document.index(old)].count("\n") + 1
    near = "|".join(str(n) for n in range(line, line + 2)) if new else r"\d+"

    with pytest.raises(RecordInvalid, match=rf"record\.toml:(?:{near}): "):
        load_record(document.replace(old, new, 1).encode())


def test_a_deeply_nested_document_is_refused_not_crashed_on() -> None:
    with pytest.raises(RecordInvalid):
        load_record(b"x = " + b"[" * 100_000)


@pytest.mark.parametrize("deep", ["[" * 400 + "]" * 400, "{a = " * 200 + "1" + "}" * 200])
def test_what_is_nested_too_deep_is_refused_in_words(deep: str) -> None:
    data = f"a = {deep}\n".encode()

    with pytest.raises(RecordInvalid, match=r"go\.toml: .* too deep|go\.toml: .* 40 deep"):
        load_facts(data, "go.toml")
    with pytest.raises(RecordInvalid, match=r"record\.toml: .* too deep|record\.toml: .* 40 deep"):
        load_record(data)


def test_dotted_keys_are_counted_as_the_tables_they_are() -> None:
    with pytest.raises(RecordInvalid, match=r"nested (more than 40|too) deep"):
        load_facts(f"{'.'.join('a' * 300)} = 1\n".encode(), "go.toml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'\nclass = "destructive"', b'\nclass = "weird"'),
        (b'\nfound = "destructive"', b'\nfound = "weird"'),
        (b'\nexpires_at = "2', b'\nexpires_at = "never 2'),
        (b'\nsigned_at = "2026-11-23', b'\nsigned_at = "2026-11-33'),
    ],
)
def test_facts_that_the_gate_goes_by_are_understood_or_refused(old: bytes, new: bytes) -> None:
    data = closed_files()[0]["record.toml"]
    assert old in data

    line = data[: data.index(old) + 1].count(b"\n") + 1

    with pytest.raises(RecordInvalid, match=rf"record\.toml:{line}: .*attempt \d+"):
        load_record(data.replace(old, new, 1))


def test_a_byte_order_mark_is_refused_since_no_record_is_written_with_one() -> None:
    with pytest.raises(RecordInvalid, match=r"record\.toml:1: unexpected byte order mark"):
        load_record(b"\xef\xbb\xbf" + closed_files()[0]["record.toml"])
