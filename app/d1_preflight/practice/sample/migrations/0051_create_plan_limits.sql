-- Migration: 0051_create_plan_limits
-- Description: What each plan may use
-- Type: Additive (low risk)
-- Rollback: DROP TABLE plan_limits
-- ============================================================================

CREATE TABLE plan_limits (
  plan TEXT PRIMARY KEY,
  runs_per_day INTEGER NOT NULL,
  price REAL
) STRICT;

INSERT INTO plan_limits (plan, runs_per_day, price) VALUES
  ('free', 20, 0.0),
  ('team', 2000, 49.5),
  ('scale', 9007199254740993, NULL);
