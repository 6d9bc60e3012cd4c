"""Answers that records store and sign, and the labels under which people read and type them."""

from collections.abc import Mapping

KEPT, ROLLED_BACK, FIXED_MANUALLY = "it stands", "it was taken back", "it was mended by hand"
"""How an applied migration can end: the stored answers of the close."""

NO_WORKER = "no code goes along"
"""The stored deploy order of a migration without a change of Worker code."""

ANSWER_LABELS: Mapping[str, Mapping[str, str]] = {
    "end": {KEPT: "kept", ROLLED_BACK: "rolled back", FIXED_MANUALLY: "fixed manually"},
    "order": {NO_WORKER: "no Worker change"},
}
"""The label of a stored answer, by the key of its prompt."""


def answer_label(key: str, answer: str) -> str:
    """The label of a stored answer; most are stored as they read."""
    return ANSWER_LABELS.get(key, {}).get(answer, answer)
