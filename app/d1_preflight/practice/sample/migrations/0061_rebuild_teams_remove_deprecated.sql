-- Migration: 0061_rebuild_teams_remove_deprecated
-- Description: Rebuild teams without deprecated_column
-- Type: Destructive
-- Rollback: Restore from backup (manual)
-- CRITICAL: Backup required before applying
-- ============================================================================

-- Step 1: Create new table with desired schema
CREATE TABLE teams_new (
  id TEXT PRIMARY KEY,
  domain TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  owner_id TEXT NOT NULL REFERENCES users(id),
  stripe_customer_id TEXT,
  created_at INTEGER DEFAULT (unixepoch()),
  updated_at INTEGER DEFAULT (unixepoch())
  -- NOTE: deprecated_column is NOT included
);

-- Step 2: Copy data (map old columns to new)
INSERT INTO teams_new (id, domain, name, owner_id, stripe_customer_id, created_at, updated_at)
SELECT id, domain, name, owner_id, stripe_customer_id, created_at, updated_at
FROM teams;

-- Step 3: Drop old table
DROP TABLE teams;

-- Step 4: Rename new table
ALTER TABLE teams_new RENAME TO teams;

-- Step 5: Recreate indexes
CREATE INDEX idx_teams_domain ON teams(domain);
CREATE INDEX idx_teams_owner ON teams(owner_id);
