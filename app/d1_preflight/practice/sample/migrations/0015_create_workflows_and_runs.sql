-- Migration: 0015_create_workflows_and_runs
-- Description: Workflows of users and each time one ran
-- Type: Additive (low risk)
-- Rollback: DROP TABLE workflow_runs; DROP TABLE workflows
-- ============================================================================

CREATE TABLE workflows (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  title TEXT NOT NULL,
  definition TEXT NOT NULL, -- JSON
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1))
);

CREATE INDEX idx_workflows_owner ON workflows(owner_id);

CREATE TABLE workflow_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_id TEXT NOT NULL REFERENCES workflows(id) ON DELETE CASCADE,
  old_name TEXT,
  status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed', 'running')),
  started_at INTEGER NOT NULL,
  finished_at INTEGER
);

CREATE INDEX idx_workflow_runs_workflow ON workflow_runs(workflow_id, started_at);
