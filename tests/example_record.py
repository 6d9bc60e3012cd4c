"""Where the shipped example lies: a project's `checklists` with one closed record."""

from pathlib import Path

EXAMPLE_PROJECT = Path(__file__).resolve().parents[1] / "checklists" / "example"
EXAMPLE_CHECKLISTS = EXAMPLE_PROJECT / "checklists"
EXAMPLE_SIGNERS = EXAMPLE_CHECKLISTS / "allowed_signers"
EXAMPLE = EXAMPLE_CHECKLISTS / "marketplace-production" / "0061_rebuild_teams_remove_deprecated"
