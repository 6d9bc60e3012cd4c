"""Laws of typed facts: what a record holds comes back byte for byte, whoever wrote it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.record_values import Walk, closed_files, shipped_checklist
from d1_preflight.core.checklist.answers import Order
from d1_preflight.core.findings import Kind
from d1_preflight.core.record import apply_facts, change_facts, safety_facts
from d1_preflight.core.record.apply_facts import GoFacts
from d1_preflight.core.record.change_facts import ClassFacts, CopyFacts, RehearsalFacts
from d1_preflight.core.record.facts import FactGroup, Facts, StepFacts, fields_by_key, instant
from d1_preflight.core.record.file import dump_facts, load_record
from d1_preflight.core.record.safety_facts import BackupFacts, DownFacts
from example_record import EXAMPLE
from law_size import examples
from sampling import sampled
from tui.scenes import outcomes

RECORD = EXAMPLE / "record.toml"
SECTIONS = (change_facts, safety_facts, apply_facts)
STEPS: dict[str, type[StepFacts]] = {
    kind.step: kind
    for section in SECTIONS
    for kind in vars(section).values()
    if isinstance(kind, type) and issubclass(kind, StepFacts) and kind is not StepFacts
}

text = st.text(max_size=6)
fact = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | text,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


GIVEN: dict[Any, st.SearchStrategy[Any]] = {
    str: text,
    int: st.integers(-9, 9),
    bool: st.booleans(),
    Kind: st.sampled_from(Kind),
    Order: st.sampled_from(Order),
    datetime: st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
}


def given_value(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of this annotation that a record may have."""
    if get_origin(kind) is tuple:
        return st.lists(given_value(get_args(kind)[0]), max_size=2).map(tuple)
    inner = get_args(kind)[0] if get_args(kind) else kind
    if issubclass(inner, FactGroup):
        return group_of(inner)
    return GIVEN[inner]


def group_of(kind: type[FactGroup]) -> st.SearchStrategy[Any]:
    own = fields_by_key(kind).values()
    return st.builds(kind, **{f.name: st.just(f.default) | given_value(f.type) for f in own})


def recorded(kind: type[FactGroup]) -> st.SearchStrategy[Facts]:
    """Facts as some version of this program may have written them: known and unknown keys."""
    held = {key: typed_fact(f.type) | fact for key, f in fields_by_key(kind).items()}
    own = st.fixed_dictionaries({}, optional=held)
    return st.tuples(own, st.dictionaries(text, fact, max_size=2)).flatmap(
        lambda parts: st.permutations(list({**parts[1], **parts[0]}.items())).map(dict)
    )


def typed_fact(kind: Any) -> st.SearchStrategy[Any]:
    inner = get_args(kind)[0] if get_args(kind) else kind
    held = recorded(inner) if issubclass(inner, FactGroup) else given_value(inner).map(as_recorded)
    return st.lists(held, max_size=2).map(tuple) if get_origin(kind) is tuple else held


def as_recorded(value: object) -> object:
    if isinstance(value, datetime):
        return instant(value)
    return value.value if isinstance(value, Kind | Order) else value


def same(one: object, other: object) -> bool:
    """Equal in values, types and order."""
    return repr(one) == repr(other)


def unknown_keys(group: FactGroup) -> Iterator[str]:
    yield from group.extra
    for own in fields_by_key(type(group)).values():
        value = getattr(group, own.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, FactGroup):
                yield from unknown_keys(part)


@cache
def any_recorded(step: str) -> st.SearchStrategy[Facts]:
    return recorded(STEPS[step])


@cache
def any_typed(step: str) -> st.SearchStrategy[Any]:
    return group_of(STEPS[step])


