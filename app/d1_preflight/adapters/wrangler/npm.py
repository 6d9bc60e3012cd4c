"""Installs one package with npm into a folder of its own, and says in words why npm could not.

npm tries an unreachable registry for minutes and then prints a stack. So the registry is asked
first, briefly; without it only what npm has kept is tried.
"""

import asyncio
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from d1_preflight.adapters.processes import Command, Ended, run
from d1_preflight.adapters.wrangler.nodes import Node
from d1_preflight.core.errors import WranglerUnavailable
from d1_preflight.core.format import elapsed, size
from d1_preflight.core.ports import Stream
from d1_preflight.disk import writing
from d1_preflight.lazy_dataclass import dataclass

_INSTALL_TIMEOUT = 900.0
_ROUND_A_CALL = 3.0  # what npm itself takes around its one call
_ABOUT_BYTES = 230_000_000
_NOTHING = "Nothing was installed."
_LONGEST_REASON = 240
_BAR = 16
_SURE = 0.01  # less of it tells nothing of the rest
_UNREACHED = re.compile(
    r"\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH"
    r"|ERR_SOCKET_TIMEOUT|FETCH_ERROR|ENOTCACHED)\b"
)
_NO_ROOM = re.compile(r"\bENOSPC\b|no space left on device", re.IGNORECASE)
_PREFIX = re.compile(r"^npm (?:error|ERR!)\s*")
_NO_REASON = re.compile(
    r"^(?:at |code |errno|syscall|path |stack|Log files|A complete log|network|\s*$)|_logs"
)
_WORDS = (
    "install",
    "--no-audit",
    "--no-fund",
    "--no-progress",
    "--ignore-scripts",  # workerd and esbuild run without theirs; fewer programs run here
    "--save-exact",
    "--prefer-offline",
)
_PING = ("ping", "--fetch-retries=0")


@dataclass(frozen=True, slots=True)
class Npm:
    """The npm of one Node, in one environment; `progress` receives its output."""

    node: Node
    environ: Mapping[str, str]
    progress: Callable[[str], None]
    every: float = 5.0  # seconds between two words on how far it is
    reach: float = 10.0  # seconds that the registry has to answer its first call

    async def install(self, package: str, home: Path) -> None:
        """Install beside the place and rename: the place is whole or absent.

        npm keeps what it has downloaded in its own cache, so an attempt that broke off resumes.
        Raises WranglerUnavailable, or ProjectError where the disk does not take it.
        """
        if self.node.npm is None:
            raise WranglerUnavailable(
                f"npm was not found beside {self.node.path}.",
                hint="Install npm, or: pip install 'd1-preflight[node]'",
            )
        for left in home.parent.glob(f".{home.name}-*"):
            shutil.rmtree(left, ignore_errors=True)  # of an attempt that broke off
        with writing(home, _NOTHING, done="made"):
            folder = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
        try:
            with writing(folder, _NOTHING):
                (folder / "package.json").write_text('{"private": true}\n', "utf-8")
            await self._fill(folder, package)
            _put_in_place(folder, home)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _fill(self, folder: Path, package: str) -> None:
        ping = (*_PING, f"--fetch-timeout={round(self.reach * 1000)}")
        ended, said = await self._run(folder, ping, self.reach + _ROUND_A_CALL)
        unreached = "no answer" if ended.timed_out else _unreached(said)
        if unreached:
            self.progress(f"npm cannot reach its registry ({unreached}); trying its cache…")
        words = (*_WORDS, *(("--offline",) if unreached else ()), package)
        telling = asyncio.create_task(tell_growth(folder, _ABOUT_BYTES, self.progress, self.every))
        try:
            ended, said = await self._run(folder, words, _INSTALL_TIMEOUT, self.progress)
        finally:
            telling.cancel()
        if ended.exit_code != 0:
            raise _failure(package, folder.parent, ended, said, unreached)

    async def _run(
        self,
        folder: Path,
        words: tuple[str, ...],
        limit: float,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> tuple[Ended, list[str]]:
        said: list[str] = []

        def listen(line: str, _stream: Stream) -> None:
            if line.strip() and "npm warn" not in line:
                said.append(line.strip())
                if not _PREFIX.match(line):
                    progress(line.strip())

        path = os.pathsep.join((str(self.node.path.parent), self.environ.get("PATH", os.defpath)))
        command = Command(
            argv=(str(self.node.path), str(self.node.npm), *words),
            cwd=folder,
            env={**self.environ, "PATH": path},
            timeout=limit,
            grace=1.0,
        )
        with (
            writing(Path(tempfile.gettempdir()), _NOTHING),
            tempfile.TemporaryFile(buffering=0) as out,
            tempfile.TemporaryFile(buffering=0) as err,
        ):
            return await run(command, out, err, listen), said


def _put_in_place(folder: Path, home: Path) -> None:
    with writing(home, _NOTHING, done="made"):
        shutil.rmtree(home, ignore_errors=True)
        folder.rename(home)


def _unreached(said: list[str]) -> str:
    """The error code of npm for a missing network; "" for every other reason."""
    found = (_UNREACHED.search(line) for line in said if _PREFIX.match(line))
    return next((match[0] for match in found if match), "")


def _failure(
    package: str, place: Path, ended: Ended, said: list[str], unreached: str
) -> WranglerUnavailable:
    name = package.replace("@", " ")
    if any(_NO_ROOM.search(line) for line in said):
        return WranglerUnavailable(
            f"The disk is full: {name} was not installed in {place}.",
            hint="It needs about 230 MB there and in npm's own cache. Make room, then try again.",
        )
    if unreached := unreached or _unreached(said):
        return WranglerUnavailable(
            f"npm cannot reach its registry ({unreached}), and has no cached copy of {name}.",
            hint="Check the network and the proxy (npm ping), then try again.",
        )
    why = "npm took too long" if ended.timed_out else f"npm says: {_reason(said)}"
    return WranglerUnavailable(
        f"{name} could not be installed; {why}",
        hint="Fix that, or check the network (npm ping), then try again: what was fetched is kept.",
    )


def _reason(said: list[str]) -> str:
    """The first words of npm that say why: no stack, no codes, no place of a log."""
    lines = [_PREFIX.sub("", line) for line in said if _PREFIX.match(line)]
    told = [line for line in lines if not _NO_REASON.search(line)]
    return " ".join(told[:2] or lines[:2])[:_LONGEST_REASON] or "no reason given"


async def tell_growth(
    folder: Path, whole: int, progress: Callable[[str], None], every: float
) -> None:
    """Report how far it is, by what lies on the disk, until cancelled: npm itself tells nothing."""
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
