-- Migration: 0056_add_workflow_tags
-- Description: Tags to find workflows by
-- Type: Additive (low risk)
-- Rollback: DROP TABLE workflow_tags
-- ============================================================================

CREATE TABLE workflow_tags (
  workflow_id TEXT NOT NULL REFERENCES workflows(id) ON DELETE CASCADE,
  tag TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY (workflow_id, tag)
);

CREATE INDEX idx_workflow_tags_tag ON workflow_tags(tag);
