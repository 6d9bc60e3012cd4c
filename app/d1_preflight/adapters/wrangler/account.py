"""The Cloudflare account that wrangler would take in a project."""

from collections.abc import Mapping
from pathlib import Path

from d1_preflight.adapters.regular_file import json_of
from d1_preflight.core.target.api_place import ACCOUNT_NAMES, first_set


def account_id(environ: Mapping[str, str], root: Path) -> str:
    """The account that wrangler would take in this project where the configuration names none.

    The variable, else the choice that a person made before: wrangler keeps it below the folder in
    which it was started. "" where neither is there; wrangler then asks Cloudflare.
    """
    named = environ.get(first_set(environ, ACCOUNT_NAMES), "")
    if named:
        return named
    match json_of(root / ".wrangler" / "cache" / "wrangler-account.json"):
        case {"account": {"id": str(found)}}:
            return found
    return ""
