"""Fixtures for every test: the real wrangler, installed once a session."""

import asyncio
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import WorkStealingScheduling

from d1_preflight.adapters.own_cache import user_cache
from d1_preflight.adapters.wrangler.nodes import find_node
from d1_preflight.adapters.wrangler.npm import Npm
from d1_preflight.adapters.wrangler.toolchain import (
    PINNED_WRANGLER,
    Toolchain,
    find_toolchain,
    install,
)
from law_size import THOROUGH

os.environ["PREFLIGHT_NO_CACHE"] = "1"  # a test's verdicts are none of this user's
# The programs that tests start would compile every module anew where this is set.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

RARELY = (100_000, 20, 20)
"""How many new objects a search for garbage waits for: a test leaves little, and soon ends."""
MEMORY_DISK, MEMORY_DISK_BYTES = Path("/dev/shm"), 4 << 30  # noqa: S108 - pytest makes its own in it


def use_memory_disk() -> None:
    """Put the tests' files where a sync costs nothing: thousands of small databases are synced."""
    is_there = "TMPDIR" not in os.environ and os.access(MEMORY_DISK, os.W_OK)
    if is_there and shutil.disk_usage(MEMORY_DISK).free >= MEMORY_DISK_BYTES:
        os.environ["TMPDIR"] = str(MEMORY_DISK)
        tempfile.tempdir = None  # asked anew


use_memory_disk()
gc.set_threshold(*RARELY)

# A deadline measures how busy the machine is, not the code.
settings.register_profile("suite", deadline=None, max_examples=10)
settings.register_profile("thorough", deadline=None, max_examples=THOROUGH)
settings.load_profile("suite")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WorkStealingScheduling:
    """Let an idle worker take over tests that wait for a busy one."""
    return WorkStealingScheduling(config, log)


@pytest.hookimpl(trylast=True)  # what is left out must be out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the matrix out; deal the slow tests out over the workers, each worker's first."""
    _leave_out_matrix(config, items)
    workers = int(getattr(config, "workerinput", {"workercount": 1})["workercount"])
    slow = sorted((item for item in items if _is_slow(item)), key=_is_walk, reverse=True)
    quick = [item for item in items if not _is_slow(item)]
    items[:] = [
        item
        for worker in range(workers)
        for item in (*slow[worker::workers], *_share(quick, worker, workers))
    ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let no search for garbage go through what the collection made: it stays to the end.

    A worker looks for no unused pictures, each of them among all its tests: nobody sees its answer.
    """
    gc.collect()
    gc.freeze()
    config = session.config
    if hasattr(config, "workerinput") and not config.option.update_snapshots:
        config.pluginmanager.unregister(name="syrupy")


def pytest_sessionfinish() -> None:
    """Let nothing search for garbage in what ends with the process."""
    gc.freeze()


def _leave_out_matrix(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the matrix only where `-m` names it: a `-m` of the caller's replaces any default."""
    if "matrix" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("matrix") is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.get_closest_marker("matrix") is None]


def _is_slow(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("wrangler", "tmux"))


def _is_walk(item: pytest.Item) -> bool:
    return item.path.parent.name in {"flow", "e2e"}


def _share(items: list[pytest.Item], worker: int, workers: int) -> list[pytest.Item]:
    """A worker's stretch of the tests: it keeps a file's tests together."""
    bounds = [len(items) * n // workers for n in (worker, worker + 1)]
    return items[slice(*bounds)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers a core for `-n auto`: half of the time they wait for wrangler and terminals."""
    del config
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def wrangler_command() -> Toolchain:
    """The pinned wrangler in this user's cache; installed when it is not there yet."""
    return asyncio.run(install(print))


@pytest.fixture(scope="session")
def wrangler_of() -> Callable[[str], Awaitable[Toolchain]]:
    """Any wrangler by its version, installed once a machine."""

    async def installed(version: str) -> Toolchain:
        if version == PINNED_WRANGLER:
            return await install(print)
        home = user_cache() / "matrix" / f"wrangler-{version}"
        if not home.is_dir():
            home.parent.mkdir(parents=True, exist_ok=True)
            npm = Npm(find_node(os.environ), os.environ, print)
            await npm.install(f"wrangler@{version}", home)
        command = str(home / "node_modules" / "wrangler")
        return find_toolchain(project=home, setting=command)

    return installed


@pytest.fixture
def quiet_environ(tmp_path: Path, wrangler_command: Toolchain) -> dict[str, str]:
    """An environment without credentials and with a home of its own, for the real wrangler."""
    home = tmp_path / "home"
    home.mkdir()
    node = wrangler_command.node
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "TMPDIR": str(home),
        "PATH": f"{node.parent}:/usr/bin:/bin" if node else "/usr/bin:/bin",
    }
