-- Migration: 0063_broken_backfill
-- Description: Store how long each run took; a workflow starts at most once a second
-- Type: Transformative
-- Rollback: DROP INDEX idx_workflow_runs_once; ALTER TABLE workflow_runs DROP COLUMN seconds
-- ============================================================================

ALTER TABLE workflow_runs ADD COLUMN seconds INTEGER;

UPDATE workflow_runs SET seconds = finished_at - started_at WHERE finished_at IS NOT NULL;

CREATE UNIQUE INDEX idx_workflow_runs_once ON workflow_runs(workflow_id, started_at);
