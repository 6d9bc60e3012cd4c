"""Real local D1 does with every remedy's result what the engine says: the same rows, each cell."""

import json
from pathlib import Path

import apsw
import pytest

from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core import d1
from d1_preflight.core.engine.trial import run_as_d1
from d1_preflight.core.remedies.sample_rows import filled_database
from d1_preflight.core.schema.schema import Schema, StructureReader
from d1_preflight.core.schema.table import Table, TableKind
from d1_preflight.core.sql.tokenizer import quote_name, statements
from test_remedies import cases, fixed, prior_of
from test_rules_on_d1 import ask

pytestmark = pytest.mark.wrangler
Rows = list[str]


def tables(connection: apsw.Connection) -> list[Table]:
    schema = Schema.from_connection(connection).without(d1.LEDGER)
    found = StructureReader(connection).read(schema).tables.values()
    return [table for table in found if table.kind is TableKind.ORDINARY]


def as_script(prior: Schema) -> tuple[list[str], apsw.Connection]:
    """A schema with invented rows, as statements, and the database that holds them."""
    connection, _ = filled_database(prior, gaps=True)
    lines = ["PRAGMA defer_foreign_keys = on"]
    lines += [found.sql for found in prior.objects if found.kind == "table"]
    for table in tables(connection):
        names = ", ".join(map(quote_name, table.data_columns))
        for row in connection.execute(f"SELECT {names} FROM {quote_name(table.name)}"):
            values = ", ".join(map(apsw.format_sql_value, row))
            lines.append(f"INSERT INTO {quote_name(table.name)} ({names}) VALUES ({values})")
    lines += [found.sql for found in prior.objects if found.kind != "table"]
    return lines, connection


def reading(table: Table) -> str:
    """One row of one text for the whole table, blobs in hexadecimal digits."""
    cells = ", ".join(f"quote({quote_name(c.name)})" for c in table.columns)
    return f"SELECT json_array({cells}) AS cells FROM {quote_name(table.name)}"


def rows_of(answer: dict[str, object]) -> Rows:
    rows = answer["rows"]
    assert isinstance(rows, list)
    return sorted(json.dumps(json.loads(row["cells"])) for row in rows)


@pytest.mark.parametrize("every", [40, pytest.param(1, marks=pytest.mark.matrix)])
def test_d1_runs_every_rewrite_and_keeps_the_rows_that_the_engine_keeps(
    wrangler_command: Toolchain, quiet_environ: dict[str, str], tmp_path: Path, every: int
) -> None:
    known = [(r, c) for r, c in cases() if "after" in c and "VIRTUAL" not in c["prior"]][::every]
    asked, expected = [], []
    for rule, case in known:
        after = fixed(case["prior"], case["before"], rule).after
        script, connection = as_script(prior_of(case["prior"]))
        verdict = run_as_d1(connection, after, "a.sql", ledger=d1.LEDGER, clock=lambda: 0.0)
        left = tables(connection)
        rows = {
            t.name: sorted(
                json.dumps(json.loads(str(cells))) for (cells,) in connection.execute(reading(t))
            )
            for t in left
        }
        connection.close()
        expected.append((bool(verdict.refused), rows))
        pieces = [s.body for s in statements(after) if not s.is_blank]
        asked.append([script, pieces or ["SELECT 1"], *([reading(t)] for t in left)])
    answers = ask(wrangler_command, quiet_environ, tmp_path, asked)
    for (rule, case), answer, (refused, rows) in zip(known, answers, expected, strict=True):
        assert answer[0]["error"] == "", (rule, case)
        assert bool(answer[1]["error"]) == refused, (rule, answer[1]["error"])
        for (name, cells), found in zip(rows.items(), answer[2:], strict=True):
            assert found["error"] == "", (rule, name)
            assert rows_of(found) == cells, (rule, name)
