"""The board shows a database's adoptions, as every other record."""

from pathlib import Path

import pytest

from actions.test_adoption import RAN, Adopting
from commands.real_records import CONFIG
from d1_preflight.board import Board, Remote
from d1_preflight.project_context import open_context
from lint.running import folder

DATABASE = "marketplace-production"


@pytest.fixture
def board(tmp_path: Path) -> Board:
    root = folder(tmp_path / "here", {"wrangler.jsonc": CONFIG, "migrations/0001_base.sql": ";"})
    return Board(open_context(start=root, environ={"PATH": ""}))


async def laid(tmp_path: Path, name: str, until: str = "") -> None:
    """An adoption that was walked, among the records of the project."""
    adopting = await Adopting(tmp_path / name).walk(until, RAN)
    place = tmp_path / "here" / "checklists" / DATABASE / name
    for file, data in adopting.bench.store.held.items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_bytes(data)


async def test_a_closed_and_an_open_adoption_are_lines_of_their_own(
    board: Board, tmp_path: Path
) -> None:
    await laid(tmp_path, "adoption")
    await laid(tmp_path, "adoption-2", until="go")

    _, closed, opened = board.rows()

    assert (closed.name, closed.remote, closed.record[:6]) == (
        "adoption",
        Remote.APPLIED,
        "closed",
    )
    assert closed.words == "adoption: 3 rows for the ledger"
    assert "0003_roles.sql" in closed.preview
    assert (opened.name, opened.remote) == ("adoption-2", Remote.PENDING)
    assert opened.record.startswith("open at")
    kept = board.record("adoption")
    assert kept is not None
    assert kept.record.is_adoption


def test_a_damaged_adoption_is_a_line_that_says_so(board: Board, tmp_path: Path) -> None:
    folder(tmp_path / "here", {f"checklists/{DATABASE}/adoption/record.toml": "not toml = ="})

    assert board.rows()[-1].record.startswith("damaged: ")
