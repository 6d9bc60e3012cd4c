"""The folders of an attempt's private files, below `.preflight/<database>/<migration>/`.

None of it is in git: copies and backups hold production rows.
"""

from pathlib import Path

from d1_preflight.actions.context import Environment


def copied_rows(environment: Environment) -> Path:
    """The row copies of the whole target, one file a table."""
    return environment.workspace / "copy" / "rows"


def copy_folder(environment: Environment) -> Path:
    """The target's copy as a local D1, as it was."""
    return environment.copy


def trial_folder(environment: Environment) -> Path:
    """The temporary copy on which the SQL is tried before wrangler runs it."""
    return environment.workspace / "trial" / "d1"


def rehearsal_folder(environment: Environment) -> Path:
    """The copy on which the migration was applied."""
    return environment.workspace / "rehearsal" / "d1"


def down_folder(environment: Environment) -> Path:
    """The rehearsal on which the down migration was run as well."""
    return environment.workspace / "down" / "d1"


def rewrite_folder(environment: Environment) -> Path:
    """The copy on which a rewrite is tried before it is offered."""
    return environment.workspace / "rewrite" / "d1"


def backup_folder(environment: Environment) -> Path:
    """The backups: row copies and the export."""
    return environment.workspace / "backup"


def recheck_folder(environment: Environment) -> Path:
    """Row copies that are read again only to be compared; gone afterwards."""
    return environment.workspace / "recheck" / "rows"


def again_folder(environment: Environment) -> Path:
    """The rehearsal that is made once more just before the apply, until it replaces the first."""
    return environment.workspace / "again"


def restored_folder(environment: Environment) -> Path:
    """The database into which the row copies of the backup are restored."""
    return restore_folder(environment) / "rows"


def given_back_folder(environment: Environment) -> Path:
    """The rehearsal on which the repair script was tried."""
    return restore_folder(environment) / "given_back"


def restore_folder(environment: Environment) -> Path:
    """The databases into which backups are restored for proof."""
    return environment.workspace / "restore"
