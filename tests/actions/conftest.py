"""Walks on a fake target, each made once and gone on from by many tests."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from actions.fake_target import CHECKLIST, DESTRUCTIVE, Bench, Saved
from d1_preflight.core.project.settings import Settings

Walked = Callable[..., Awaitable[Bench]]
_SAVED: dict[tuple[str, str, str], Saved] = {}


@pytest.fixture
def walked(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """A walk that has everything before a step answered."""

    async def until(
        step: str,
        sql: str = DESTRUCTIVE,
        kind: str = "destructive",
        settings: Settings | None = None,
    ) -> Bench:
        key = (step, sql, kind)
        if key not in _SAVED:
            folder, before = tmp_path_factory.mktemp("walk"), _earlier(*key)
            bench = before.resumed(folder, Settings()) if before else Bench(folder, sql, kind)
            _SAVED[key] = (await bench.walk(step)).saved()
        return _SAVED[key].resumed(tmp_path, settings or Settings())

    return until


def _earlier(step: str, sql: str, kind: str) -> Saved | None:
    """The walk that was saved at the last step before this one."""
    before = [other.id for other in CHECKLIST.before(step)]
    known = [name for name in reversed(before) if (name, sql, kind) in _SAVED]
    return _SAVED[known[0], sql, kind] if known else None
