"""Makes `checklists/example/`: `python tests/flow/make_example.py`, a few minutes.

One signed record of the rebuild, walked in a practice run with the plain face, the real wrangler
and the real clock. The operator takes the finding's advice first: the members are parked while
their teams are rebuilt. Each answer is a person's own and comes after the time it takes to read
the question. The key is made for it and thrown away; only its public half stays.
"""

# ruff: noqa: E402 - it runs as a script, beside the tests' own package

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from d1_preflight.adapters.git.door import ask_git
from d1_preflight.adapters.wrangler.toolchain import install
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.recovery.runbook import Target
from d1_preflight.plain.walkthrough import Choice, Walkthrough
from d1_preflight.practice.run import start
from d1_preflight.project_context import open_context
from d1_preflight.session import Session
from example_record import EXAMPLE, EXAMPLE_CHECKLISTS, EXAMPLE_SIGNERS

NAME = "0061_rebuild_teams_remove_deprecated.sql"
PARKED = """\
-- Migration: 0061_rebuild_teams_remove_deprecated
-- Description: Rebuild teams without deprecated_column; its members are parked meanwhile
-- Type: Destructive
-- Rollback: Down migration; deprecated_column's values from the backup
-- CRITICAL: Backup required before applying
-- ============================================================================

PRAGMA defer_foreign_keys = ON;

-- D1 keeps foreign keys on: dropping teams deletes its members, so they are put aside first.
CREATE TABLE members_parked AS SELECT * FROM team_members;

CREATE TABLE teams_new (
  id TEXT PRIMARY KEY,
  domain TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  owner_id TEXT NOT NULL REFERENCES users(id),
  stripe_customer_id TEXT,
  created_at INTEGER DEFAULT (unixepoch()),
  updated_at INTEGER DEFAULT (unixepoch()),
  stripe_subscription_id TEXT,
  billing_email TEXT
);

INSERT INTO teams_new (id, domain, name, owner_id, stripe_customer_id, created_at, updated_at,
                       stripe_subscription_id, billing_email)
SELECT id, domain, name, owner_id, stripe_customer_id, created_at, updated_at,
       stripe_subscription_id, billing_email
FROM teams;

DROP TABLE teams;
ALTER TABLE teams_new RENAME TO teams;

INSERT INTO team_members SELECT * FROM members_parked;
DROP TABLE members_parked;

CREATE INDEX idx_teams_domain ON teams(domain);
CREATE INDEX idx_teams_owner ON teams(owner_id);
CREATE INDEX idx_teams_customer ON teams(stripe_customer_id);
CREATE INDEX idx_teams_stripe ON teams(stripe_subscription_id);
"""
ANSWERS = {
    "purpose": "Teams load without a column that no code has read since March.",
    "losses": ("teams",),
    "loss_reason": "deprecated_column was replaced by billing_email in 0052; its last reader went "
    "in March, and its values stay in the backup.",
    "copy-by-position@34": "members_parked is made from team_members two statements before, so "
    "both have the same columns in the same order.",
    "order": "database first, then Worker",
    "way": "table restore",
    "end": "it stands",
    "verdict": "Teams load without the old column, all 1,204 memberships are there, and nobody "
    "noticed.",
}
READING_S = {PromptKind.TEXT: 5.0, PromptKind.CHOOSE: 1.5, PromptKind.CONFIRM: 2.0}


class Operator:
    """A person at the plain face: reads, then answers; a question they do not know stops them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def ask(self, prompt: Prompt) -> object:
        """The answer, after the time it takes to read the question."""
        await asyncio.sleep(READING_S.get(prompt.kind, 1.5))
        step = self._session.current
        assert step is not None
        if prompt.key == "next":
            assert self._session.record.last(step.id) is None, f"{step.id} did not succeed"
            return Choice.DO
        if prompt.key in ANSWERS:
            return ANSWERS[prompt.key]
        if prompt.typed:
            return prompt.typed
        assert prompt.kind is not PromptKind.TEXT, f"{prompt.key}: {prompt.label}"
        return True if prompt.kind is PromptKind.CONFIRM else prompt.choices[0]


async def make(folder: Path) -> None:
    """Walk one practice run to its close, and take its record."""
    (folder / "gitconfig").write_text("[user]\n\tname = Ana\n\temail = ana@example.com\n")
    os.environ["GIT_CONFIG_GLOBAL"] = str(folder / "gitconfig")
    await install(print)
    project = folder / "project"
    with start(project, next="0061", ask_git=ask_git) as running:
        environ = {**os.environ, **running.environment}
        context = open_context(start=project, environ=environ, target="practice")
        (context.project.migrations_folder / NAME).write_text(PARKED, encoding="utf-8")
        for words in (("add", "-A"), ("commit", "-qm", "Park the members")):
            ask_git(words, project)
        store = context.store(NAME).acquire()
        session = Session(context.checklist, context.environment(NAME, store))
        target = Target(database=context.project.database.name, migration=NAME)
        await Walkthrough(session, Operator(session), print, target).run()
        assert session.closed
        shutil.rmtree(EXAMPLE_CHECKLISTS, ignore_errors=True)
        shutil.copytree(store.folder, EXAMPLE)
        shutil.copy(context.project.root / "checklists" / "allowed_signers", EXAMPLE_SIGNERS)
        shutil.copy(context.project.migrations_folder / NAME, EXAMPLE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(make(Path(scratch)))
