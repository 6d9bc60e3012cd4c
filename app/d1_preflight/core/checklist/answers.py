"""Answers that records store and sign, and the labels under which people read and type them."""

from collections.abc import Mapping
from enum import StrEnum

KEPT, ROLLED_BACK, FIXED_MANUALLY = "it stands", "it was taken back", "it was mended by hand"
"""How an applied migration can end: the stored answers of the close."""

NO_WORKER = "no code goes along"
"""The stored deploy order of a migration without a change of Worker code."""

LEAVE_IT = "leave it"
"""The stored rollback path of a migration that needs none."""

NOT_NEEDED = "none needed, leaving it applied loses nothing"
"""What is said of that rollback path, after a name such as "rollback"."""

DATABASE_FIRST = "database first, then Worker"
WORKER_FIRST = "Worker first, then database"
EXPAND_AND_CONTRACT = "expand and contract, in two releases"
"""The other stored deploy orders."""

FILES_HERE = "the files in this folder"
NOT_KNOWN = "it is not known"
OTHER_REVISION = "another revision"
"""The stored answers to which code runs, beside a commit."""


class Order(StrEnum):
    """Which of deploy and migration may come first, by the queries of both codes."""

    ANY = "any order"
    DATABASE_FIRST = "database first, then code"
    CODE_FIRST = "code first, then database"
    SPLIT = "no safe order: split it"


ANSWER_LABELS: Mapping[str, Mapping[str, str]] = {
    "end": {KEPT: "kept", ROLLED_BACK: "rolled back", FIXED_MANUALLY: "fixed manually"},
    "order": {NO_WORKER: "no Worker change"},
    "way": {LEAVE_IT: "no rollback"},
    "chosen": {LEAVE_IT: "no rollback"},
}
"""The label of a stored answer, by the key of its prompt."""


def answer_label(key: str, answer: str) -> str:
    """The label of a stored answer; most are stored as they read."""
    return ANSWER_LABELS.get(key, {}).get(answer, answer)
