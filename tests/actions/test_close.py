"""How it ended is held against the database: structure, not spelling; then rows are counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import apsw
import pytest

from core.record_values import START, Walk, shipped_checklist
from d1_preflight.actions.close import _contradicted, _fewer, _found
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT, ROLLED_BACK
from d1_preflight.core.record.apply_facts import CloseFacts, CountedTable
from d1_preflight.core.record.record import Status
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.target.snapshot import LedgerRow, Observation
from d1_preflight.core.verify.timeline import new_timeline, next_line, read_timeline
from plain.fakes import MemoryStore

if TYPE_CHECKING:
    from d1_preflight.core.record.facts import Fact

CHECKLIST = shipped_checklist()
NAME = "0057_add_team_billing.sql"
BEFORE = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, old_name TEXT CHECK (old_name <> ''));"
    "CREATE INDEX i ON t(old_name) WHERE old_name > 'a';"
    "CREATE VIEW v AS SELECT old_name FROM t;"
    "CREATE TRIGGER g AFTER UPDATE OF old_name ON t BEGIN DELETE FROM t WHERE id < 0; END;"
)
AFTER = f"{BEFORE} ALTER TABLE t RENAME COLUMN old_name TO new_name;"
DOWN = 'ALTER TABLE t RENAME COLUMN new_name TO "old_name";'


def schema(sql: str) -> Schema:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    return Schema.from_connection(connection)


@dataclass
class Locals:
    """The copy from before and the rehearsal, by their folders; none where they are not here."""

    schemas: Mapping[str, Schema]
    here: Path

    def file(self, persist: Path) -> Path:
        return self.here if persist.parent.name in self.schemas else self.here / "gone"

    def schema(self, persist: Path) -> Schema:
        return self.schemas[persist.parent.name]


@dataclass
class Ended:
    """An applied migration whose database now has another schema."""

    folder: Path
    before: str = BEFORE
    after: str = AFTER
    here: tuple[str, ...] = ("copy", "rehearsal")
    store: MemoryStore = field(default_factory=MemoryStore)

    def context(self, end: str) -> StepContext:
        walk = Walk(CHECKLIST)
        before, after = schema(self.before), schema(self.after)
        counts: tuple[Fact, ...] = ({"table": "t", "rows": 5}, {"table": "gone", "rows": 7})
        walk.answer("copied", facts={"schema": before.fingerprint, "tables": counts})
        walk.answer("rehearsed", facts={
            "schema_after": after.fingerprint,
            "counts_after": ({"table": "t", "rows": 5}, {"table": "made", "rows": 0}),
        })  # fmt: skip
        walk.answer("applied", facts={"counts_before": ({"table": "t", "rows": 6},)})
        found: tuple[Fact, ...] = (
            {"table": "t", "expected": 6, "found": 6},
            {"table": "made", "found": 0},
        )
        walk.answer("rows", facts={"tables": found})
        walk.record = walk.record.begin(
            CHECKLIST.step("close"), {"end": end, "verdict": "so"}, by="ana", at=walk.now
        )
        named = {"copy": before, "rehearsal": after}
        local = Locals({name: named[name] for name in self.here}, self.folder)
        environment = SimpleNamespace(
            local=local,
            name=NAME,
            workspace=self.folder,
            store=self.store,
            copy=self.folder / "copy" / "d1",
        )
        return StepContext(
            environment=cast("Environment", environment),
            record=walk.record, checklist=CHECKLIST, kind=walk.kind,
            step=CHECKLIST.step("close"), answers={"end": end, "verdict": "so"},
        )  # fmt: skip

    def says(self, end: str, now: str, *, ledger: bool = True) -> tuple[Status, str] | None:
        return _contradicted(self.context(end), seen(now, ledger=ledger))


def seen(now: str, counts: Mapping[str, int] | None = None, *, ledger: bool = True) -> Observation:
    rows = (LedgerRow(1, NAME, "2026-11-23 14:00:00"),) if ledger else ()
    return Observation(START, rows, schema(now), counts or {}, quick_check="ok")


@pytest.fixture
def ended(tmp_path: Path) -> Ended:
    (tmp_path / "file").touch()
    return Ended(tmp_path / "file")


def test_the_down_file_s_quotes_are_no_other_schema(ended: Ended) -> None:
    now = AFTER + DOWN
    assert schema(now).fingerprint != schema(BEFORE).fingerprint

    assert ended.says(ROLLED_BACK, now) is None
    kept, fixed = ended.says(KEPT, now), ended.says(FIXED_MANUALLY, now)
    assert kept is not None
    assert fixed is not None
    assert (kept[0], fixed[0]) == (Status.FAILED, Status.FAILED)


def test_what_is_missing_after_a_restore_is_named(ended: Ended) -> None:
    against = ended.says(ROLLED_BACK, f"{AFTER}{DOWN} DROP INDEX i;")

    assert against is not None
    assert against[0] is Status.FAILED
    assert "index i is gone" in against[1]
    assert ended.says(FIXED_MANUALLY, f"{AFTER}{DOWN} DROP INDEX i;") is None
    facts = _found(ended.context(FIXED_MANUALLY), seen(f"{AFTER}{DOWN} DROP INDEX i;"))
    assert [words.split(" is gone")[0] for words in facts.differs_from_before] == ["index i"]


def test_the_ledger_s_row_is_needed_to_keep_it(ended: Ended) -> None:
    assert ended.says(KEPT, AFTER) is None
    gone = ended.says(KEPT, AFTER, ledger=False)
    assert gone is not None
    assert gone[0] is Status.FAILED
    assert ended.says(ROLLED_BACK, AFTER + DOWN, ledger=False) is None
    assert ended.says(FIXED_MANUALLY, f"{AFTER}{DOWN} DROP INDEX i;", ledger=False) is None


@pytest.mark.parametrize("here", ["copy", "rehearsal"])
def test_one_schema_that_cannot_be_compared_proves_no_other_end(ended: Ended, here: str) -> None:
    against = replace(ended, here=(here,)).says(FIXED_MANUALLY, "CREATE TABLE t(id)")

    assert against is not None
    assert against[0] is Status.UNKNOWN


def test_a_table_without_rows_before_is_not_said_to_have_lost_some() -> None:
    assert _fewer((CountedTable(table="empty", before=0, now=-1),)) == ""


@pytest.mark.parametrize("end", [KEPT, ROLLED_BACK, FIXED_MANUALLY])
def test_a_schema_that_cannot_be_compared_here_is_unknown(ended: Ended, end: str) -> None:
    against = replace(ended, here=()).says(end, "CREATE TABLE t(id INTEGER PRIMARY KEY)")

    assert against is not None
    assert against[0] is Status.UNKNOWN


def test_equal_text_needs_no_local_database(ended: Ended) -> None:
    assert replace(ended, here=()).says(KEPT, AFTER) is None
    assert replace(ended, here=()).says(ROLLED_BACK, BEFORE) is None


def test_a_data_migration_may_be_fixed_by_hand_though_no_schema_shows_it(ended: Ended) -> None:
    data = replace(ended, after=BEFORE)

    assert data.says(FIXED_MANUALLY, BEFORE) is None
    assert data.says(KEPT, BEFORE) is None


def test_after_an_emergency_the_rows_are_counted_again(ended: Ended) -> None:
    facts = _found(ended.context(ROLLED_BACK), seen(BEFORE, {"t": 3, "gone": 7}))

    assert facts.tables == (
        CountedTable(table="t", before=6, after=6, now=3),
        CountedTable(table="gone", before=7, after=-1, now=7),
        CountedTable(table="made", before=-1, after=0, now=-1),
    )
    assert _fewer(facts.tables) == " Fewer rows than before: t 6 before, 3 now."


def test_a_kept_migration_says_nothing_of_before_and_now(ended: Ended) -> None:
    facts = _found(ended.context(KEPT), seen(AFTER, {"t": 6}))

    assert "tables" not in facts.written()
    assert "timeline" not in facts.written()


def test_the_close_binds_the_timeline(ended: Ended) -> None:
    head = new_timeline("0057 on shop")
    text = head + next_line(head, START, "ana  begins `wrangler d1 info`")
    ended.store.held["timeline.md"] = text.encode()

    facts = _found(ended.context(ROLLED_BACK), seen(BEFORE, {"t": 6}))

    assert facts.timeline == read_timeline(text.encode()).states[-1]
    assert CloseFacts.read(facts.written()) == facts
