"""A lazy dataclass is to its users what the standard one is."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any

import pytest

from d1_preflight import lazy_dataclass


class _Plain:
    """The class that both decorators are given."""

    name: str
    number: int = 3
    found: list[int] = field(default_factory=list)
    noted: str = field(default="", compare=False, repr=False)
    made: int = field(default=7, init=False)
    late: str = field(default="", kw_only=True)

    @property
    def words(self) -> str:
        """What is said."""
        return f"{self.name} {self.number}"


def _made(decorator: Callable[..., Any], **options: bool) -> Any:
    body = {k: v for k, v in vars(_Plain).items() if k not in {"__dict__", "__weakref__"}}
    return decorator(**options)(type("Plain", (), copy.copy(body)))


OPTIONS = [
    {"frozen": True, "slots": True},
    {"frozen": True},
    {"slots": True},
    {},
    {"frozen": True, "slots": True, "kw_only": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_method_answers_as_that_of_the_standard_library(options: dict[str, bool]) -> None:
    ours, theirs = (_made(d, **options) for d in (lazy_dataclass.dataclass, dataclasses.dataclass))
    made = [
        (cls(name="a"), cls(name="a", number=4, found=[1], noted="x", late="y"))
        for cls in (ours, theirs)
    ]

    assert [repr(one) for one in made[0]] == [repr(one) for one in made[1]]
    assert [dataclasses.asdict(one) for one in made[0]] == [dataclasses.asdict(o) for o in made[1]]
    assert [f.name for f in fields(ours)] == [f.name for f in fields(theirs)]
    assert ours.__match_args__ == theirs.__match_args__
    assert hasattr(made[0][0], "__dict__") is hasattr(made[1][0], "__dict__")
    for cls, (one, other) in zip((ours, theirs), made, strict=True):
        assert one == cls(name="a", noted="not compared")
        assert one != other
        assert one != "a"
        assert replace(one, number=4, found=[1], late="y") == other
        assert one.found is not cls(name="a").found
        assert copy.deepcopy(other) == other
        assert other.noted == copy.copy(other).noted
        with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required"):
            cls()
        with pytest.raises(TypeError, match="unexpected keyword"):
            cls(name="a", made=1)


def test_the_first_error_is_the_same_as_the_second() -> None:
    cls = _made(lazy_dataclass.dataclass, frozen=True, slots=True)

    for _ in range(2):
        with pytest.raises(TypeError, match=r"Plain.__init__\(\) missing 1 required"):
            cls()


@lazy_dataclass.dataclass(frozen=True, slots=True)
class Kept:
    """A frozen one that can be hashed."""

    name: str
    number: int = 0


@lazy_dataclass.dataclass(frozen=True, slots=True)
class Below(Kept):
    """It has a field more, and looks at what it was given."""

    more: str = ""

    def __post_init__(self) -> None:
        """Refuse one word."""
        if self.more == "no":
            raise ValueError(self.more)


@lazy_dataclass.dataclass
class Open:
    """It can change, so that it has no hash."""

    number: int = 0


@lazy_dataclass.dataclass(frozen=True)
class Own:
    """It compares by itself."""

    number: int

    def __eq__(self, other: object) -> bool:
        """Whatever the number."""
        return isinstance(other, Own)

    def __hash__(self) -> int:
        """The same for all."""
        return 1


def test_a_frozen_one_is_hashed_pickled_and_not_changed() -> None:
    one = Kept("a", 1)

    assert {one, Kept("a", 1)} == {one}
    assert hash(one) == hash(Kept("a", 1))
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - our own
    with pytest.raises(FrozenInstanceError):
        one.number = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del one.number
    with pytest.raises(AttributeError):
        object.__setattr__(one, "other", 1)


def test_a_class_below_has_the_fields_of_both() -> None:
    assert Below("a", 1, "b") == replace(Below("a", 1), more="b")
    assert Below("a") != Kept("a")
    assert repr(Below("a")) == "Below(name='a', number=0, more='')"
    with pytest.raises(ValueError, match="no"):
        Below("a", more="no")


def test_an_open_one_changes_and_has_no_hash() -> None:
    one = Open()
    one.number = 2

    assert one == Open(2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_what_a_class_defines_itself_stays() -> None:
    assert Own(1) == Own(2)
    assert {Own(1), Own(2)} == {Own(3)}


@dataclasses.dataclass(frozen=True)
class Standard:
    """What the standard library made."""

    name: str
    found: list[int] = field(default_factory=list)


@lazy_dataclass.dataclass(frozen=True)
class BelowStandard(Standard):
    """Ours, below it."""

    more: str = lazy_dataclass.field(default="", metadata={"words": "more"})


@dataclasses.dataclass(frozen=True)
class AboveOurs(Kept):
    """The standard library's, below ours."""

    last: str = "z"


def test_both_kinds_may_be_above_each_other() -> None:
    assert BelowStandard("a", more="b").found == []
    assert lazy_dataclass.replace(BelowStandard("a"), more="b") == BelowStandard("a", more="b")
    assert [f.metadata for f in fields(BelowStandard)] == [{}, {}, {"words": "more"}]
    assert replace(AboveOurs("a"), last="y") == AboveOurs("a", 0, "y")
    assert lazy_dataclass.replace(AboveOurs("a"), last="y") == AboveOurs("a", 0, "y")


def test_replace_refuses_what_the_standard_one_refuses() -> None:
    cls = _made(lazy_dataclass.dataclass, frozen=True)
    assert lazy_dataclass.replace(cls("a"), number=4) == cls("a", 4)
    with pytest.raises(ValueError, match="made is declared with init=False"):
        lazy_dataclass.replace(cls("a"), made=1)
    with pytest.raises(TypeError, match="unexpected keyword"):
        lazy_dataclass.replace(cls("a"), other=1)


def test_our_fields_are_the_standard_ones() -> None:
    ours, theirs = (_made(d) for d in (lazy_dataclass.dataclass, dataclasses.dataclass))
    told = ("name", "type", "init", "repr", "compare", "kw_only", "metadata")

    for own, other in zip(lazy_dataclass.fields(ours), fields(theirs), strict=True):
        assert [getattr(own, t) for t in told] == [getattr(other, t) for t in told]
    for own, other in zip(fields(ours), fields(theirs), strict=True):
        assert repr(own) == repr(other)


def test_a_declared_class_has_fields_and_its_own_methods() -> None:
    class Facts:
        name: str = ""
        more: int = lazy_dataclass.field(default=0, metadata={"key": "More"})

    found = lazy_dataclass.declared(Facts)

    assert [f.metadata for f in lazy_dataclass.fields(found)] == [{}, {"key": "More"}]
    assert found is Facts
    assert Facts.more == 0
    assert Facts.__init__ is object.__init__
    assert Facts.__eq__ is object.__eq__
