"""Whole tables are read from a target in memory: how many reads, what moved, what is kept."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import apsw
import pytest

from actions.fake_target import EARLIER, UUID, Clock, FakeTarget, replied
from core.record_values import Walk, shipped_checklist
from d1_preflight.actions.context import Environment, Meter, StepContext
from d1_preflight.actions.copy_rows import (
    Copied,
    Reading,
    check_size,
    copied_so_far,
    copy_facts,
    copy_rows,
    held_by_reads,
    plan_reading,
)
from d1_preflight.actions.data_safety import read_still
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.facts import Fact, StepFacts
from d1_preflight.core.rows.fingerprint import Fingerprint
from d1_preflight.core.rows.paging import FIRST_ROWS
from d1_preflight.core.target.snapshot import LedgerRow, Observation
from local_copies import schema_of

if TYPE_CHECKING:
    from d1_preflight.core.record.change_facts import CopyFacts

CHECKLIST = shipped_checklist()


@dataclass
class Shop:
    """A target in memory and what this machine knows of it."""

    folder: Path
    known: str = EARLIER
    sizes: tuple[tuple[str, int], ...] = ()
    limit: int = 100
    first_rows: int = 20
    target: FakeTarget = field(default_factory=lambda: FakeTarget(LocalDatabases(UUID)))
    told: list[StepFacts] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = WranglerConfig(self.folder / "wrangler.jsonc")
        project = Project(self.folder, config, Database("DB", "shop", UUID))
        self.environment = SimpleNamespace(
            project=project,
            target="remote",
            settings=SimpleNamespace(data=SimpleNamespace(copy_limit_mb=self.limit)),
            files=SimpleNamespace(target_config=lambda: self.folder / "one.json"),
            wrangler=self.target,
            cache=TargetCache(first_rows=self.first_rows),
            meter=Meter(),
            clock=Clock(),
            local=self.target.local,
            prior_schema=lambda: schema_of(self.known),
        )

    @property
    def context(self) -> StepContext:
        tables: tuple[Fact, ...] = tuple(
            {"table": name, "bytes": size} for name, size in self.sizes
        )
        walk = Walk(CHECKLIST).answer("copied", facts={"tables": tables})
        return StepContext(
            environment=cast("Environment", self.environment),
            record=walk.record, checklist=CHECKLIST, kind=Kind.DESTRUCTIVE,
            step=CHECKLIST.step("backed_up"), answers={}, progress=self.told.append,
        )  # fmt: skip

    @property
    def reads(self) -> int:
        return self.target.commands.count("read")

    def happens(self, *events: str) -> None:
        """After each read in turn somebody writes; after the last nobody does."""
        coming: Iterator[str] = iter(events)

        def write() -> None:
            if sql := next(coming, ""):
                self.target.connection.execute(sql)

        self.target.then["read"] = write

    def observed(self, counts: dict[str, int]) -> None:
        ledger = (LedgerRow(1, "0001_prior_state.sql", "2026-11-23 14:30:00"),)
        found = Observation(Clock().now(), ledger, schema_of(EARLIER), counts)
        self.environment.cache.observation = found


Make = Callable[..., Shop]


@pytest.fixture
def shop(tmp_path: Path) -> Make:
    return lambda **more: Shop(tmp_path, **more)


async def test_a_schema_that_is_known_costs_one_read_and_counts_every_table(shop: Make) -> None:
    place = shop()

    reading = await plan_reading(place.context)

    assert place.reads == 1
    assert dict(reading.observation.counts) == {"teams": 2, "members": 3, "log": 3}
    assert set(reading.tables) == {"teams", "members", "log"}
    assert {name: len(rows) - 1 for name, rows in reading.first.items()} == {
        "teams": 2, "members": 3, "log": 3,
    }  # fmt: skip
    assert [(ran.stdout, ran.shown) for ran in reading.evidence] == [("", "")]
    assert place.environment.cache.observation is reading.observation


@pytest.mark.parametrize(
    "known",
    [
        EARLIER + "CREATE TABLE more(x);",
        EARLIER.replace("role TEXT", "role TEXT, more TEXT"),
        EARLIER.splitlines()[0],
    ],
    ids=["a table that is not there", "another column", "a table alone"],
)
async def test_a_schema_that_is_another_one_costs_one_read_more(shop: Make, known: str) -> None:
    place = shop(known=known)

    reading = await plan_reading(place.context)

    assert reading.observation.schema.fingerprint == schema_of(EARLIER).fingerprint
    assert set(reading.tables) == {"teams", "members", "log"}
    assert len(reading.evidence) == 2


async def test_tables_that_are_not_wanted_are_counted_too(shop: Make) -> None:
    reading = await plan_reading(shop().context, ["teams"])

    assert dict(reading.observation.counts) == {"teams": 2, "members": 3, "log": 3}
    assert list(reading.first) == ["teams"]


async def test_a_failure_that_is_no_missing_table_is_not_asked_again(shop: Make) -> None:
    place = shop()
    place.target.connection.close()

    with pytest.raises((RemoteFailed, apsw.ConnectionClosedError)):
        await plan_reading(place.context)

    assert place.reads == 1


async def test_a_table_that_is_gone_since_it_was_seen_is_said(shop: Make) -> None:
    place = shop()
    place.observed({})
    place.target.connection.execute("DROP TABLE log")

    with pytest.raises(RemoteFailed, match="no such table"):
        await plan_reading(place.context)

    assert place.reads == 1


async def test_a_schema_that_never_stands_still_is_not_read(shop: Make) -> None:
    place = shop()
    numbers = iter(range(9))
    place.target.first["read"] = lambda: place.target.connection.execute(
        f"CREATE TABLE more{next(numbers)}(x)"
    )

    with pytest.raises(RemoteFailed, match="keeps changing while it is read"):
        await plan_reading(place.context)

    assert place.reads == 3


async def copied(place: Shop, only: Sequence[str] | None = None) -> tuple[Reading, Copied]:
    reading = await plan_reading(place.context, only)
    return reading, await copy_rows(place.context, reading, place.folder / "rows")


NO_ORDER = "CREATE TABLE odd(rowid, _rowid_, oid); INSERT INTO odd VALUES (1, 2, 3), (4, 5, 6);"


def without(*places: int) -> Callable[[Evidence], Evidence]:
    """An answer whose last statement lacks rows."""

    def lacking(ran: Evidence) -> Evidence:
        answers = json.loads(ran.stdout)
        rows = answers[-1]["results"]
        answers[-1]["results"] = [row for n, row in enumerate(rows) if n not in places]
        return replied(ran.argv, answers)

    return lacking


@pytest.mark.parametrize("places", [(0,), (1,), (2,), (0, 1, 2)])
async def test_an_answer_that_lacks_rows_keeps_nothing(shop: Make, places: tuple[int, ...]) -> None:
    place = shop()
    place.target.instead["read"] = without(*places)

    with pytest.raises(RemoteFailed, match="The database's answer could not be read"):
        await copied(place, ["teams"])

    assert not (place.folder / "rows").exists()


async def test_a_table_without_an_order_is_read_at_once_and_counted(shop: Make) -> None:
    place = shop(known=EARLIER + NO_ORDER.partition(";")[0])
    place.target.connection.execute(NO_ORDER)
    _, whole = await copied(place, ["odd"])
    place.target.instead["read"] = without(0)
    _, lacking = await copied(place, ["odd"])

    assert (whole.moved, [copy.rows for copy in whole.copies]) == ((), [2])
    assert (lacking.moved, [copy.rows for copy in lacking.copies]) == (("odd",), [1])


@pytest.mark.parametrize(
    ("rows", "size", "words"),
    [
        (None, None, "It is unknown how many rows it reads."),
        (None, 100, ""),
        (None, 120_000, "It reads about 1,200 rows."),
        (1000, 120_000, ""),
        (1002, None, "It reads about 1,002 rows."),
    ],
)
def test_a_read_of_unknown_or_large_size_waits_for_a_person(
    shop: Make, rows: int | None, size: int | None, words: str
) -> None:
    place = shop()
    place.environment.settings.walk = SimpleNamespace(read_limit_rows=1000)
    place.environment.cache.size = size
    facts: Mapping[str, Fact] = {} if rows is None else {"rows": rows}
    copy = Walk(CHECKLIST).answer("copied", facts=facts)

    assert held_by_reads(replace(place.context, record=copy.record)) == words


async def test_every_table_has_its_copy_and_an_empty_one_too(shop: Make) -> None:
    place = shop()
    place.target.connection.execute("DELETE FROM log")

    _, found = await copied(place)

    assert {copy.table: copy.rows for copy in found.copies} == {"teams": 2, "members": 3, "log": 0}
    assert found.moved == ()
    assert sorted(path.name for path in (place.folder / "rows").glob("*.rows")) == [
        "0001.rows", "0002.rows", "0003.rows",
    ]  # fmt: skip
    told = [cast("CopyFacts", facts) for facts in place.told]
    assert [(facts.reading, facts.of) for facts in told] == [
        ("log", 3), ("members", 3), ("teams", 3),
    ]  # fmt: skip
    assert place.target.kept == [None] * len(place.target.kept)


MORE = "INSERT INTO log VALUES ('late')"


def long_shop(shop: Make, first_rows: int = 20) -> Shop:
    """A table of one row more than a first page takes."""
    place = shop(first_rows=first_rows)
    place.target.connection.execute(
        "DELETE FROM log; WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s"
        f" WHERE i < {first_rows + 1}) INSERT INTO log SELECT 'row ' || i FROM s"
    )
    return place


@pytest.mark.parametrize("first_rows", [20, pytest.param(FIRST_ROWS, marks=pytest.mark.matrix)])
@pytest.mark.parametrize(("still", "moved"), [(False, ()), (True, ("log",))])
async def test_a_long_table_is_read_on_from_its_last_key_and_counted_where_it_must_be_still(
    shop: Make, first_rows: int, *, still: bool, moved: tuple[str, ...]
) -> None:
    place = long_shop(shop, first_rows)
    reading = await plan_reading(place.context, ["log", "teams"])
    place.target.connection.execute("DELETE FROM log WHERE rowid < 9")  # behind what was read

    found = await copy_rows(place.context, reading, place.folder / "rows", still=still)

    assert {copy.table: copy.rows for copy in found.copies} == {"log": first_rows + 1, "teams": 2}
    assert found.moved == moved
    assert place.reads == 2 + still
    assert reading.first == {}  # nothing is held once it is written


async def test_a_table_that_came_in_one_answer_is_not_counted(shop: Make) -> None:
    place = shop()
    reading = await plan_reading(place.context, ["teams"])

    found = await copy_rows(place.context, reading, place.folder / "rows", still=True)

    assert (found.moved, place.reads) == ((), 1)


async def test_another_ledger_while_rows_are_read_keeps_nothing(shop: Make) -> None:
    place = long_shop(shop)
    reading = await plan_reading(place.context)
    place.target.apply("0009_z.sql", "SELECT 1")

    with pytest.raises(RemoteFailed, match="The ledger changed while the rows were copied"):
        await copy_rows(place.context, reading, place.folder / "rows")

    assert not (place.folder / "rows").exists()


async def test_a_copy_begins_with_an_empty_private_folder(shop: Make) -> None:
    place = shop()
    (place.folder / "rows").mkdir()
    (place.folder / "rows" / "0009.rows").write_text("old")

    await copied(place, ["teams"])

    assert [path.name for path in (place.folder / "rows").iterdir()] == ["0001.rows"]
    assert (place.folder / "rows").stat().st_mode & 0o777 == 0o700


COUNTER = """CREATE TABLE c(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
INSERT INTO c VALUES (7, 'x'); DELETE FROM c; INSERT INTO c VALUES (2, 'y');"""


async def test_an_autoincrement_mark_is_read_with_the_rows(shop: Make) -> None:
    place = shop(known=EARLIER + COUNTER)
    place.target.connection.execute(COUNTER)

    reading, found = await copied(place, ["c", "teams"])

    assert reading.sequences["c"] == 7
    assert {copy.table: copy.sequence for copy in found.copies} == {"c": 7, "teams": None}


async def test_the_mark_is_that_of_the_last_page(shop: Make) -> None:
    place = shop(known=EARLIER + COUNTER)
    place.target.connection.execute(COUNTER)
    place.target.connection.execute(
        "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 21)"
        " INSERT INTO c(v) SELECT i FROM s"
    )
    reading = await plan_reading(place.context, ["c"])
    place.target.connection.execute("INSERT INTO c(v) VALUES ('late')")

    found = await copy_rows(place.context, reading, place.folder / "rows")

    (copy,) = found.copies
    assert (copy.rows, copy.sequence) == (23, 29)


async def test_rows_are_read_once_more_where_they_moved_and_no_third_time(shop: Make) -> None:
    still, once, ever = long_shop(shop), long_shop(shop), long_shop(shop)
    goes = "DELETE FROM log WHERE rowid IN (SELECT rowid FROM log LIMIT 1)"
    comes = f"{goes}; {MORE}; {MORE}"
    once.happens(goes)
    ever.happens(goes, "", comes, comes)

    found = [
        await read_still(place.context, ["log"], place.folder / f"rows{number}")
        for number, place in enumerate((still, once, ever))
    ]

    assert [copied.moved for copied, _ in found] == [(), (), ("log",)]
    assert [place.reads for place in (still, once, ever)] == [3, 4, 6]
    assert [len(evidence) for _, evidence in found] == [1, 2, 2]


@pytest.mark.parametrize(("size", "is_too_large"), [(2_000_000, False), (2_000_001, True)])
def test_more_than_the_settings_allow_is_not_copied(
    shop: Make, size: int, *, is_too_large: bool
) -> None:
    place = shop(limit=2)

    if is_too_large:
        with pytest.raises(NotAllowed, match="exceed the limit of 2 MB for a copy"):
            check_size(place.context.environment, size)
    else:
        check_size(place.context.environment, size)


async def test_nothing_is_kept_of_a_copy_that_grows_too_large(shop: Make) -> None:
    place = shop(limit=1)
    place.target.connection.execute("INSERT INTO log VALUES (zeroblob(600000))")

    with pytest.raises(NotAllowed, match="the limit of 1 MB"):
        await copied(place)

    assert not (place.folder / "rows").exists()


async def test_a_record_lists_counts_and_sizes_and_no_value(shop: Make) -> None:
    _, found = await copied(shop(), ["teams"])

    (told,) = copy_facts(found.copies, {"teams": Fingerprint(2, 9, 1, 5)})
    (bare,) = copy_facts(found.copies)
    so_far = cast("CopyFacts", copied_so_far(found.copies, "members", 3))

    assert (told.table, told.rows, bool(told.values), bare.values) == ("teams", 2, True, "")
    assert (so_far.reading, so_far.of, len(so_far.tables)) == ("members", 3, 1)
