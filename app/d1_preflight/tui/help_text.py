"""Help pages on D1 migrations, by topic.

The source document's reference material, corrected where a run on D1's engine showed otherwise.
A line with `│` is a row of two columns; four spaces begin a command or SQL.
"""

# ruff: noqa: E501 - a page of help is laid out for the screen, not for the source

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One page of help; `sections` are those of the checklist whose help opens here."""

    id: str
    title: str
    text: str
    sections: tuple[str, ...] = ()


def topic_for(section: str) -> Topic:
    """The topic that belongs to a section; the keys for everything else."""
    return next((topic for topic in TOPICS if section in topic.sections), TOPICS[0])


_KEYS = """\
Everything works by keys; the footer names the one that is next.

## Everywhere
Enter │ does what the footer names first; it never signs GO
! or F2 │ the emergency card, with the real names filled in
? or F1 │ this help
q or Ctrl-C │ quit; while a step runs you are asked first
Ctrl-T │ dark, light, high contrast
Ctrl-Z │ to the shell; what runs goes on, fg comes back
Ctrl-P │ every act by its name, every step, every theme
a click │ selects a row, a step or a choice, or presses a key of the footer; a second click on the same row or choice opens or answers it

## On the board
↑ ↓ │ choose a migration
/ │ filter the rows by words: part of a name, a class, a risk, a state; Esc shows all
c │ copy the name, the SQL, or the command that opens it
s │ show the record read-only, as preflight show does
r │ refresh from the target
d │ switch to another of the project's databases
a │ adopt: write ledger rows for files that the database has already, as preflight adopt does

## In the wizard
↑ ↓ │ view another step
PgUp PgDn │ scroll
f │ unfold the next finding
o │ show or hide what the step's commands printed
c │ copy a command, a value, the SQL or the output of this step
/, n │ search in the SQL and the output; the next match
e │ edit the migration (in section 4: its down file)
p │ the proved rewrite of the migration, shown as a diff first; y writes it
w │ waive a step, with a reason; some steps cannot be waived
r │ repeat an answered step
A │ apply, where nothing is lost and so nothing has to be typed
Shift-Tab │ back to the last question
↑ ↓, j k │ choose in a list; / and letters filter it
1–9 │ choose by number: a single choice is answered, one of several is marked
d │ in section 5: open the D1 dashboard in a browser; in section 6 the Worker's metrics
W │ in sections 5 and 6: open the Worker's metrics page
x │ stop waiting for the running step
s │ switch between step by step and automatic: steps that need no person run after your first Enter
Esc │ leave a field (then these keys work again); once more: back to the board

## The marks
✓ proved │ a command showed it
✎ attested │ a person confirmed it, in words
⊘ waived │ not proved; a reason was given instead
✗ failed │ the check ran and failed; the gate stays shut
? unknown │ the result is not known; unknown is never a pass
◐ running, ! interrupted, · pending │ not answered yet

## Is it ready?
1. Does it run without downtime that users see? The rehearsal measures the time.
2. If it fails, can we go back without losing data? Section 4 says what each rollback path loses.
3. Do messages help the engineer who meets them?
4. Does the schema serve the outcome, not just the implementation?
If users notice the migration, it is not ready.
"""

_CONSTRAINTS = """\
D1 is SQLite, with foreign keys always on. Shown by runs on D1's own engine:

## What ALTER TABLE can do
DROP COLUMN │ works (the data of the column is gone); not for keys, UNIQUE, indexed columns
RENAME COLUMN │ works; running code that uses the old name breaks at once
ADD COLUMN │ works; NOT NULL needs a constant default; UNIQUE and PRIMARY KEY are refused
change a column's type │ not supported: ADD COLUMN, UPDATE, DROP COLUMN, RENAME COLUMN
add or drop a constraint │ not supported; for UNIQUE use CREATE UNIQUE INDEX
several changes in one ALTER │ not supported: write one statement per change

## What surprises people
PRAGMA foreign_keys=OFF │ is accepted and ignored
DROP TABLE of a parent │ deletes the children's rows (CASCADE) or sets their references to NULL (SET NULL), and wrangler prints a green tick
INSERT OR REPLACE │ deletes first, also the children of the replaced row; ON CONFLICT DO UPDATE is safe
BEGIN, COMMIT, VACUUM │ are refused; a file runs as one transaction and is rolled back as a whole
on empty tables │ almost every migration passes: rehearse with rows

