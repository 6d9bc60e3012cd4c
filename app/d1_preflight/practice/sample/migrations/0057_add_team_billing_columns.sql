-- Migration: 0057_add_team_billing_columns
-- Description: Add Stripe billing columns to teams table
-- Type: Additive (low risk)
-- Rollback: Not required (unused columns harmless) OR See down migration
-- ============================================================================

-- Add billing-related columns
ALTER TABLE teams ADD COLUMN stripe_subscription_id TEXT;
ALTER TABLE teams ADD COLUMN billing_email TEXT;

-- Index for billing lookups
CREATE INDEX idx_teams_stripe ON teams(stripe_subscription_id);
