"""The fake program of tests/bin as a toolchain, and waiting for what it does."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from d1_preflight.adapters.wrangler.runner import RealWrangler
from d1_preflight.adapters.wrangler.toolchain import Source, Toolchain

FAKE = Path(__file__).resolve().parents[1] / "bin" / "wrangler"
Act = dict[str, object]


def toolchain(cache: Path) -> Toolchain:
    return Toolchain((sys.executable, str(FAKE)), "4.164.0", Source.SETTING, cache)


def wrangler_playing(folder: Path, *acts: Act, **environ: str) -> RealWrangler:
    """A RealWrangler whose program plays these acts."""
    return RealWrangler(
        lambda: toolchain(folder / "cache"),
        evidence=folder / "record" / "evidence",
        private=folder / "private",
        environ={"PATH": os.defpath, "TRANSCRIPT": json.dumps(acts), **environ},
    )


async def until(happens: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is seen; fails when it is not seen in time."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether the process runs (one that has ended and waits to be reaped does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
