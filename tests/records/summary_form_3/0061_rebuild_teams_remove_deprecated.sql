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