## Class, risk, rollback
additive │ CREATE TABLE, ADD COLUMN, CREATE INDEX: low risk, easy to undo
transformative │ rename, constraints, data migration: medium
destructive │ DROP TABLE, DROP COLUMN, DELETE: high risk, irreversible without a backup

## The file
NNNN_descriptive_action.sql: 0057_add_team_billing_columns.sql says what it does, 0057_teams.sql does not.

    -- Migration: 0057_add_team_billing_columns
    -- Description: Add Stripe billing columns to teams table
    -- Type: Additive (low risk)
    -- Rollback: Not required (unused columns harmless)
"""

_PATTERNS = """\
## 1 Add a column (additive)
    ALTER TABLE users ADD COLUMN last_login_at INTEGER;
Rollback: not needed; ALTER TABLE users DROP COLUMN loses what was written into it.

## 2 Create a table (additive)
    CREATE TABLE audit_logs (
      id TEXT PRIMARY KEY,
      user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
      action TEXT NOT NULL
    );
    CREATE INDEX idx_audit_logs_user ON audit_logs(user_id);
Declare each foreign key once, in one place. Rollback: DROP TABLE audit_logs.

## 3 Rename a column (transformative)
    ALTER TABLE workflow_runs RENAME COLUMN old_name TO new_name;
The running code still uses the old name: expand (add the new one, write both), move the code, then contract. Rollback: rename again.

## 4 Rebuild a table (high risk): avoid it
DROP TABLE teams deletes every row of team_members by cascade, without a warning. Prefer one of these, each tested:
1. ALTER TABLE teams DROP COLUMN deprecated_column; no rebuild at all.
2. Rebuild the whole tree: create a new table for the parent and each child, drop children first, rename parents first.
3. Copy the children's rows aside, let the cascade happen, put them back:
    PRAGMA defer_foreign_keys = on;
    CREATE TABLE _kept AS SELECT * FROM team_members;
    -- … rebuild teams …
    INSERT INTO team_members SELECT * FROM _kept;
    DROP TABLE _kept;
A rebuild drops indexes, triggers, CHECK, UNIQUE, DEFAULT, COLLATE and the AUTOINCREMENT counter: write them again.

## 5 Move data (transformative)
    UPDATE team_members SET role = 'owner' WHERE role = 'OWNER';
The reverse UPDATE is not a rollback: rows that were 'owner' before become 'OWNER' too. Keep the old value in a separate column, or restore from the backup.
"""

_LOCAL = """\
## Test on this machine
    wrangler d1 migrations apply marketplace-production --local
    wrangler d1 execute marketplace-production --local --json --command="SELECT sql FROM sqlite_schema"
There is no `d1 create --local`: the first command creates the local database. preflight copies the target's rows first, because a rehearsal on empty tables proves nothing.

## Testing manually
    wrangler d1 execute marketplace-production --local --command="INSERT INTO users (id, email, role) VALUES ('test-1', 'test@example.com', 'USER')"
    wrangler d1 execute marketplace-production --local --command="DELETE FROM users WHERE id = 'test-1'"

## Anti-patterns
skip the local test │ it fails in production: always rehearse first
no backup before a destructive change │ data loss: back up, and restore the backup for proof
several schema changes in one file │ hard to roll back: write one logical change per file
no header │ the next reader does not know type, rollback and reason
code before migration │ the app queries what does not exist yet: database first, then code
"""

_DATA = """\
## Backups that restore
SELECT * … > backup.json │ not JSON without --json; with it, large integers are rounded and blobs lose their type
wrangler d1 export │ exact for text and blobs, rounds large integers, and may not load back (order of tables)
row copies by preflight │ every value with its type, restored and compared before GO
Time Travel │ always on: 30 days (paid) or 7 (free); a restore undoes every later write

    wrangler d1 time-travel info marketplace-production --json
    wrangler d1 export marketplace-production --remote --output backup.sql
    wrangler d1 execute marketplace-production --remote --json --command="SELECT count(*) FROM users"
