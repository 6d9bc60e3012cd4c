"""Reads the shipped definitions (`checklists/*.toml`) out of the wheel, or out of the checkout."""

from pathlib import Path

from d1_preflight.core.errors import ChecklistInvalid

_PACKAGE = Path(__file__).resolve().parents[2]
_REINSTALL = "Install the package again: pip install --force-reinstall d1-preflight"


def read_definition(name: str) -> str | None:
    """The text of a shipped definition, such as `d1.toml`; None where there is none of that name.

    Raises ChecklistInvalid where it cannot be read.
    """
    path = checklists_dir() / name
    try:
        return path.read_text("utf-8") if path.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise ChecklistInvalid(f"{path.name} cannot be read: {error}", hint=_REINSTALL) from error


def checklists_dir() -> Path:
    """The folder that holds `d1.toml` and `rules.toml`; raises ChecklistInvalid if it is gone."""
    for folder in (_PACKAGE / "checklists", _PACKAGE.parents[1] / "checklists"):
        if (folder / "d1.toml").is_file():
            return folder
    raise ChecklistInvalid(
        "The checklist that ships with d1-preflight (checklists/d1.toml) was not found.",
        hint=_REINSTALL,
    )
