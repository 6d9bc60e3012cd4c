-- Migration: 0023_create_integrations
-- Description: Connections to other services, and what they delivered to us
-- Type: Additive (low risk)
-- Rollback: DROP TABLE webhook_deliveries; DROP TABLE integrations
-- ============================================================================

CREATE TABLE integrations (
  id INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  service TEXT NOT NULL,
  settings TEXT
);

CREATE INDEX idx_integrations_user ON integrations(user_id);

CREATE TABLE webhook_deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  integration_id INTEGER REFERENCES integrations(id) ON DELETE SET NULL,
  external_id INTEGER, -- the other side's number: may be larger than 2^53
  seconds REAL,
  subject TEXT,
  payload BLOB,
  extra
);
