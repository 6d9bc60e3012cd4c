"""A file that cannot be judged in time holds up neither the board nor the wizard."""

import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from d1_preflight.adapters.work_limit import judging_limit, work_limit
from d1_preflight.board import Board
from d1_preflight.core.analysis import analyse, not_judged
from d1_preflight.core.errors import NotJudged
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Schema
from d1_preflight.project_context import ProjectContext, open_context

ENDLESS = (
    "CREATE TABLE t(a);INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL "
    "SELECT n + 1 FROM c) SELECT n FROM c;\n"
) * 50


def short(_files: int) -> AbstractContextManager[None]:
    return judging_limit(-195)  # what that leaves of the seconds is short enough for a test


def spin() -> None:
    with judging_limit(-199):
        while True:
            pass


class Hurried(ProjectContext):
    """A context whose judgements may take a tenth of a second."""

    def limit(self, files: int) -> AbstractContextManager[None]:
        return short(files)


def hurried(folder: Path) -> Hurried:
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001_create_users.sql").write_text("CREATE TABLE users(id);\n")
    (folder / "migrations" / "0002_endless.sql").write_text(ENDLESS)
    (folder / "wrangler.toml").write_text(
        'name = "w"\n[[d1_databases]]\nbinding = "DB"\ndatabase_name = "db"\n'
        'database_id = "a1b2c3d4-0000-4000-8000-000000000001"\n'
    )
    context = open_context(start=folder, environ={"PATH": ""})
    analyse(Migration.from_text("0001_a_b.sql", "SELECT 1;\n"), Schema())  # imports are no work
    return Hurried(**{name: getattr(context, name) for name in context.__dataclass_fields__})


def test_the_board_shows_what_it_could_judge(tmp_path: Path) -> None:
    board = Board(hurried(tmp_path))
    first, second = board.rows()
    assert (first.kind, second.kind) == (Kind.ADDITIVE, Kind.UNKNOWN)
    assert [row.kind for row in board.rows()] == [Kind.ADDITIVE, Kind.UNKNOWN]


def test_the_wizard_says_that_it_is_not_judged(tmp_path: Path) -> None:
    context = hurried(tmp_path)
    environment = replace(
        context.environment("0002_endless.sql", context.store("0002_endless.sql")), limit=short
    )
    found = environment.analysis()
    assert found.kind is Kind.UNKNOWN
    assert "more than" in found.engine.refused[0].reason
    assert found == not_judged(found.engine.refused[0].reason)


def test_the_limit_is_an_error_with_a_next_step() -> None:
    with pytest.raises(NotJudged) as raised:
        spin()
    assert "Split the file" in raised.value.hint


def test_what_is_quick_is_not_limited() -> None:
    with judging_limit(1), work_limit(9.0):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what the parent had")
def test_what_the_parent_had_gives_no_more_memory() -> None:
    child = """
from d1_preflight.adapters.work_limit import TooMuchWork, work_limit
try:
    with work_limit(megabytes=20):
        filled = b"x" * (40 << 20)
        while True:
            pass
except TooMuchWork as stopped:
    print(stopped)
"""
    parent = f"""
import subprocess, sys
filled = b"x" * (120 << 20)
subprocess.run((sys.executable, "-c", {child!r}), check=True)
"""
    argv = (sys.executable, "-c", parent)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "more than 20 MB of memory\n"
