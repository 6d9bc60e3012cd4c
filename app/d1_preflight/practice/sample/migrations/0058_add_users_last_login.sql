-- Migration: 0058_add_users_last_login
-- Description: When each person was last here
-- Type: Additive
-- Rollback: Not required
-- ============================================================================

ALTER TABLE users ADD COLUMN last_login_at INTEGER;
