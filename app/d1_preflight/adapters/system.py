"""The machine around us: the time, the person, and the browser."""

import getpass
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from d1_preflight.adapters.processes import launch, on_path

_LOCALTIME = Path("/etc/localtime")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = Path("/proc/self/ns/time")  # a container's monotonic time may be shifted
_PROCESS = os.urandom(8).hex()


class SystemClock:
    """The machine's clock, in UTC and whole seconds."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC).replace(microsecond=0)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def boot(self) -> str:
        """Name the machine's start, which all processes share; else this process alone."""
        try:
            named = _BOOT.read_text(encoding="ascii") + str(_TIME_NAMESPACE.readlink())
        except (OSError, ValueError):
            return _PROCESS
        return sha256(named.encode()).hexdigest()[:16]

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        import asyncio  # late: few who look at the clock wait

        await asyncio.sleep(seconds)


def machine_user() -> str:
    """The account and the machine, as user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    import platform  # late: only who signs is named

    return f"{user}@{platform.node() or 'localhost'}"


def open_in_browser(url: str, environ: Mapping[str, str] | None = None) -> bool:
    """Open a web page in a window of its own; False where this machine cannot show one.

    Never a browser that runs in the terminal: the screen is ours.
    """
    env = os.environ if environ is None else environ
    if urlsplit(url).scheme not in {"http", "https"}:
        return False
    if sys.platform == "darwin":
        return launch("/usr/bin/open", url)
    opener = next(on_path("xdg-open", env), None)
    has_windows = bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))
    return bool(opener and has_windows) and launch(str(opener), url)


def machine_zone(environ: Mapping[str, str] | None = None, localtime: Path = _LOCALTIME) -> str:
    """The name of the machine's zone: `TZ`, else what /etc/localtime points to, else UTC.

    Never an abbreviation: that does not say when its clocks change.
    """
    env = os.environ if environ is None else environ
    linked = os.path.realpath(localtime).partition("zoneinfo/")[2]
    for name in (env.get("TZ", "").removeprefix(":"), linked.removeprefix("posix/")):
        if _is_zone(name):
            return name
    return "UTC"


def _is_zone(name: str) -> bool:
    try:
        return bool(name) and bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
