"""Prints what the wizard is measured by: start to paint, key to paint, calls and time of a flow.

Run: python tests/bench/bench_flow.py [paint] [keys] [running] [commands] [flow]; all where none is
named. The programs run in a pty of 80x24, with the real wrangler against the practice stand-in. For
`running` it is slow to answer, so that three steps run at a time: the record on the disk is read at
each key, and a key during which fewer are open ends the bench.
"""

# ruff: noqa: E402 - it runs as a script, beside the tests' own packages

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench.screen_time import OnTerminal
from d1_preflight.adapters.git.door import ask_git
from d1_preflight.adapters.own_cache import user_cache
from d1_preflight.adapters.wrangler.toolchain import Toolchain, install
from d1_preflight.core.schema.schema import Schema, tables_of
from d1_preflight.core.schema.table import TableKind
from d1_preflight.practice.faults import Fault, FaultKind
from d1_preflight.practice.run import Practice, start
from d1_preflight.project_context import ProjectContext, open_context
from d1_preflight.unattended import AT_ONCE
from example_record import EXAMPLE, EXAMPLE_SIGNERS
from flow.walking import open_session, walk_to

PREFLIGHT = (sys.executable, "-m", "d1_preflight")
REBUILD = "0061_rebuild_teams_remove_deprecated.sql"
ADDITIVE = "0057_add_team_billing_columns.sql"
RUN = (*PREFLIGHT, "run", "0057")
ROUNDS, KEYS = 7, 60
LONG = 60_000  # milliseconds until the target answers, while three steps wait for it
SETTLED = 3.0  # seconds: each has started its node


def report(what: str, told: str) -> None:
    print(f"{what:<58} {told}", flush=True)


def figures(what: str, seconds: list[float], aim: str) -> None:
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    told = f"median {statistics.median(ordered) * 1000:6.0f} ms  p95 {p95 * 1000:6.0f} ms"
    report(what, f"{told}  max {ordered[-1] * 1000:.0f} ms  of {len(ordered)}  (aim {aim})")


@contextmanager
def practice(folder: Path, next_one: str) -> Iterator[tuple[ProjectContext, Practice]]:
    with start(folder, next=next_one, ask_git=ask_git) as running:
        environ = {"PATH": os.environ["PATH"], **running.environment}
        yield open_context(start=folder, environ=environ, target="practice"), running


def paint(folder: Path, _wrangler: Toolchain) -> None:
    """From exec until the board's rows are written, and until their classes are; posting beside."""
    with practice(folder, "0061") as (context, _):
        environ = {**os.environ, **context.environ}
        ours = [_painted(PREFLIGHT, "create_teams", folder, environ) for _ in range(ROUNDS + 1)][1:]
        whole = [_painted(PREFLIGHT, "additive", folder, environ) for _ in range(ROUNDS + 1)][1:]
        figures("start of `preflight` to the board's rows", [s for s, _ in ours], "500 ms, median")
        figures("  and to their classes, with its keys", [s for s, _ in whole], "500 ms, median")
        report("  CPU of that start (user + system)", f"{min(c for _, c in ours) * 1000:.0f} ms")
        report("  and with the classes (aim 450 ms)", f"{min(c for _, c in whole) * 1000:.0f} ms")
        _beside_posting(ours, folder, environ)


def _beside_posting(ours: list[tuple[float, float]], folder: Path, environ: dict[str, str]) -> None:
    """posting, where it is installed: POSTING names the program, else it is looked for."""
    posting = shutil.which(os.environ.get("POSTING", "posting"))
    if posting is None:
        report("  beside posting", "posting is not installed: POSTING=/path/to/posting")
        return
    theirs = [_painted((posting,), "Collection", folder, environ) for _ in range(ROUNDS + 1)][1:]
    figures("start of posting in the same run", [s for s, _ in theirs], "none")
    report("  CPU of that start", f"{min(c for _, c in theirs) * 1000:.0f} ms")
    share = statistics.median(s for s, _ in ours) / statistics.median(s for s, _ in theirs)
    report("  ours as a part of it", f"{share:.2f}  (aim 0.5)")


