"""The machine around us: the time, the person, and the browser."""

import asyncio
import getpass
import os
import platform
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from d1_preflight.adapters.processes import launch, on_path


class SystemClock:
    """The machine's clock, in UTC and whole seconds."""

    def now(self) -> datetime:
        """Tell the present moment."""
        return datetime.now(UTC).replace(microsecond=0)

    def monotonic(self) -> float:
        """Tell seconds that only grow."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        await asyncio.sleep(seconds)


def machine_user() -> str:
    """The account and the machine, as user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
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


def machine_zone(environ: Mapping[str, str] | None = None) -> str:
    """The name of this machine's time zone, UTC where it cannot be told."""
    env = os.environ if environ is None else environ
    named = env.get("TZ", "").removeprefix(":")
    target = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    for name in (named, target):
        if name in available_timezones():
            return name
    return "UTC"
