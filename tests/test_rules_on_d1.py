"""Real local D1 says the same as the engine about every case of every rule.

What the engine says is refused D1 refuses, what it accepts D1 accepts; and the cases about lost
rows lose them there, while their safe counterparts keep them.
"""

import json
import subprocess
from pathlib import Path

import pytest

from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.analysis import schema_after
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.sql.tokenizer import statements
from test_rules import LONG, cases

pytestmark = pytest.mark.wrangler

SCRIPT = Path(__file__).parent / "bin" / "d1_batches.mjs"
Answer = list[dict[str, object]]
BY_WRANGLER = {"comment-unclosed", "large-file", "not-followed", "ledger-touched"}  # not by D1
TEAMS = ["INSERT INTO teams VALUES ('a', 'A', 'o'), ('b', 'B', 'o')"]
MEMBERS = ["INSERT INTO members VALUES ('m', 'a'), ('n', 'b')"]
KEPT = "SELECT (SELECT count(*) FROM members) AS rows, (SELECT count(team) FROM members) AS keys"
LOSING = ("cascade-delete", "references-nulled", "references-moved", "replace-cascades")
FAILING = {  # passes on empty tables, fails once this row is there
    "add-column-not-null": "INSERT INTO users VALUES (1, 'a', 'b')",
    "add-column-moving-default": "INSERT INTO users VALUES (1, 'a', 'b')",
    "add-column-reference-default": "INSERT INTO users VALUES (1, 'a', 'b')",
    "add-column-stored": "INSERT INTO users VALUES (1, 'a', 'b')",
    "add-column-check": "INSERT INTO users VALUES (1, 'a', 'b')",
    "like-pattern-too-long": "INSERT INTO users VALUES (1, 'a', 'b')",
    "index-on-rows": "INSERT INTO users VALUES (1, 'a', 'b'), (2, 'a', 'b')",
    "not-null-added": "INSERT INTO t VALUES (1, NULL)",
    "check-added": "INSERT INTO t VALUES (1, '')",
    "strict-added": "INSERT INTO t VALUES (1, x'00')",
}
NOT_THERE_LOCALLY = ("DROP TABLE IF EXISTS _cf_METADATA;",)
"""Refused on a D1 that has its own tables; a new local one has not made them yet."""


def pieces(sql: object) -> list[str]:
    text = str(sql)
    for mark, long in LONG.items():
        text = text.replace(mark, long)
    return [statement.body for statement in statements(text)] or ["SELECT 1"]


def ask(toolchain: Toolchain, environ: dict[str, str], folder: Path, asked: object) -> list[Answer]:
    """Run the cases on local D1; each answers with an error or the last statement's rows."""
    program = Path(toolchain.argv[-1]).resolve()
    modules = next(p for p in program.parents if (p / "wrangler" / "package.json").is_file())
    (folder / "cases.json").write_text(json.dumps(asked))
    node = str(toolchain.node or "node")
    environ = environ | {"CI": "1", "WRANGLER_SEND_METRICS": "false"}
    subprocess.run(
        [node, str(SCRIPT), str(modules), str(folder)], check=True, env=environ, cwd=folder
    )
    answers: list[Answer] = json.loads((folder / "answers.json").read_text())
    return answers


def test_d1_refuses_what_the_engine_says_it_refuses(
    wrangler_command: Toolchain, quiet_environ: dict[str, str], tmp_path: Path
) -> None:
    known = [(r, c) for kind in ("find", "pass") for r, c in cases(kind) if r not in BY_WRANGLER]
    asked = [[pieces(case.get("prior", "")), pieces(case["sql"])] for _, case in known]
    answers = ask(wrangler_command, quiet_environ, tmp_path, asked)
    for (rule, case), (prior, batches), answer in zip(known, asked, answers, strict=True):
        assert answer[0]["error"] == "", prior
        sandbox = Sandbox(schema_after([Migration.from_text("0001_p.sql", "\n".join(prior))]))
        traces = sandbox.run("\n".join(batches)).statements
        refused = any(trace.error or trace.data_dependent_error for trace in traces)
        if case["sql"] in NOT_THERE_LOCALLY:
            continue
        assert bool(answer[1]["error"]) == refused, (rule, case["sql"], answer[1]["error"])


def test_d1_loses_the_rows_that_the_rules_name_and_keeps_them_the_safe_way(
    wrangler_command: Toolchain, quiet_environ: dict[str, str], tmp_path: Path
) -> None:
    known = [(kind, c) for kind in ("find", "pass") for r, c in cases(kind) if r in LOSING]
    asked = [
        [pieces(case["prior"]) + TEAMS + MEMBERS, pieces(case["sql"]), [KEPT]] for _, case in known
    ]
    answers = ask(wrangler_command, quiet_environ, tmp_path, asked)
    for (kind, case), answer in zip(known, answers, strict=True):
        lost = answer[2]["rows"] != [{"rows": 2, "keys": 2}]
        assert lost == (kind == "find"), case["sql"]


def test_d1_fails_on_rows_where_the_rules_say_so(
    wrangler_command: Toolchain, quiet_environ: dict[str, str], tmp_path: Path
) -> None:
    known = [(kind, r, c) for kind in ("find", "pass") for r, c in cases(kind) if r in FAILING]
    asked = [
        [[*pieces(case["prior"]), FAILING[rule]], pieces(case["sql"])] for _, rule, case in known
    ]
    answers = ask(wrangler_command, quiet_environ, tmp_path, asked)
    for (kind, rule, case), answer in zip(known, answers, strict=True):
        assert bool(answer[1]["error"]) == (kind == "find"), (rule, case["sql"], answer)
