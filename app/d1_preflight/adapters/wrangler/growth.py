"""Says how far an installation is, by what lies on the disk: npm itself tells nothing."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from d1_preflight.core.format import elapsed, size

_BAR = 16
_SURE = 0.01  # less of it tells nothing of the rest


async def tell_growth(
    folder: Path, whole: int, progress: Callable[[str], None], every: float
) -> None:
    """Report every so many seconds, until cancelled."""
    started = time.monotonic()
    while True:
        await asyncio.sleep(every)
        done = await asyncio.to_thread(bytes_in, folder)
        progress(growth_words(done, whole, time.monotonic() - started))


def growth_words(done: int, whole: int, seconds: float) -> str:
    """A bar, the rate, and about how long it still takes."""
    share = min(done / whole, 1.0)
    filled = int(share * _BAR)
    parts = [f"{'█' * filled}{'░' * (_BAR - filled)} {size(done)} of about {size(whole)}"]
    if share >= _SURE and seconds >= 1:
        parts.append(f"{size(int(done / seconds))}/s")
        left = int(seconds * (1 - share) / share)
        parts.append(f"about {elapsed(left)} left" if share < 1 else "almost done")
    return " · ".join(parts)


def bytes_in(folder: Path) -> int:
    """How much lies below a folder now; what vanishes meanwhile does not count."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:
                continue
    return total
