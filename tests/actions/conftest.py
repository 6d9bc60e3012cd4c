"""Walks on a fake target, each made once and gone on from by many tests."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from actions.fake_target import CHECKLIST, DESTRUCTIVE, EARLIER, ROWS, Bench, Saved
from d1_preflight.core.project.settings import Settings

Walked = Callable[..., Awaitable[Bench]]
Prepare = Callable[[Bench], object]
_Walk = tuple[str, str, str, str, Prepare | None]
_SAVED: dict[tuple[str, _Walk], Saved] = {}


@pytest.fixture
def walked(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """A walk that has everything before a step answered; `prepare` is done before it begins."""

    async def until(
        step: str,
        sql: str = DESTRUCTIVE,
        kind: str = "destructive",
        settings: Settings | None = None,
        *,
        earlier: str = EARLIER,
        rows: str = ROWS,
        prepare: Prepare | None = None,
    ) -> Bench:
        walk = (sql, kind, earlier, rows, prepare)
        if (step, walk) not in _SAVED:
            folder, before = tmp_path_factory.mktemp("walk"), _earlier(step, walk)
            bench = before.resumed(folder, Settings()) if before else _begun(folder, walk)
            _SAVED[step, walk] = (await bench.walk(step)).saved()
        return _SAVED[step, walk].resumed(tmp_path, settings or Settings())

    return until


def _begun(folder: Path, walk: _Walk) -> Bench:
    sql, kind, earlier, rows, prepare = walk
    bench = Bench(folder, sql, kind, earlier=earlier, rows=rows)
    if prepare is not None:
        prepare(bench)
    return bench


def _earlier(step: str, walk: _Walk) -> Saved | None:
    """The walk that was saved at the last step before this one."""
    before = [other.id for other in CHECKLIST.before(step)]
    known = [name for name in reversed(before) if (name, walk) in _SAVED]
    return _SAVED[known[0], walk] if known else None
