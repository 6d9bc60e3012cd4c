-- Migration: 0042_create_api_keys_and_usage
-- Description: Keys for the API and how much was used with them, by day
-- Type: Additive (low risk)
-- Rollback: DROP VIEW usage_totals; DROP TABLE usage_counters; DROP TABLE api_keys
-- ============================================================================

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  label TEXT,
  fingerprint BLOB NOT NULL,
  last_used_at INTEGER
);

CREATE INDEX idx_api_keys_user ON api_keys(user_id);

CREATE TABLE usage_counters (
  api_key_id TEXT NOT NULL REFERENCES api_keys(id) ON DELETE CASCADE,
  day TEXT NOT NULL,
  calls INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  average_ms REAL,
  PRIMARY KEY (api_key_id, day)
) WITHOUT ROWID;

CREATE VIEW usage_totals AS
  SELECT api_key_id, sum(calls) AS calls, sum(bytes) AS bytes
  FROM usage_counters GROUP BY api_key_id;
