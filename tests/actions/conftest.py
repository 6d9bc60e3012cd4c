"""Walks on a fake target, each made once and gone on from by many tests."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from actions.fake_target import DESTRUCTIVE, Bench, Saved
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
            bench = Bench(tmp_path_factory.mktemp("walk"), sql, kind)
            _SAVED[key] = (await bench.walk(step)).saved()
        return _SAVED[key].resumed(tmp_path, settings or Settings())

    return until
