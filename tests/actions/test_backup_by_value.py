"""A backup is proved by what it restores; what it lacks, or cannot restore, is said and no pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from actions.fake_target import Clock
from actions.test_table_restore import BEFORE, Locals
from actions.test_table_restore import environment as restoring
from core.record_values import Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.data_safety import back_up, back_up_plan, bookmark_args, prove_backup
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.facts import Fact, StepFacts
from d1_preflight.core.record.record import Status
from d1_preflight.core.rows.table_copy import RowCopy

if TYPE_CHECKING:
    from d1_preflight.core.record.safety_facts import RestoreFacts

CHECKLIST = shipped_checklist()
COPIES = {"t": 3, "u": 1}


@dataclass
class Backup(Locals):
    """A backup of two tables, restored with these differences."""

    differences: Mapping[str, str] = field(default_factory=dict)
    dump: str = ""
    dumps: list[Path] = field(default_factory=list)

    def open_copy(self, path: Path) -> RowCopy:
        table = path.stem
        found = SimpleNamespace(table=table, sha256=table * 64, rows=COPIES[table])
        return cast("RowCopy", found)

    def compare_copy(self, copy: RowCopy, persist: Path) -> object:
        assert persist.name == "rows"
        words = self.differences.get(copy.table)
        return SimpleNamespace(words=words) if words else None

    def load_dump(self, persist: Path, dump: Path) -> str:
        assert persist.name == "export"
        self.dumps.append(dump)
        return self.dump


def context_of(
    local: Locals,
    *,
    step: str = "restored",
    export: bool = True,
    entries: Sequence[str] = ("t", "u"),
    critical: tuple[str, ...] = (),
    touched: tuple[str, ...] = (),
    told: list[StepFacts] | None = None,
    rehearsed: Mapping[str, Fact] | None = None,
) -> StepContext:
    for table in entries:
        (local.folder / f"{table}.rows").touch()
    walk = Walk(CHECKLIST)
    walk.answer("rehearsed", facts=rehearsed or {"schema_after": "f" * 64})
    tables: tuple[Fact, ...] = tuple(
        {"table": table, "file": f"{table}.rows", "sha256": table * 64} for table in entries
    )
    facts: dict[str, Fact] = {"tables": tables}
    if export:
        facts["export"] = {"file": "export.sql", "sha256": "e" * 64}
    walk.answer("backed_up", facts=facts)
    base = restoring(local)
    effects = replace(base.analysis().effects, tables_touched=touched)
    environment = SimpleNamespace(**{
        **vars(base),
        "clock": Clock(),
        "settings": SimpleNamespace(data=SimpleNamespace(critical_tables=critical)),
        "analysis": lambda: SimpleNamespace(effects=effects),
        "project": base.project,
    })  # fmt: skip
    return StepContext(
        environment=cast("Environment", environment),
        record=walk.record, checklist=CHECKLIST, kind=Kind.DESTRUCTIVE,
        step=CHECKLIST.step(step), answers={},
        progress=(told if told is not None else []).append,
    )  # fmt: skip


async def test_a_backup_that_is_restored_value_for_value_is_proved(tmp_path: Path) -> None:
    told: list[StepFacts] = []
    local = Backup(tmp_path)

    outcome = await prove_backup(context_of(local, told=told))

    assert outcome.status is Status.PROVED
    assert outcome.words == "4 rows in 2 tables restored, identical value for value."
    facts = cast("RestoreFacts", outcome.facts)
    assert [(t.table, t.rows, t.identical, t.words) for t in facts.tables] == [
        ("t", 3, True, "identical"), ("u", 1, True, "identical"),
    ]  # fmt: skip
    assert facts.gives_back is not None
    assert (facts.gives_back.runs, facts.gives_back.whole) == (True, True)
    assert (facts.export_loads, facts.export_words) == (True, "The export loads too.")
    assert local.dumps == [tmp_path / "export.sql"]
    assert [len(cast("RestoreFacts", facts).tables) for facts in told] == [1, 2]


@pytest.mark.parametrize("differing", ["t", "u"])
async def test_a_table_that_is_not_restored_identically_fails_the_proof(
    tmp_path: Path, differing: str
) -> None:
    local = Backup(tmp_path, differences={differing: "a value differs"})

    outcome = await prove_backup(context_of(local))

    assert outcome.status is Status.FAILED
    assert outcome.words == f"{differing} was not restored identically: a value differs"
    facts = cast("RestoreFacts", outcome.facts)
    assert {t.table: t.identical for t in facts.tables} == {
        "t": differing != "t", "u": differing != "u",
    }  # fmt: skip
    assert facts.gives_back is None
    assert local.ran == []


@pytest.mark.parametrize(
    ("export", "dump", "said", "words"),
    [
        (False, "", "There is no export.", "There is no export."),
        (True, "it broke", "Partial export: it broke.", "it broke"),
        (True, "no such table: main.u", "Partial export: needs table u.", "needs table u"),
    ],
)
async def test_an_export_that_does_not_load_is_said_beside_the_proof(
    tmp_path: Path, said: str, words: str, dump: str, *, export: bool
) -> None:
    outcome = await prove_backup(context_of(Backup(tmp_path, dump=dump), export=export))

    assert outcome.status is Status.PROVED
    assert outcome.words.endswith(f"value for value. {said}")
    facts = cast("RestoreFacts", outcome.facts)
    assert (facts.export_loads, facts.export_words) == (False, words)


async def test_a_repair_that_gives_back_less_is_kept_as_less(tmp_path: Path) -> None:
    local = Backup(tmp_path, repaired=f"{BEFORE} DELETE FROM t WHERE id = 3;")

    outcome = await prove_backup(context_of(local))

    facts = cast("RestoreFacts", outcome.facts)
    assert outcome.status is Status.PROVED
    assert facts.gives_back is not None
    assert (facts.gives_back.whole, facts.gives_back.words) == (False, "1 row of t stays lost")


@pytest.mark.parametrize(("touched", "critical"), [(("t",), ()), ((), ("T",))])
async def test_a_backup_without_a_table_that_is_needed_proves_nothing(
    tmp_path: Path, touched: tuple[str, ...], critical: tuple[str, ...]
) -> None:
    context = context_of(Backup(tmp_path), entries=(), touched=touched, critical=critical)

    outcome = await prove_backup(context)

    assert outcome.status is Status.UNKNOWN
    assert outcome.words == "The backup holds no copy of t. Back up again."


@pytest.mark.parametrize(("touched", "critical"), [(("t", "u"), ()), (("t",), ("u",))])
async def test_a_backup_of_some_tables_does_not_prove_the_others(
    tmp_path: Path, touched: tuple[str, ...], critical: tuple[str, ...]
) -> None:
    context = context_of(Backup(tmp_path), entries=("t",), touched=touched, critical=critical)

    outcome = await prove_backup(context)

    assert outcome.status is Status.UNKNOWN
    assert outcome.words == "The backup holds no copy of u. Back up again."


async def test_a_table_that_changed_here_and_is_not_there_is_no_backup(tmp_path: Path) -> None:
    changed: tuple[Fact, ...] = ({"table": "ghost", "lost": 2},)
    context = context_of(
        Backup(tmp_path),
        step="backed_up",
        touched=("t",),
        rehearsed={"schema_after": "f" * 64, "tables": changed},
    )

    outcome = await back_up(context)

    assert outcome.status is Status.FAILED
    assert outcome.words.startswith("ghost changed in the rehearsal but is not in")


def test_the_plan_names_the_tables_and_says_where_there_is_none(tmp_path: Path) -> None:
    several = back_up_plan(context_of(Backup(tmp_path), touched=("u", "t")))
    none = back_up_plan(context_of(Backup(tmp_path)))

    assert several[0].startswith("read the rows of t, u, value for value")
    assert "--table t --table u" in several[1]
    assert none[0].startswith("read no rows (no table is touched), ")
    assert "--table" not in none[1]


def test_the_bookmark_is_asked_of_the_named_database(tmp_path: Path) -> None:
    environment = context_of(Backup(tmp_path)).environment

    assert bookmark_args(environment) == (
        "d1", "time-travel", "info", "shop",
        "--config", str(environment.project.target_config), "--json",
    )  # fmt: skip
