"""A file whose size and times are those of the last look is not read; any change of it is seen."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from d1_preflight.adapters.code_cache import CodeCache
from d1_preflight.adapters.working_tree import (
    MOST_BYTES,
    WorkingTree,
    is_settled,
    working_tree,
)

OLD = 1_700_000_000


class Kept:
    """What was known of files, in memory; `later` is how long ago they were changed."""

    def __init__(self) -> None:
        self.known: dict[str, object] = {}

    def files(self) -> dict[str, object]:
        return self.known

    def keep_files(self, known: dict[str, object]) -> None:
        self.known = known


def a_minute_on() -> int:
    """Files were changed long before they are looked at: ctime cannot be set."""
    return time.time_ns() + 60_000_000_000


def tree_of(
    root: Path,
    kept: Kept,
    now_ns: Callable[[], int] = a_minute_on,
    listed: Callable[[int], None] | None = None,
) -> WorkingTree:
    return working_tree(root, lambda path: path.endswith(".ts"), kept, listed=listed, now_ns=now_ns)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.ts").write_text("one")
    (tmp_path / "b.ts").write_text("two")
    return tmp_path


def test_a_file_that_is_as_it_was_is_read_only_when_it_is_asked_for(root: Path) -> None:
    kept = Kept()
    first = tree_of(root, kept)
    second = tree_of(root, kept)
    assert set(kept.known) == {"a.ts", "b.ts"}
    assert dict(second.blobs) == dict(first.blobs)
    assert second._data == {}
    assert second.read(["a.ts"]) == {"a.ts": b"one"}


def test_a_change_that_keeps_size_and_time_is_seen(root: Path) -> None:
    kept = Kept()
    path = root / "a.ts"
    os.utime(path, (OLD, OLD))
    first = tree_of(root, kept)
    path.write_text("two")
    os.utime(path, (OLD, OLD))
    second = tree_of(root, kept)
    assert second.blobs["a.ts"] == first.blobs["b.ts"]


def test_what_was_changed_just_now_is_read_again(root: Path) -> None:
    kept = Kept()
    last = max((root / name).stat().st_ctime_ns for name in ("a.ts", "b.ts"))
    tree_of(root, kept, lambda: last + 50_000_000)
    assert kept.known == {}


@pytest.mark.parametrize(
    ("modified", "changed", "seconds_on", "settled"),
    [
        (OLD * 10**9, OLD * 10**9 + 123_456_789, 1, True),
        (OLD * 10**9 + 123_456_789, OLD * 10**9 + 123_456_789, 0.05, False),
        (OLD * 10**9, OLD * 10**9, 1, False),  # a clock of whole seconds
        (OLD * 10**9, OLD * 10**9 + 120_000_000, 1, False),  # one of hundredths
        (OLD * 10**9, OLD * 10**9, 3, True),
        ((OLD + 60) * 10**9, OLD * 10**9 + 123_456_789, 1, False),  # of the future
    ],
)
def test_how_new_a_file_may_be_follows_its_file_systems_clock(
    modified: int, changed: int, seconds_on: float, settled: bool
) -> None:
    now = changed + int(seconds_on * 10**9)
    assert is_settled(modified, changed, now) is settled


def test_a_file_that_changes_before_it_is_asked_for_is_not_given(root: Path) -> None:
    kept = Kept()
    tree_of(root, kept)
    second = tree_of(root, kept)
    (root / "a.ts").write_text("another")
    (root / "b.ts").unlink()
    assert second.read(["a.ts", "b.ts"]) == {}


@pytest.mark.parametrize("odd", ["x", 3, None, [1], [1, 2, 3, 4, 5], {}, [1, 2, 3, 4, "x" * 40]])
def test_what_is_kept_in_another_form_is_nothing(root: Path, odd: object) -> None:
    kept = Kept()
    first = tree_of(root, kept)
    kept.known = dict.fromkeys(first.blobs, odd)
    assert dict(tree_of(root, kept).blobs) == dict(first.blobs)


def test_a_link_or_a_longer_file_in_its_place_is_none(root: Path) -> None:
    kept = Kept()
    tree_of(root, kept)
    (root / "a.ts").unlink()
    (root / "a.ts").symlink_to(root / "b.ts")
    (root / "b.ts").write_bytes(b"x" * (MOST_BYTES + 1))
    found = tree_of(root, kept)
    assert dict(found.blobs) == {}
    assert any("b.ts is larger than" in note for note in found.notes)


def test_the_cache_keeps_it_between_two_runs(root: Path, tmp_path: Path) -> None:
    cache = CodeCache(root, tmp_path / "cache")
    cache.keep_files({"a.ts": [1, 2, 3, 4, "b"]})
    assert CodeCache(root, tmp_path / "cache").files() == {"a.ts": [1, 2, 3, 4, "b"]}


def test_how_many_files_are_new_is_said_before_they_are_read(root: Path) -> None:
    kept, counts = Kept(), list[int]()

    for _ in range(2):
        tree_of(root, kept, listed=counts.append)

    assert counts == [2, 0]