Backups hold production data: they stay in .preflight/, readable only by you, and never go into git.
"""

_ROLLBACK = """\
## The order, when code changes too
forward │ 1. database, 2. Worker: old code ignores what was added
back │ 1. Worker, 2. down migration, if it is safe
a rename or a drop │ breaks the running code: expand and contract, in two releases; drop last, after the code stopped using it

## What to do when
additive, no trouble │ nothing
additive, errors │ roll the code back first, then decide on the migration
destructive, succeeded │ cannot be rolled back, by design
destructive, wrong rows gone │ restore from the backup, or Time Travel
transformative, trouble │ roll the code back, then the down migration

    wrangler rollback <version-id> --name workway-api
    wrangler d1 time-travel restore marketplace-production --bookmark <bookmark>
`rollback` takes the version as its first argument; there is no --version.
Put the down migration in migrations/down/, where wrangler does not apply it: wrangler would apply a file named x.down.sql beside the others as a forward migration. Where each migration has its own folder (drizzle, Prisma), put down.sql into that folder: they read every other folder beside it as a migration.
"""

_TIMING = """\
## When
Avoid Monday to Friday, 9 to 17, where the users are. preflight reads the users' local times and, if it can, the traffic of the last weeks.

## Who
Tell whoever is on call first: the message names the migration, the database, the class, the time and you.

## What to watch
Watch the D1 dashboard in a browser while it runs and for five to ten minutes afterwards.
"""

_VERIFY = """\
## Is it applied?
    wrangler d1 execute marketplace-production --remote --json --command="SELECT * FROM d1_migrations ORDER BY id DESC LIMIT 5"
    wrangler d1 migrations list marketplace-production --remote
`migrations list` shows only what is still pending, and creates the ledger table if there is none. The exit code is no proof.

## Is the schema right?
    wrangler d1 execute marketplace-production --remote --json --command="SELECT type, name, sql FROM sqlite_schema"
    wrangler d1 execute marketplace-production --remote --json --command="PRAGMA table_info(users)"
    wrangler d1 execute marketplace-production --remote --json --command="PRAGMA index_list(users)"
`.schema` is a command of the sqlite3 shell; wrangler does not support it.

## Does the application work?
    curl https://api.workway.co/health
    curl -H "Authorization: Bearer $TOKEN" https://api.workway.co/users/me
Error rate below 0.1 % for 5 to 10 minutes (Workers & Pages → Metrics); then it is done.
"""

_COMMANDS = """\
create │ wrangler d1 migrations create marketplace-production add_feature_x (or preflight new add_feature_x: with header and down file)
test locally │ wrangler d1 migrations apply marketplace-production --local
apply │ wrangler d1 migrations apply marketplace-production --remote; this applies every pending file, the wizard only one
what is pending │ wrangler d1 migrations list marketplace-production --remote
query │ wrangler d1 execute marketplace-production --remote --json --command="SELECT …" (with =: SQL that begins with -- is read as a flag otherwise)
the schema │ wrangler d1 execute marketplace-production --remote --json --command="SELECT sql FROM sqlite_schema"
back up │ wrangler d1 export marketplace-production --remote --output backup.sql
get a bookmark │ wrangler d1 time-travel info marketplace-production --json
restore everything │ wrangler d1 time-travel restore marketplace-production --bookmark <bookmark>
roll the Worker back │ wrangler rollback <version-id> --name workway-api
list versions │ wrangler deployments list --name workway-api
"""

TOPICS: tuple[Topic, ...] = (
    Topic("keys", "Keys and marks", _KEYS, ("go", "apply", "close")),
    Topic("constraints", "What D1 can do", _CONSTRAINTS, ("classification",)),
    Topic("patterns", "Patterns", _PATTERNS),
    Topic("local", "Local testing and anti-patterns", _LOCAL, ("local",)),
    Topic("data", "Backups", _DATA, ("data",)),
    Topic("rollback", "Rollback paths", _ROLLBACK, ("rollback",)),
    Topic("timing", "Timing", _TIMING, ("timing",)),
    Topic("verification", "After the apply", _VERIFY, ("verification",)),
    Topic("commands", "Commands", _COMMANDS),
)
