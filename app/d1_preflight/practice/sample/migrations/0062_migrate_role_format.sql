-- Migration: 0062_migrate_role_format
-- Description: Roles in lower case everywhere
-- Type: Transformative
-- Rollback: Reverse UPDATE
-- ============================================================================

-- Migrate old role format to new format
UPDATE team_members SET role = 'owner' WHERE role = 'OWNER';
UPDATE team_members SET role = 'admin' WHERE role = 'ADMIN';
UPDATE team_members SET role = 'member' WHERE role = 'MEMBER';