@pytest.mark.parametrize("step", sampled(STEPS, 5))
@settings(max_examples=examples(40))
@given(data=st.data())
def test_facts_come_back_byte_for_byte(step: str, data: st.DataObject) -> None:
    kind, facts = STEPS[step], data.draw(any_recorded(step))

    again = kind.read(facts).written()

    assert same(again, facts)
    assert dump_facts(again) == dump_facts(facts)


@pytest.mark.parametrize("step", sampled([*list(STEPS)[1:], *list(STEPS)[:1]], 5))
@settings(max_examples=examples(40))
@given(data=st.data())
def test_typed_facts_come_back_whole(step: str, data: st.DataObject) -> None:
    kind, value = STEPS[step], data.draw(any_typed(step))

    again = kind.read(value.written())

    assert again == value
    assert same(again.written(), value.written())
    for own in fields_by_key(kind).values():
        assert getattr(again, own.name) == getattr(value, own.name)


def fixtures() -> Iterator[tuple[str, Facts]]:
    for source in (RECORD.read_bytes(), closed_files()[0]["record.toml"]):
        yield from ((attempt.step, attempt.facts) for attempt in load_record(source).attempts)
    for lost in (0, 1_204):
        yield from ((step, outcome.facts.written()) for step, outcome in outcomes(lost).items())


def test_every_record_at_hand_comes_back_byte_for_byte() -> None:
    for step, facts in fixtures():
        if step in STEPS:
            assert same(STEPS[step].read(facts).written(), facts), step


def test_every_fact_of_the_example_is_known_by_its_type() -> None:
    for attempt in load_record(RECORD.read_bytes()).attempts:
        if attempt.facts:
            assert list(unknown_keys(STEPS[attempt.step].from_attempt(attempt))) == []


def test_what_a_record_does_not_have_is_unknown() -> None:
    nothing = CopyFacts.from_attempt(None)

    assert nothing.is_empty
    assert (nothing.schema, nothing.rows, nothing.tables) == ("", None, ())


def test_a_value_of_another_type_is_unknown_and_kept() -> None:
    facts: Facts = {"rows": "many", "tables": "none", "schema": "abc", "bytes": True, "newer": 1}

    copied = CopyFacts.read(facts)

    assert (copied.rows, copied.tables, copied.schema, copied.bytes) == (None, (), "abc", None)
    assert copied.written() == facts


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (ClassFacts, {"class": "weird", "found": "additive"}),
        (ClassFacts, {"class": 3}),
        (GoFacts, {"expires_at": "tomorrow"}),
        (GoFacts, {"expires_at": "2026-1-2T3:4:5Z"}),
        (GoFacts, {"signed_at": True}),
    ],
)
def test_a_class_or_time_that_is_none_is_told_and_kept(kind: type[StepFacts], facts: Facts) -> None:
    read = kind.read(facts)

    assert list(read.misread) == [next(iter(facts))]
    assert same(read.written(), facts)


def test_another_value_of_another_type_does_not_decide() -> None:
    assert GoFacts.read({"criteria": 1, "newer": "x"}).misread == {}


def test_a_record_holds_what_an_outcome_found_byte_for_byte() -> None:
    facts: Facts = {"newer": ({"a": 1},), "rows": 3, "tables": "none", "schema": "abc"}
    checklist = shipped_checklist()

    walk = Walk(checklist).answer("copied", facts=CopyFacts.read(facts).written())

    assert same(walk.record.attempts[-1].facts, facts)


def test_what_is_empty_is_written_and_what_is_absent_is_not() -> None:
    assert DownFacts(source="none", gaps=()).written() == {"source": "none", "gaps": ()}
    assert RehearsalFacts(wrangler_ms=3).written() == {"wrangler_ms": 3}
    assert BackupFacts().written() == {}


def test_typed_facts_do_not_change() -> None:
    with pytest.raises(AttributeError):
        CopyFacts().rows = 1  # type: ignore[misc]
    with pytest.raises(TypeError, match="CopyFacts has no rws"):
        CopyFacts(rws=1)  # type: ignore[call-arg]
