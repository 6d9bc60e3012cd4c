"""The sample project's `preflight.toml`: where its endpoints, metrics and channel are."""

from d1_preflight.practice.server import API_PATH
from d1_preflight.practice.worker import SCRIPT


def settings_toml(base_url: str) -> str:
    """The settings for the stand-in at an address; written anew at every start."""
    return f"""\
# Settings of the practice project. The addresses change with every start.
base_url = "{base_url}"
script = "{SCRIPT}"
api = "{base_url}{API_PATH}"
"""
