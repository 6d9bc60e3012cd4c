"""The real wrangler tails the sample Worker: the requests are counted, and what fails of them."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from d1_preflight.actions.tail_watch import listen
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.schedule.tail import TailCount
from d1_preflight.practice import run
from d1_preflight.project_context import open_context

pytestmark = pytest.mark.wrangler
Versions = Callable[[str], Awaitable[Toolchain]]


async def heard(folder: Path, toolchain: Toolchain, *, worker: str = "workway-api") -> TailCount:
    """What comes in once the Worker's query fails; the tail ends by itself over the limit."""
    with run.start(folder) as running:
        environ = {"PATH": os.environ["PATH"], **running.environment}
        context = open_context(start=folder, environ=environ, target="practice")
        context = replace(context, _toolchain=toolchain)
        environment = context.environment("tail", context.store("tail"))
        running.server.cloud.query("ALTER TABLE users RENAME COLUMN email TO mail")
        return await listen(environment, worker, 90.0, Decimal("0.1"))


async def test_the_tail_counts_what_fails(tmp_path: Path, wrangler_command: Toolchain) -> None:
    seen = await heard(tmp_path / "p", wrangler_command)

    assert sum(sample.errors for sample in seen.samples) > 0
    assert seen.outcomes["exception"] > 0


@pytest.mark.matrix
@pytest.mark.parametrize("version", ["4.0.0", "4.50.0"])
async def test_with_older_ones_too(tmp_path: Path, wrangler_of: Versions, version: str) -> None:
    seen = await heard(tmp_path / "p", await wrangler_of(version))

    assert seen.outcomes["exception"] > 0


@pytest.mark.matrix
async def test_a_worker_that_is_not_there_is_said(
    tmp_path: Path, wrangler_command: Toolchain
) -> None:
    with pytest.raises(RemoteFailed, match="does not exist"):
        await heard(tmp_path / "p", wrangler_command, worker="nowhere")
