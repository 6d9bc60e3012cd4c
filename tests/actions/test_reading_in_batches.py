"""A database of many wide tables is read whole, in commands that the system can start."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import apsw
import pytest

from core.record_values import START
from d1_preflight.actions.context import Environment, Meter
from d1_preflight.actions.target import observe, read_batch
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.ports import Emit, Evidence, silent
from d1_preflight.core.project.wrangler_config import Database
from d1_preflight.core.rows.paging import Page
from d1_preflight.core.schema.schema import Schema, tables_of
from d1_preflight.core.sql.tokenizer import statements

LONGEST_ARGUMENT = 131_072  # Linux: MAX_ARG_STRLEN
TABLES, COLUMNS = 40, 60  # more than one command takes
UUID = "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"


@dataclass
class EngineWrangler:
    """Answers `d1 execute --json --command=` from an SQLite of its own, as wrangler would."""

    connection: apsw.Connection
    commands: list[str] = field(default_factory=list)
    forgets: int = 0
    uuid: str = UUID
    asked_who: int = 0

    async def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,  # noqa: ARG002 - the port's own
        emit: Emit = silent,  # noqa: ARG002
        keep: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        protect: bool = False,  # noqa: ARG002
    ) -> Evidence:
        if args[:2] == ("d1", "info"):
            self.asked_who += 1
            return Evidence(tuple(args), 0, 1, stdout=json.dumps({"uuid": self.uuid}))
        command = args[-1].removeprefix("--command=")
        assert len(args[-1].encode()) < LONGEST_ARGUMENT
        self.commands.append(command)
        asked = [s.text for s in statements(command)][self.forgets :]
        answers = [{"results": self._rows(s), "success": True, "meta": {}} for s in asked]
        files = {f"evidence/{keep}.out": "0" * 64} if keep else {}
        return Evidence(tuple(args), 0, 1, files, stdout=json.dumps(answers))

    def _rows(self, sql: str) -> list[dict[str, object]]:
        cursor = self.connection.execute(sql)
        try:
            names = [column[0] for column in cursor.get_description()]
        except apsw.ExecutionCompleteError:  # no row at all
            return []
        return [dict(zip(names, row, strict=True)) for row in cursor]

    version: str = "4.164.0"

    def is_writing(self) -> bool:
        return False

    def recover(self, step: str) -> tuple[Evidence, ...]:  # noqa: ARG002
        return ()


def wide_database() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    columns = ", ".join(f"a_rather_long_column_name_{n} TEXT" for n in range(COLUMNS))
    with connection:
        for number in range(TABLES):
            connection.execute(f"CREATE TABLE table_{number} (id INTEGER PRIMARY KEY, {columns})")
            connection.execute(f"INSERT INTO table_{number} (id) VALUES (1), (2)")
    connection.execute("CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY, name, applied_at)")
    connection.execute("INSERT INTO d1_migrations VALUES (1, '0001_a.sql', '2026-11-23 14:00:00')")
    return connection


def tools_with(wrangler: EngineWrangler) -> Environment:
    database = Database("DB", "shop-db", UUID)
    config = Path("targets", UUID, "wrangler.json")
    project = SimpleNamespace(database=database, target_config=config, root=Path())
    files = SimpleNamespace(target_config=lambda: config)
    clock = SimpleNamespace(now=lambda: START)
    return cast(
        "Environment",
        SimpleNamespace(
            project=project,
            wrangler=wrangler,
            clock=clock,
            files=files,
            local=LocalDatabases(UUID),
            cache=TargetCache(),
            meter=Meter(),
            prior_schema=lambda: Schema(()),
            settings=SimpleNamespace(data=SimpleNamespace(copy_limit_mb=100)),
        ),
    )


async def test_many_wide_tables_are_read_in_several_commands() -> None:
    wrangler = EngineWrangler(wide_database())
    environment = tools_with(wrangler)
    known = (await observe(environment)).observation
    shapes = tables_of(known.schema)
    plans = [Page(table).sql for table in shapes]

    look = await observe(
        environment, tables=[t.name for t in shapes], extra=plans, keep="006-copied"
    )

    assert len(plans) == len(shapes) == TABLES
    assert len(look.evidence) > 1
    assert len({name for evidence in look.evidence for name in evidence.files}) == len(
        look.evidence
    )
    assert look.observation.counts == {f"table_{n}": 2 for n in range(TABLES)}
    assert [len(rows) for rows in look.extra] == [3] * TABLES


async def test_an_answer_that_is_missing_is_never_taken_for_another() -> None:
    wrangler = EngineWrangler(apsw.Connection(":memory:"), forgets=1)

    with pytest.raises(RemoteFailed, match="2 answers, got 1"):
        await read_batch(tools_with(wrangler), ["SELECT 1 AS a", "SELECT 2 AS b"])
