"""What the wizard works on: one database of one wrangler project, with the team's settings."""

import os.path
import re
from hashlib import sha256
from pathlib import Path

from d1_preflight.core.project.settings import Settings
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.lazy_dataclass import dataclass, field

WORKSPACE_NAME = ".preflight"
RECORDS_NAME = "checklists"


@dataclass(frozen=True, slots=True)
class Project:
    """`root` is the configuration's folder; `environment` may be "", the top level.

    `chosen_by` says what chose the environment: --env, or CLOUDFLARE_ENV and where it was found;
    "" where nothing did. `settings_sha256` is that of the settings' file; "" where there is none.
    `assumed_zone` is this machine's, where the settings name no zone of the team's.
    """

    root: Path
    config: WranglerConfig
    database: Database
    environment: str = ""
    settings: Settings = field(default_factory=Settings)
    chosen_by: str = ""
    settings_sha256: str = ""
    assumed_zone: str = ""

    @property
    def migrations_folder(self) -> Path:
        """The folder below which wrangler looks for migrations."""
        return Path(os.path.normpath(self.root / self.database.migrations_dir))

    @property
    def worker(self) -> str:
        """The Worker that uses this database; "" where none is named."""
        return self.settings.verification.worker or self.config.name

    @property
    def workspace(self) -> Path:
        """The private folder that never goes into git."""
        return self.root / WORKSPACE_NAME

    @property
    def target_config(self) -> Path:
        """The configuration through which every remote call goes, named by the target's uuid."""
        uuid = self.database.id  # itself, if it can name a file; else its digest
        is_plain = re.fullmatch(r"[0-9A-Za-z-]{1,64}", uuid) is not None
        name = uuid.lower() if is_plain else sha256(uuid.encode()).hexdigest()[:32]
        return self.workspace / "targets" / f"{name}.json"

    @property
    def records(self) -> Path:
        """The folder that holds this database's records."""
        return self.root / RECORDS_NAME / self.database.name
