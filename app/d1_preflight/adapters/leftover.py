"""The names of what a write that was killed before its rename leaves."""

import re

PART, NEW = ".preflight-", ".new"
"""How the name of a file that is being written begins and ends."""
_LEFT = re.compile(rf"{re.escape(PART)}[a-z0-9_]+{re.escape(NEW)}|\..+\.partial")
_EARLIER_LEFT = re.compile(r"\..*\.(?:toml|sig|json|sql|gitignore|out|err)\.[a-z0-9_]{8}")


def is_leftover(name: str) -> bool:
    """Whether a file is what a write that was killed before its rename left, now or earlier."""
    return bool(_LEFT.fullmatch(name) or _EARLIER_LEFT.fullmatch(name))
