-- Migration: 0001_create_users_and_sessions
-- Description: People who sign in, and their sessions
-- Type: Additive (low risk)
-- Rollback: DROP TABLE sessions; DROP TABLE users
-- ============================================================================

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  name TEXT,
  role TEXT NOT NULL DEFAULT 'USER',
  time_zone TEXT,
  created_at INTEGER DEFAULT (unixepoch())
);

CREATE TABLE sessions (
  token TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  expires_at INTEGER NOT NULL
);

CREATE INDEX idx_sessions_user ON sessions(user_id);
