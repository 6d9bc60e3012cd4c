"""Prints the peak memory of our own process, step by step, on a database of a given size.

Run: python tests/bench/bench_memory.py [--size MB ...]; 20 and 200 where none is named. The steps
are the real ones with the real wrangler (its largest process is printed beside ours); the stand-in
that serves the database is a process of its own. The database, its copies and the backup need
about ten times the size on the disk; they are gone afterwards.
"""

# ruff: noqa: E402 - it runs as a script, beside the tests' own packages

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import apsw

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from d1_preflight.adapters.git.door import ask_git
from d1_preflight.adapters.wrangler.toolchain import install
from d1_preflight.practice.run import start
from d1_preflight.project_context import open_context
from flow.walking import open_session, walk_to

EARLIER, NAME = "0061_z_create_events.sql", "0062_purge_events.sql"
TABLE = "CREATE TABLE events(id INTEGER PRIMARY KEY, kind TEXT, body TEXT, old TEXT);\n"
PURGE = """-- Migration: 0062_purge_events
-- Author: Ana
-- Date: 2026-11-23
-- Ticket: T-1
-- Description: remove half of the events, and a column
-- Type: DESTRUCTIVE
-- Rollback: restore from the backup

DELETE FROM events WHERE id % 2 = 0;
ALTER TABLE events DROP COLUMN old;
"""
LIGHT = """DELETE FROM events WHERE id <= 1000;
"""
HEAVY_MB = 300
"""What is larger is not rewritten whole: D1 stops a query after 30 s, and so does the rehearsal."""
ROW_BYTES = 1000
AIM_MB = 200
STEPS = ("copied", "syntax", "rehearsed", "counted", "backed_up", "restored")


def lay_down(folder: Path, megabytes: int) -> None:
    """The project of one large table, and its rows in the account."""
    for path in (folder / "migrations").glob("006[2-9]*.sql"):
        path.unlink()
    (folder / "migrations" / EARLIER).write_text(TABLE, "utf-8")
    head, _, body = PURGE.partition("\n\n")
    body = LIGHT if megabytes > HEAVY_MB else body
    (folder / "migrations" / NAME).write_text(f"{head}\n\n{body}", "utf-8")
    settings = folder / "preflight.toml"
    text = settings.read_text("utf-8")
    limit = f"[data]\ncopy_limit_mb = {min(10_000, megabytes * 10 + 100)}\n"
    settings.write_text(text.replace("[data]\n", limit) if "[data]" in text else text + limit)
    connection = apsw.Connection(str(folder / ".practice" / "d1.sqlite"))
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(TABLE)
    connection.execute("INSERT INTO d1_migrations(name) VALUES (?)", (EARLIER,))
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO events SELECT i, 'kind ' || i % 7, hex(randomblob(475)), 'old ' || i FROM n",
        (megabytes * 1_000_000 // ROW_BYTES,),
    )
    connection.close()


def peaks() -> tuple[int, int]:
    """The largest resident size until now, in MB: of this process, and of any child of it."""
    own, children = (
        resource.getrusage(who).ru_maxrss // 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own, children


async def walk(folder: Path) -> None:
    """Perform the steps up to the restored backup; a line after each of them."""
    context = open_context(start=folder, environ=os.environ, target="practice")
    session, _ = open_session(
        replace(context, _toolchain=await install(lambda _: None, environ=os.environ)), NAME
    )
    before = peaks()[0]
    print(f"  {'before the first step':<12} ours {before:5} MB", flush=True)
    for step in STEPS:
        await walk_to(session, step)
        attempt = await session.perform(session.checklist.step(step), {})
        own, children = peaks()
        told = f"{attempt.status}: {attempt.words[:60]}"
        print(f"  {step:<12} ours {own:5} MB   wrangler {children:5} MB   {told}", flush=True)
    session.close()
    print(f"  the aim of {AIM_MB} MB is {'kept' if peaks()[0] <= AIM_MB else 'MISSED'}")


def measure(megabytes: int) -> None:
    """Serve a database of this size here, and walk in a child."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as place:
        folder = Path(place) / "project"
        with start(folder, next="0062", ask_git=ask_git) as running:
            lay_down(folder, megabytes)
            size = (folder / ".practice" / "d1.sqlite").stat().st_size
            print(f"a database of {size / 1e6:,.0f} MB", flush=True)
            environ = {**os.environ, **running.environment}
            child = (sys.executable, str(Path(__file__).resolve()), "--walk", str(folder))
            subprocess.run(child, env=environ, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs="*", default=[20, 200], help="in MB")
    parser.add_argument("--walk", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.walk:
        asyncio.run(walk(arguments.walk))
        return
    for megabytes in arguments.size:
        measure(megabytes)


if __name__ == "__main__":
    main()
