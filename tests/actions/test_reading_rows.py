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
from d1_preflight.actions.context import Environment, Meter, StepContext, TargetCache
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
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.facts import Fact, StepFacts
from d1_preflight.core.rows.codec import Page
from d1_preflight.core.rows.fingerprint import Fingerprint
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
            cache=TargetCache(),
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
    assert [page.rows for page in reading.pages] == [3, 3, 2]
    assert len(reading.evidence) == 1
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
    assert [page.table for page in reading.pages] == ["teams"]


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


@pytest.mark.parametrize(
    ("sizes", "counts", "reads"),
    [
        ((("teams", 499_999), ("log", 1)), {"teams": 2, "log": 1}, 0),
        ((("teams", 500_000), ("log", 1)), {"teams": 2, "log": 1}, 1),
        ((("teams", 1), ("log", 0)), {"teams": 2, "log": 1}, 1),
        ((("teams", 1),), {"teams": 2, "log": 1}, 1),
        ((("teams", 1), ("log", 1)), {"teams": 2}, 1),
        ((("teams", 1), ("log", 1)), None, 1),
    ],
)
async def test_tables_that_the_copy_showed_small_are_read_without_a_plan(
    shop: Make, sizes: tuple[tuple[str, int], ...], counts: dict[str, int] | None, reads: int
) -> None:
    place = shop(sizes=sizes)
    if counts is not None:
        place.observed(counts)

    reading = await plan_reading(place.context, ["teams", "log"])

    assert place.reads == reads
    assert set(reading.tables) == {"teams", "log"}
    assert [page.rows is None for page in reading.pages] == [not reads, not reads]


async def test_the_whole_target_is_always_planned(shop: Make) -> None:
    place = shop(sizes=(("teams", 1), ("members", 1), ("log", 1)))
    place.observed({"teams": 2, "members": 3, "log": 3})

    await plan_reading(place.context)

    assert place.reads == 1


async def copied(place: Shop, only: Sequence[str] | None = None) -> tuple[Reading, Copied]:
    reading = await plan_reading(place.context, only)
    return reading, await copy_rows(place.context, reading, place.folder / "rows")


async def test_a_count_that_cannot_be_read_keeps_nothing(shop: Make) -> None:
    place = shop(sizes=(("teams", 1), ("log", 1)))
    place.observed({"teams": 2, "log": 3})

    def uncounted(ran: Evidence) -> Evidence:
        answers = json.loads(ran.stdout)
        for answer in answers[-2:]:
            answer["results"] = []
        return replied(ran.argv, answers)

    place.target.instead["read"] = uncounted
    with pytest.raises(RemoteFailed, match="it counts no rows"):
        await copied(place, ["teams", "log"])

    assert not (place.folder / "rows").exists()


@pytest.mark.parametrize(
    ("rows", "size", "words"),
    [
        (None, None, "How many rows it reads is not known."),
        (None, 100, ""),
        (None, 60_000, "It reads about 1,200 rows."),
        (500, 60_000, ""),
        (501, None, "It reads about 1,002 rows."),
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
    (told,) = place.told
    assert (cast("CopyFacts", told).reading, cast("CopyFacts", told).of) != ("", None)
    assert place.target.kept == [None] * len(place.target.kept)


@pytest.mark.parametrize("small", [False, True])
async def test_a_table_that_moves_between_plan_and_read_is_named(
    shop: Make, *, small: bool
) -> None:
    place = shop(sizes=(("teams", 1), ("members", 1)) if small else ())
    if small:
        place.observed({"teams": 2, "members": 3})
    reading = await plan_reading(place.context, ["teams", "members"])
    place.target.connection.execute("INSERT INTO teams VALUES ('c', 'C', NULL)")

    found = await copy_rows(place.context, reading, place.folder / "rows")

    assert found.moved == (() if small else ("teams",))
    assert {copy.table: copy.rows for copy in found.copies} == {"teams": 3, "members": 3}


async def test_an_answer_that_lacks_rows_is_seen_by_its_own_count(shop: Make) -> None:
    place = shop(sizes=(("teams", 1),))
    place.observed({"teams": 2})
    reading = await plan_reading(place.context, ["teams"])
    page = reading.pages[0]
    short = Page(page.table, f"SELECT * FROM ({page.sql}) LIMIT 1", None)

    found = await copy_rows(
        place.context,
        Reading(reading.observation, reading.tables, (short,), ()),
        place.folder / "rows",
    )

    assert found.moved == ("teams",)


async def test_another_ledger_while_rows_are_read_keeps_nothing(shop: Make) -> None:
    place = shop()
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
    reading = await plan_reading(place.context, ["c", "teams"])
    assert reading.sequences["c"] == 7
    place.target.connection.execute("UPDATE sqlite_sequence SET seq = 9 WHERE name = 'c'")

    found = await copy_rows(place.context, reading, place.folder / "rows")

    assert {copy.table: copy.sequence for copy in found.copies} == {"c": 9, "teams": None}


async def test_rows_are_read_once_more_where_they_moved_and_no_third_time(shop: Make) -> None:
    still, once, ever = shop(), shop(), shop()
    write = "INSERT INTO teams(name) VALUES ('more')"
    once.happens(write)
    ever.happens(write, "", write)

    found = [
        await read_still(place.context, ["teams"], place.folder / f"rows{number}")
        for number, place in enumerate((still, once, ever))
    ]

    assert [copied.moved for copied, _ in found] == [(), (), ("teams",)]
    assert [place.reads for place in (still, once, ever)] == [2, 4, 4]
    assert [len(evidence) for _, evidence in found] == [1, 2, 2]


@pytest.mark.parametrize(("megabytes", "is_too_large"), [(2, False), (3, True)])
def test_more_than_the_settings_allow_is_not_read(
    shop: Make, megabytes: int, *, is_too_large: bool
) -> None:
    place = shop(limit=2)
    found = tuple(Page("t", "SELECT 1", 1) for _ in range(megabytes))
    reading = Reading(Observation(Clock().now(), (), schema_of("")), {}, found, ())

    if is_too_large:
        with pytest.raises(NotAllowed, match="about 3 MB; at most 2 MB are copied"):
            check_size(place.context.environment, reading)
    else:
        check_size(place.context.environment, reading)


async def test_a_record_lists_counts_and_sizes_and_no_value(shop: Make) -> None:
    _, found = await copied(shop(), ["teams"])

    (told,) = copy_facts(found.copies, {"teams": Fingerprint(2, 9, 1, 5)})
    (bare,) = copy_facts(found.copies)
    so_far = cast("CopyFacts", copied_so_far(found.copies, "members", 3))

    assert (told.table, told.rows, bool(told.values), bare.values) == ("teams", 2, True, "")
    assert (so_far.reading, so_far.of, len(so_far.tables)) == ("members", 3, 1)
