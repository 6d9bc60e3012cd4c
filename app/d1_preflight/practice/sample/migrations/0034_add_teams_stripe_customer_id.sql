-- Migration: 0034_add_teams_stripe_customer_id
-- Description: Stripe's number of the paying team
-- Type: Additive (low risk)
-- Rollback: Not required (unused column harmless)
-- ============================================================================

ALTER TABLE teams ADD COLUMN stripe_customer_id TEXT;

CREATE INDEX idx_teams_customer ON teams(stripe_customer_id);
