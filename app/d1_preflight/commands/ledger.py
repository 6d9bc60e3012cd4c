"""Holds the records of a database to its ledger, which is read from the target."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from d1_preflight.commands.opened_record import OpenRecord
from d1_preflight.commands.output import say
from d1_preflight.commands.records import Chains
from d1_preflight.core.errors import UsageError
from d1_preflight.core.record.record import DatabaseRef
from d1_preflight.core.target.snapshot import LedgerRow
from d1_preflight.core.verify.chain import RECORD_FILE, read_closed
from d1_preflight.core.verify.links import Verification
from d1_preflight.core.verify.problem import Problem


@dataclass(frozen=True, slots=True)
class Ledger:
    """The rows of the ledger of one database, and the folder of its records."""

    database: DatabaseRef
    root: Path
    records: Path
    rows: Sequence[LedgerRow]

    def held_against(self, record: OpenRecord, found: Verification) -> Verification:
        """The verification of a record with what the ledger says against it."""
        mine = read_closed(record.files)
        chain = record.place.chain if record.place else None
        if mine is None or chain is None or mine.database != self.database.id:
            return found
        return replace(found, problems=(*found.problems, *chain.ledger_problems(mine, self.rows)))

    def unrecorded(self, chains: Chains) -> Iterator[tuple[Path, Problem]]:
        """The folders where a closed record of an applied migration should be."""
        names = [row.name for row in self.rows]
        begun = {name for name in names if (self._folder(name) / RECORD_FILE).is_file()}
        chain = chains.of(self.root, self.database)
        for name, problem in chain.unrecorded(self.rows, begun):
            yield self._folder(name), problem

    def _folder(self, name: str) -> Path:
        return self.records / name.removesuffix(".sql")


def read_ledger(arguments: argparse.Namespace) -> Ledger:
    """Ask the target, with wrangler, once; raises UsageError or WranglerUnavailable."""
    from d1_preflight.actions.target import observe
    from d1_preflight.project_context import open_context

    if arguments.trust_from:
        raise UsageError(
            "--remote asks the database that this checkout names; --trust-from trusts none of it.",
            hint="Run them one after the other: --remote in a checkout that you trust.",
        )
    given = vars(arguments)
    context = open_context(
        config=given.get("config"),
        environment=given.get("env"),
        database=given.get("database") or "",
    )
    asyncio.run(context.resolve())
    project, files = context.project, context.files()
    name = files[-1].name if files else ""
    say(f"Reading the ledger of {project.database.name} with wrangler {context.wrangler_version}.")
    look = asyncio.run(observe(context.environment(name, context.store(name))))
    reference = DatabaseRef(project.database.name, project.database.id)
    return Ledger(reference, project.root, project.records, look.observation.ledger)
