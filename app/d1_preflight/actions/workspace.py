"""Where an attempt's private files lie, below `.preflight/<database>/<migration>/`.

None of it is in git: copies and backups hold production rows.
"""

from pathlib import Path

from d1_preflight.actions.context import Tools


def copied_rows(tools: Tools) -> Path:
    """The row copies of the whole target, one file a table."""
    return tools.workspace / "copy" / "rows"


def copy_folder(tools: Tools) -> Path:
    """The target's copy as a local D1, as it was."""
    return tools.copy


def trial_folder(tools: Tools) -> Path:
    """The copy on which the SQL is tried before wrangler runs it; gone when that is over."""
    return tools.workspace / "trial" / "d1"


def rehearsal_folder(tools: Tools) -> Path:
    """The copy on which the migration was applied."""
    return tools.workspace / "rehearsal" / "d1"


def down_folder(tools: Tools) -> Path:
    """The rehearsal on which the down migration was run as well."""
    return tools.workspace / "down" / "d1"


def backup_folder(tools: Tools) -> Path:
    """The backups: row copies and the export."""
    return tools.workspace / "backup"


def restored_folder(tools: Tools) -> Path:
    """The database into which the row copies of the backup are restored."""
    return restore_folder(tools) / "rows"


def given_back_folder(tools: Tools) -> Path:
    """The rehearsal that was given back what the migration took from it."""
    return restore_folder(tools) / "given_back"


def restore_folder(tools: Tools) -> Path:
    """The databases into which backups are restored for proof."""
    return tools.workspace / "restore"
