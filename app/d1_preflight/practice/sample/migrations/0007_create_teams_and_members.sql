-- Migration: 0007_create_teams_and_members
-- Description: Teams by e-mail domain, their members and open invitations
-- Type: Additive (low risk)
-- Rollback: DROP TABLE invitations; DROP TABLE team_members; DROP TABLE teams
-- ============================================================================

CREATE TABLE teams (
  id TEXT PRIMARY KEY,
  domain TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  owner_id TEXT NOT NULL REFERENCES users(id),
  deprecated_column TEXT,
  created_at INTEGER DEFAULT (unixepoch()),
  updated_at INTEGER DEFAULT (unixepoch())
);

CREATE INDEX idx_teams_domain ON teams(domain);
CREATE INDEX idx_teams_owner ON teams(owner_id);

CREATE TABLE team_members (
  team_id TEXT NOT NULL REFERENCES teams(id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  joined_at INTEGER NOT NULL,
  PRIMARY KEY (team_id, user_id)
);

CREATE INDEX idx_team_members_user ON team_members(user_id);

CREATE TABLE invitations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  email TEXT NOT NULL,
  invited_by TEXT REFERENCES users(id) ON DELETE SET NULL,
  note TEXT,
  created_at INTEGER NOT NULL
);
