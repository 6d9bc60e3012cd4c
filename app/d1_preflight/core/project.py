"""What the wizard works on: one database of one wrangler project, with the team's settings."""

import os.path
from dataclasses import dataclass, field
from pathlib import Path

from d1_preflight.core.config import Database, WranglerConfig
from d1_preflight.core.settings import Settings

WORKSPACE_NAME = ".preflight"
RECORDS_NAME = "checklists"


@dataclass(frozen=True, slots=True)
class Project:
    """`root` is the configuration's folder, where wrangler is started; `environment` may be ""."""

    root: Path
    config: WranglerConfig
    database: Database
    environment: str = ""
    settings: Settings = field(default_factory=Settings)

    @property
    def migrations_folder(self) -> Path:
        """The folder below which wrangler looks for migrations."""
        return Path(os.path.normpath(self.root / self.database.migrations_dir))

    @property
    def workspace(self) -> Path:
        """The private folder that never goes into git."""
        return self.root / WORKSPACE_NAME

    @property
    def records(self) -> Path:
        """The folder that holds this database's records."""
        return self.root / RECORDS_NAME / self.database.name
