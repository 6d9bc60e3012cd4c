from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d1_preflight.practice.engine import Database
from d1_preflight.practice.timetravel import KEEP, BookmarkUnknown, TimeTravel
from law_size import examples


class Clock:
    """A moment later at every look."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 18, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


def begun(folder: Path, clock: Clock) -> tuple[Database, TimeTravel]:
    database = Database(folder / "d1.sqlite")
    database.query("CREATE TABLE t (a)")
    return database, TimeTravel(database, folder / "snapshots", clock)


def content(database: Database) -> list[object]:
    return [row[0] for row in database.rows("SELECT a FROM t ORDER BY rowid")]


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_every_bookmark_brings_back_exactly_its_state(steps: list[int]) -> None:
    with TemporaryDirectory() as folder:
        database, travel = begun(Path(folder), Clock())
        known = [(travel.latest.bookmark, content(database))]
        for step in steps:
            if step % 3 == 0:  # go to a state that was; else write
                mark, expected = known[step % len(known)]
                before, after = travel.restore(mark)
                assert (before.bookmark, after.bookmark) == (known[-1][0], travel.latest.bookmark)
                assert content(database) == expected
            else:
                database.query("INSERT INTO t VALUES (?1)", (step,))
                assert travel.keep_up()
            known.append((travel.latest.bookmark, content(database)))
        assert len({mark for mark, _ in known}) == len(known)
        database.close()


def test_a_moment_finds_the_state_of_then(tmp_path: Path) -> None:
    clock = Clock()
    database, travel = begun(tmp_path, clock)
    first, then = travel.latest, clock.moment
    clock.moment += timedelta(minutes=1)
    database.query("INSERT INTO t VALUES (1)")
    travel.keep_up()
    assert travel.at(then) == travel.at(then + timedelta(seconds=59)) == first
    assert travel.at(clock.moment) == travel.latest != first
    with pytest.raises(BookmarkUnknown):
        travel.at(then - timedelta(days=60))


def test_a_write_that_was_not_copied_in_time_is_copied_at_the_next_start(tmp_path: Path) -> None:
    database, travel = begun(tmp_path, Clock())
    before = travel.latest
    database.query("INSERT INTO t VALUES (1)")  # killed here: the copy was never made
    again = TimeTravel(database, tmp_path / "snapshots", Clock())
    assert again.latest.writes == before.writes + 1
    again.restore(before.bookmark)
    assert content(database) == []


def test_old_states_go_but_the_first_one_stays(tmp_path: Path) -> None:
    database, travel = begun(tmp_path, Clock())
    first = travel.latest
    for number in range(KEEP + 5):
        database.query("INSERT INTO t VALUES (?1)", (number,))
        travel.keep_up()
    assert len(travel.snapshots()) <= KEEP + 1
    assert travel.snapshots()[0] == first
