"""How many rows D1 reads for a walk to its close, and in how many calls; prints figures.

    python tests/bench/bench_reads.py [--next 0061] [--rows 1000000]

`--rows` adds rows to the practice database first. The export is D1's own and is not counted by it.
The aim of 9 calls is of those to D1. What asks the Workers API came with the deploy order: no call
of it can be joined with another, and only `versions view` proves nothing (it proposes a revision).
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from d1_preflight.adapters.git.door import ask_git
from d1_preflight.adapters.wrangler.toolchain import install
from d1_preflight.practice.run import start
from d1_preflight.practice.state import DATABASE_ID
from d1_preflight.project_context import open_context
from flow.walking import open_session, raw_answers

if TYPE_CHECKING:
    from d1_preflight.core.ports import Wrangler

_READ = re.compile(r'"rows_read":\s*(\d+)')
_PROVES = {
    ("copied", "d1 info"): "which database answers, by its uuid",
    ("copied", "d1 execute"): "ledger, schema and all rows: copy, counts and backup rest on it",
    ("backed_up", "d1 export"): "D1's own export, which restores without this program",
    ("bookmark", "d1 time-travel"): "where Time Travel can go back to",
    ("running_code", "deployments list"): "which version of the Worker runs",
    ("running_code", "versions view"): "nothing: its notes propose the revision; asked where "
    "the deployment's own name none",
    ("applied", "deployments list"): "it is still the version whose queries were judged",
    ("applied", "d1 execute"): "before: all is as signed; after: ledger, schema, values, counts",
    ("applied", "d1 migrations"): "its own reply says whose apply it was",
    ("close", "d1 execute"): "nothing was rolled back, and what touched values hold now",
}
_MORE = (
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n})"
    " INSERT INTO workflow_runs(workflow_id, status, started_at)"
    " SELECT (SELECT min(id) FROM workflows), 'succeeded', i FROM s"
)


@dataclass
class Counted:
    """A wrangler whose replies are added up."""

    real: Any
    calls: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    workers: Counter[str] = field(default_factory=Counter)
    commands: Counter[tuple[str, str]] = field(default_factory=Counter)
    step: str = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def run(self, args: Any, **named: Any) -> Any:
        ran = await self.real.run(args, **named)
        if "--local" not in args:
            self.calls[self.step] += 1
            self.workers[self.step] += args[0] != "d1"
            self.commands[self.step, " ".join(args[:2])] += 1
            self.rows[self.step] += sum(map(int, _READ.findall(ran.stdout)))
        return ran


def add_rows(environment: Any, number: int) -> None:
    """Insert rows into the practice database, past the wizard."""
    base, account = environment["CLOUDFLARE_API_BASE_URL"], environment["CLOUDFLARE_ACCOUNT_ID"]
    request = urllib.request.Request(  # noqa: S310 - the stand-in on 127.0.0.1
        f"{base}/accounts/{account}/d1/database/{DATABASE_ID}/query",
        data=json.dumps({"sql": _MORE.format(n=number)}).encode(),
        headers={"Authorization": f"Bearer {environment['CLOUDFLARE_API_TOKEN']}"},
    )
    urllib.request.urlopen(request, timeout=600).read()  # noqa: S310


async def walk(context: Any, name: str) -> Counted:
    """Everything up to the close, as an agreeable operator; what fails and may be waived is."""
    session, _ = open_session(context, name)
    counted = Counted(session.environment.wrangler)
    session.environment = replace(session.environment, wrangler=cast("Wrangler", counted))
    while (step := session.current) is not None:
        counted.step = step.id
        attempt = await session.perform(step, raw_answers(session, step))
        if not attempt.status.is_answered:
            if not step.waivable:
                print(f"stopped at {step.id}: {attempt.words}")
                break
            session.waive(step, "not in a bench")
    return counted


def main() -> None:
    """Walk and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--next", default="0061")
    asked.add_argument("--rows", type=int, default=0)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        with start(project, next=given.next, faults=[], ask_git=ask_git) as running:
            if given.rows:
                add_rows(running.environment, given.rows)
            environ = {"PATH": os.environ["PATH"], **running.environment}
            context = open_context(start=project, environ=environ, target="practice")
            context = replace(context, _toolchain=asyncio.run(install(print)))
            name = next(
                p.name for p in context.project.migrations_folder.glob(f"{given.next}*.sql")
            )
            began = time.monotonic()
            counted = asyncio.run(walk(context, name))
    print(f"{name}, {given.rows:,} rows added: {time.monotonic() - began:.0f} s")
    for step in dict.fromkeys(counted.calls):
        print(f"  {step:12} {counted.calls[step]:3} calls {counted.rows[step]:12,} rows read")
        for (at, command), number in counted.commands.items():
            if at == step:
                print(f"    {number} x {command:16} {_PROVES.get((at, command), '?')}")
    to_go = {step.id for step in context.checklist.before("go")}
    calls, rows = (
        sum(n for step, n in found.items() if step in to_go)
        for found in (counted.calls, counted.rows)
    )
    print(f"  {'up to GO':12} {calls:3} calls {rows:12,} rows read")
    workers = sum(counted.workers.values())
    print(f"  {'to D1':12} {counted.calls.total() - workers:3} calls  (aim <= 9 to the close)")
    print(f"  {'to Workers':12} {workers:3} calls  (deployments, versions)")
    print(f"  {'all':12} {counted.calls.total():3} calls {counted.rows.total():12,} rows read")


if __name__ == "__main__":
    main()
