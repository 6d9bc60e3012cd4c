"""The classes that the board shows at once: of the same texts, from this user's cache alone."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from d1_preflight.adapters.first_paint_cache import ClassCache, open_class_cache
from d1_preflight.board import Board
from d1_preflight.core.findings import Kind, Risk
from d1_preflight.core.project.migration import Migration
from d1_preflight.project_context import open_context

FIRST = Migration.from_bytes("0001_make_a.sql", b"CREATE TABLE a (id INTEGER);\n")
SECOND = Migration.from_bytes("0002_drop_a.sql", b"DROP TABLE a;\n")
HARMLESS, LOSS = (Kind.ADDITIVE, Risk.LOW), (Kind.DESTRUCTIVE, Risk.HIGH)
JUDGED = {FIRST.name: HARMLESS, SECOND.name: LOSS}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the cache lies."""
    return tmp_path / "cache" / "classes.json"


def kept(file: Path, *migrations: Migration) -> dict[str, tuple[Kind, Risk]]:
    """What another start finds."""
    return dict(ClassCache(file).classes(migrations))


def laid_down(folder: Path) -> Path:
    """A project of both files."""
    (folder / "migrations").mkdir(parents=True)
    (folder / "wrangler.toml").write_text(
        'name = "w"\n[[d1_databases]]\nbinding = "DB"\ndatabase_name = "db"\n'
        'database_id = "a1b2c3d4-0000-4000-8000-000000000001"\n'
    )
    for migration in (FIRST, SECOND):
        (folder / "migrations" / migration.name).write_text(migration.text)
    return folder


def test_the_next_start_knows_the_classes(file: Path) -> None:
    ClassCache(file).keep((FIRST, SECOND), JUDGED)

    assert kept(file, FIRST, SECOND) == JUDGED


def test_another_text_before_it_makes_a_file_unknown(file: Path) -> None:
    ClassCache(file).keep((FIRST, SECOND), JUDGED)
    other = Migration.from_bytes(FIRST.name, b"CREATE TABLE b (id INTEGER);\n")
    renamed = Migration.from_bytes("0001_b.sql", FIRST.text.encode())

    assert kept(file, other, SECOND) == {}
    assert kept(file, renamed, SECOND) == {}
    assert kept(file, SECOND) == {}
    assert kept(file, FIRST, other) == {FIRST.name: HARMLESS}


def test_another_program_knows_nothing(file: Path) -> None:
    ClassCache(file).keep((FIRST,), JUDGED)

    assert ClassCache(file, "another").classes((FIRST,)) == {}


def _open_to_others(file: Path) -> None:
    file.chmod(0o644)


def _linked(file: Path) -> None:
    real = file.rename(file.with_name("planted.json"))
    file.symlink_to(real)


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def _torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def _of_another_form(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "form": "another"}))


def _without_meaning(file: Path) -> None:
    found = json.loads(file.read_text())
    told = (["harmless", "low"], "additive", [1, 2], ["additive"], None)
    found["classes"] = dict(zip(found["classes"], told, strict=False))
    file.write_text(json.dumps(found))


@pytest.mark.parametrize(
    "spoil", [_open_to_others, _linked, _fifo, _torn, _of_another_form, _without_meaning]
)
def test_what_is_not_ours_or_damaged_is_not_read(file: Path, spoil: Callable[[Path], None]) -> None:
    ClassCache(file).keep((FIRST, SECOND), JUDGED)
    spoil(file)

    assert kept(file, FIRST, SECOND) == {}


def test_no_cache_is_read_that_lies_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    for name, place in (("in", tmp_path / "cache"), ("out", tmp_path.parent / "own-cache")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(place))
        cache = open_class_cache({}, tmp_path)
        cache.keep((FIRST,), JUDGED)
        known = open_class_cache({}, tmp_path).classes((FIRST,))
        assert known == ({} if name == "in" else {FIRST.name: HARMLESS})
    assert open_class_cache({"CI": "true"}, tmp_path).classes((FIRST,)) == {}


def test_the_board_shows_a_kept_class_until_it_has_judged(tmp_path: Path, file: Path) -> None:
    folder = laid_down(tmp_path / "project")
    context = open_context(start=folder, environ={"PATH": ""})

    def board() -> Board:
        return Board(context, ClassCache(file))

    assert [row.kind for row in board().listed()] == [Kind.UNKNOWN] * 2
    judged = [(row.kind, row.risk) for row in board().rows()]
    assert [kind for kind, _ in judged] == [Kind.ADDITIVE, Kind.DESTRUCTIVE]
    assert [(row.kind, row.risk) for row in board().listed()] == judged

    wrong = {SECOND.name: HARMLESS}  # whatever is kept, the judgement counts
    ClassCache(file).keep(tuple(f for f in context.files() if isinstance(f, Migration)), wrong)
    later = board()
    assert [row.kind for row in later.listed()] == [Kind.ADDITIVE, Kind.ADDITIVE]
    assert [row.kind for row in later.rows()] == [Kind.ADDITIVE, Kind.DESTRUCTIVE]
    assert [row.kind for row in board().listed()] == [Kind.ADDITIVE, Kind.DESTRUCTIVE]


def test_while_a_migration_is_walked_the_board_judges_nothing(tmp_path: Path) -> None:
    context = open_context(start=laid_down(tmp_path / "project"), environ={"PATH": ""})
    board = Board(context)

    session = board.open(SECOND.name)
    assert not any(row.is_judged for row in board.rows())
    board.close(session)
    assert all(row.is_judged for row in board.rows())