def _painted(
    argv: tuple[str, ...], words: str, folder: Path, environ: dict[str, str]
) -> tuple[float, float]:
    """The seconds from exec until the words are written, and the CPU that they cost.

    Unlike the clock, the CPU does not tell who else is at work.
    """
    with OnTerminal(argv, cwd=folder, env=environ) as terminal:
        terminal.seconds_until(words)
        seconds = time.perf_counter() - terminal.started
        fields = Path(f"/proc/{terminal.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return seconds, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def keys(folder: Path, wrangler: Toolchain) -> None:
    """From a key until the step it leads to is written, at rest."""
    here, below = "row count of every table", "Travel bookmark is captured"
    with practice(folder, "0057") as (context, stand_in):
        session, _ = open_session(replace(context, _toolchain=wrangler), ADDITIVE)
        asyncio.run(walk_to(session, "counted"))
        session.close()
        with OnTerminal(RUN, cwd=folder, env=_of_person(context)) as terminal:
            terminal.seconds_until(here)
            _settle(terminal, stand_in)
            figures("key to paint, at rest", _walk(terminal, below, here), "p95 50 ms")


def running(folder: Path, _wrangler: Toolchain) -> None:
    """From a key until the step it leads to is written, while three steps run."""
    with (
        practice(folder, "0057") as (context, stand_in),
        OnTerminal(RUN, cwd=folder, env=_of_person(context)) as terminal,
    ):
        terminal.seconds_until("Enter check the name")
        _settle(terminal, stand_in)
        terminal.press("\r")
        record = context.store(ADDITIVE).folder / "record.toml"
        while "copied" not in _running(record):
            terminal.read_for(0.05)
        stand_in.server.faults.set([Fault(FaultKind.SLOW, milliseconds=LONG)])
        while len(_running(record)) < AT_ONCE:
            terminal.read_for(0.05)
        terminal.read_for(SETTLED)
        found = _walk_beside(terminal, record)
        figures(f"key to paint, while {AT_ONCE} steps run", found, "p95 50 ms")


def _settle(terminal: OnTerminal, stand_in: Practice) -> None:
    """Until the board, which the program opens on, has read the target."""
    while not stand_in.server.requests:
        terminal.read_for(0.05)
    asked = 0
    while asked != len(stand_in.server.requests):
        asked = len(stand_in.server.requests)
        terminal.read_for(SETTLED)


def _walk_beside(terminal: OnTerminal, record: Path) -> list[float]:
    """Keys between two steps that wait for the apply, out of the question's field."""
    above, below = "The ledger lists the migration", "The schema equals the rehearsed one"
    said = ""
    while above not in said:
        terminal.press("\x1b")  # a question on the way takes the letters
        terminal.read_for(0.2)
        terminal.press("j")
        said = terminal.read_for(0.3).decode("utf-8", "replace")
    _require_three(record)
    found = _walk(terminal, below, above, lambda: _require_three(record))
    report("  running", ", ".join(_require_three(record)))
    return found


def _require_three(record: Path) -> list[str]:
    runs = _running(record)
    assert len(runs) >= AT_ONCE, f"only {runs} run: nothing was measured"
    return runs


def _running(record: Path) -> list[str]:
    """The steps whose attempts are open in the record as it lies on the disk."""
    if not record.exists():
        return []
    attempts = tomllib.loads(record.read_text("utf-8")).get("attempt", [])
    return [attempt["step"] for attempt in attempts if attempt["status"] == "running"]


def _of_person(context: ProjectContext) -> dict[str, str]:
    # The stand-in's own home would have the wrangler fetched again.
    cache = {"XDG_CACHE_HOME": str(user_cache().parent)}
    return {**os.environ, **context.environ, **cache}


def _walk(
    terminal: OnTerminal, below: str, here: str, check: Callable[[], object] = lambda: None
) -> list[float]:
    found: list[float] = []
    before = terminal.cpu_seconds
    for _ in range(KEYS // 2):
        for key, words in (("j", below), ("k", here)):
            terminal.press(key)
            found.append(terminal.seconds_until(words))
            check()
            time.sleep(0.01)
    report("  CPU of a key", f"{(terminal.cpu_seconds - before) / KEYS * 1000:.0f} ms")
    return found


def commands(folder: Path, _wrangler: Toolchain) -> None:
    """Whole processes."""
    folder.mkdir()
    signers = ("--allowed-signers", str(EXAMPLE_SIGNERS))
    for words in (("--version",), ("verify", str(EXAMPLE), *signers)):
        took: list[float] = []
        for _ in range(ROUNDS + 1):
            begun = time.perf_counter()
            ran = subprocess.run((*PREFLIGHT, *words), cwd=folder, capture_output=True, check=False)
            took.append(time.perf_counter() - begun)
            assert ran.returncode == 0, ran.stderr
        figures(f"`preflight {words[0]}`, whole process", took[1:], "-")


def flow(folder: Path, wrangler: Toolchain) -> None:
    """The destructive flow up to GO, and the document's commands by hand."""
    with practice(folder / "wizard", "0061") as (context, _):
        walked, schema = asyncio.run(_walked(replace(context, _toolchain=wrangler)))
    with practice(folder / "by-hand", "0061") as (context, _):
        by_hand = _by_hand(folder / "by-hand", context, wrangler, schema)
    report("by hand, the document's commands up to GO", f"{by_hand:.1f} s")
    report("ratio of the wizard's time to the hand's", f"{walked / by_hand:.2f}  (aim <= 0.60)")


async def _walked(context: ProjectContext) -> tuple[float, Schema]:
    session, counted = open_session(context, REBUILD)
    begun = time.perf_counter()
    steps: list[tuple[float, str]] = []
    while (step := session.current) is not None and step.id != "go":
        at = time.perf_counter()
        following = session.path[session.path.index(step) + 1].id
        await walk_to(session, following)
        steps.append((time.perf_counter() - at, step.id))
    took = time.perf_counter() - begun
    local = len(counted.calls) - len(counted.remote)
    report("the destructive flow up to GO, 0061", f"{took:.1f} s")
    report("  wrangler calls", f"{len(counted.remote)} remote (aim <= 8), {local} local")
    for call in counted.calls:
        report(f"    {' '.join(call)[:76]}", "")
    slowest = ", ".join(f"{step} {seconds:.1f} s" for seconds, step in sorted(steps)[:-7:-1])
    report(f"  slowest: {slowest}", "")
    seen = session.environment.cache.observation
    assert seen is not None
    session.close()
    return took, seen.schema


def _by_hand(folder: Path, context: ProjectContext, wrangler: Toolchain, schema: Schema) -> float:
    down = folder / "down.sql"
    down.write_text("ALTER TABLE teams ADD COLUMN deprecated_column TEXT;\n", "utf-8")
    tables = [table.name for table in tables_of(schema) if table.kind is not TableKind.SHADOW]
    node = wrangler.node
    path = f"{node.parent}:{os.environ['PATH']}" if node else os.environ["PATH"]
    environ = {
        **context.environ, "PATH": path, "WRANGLER": " ".join(wrangler.argv),
        "NODE_COMPILE_CACHE": str(wrangler.compile_cache),  # the hand gets our cache as well
        "DATABASE": context.project.database.name, "TABLES": " ".join(tables),
        "TOUCHED": "teams team_members users", "STATE": str(folder / "state"),
        "BACKUPS": str(folder / "backups"), "DOWN": str(down),
    }  # fmt: skip
    ran = subprocess.run(
        ("sh", str(HERE / "by_hand.sh")), cwd=folder, env=environ, text=True,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in ran.stdout.splitlines()]
    remote = sum(where == "remote" for _, where, _ in rows)
    report("  by hand, wrangler calls", f"{remote} remote, {len(rows) - remote} local")
    touched = [row for row in rows if "count" not in row[2] or row[2].split()[1] in _FEW]
    few = sum(float(seconds) for seconds, _, _ in touched)
    report("  by hand, counting only the touched tables", f"{few:.1f} s in {len(touched)} calls")
    return sum(float(seconds) for seconds, _, _ in rows)


_FEW = ("teams", "team_members", "users")
_PARTS: dict[str, Callable[[Path, Toolchain], None]] = {
    "paint": paint,
    "keys": keys,
    "running": running,
    "commands": commands,
    "flow": flow,
}


def main() -> None:
    """Measure the parts that are named."""
    wrangler = asyncio.run(install(print))
    for name in sys.argv[1:] or _PARTS:
        with tempfile.TemporaryDirectory() as folder:
            load = os.getloadavg()[0]
            print(f"-- {name} (load of the machine before: {load:.1f})")
            _PARTS[name](Path(folder) / name, wrangler)


if __name__ == "__main__":
    main()
