"""The folders of an attempt's private files, below `.preflight/<database>/<migration>/`.

None of it is in git: copies and backups hold production rows.
"""

from enum import StrEnum
from pathlib import Path

from d1_preflight.actions.context import Environment


class Folder(StrEnum):
    """What lies in a folder; the databases are local D1s."""

    COPIED_ROWS = "copy/rows"  # the row copies of the whole target, one file a table
    COPY = "copy/d1"  # the target's copy, as it was
    TRIAL = "trial/d1"  # the temporary copy on which the SQL is tried before wrangler runs it
    REHEARSAL = "rehearsal/d1"  # the copy on which the migration was applied
    DOWN = "down/d1"  # the rehearsal on which the down migration was run as well
    REWRITE = "rewrite/d1"  # the copy on which a rewrite is tried before it is offered
    BACKUP = "backup"  # the row copies and the export
    RECHECK = "recheck/rows"  # row copies that are read again only to be compared; gone afterwards
    AGAIN = "again"  # the rehearsal that is made once more, until it replaces the first
    RESTORE = "restore"  # the databases into which backups are restored for proof
    RESTORED = "restore/rows"  # of these, the one with the row copies of the backup
    GIVEN_BACK = "restore/given_back"  # the rehearsal on which the repair script was tried

    def of(self, environment: Environment) -> Path:
        """Where it is among the files of one migration."""
        return environment.workspace / self
