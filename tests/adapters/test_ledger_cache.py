"""The ledger that the board shows before the target has answered: with its age, no proof."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.test_class_cache import FIRST, SECOND, laid_down
from d1_preflight.adapters.first_paint_cache import LedgerCache, open_ledger_cache
from d1_preflight.board import Board, Remote
from d1_preflight.project_context import open_context

AT = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
LATER = AT + timedelta(hours=3)
DATABASE = "a" * 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the cache lies."""
    return tmp_path / "cache" / "ledgers.json"


def test_the_next_start_knows_the_ledger_and_when_it_was_read(file: Path) -> None:
    LedgerCache(file, DATABASE).keep(AT, {FIRST.name})
    LedgerCache(file, "b" * 64).keep(LATER, {SECOND.name})

    assert LedgerCache(file, DATABASE).ledger(LATER) == (AT, frozenset({FIRST.name}))
    assert LedgerCache(file, "c" * 64).ledger(LATER) is None
    assert LedgerCache(None, DATABASE).ledger(LATER) is None


def test_a_ledger_of_the_future_is_not_shown(file: Path) -> None:
    LedgerCache(file, DATABASE).keep(LATER, {FIRST.name})

    assert LedgerCache(file, DATABASE).ledger(AT) is None


def test_it_does_not_grow_without_end(file: Path) -> None:
    for number in range(60):
        LedgerCache(file, f"{number}").keep(AT, {FIRST.name})
    LedgerCache(file, "59").keep(LATER, {f"{n}.sql" for n in range(6_000)})

    assert LedgerCache(file, "0").ledger(LATER) is None
    assert LedgerCache(file, "59").ledger(LATER) == (AT, frozenset({FIRST.name}))
    assert len(json.loads(file.read_text())["ledgers"]) == 50


def _others(file: Path) -> None:
    file.chmod(0o644)


def _linked(file: Path) -> None:
    real = file.rename(file.with_name("elsewhere"))
    file.symlink_to(real)


def _other_form(file: Path) -> None:
    file.write_text(file.read_text().replace("ledgers, 1", "ledgers, 2"))


def _large(file: Path) -> None:
    file.write_text(file.read_text() + " " * 4_000_001)


def _deep(file: Path) -> None:
    file.write_text("[" * 100_000)


def _no_time(file: Path) -> None:
    file.write_text(file.read_text().replace(AT.isoformat(), "yesterday"))


def _no_zone(file: Path) -> None:
    file.write_text(file.read_text().replace("+00:00", ""))


def _numbers(file: Path) -> None:
    file.write_text(json.dumps({"form": "d1-preflight ledgers, 1", "ledgers": {DATABASE: [1, 2]}}))


@pytest.mark.parametrize(
    "spoil", [_others, _linked, _other_form, _large, _deep, _no_time, _no_zone, _numbers]
)
def test_what_is_not_ours_or_damaged_is_not_read(file: Path, spoil: Callable[[Path], None]) -> None:
    LedgerCache(file, DATABASE).keep(AT, {FIRST.name})
    spoil(file)

    assert LedgerCache(file, DATABASE).ledger(LATER) is None


def test_it_is_of_one_database_of_one_project_and_off_where_caches_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project = open_context(start=laid_down(tmp_path / "one"), environ={"PATH": ""}).project
    other = open_context(start=laid_down(tmp_path / "two"), environ={"PATH": ""}).project
    open_ledger_cache({}, project, "remote").keep(AT, {FIRST.name})

    assert open_ledger_cache({}, project, "remote").ledger(LATER)
    assert not open_ledger_cache({}, project, "practice").ledger(LATER)
    assert not open_ledger_cache({}, other, "remote").ledger(LATER)
    assert not open_ledger_cache({"CI": "true"}, project, "remote").ledger(LATER)
    assert not open_ledger_cache({"PREFLIGHT_NO_CACHE": "1"}, project, "remote").ledger(LATER)
    nameless = replace(project, database=replace(project.database, id=""))
    open_ledger_cache({}, nameless, "remote").keep(AT, {FIRST.name})
    assert not open_ledger_cache({}, nameless, "remote").ledger(LATER)


def test_the_board_remembers_it_and_takes_it_for_no_answer(tmp_path: Path, file: Path) -> None:
    context = open_context(start=laid_down(tmp_path / "project"), environ={"PATH": ""})
    LedgerCache(file, DATABASE).keep(AT, {FIRST.name})

    board = Board(context, open_ledger=lambda _: LedgerCache(file, DATABASE))
    rows = board.listed()
    assert [row.remembered for row in rows] == [Remote.APPLIED, Remote.PENDING]
    assert {row.remote for row in rows} == {Remote.UNKNOWN}
    assert board.header.ledger_age.startswith("ledger as of ")
