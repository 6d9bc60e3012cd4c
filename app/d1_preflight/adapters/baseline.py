"""What `[lint]` of the nearest `preflight.toml` says: the baseline, and how files are named."""

from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.git.checkout import checkout_of
from d1_preflight.adapters.lint_sources import MOST_BYTES, Ledger
from d1_preflight.adapters.naming import naming_of
from d1_preflight.adapters.project_files import read_settings
from d1_preflight.adapters.regular_file import read_file
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.naming import Naming
from d1_preflight.core.project.settings import SETTINGS_NAME, Settings


def read_baseline(folder: Path, start: Path) -> Migration | None:
    """The baseline that the settings nearest above `folder` name; None where none is named.

    `start` is where the project begins if the folder lies in no checkout.
    """
    home = _home_of_settings(folder, start)
    named = read_settings(home).lint.baseline if home else ""
    if home is None or not named:
        return None
    path = home / named
    try:
        data = read_file(path, MOST_BYTES)
    except OSError as error:
        raise ProjectError(
            f"The baseline {path} cannot be read: {error.strerror or error}.",
            hint=f"Correct [lint] baseline in {home / SETTINGS_NAME}.",
        ) from error
    return Migration(named, data.decode("utf-8", "replace"), sha256(data).hexdigest(), path)


def read_naming(ledger: Ledger, start: Path) -> Naming:
    """What the names of a ledger's files are judged by; `start` as for the baseline."""
    folder = ledger.place.folder
    home = _home_of_settings(folder, start)
    settings = read_settings(home) if home else Settings()
    return naming_of(folder, (migration.name for migration in ledger.migrations), settings)


def _home_of_settings(folder: Path, start: Path) -> Path | None:
    tree = checkout_of(folder) or (start if folder.is_relative_to(start) else folder.parent)
    for place in (folder, *folder.parents):
        if (place / SETTINGS_NAME).is_file():
            return place
        if place == tree:
            break
    return None
