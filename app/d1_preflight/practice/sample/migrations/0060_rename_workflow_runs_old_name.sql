-- Migration: 0060_rename_workflow_runs_old_name
-- Description: Give the column the name that the API uses
-- Type: Transformative
-- Rollback: ALTER TABLE workflow_runs RENAME COLUMN new_name TO old_name
-- ============================================================================

ALTER TABLE workflow_runs RENAME COLUMN old_name TO new_name;
