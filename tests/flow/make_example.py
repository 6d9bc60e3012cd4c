"""Makes `checklists/example/`: `python tests/flow/make_example.py`.

One signed record of the rebuild, walked in a practice run with the real wrangler. The operator
takes the finding's advice first: the members are parked while their teams are rebuilt. The key is
made for it and thrown away; only its public half stays, in `allowed_signers`.
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
from d1_preflight.practice.run import start
from d1_preflight.project_context import open_context
from flow.walking import open_session, walk_to

EXAMPLE = TESTS.parent / "checklists" / "example"
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
    "purpose": "Teams load without a column that nobody reads any more.",
    "verdict": "Nobody noticed; every member is still there.",
    "order": "database first, then Worker",
    "copy-by-position@34": "Both tables have the same columns; one was made from the other.",
}


async def make(folder: Path) -> None:
    (folder / "gitconfig").write_text("[user]\n\tname = Ana\n\temail = ana@example.com\n")
    os.environ["GIT_CONFIG_GLOBAL"] = str(folder / "gitconfig")
    await install(print)
    project = folder / "project"
    with start(project, next="0061", ask_git=ask_git) as running:
        environ = {**os.environ, **running.practice.environment}
        context = open_context(start=project, environ=environ, target="practice")
        (context.project.migrations_folder / NAME).write_text(PARKED, encoding="utf-8")
        for words in (("add", "-A"), ("commit", "-qm", "Park the members")):
            ask_git(words, project)
        session, _ = open_session(context, NAME)
        await walk_to(session, given=ANSWERS)
        assert session.closed
        shutil.rmtree(EXAMPLE, ignore_errors=True)
        shutil.copytree(session.environment.store.folder, EXAMPLE)
        shutil.copy(context.project.root / "checklists" / "allowed_signers", EXAMPLE)
        shutil.copy(context.project.migrations_folder / NAME, EXAMPLE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(make(Path(scratch)))
