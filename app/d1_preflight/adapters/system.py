"""The machine and the project around us: the time, the person, git, and the browser."""

import asyncio
import getpass
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from d1_preflight.adapters.processes import MISSING, TOO_SLOW, Answer, launch, on_path
from d1_preflight.adapters.silence import SILENT

_PATIENCE = 2.0
_LOCALTIME = Path("/etc/localtime")


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


@dataclass(frozen=True, slots=True)
class GitFacts:
    """What git knows of the project: the commit, and whether files differ from it.

    `commit` is "" where there is no repository or no commit; `is_dirty` is None where unknown.
    `silence` says why nothing is known where git itself did not answer.
    """

    commit: str = ""
    is_dirty: bool | None = None
    user_name: str = ""
    user_email: str = ""
    silence: str = ""


def read_git(folder: Path) -> GitFacts:
    """Read what git knows; every fact is empty where there is no git.

    Each question waits two seconds at most; where git was too slow before, it is not asked again.
    """
    commit = _ask_git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit.exit_code == MISSING:
        return GitFacts(silence="git was not found on PATH")
    if commit.exit_code == TOO_SLOW:
        return GitFacts(silence=f"git gave {commit.reason}")
    status = _ask_git(folder, "status", "--porcelain", "--untracked-files=normal")
    return GitFacts(
        commit=commit.text.strip() if commit.exit_code == 0 else "",
        is_dirty=bool(status.out.strip()) if status.exit_code == 0 else None,
        user_name=_git(folder, "config", "--get", "user.name"),
        user_email=_git(folder, "config", "--get", "user.email"),
    )


def is_ignored(path: Path) -> bool | None:
    """Whether git ignores this path; None where git cannot tell."""
    answer = _ask_git(path.parent, "check-ignore", "--quiet", path.name)
    return {0: True, 1: False}.get(answer.exit_code)


def operator_identity(folder: Path) -> str:
    """Name the person at the keyboard: git's e-mail address, else user@host."""
    return _git(folder, "config", "--get", "user.email") or machine_user()


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


def _git(folder: Path, *words: str) -> str:
    answer = _ask_git(folder, *words)
    return answer.text.strip() if answer.exit_code == 0 else ""


def _ask_git(folder: Path, *words: str) -> Answer:
    """Ask git; a slow look at the files says nothing about its quick answers, else all is slow."""
    sort = "files" if words[0] == "status" else "quick"
    key = ("git", os.environ.get("PATH", ""), str(folder), sort)
    return SILENT.ask(key, "git", *words, cwd=folder, timeout=_PATIENCE)


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
