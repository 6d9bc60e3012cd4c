"""Where the shipped definitions (`checklists/*.toml`) lie: in the wheel, or in the checkout."""

from pathlib import Path

from d1_preflight.core.errors import ChecklistInvalid

_PACKAGE = Path(__file__).resolve().parents[2]


def checklists_dir() -> Path:
    """The folder that holds `d1.toml` and `rules.toml`; raises ChecklistInvalid if it is gone."""
    for folder in (_PACKAGE / "checklists", _PACKAGE.parents[1] / "checklists"):
        if (folder / "d1.toml").is_file():
            return folder
    raise ChecklistInvalid(
        "The checklist that ships with d1-preflight (checklists/d1.toml) was not found.",
        hint="Install the package again: pip install --force-reinstall d1-preflight",
    )
