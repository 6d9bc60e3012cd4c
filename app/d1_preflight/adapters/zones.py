"""The time zone of this machine, by name: an abbreviation does not say when its clocks change."""

import os
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LOCALTIME = Path("/etc/localtime")


def machine_zone(environ: Mapping[str, str] | None = None, localtime: Path = _LOCALTIME) -> str:
    """The name of the machine's zone: `TZ`, else what /etc/localtime points to, else UTC."""
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
