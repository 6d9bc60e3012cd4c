"""How many examples a law tries: a tenth in the suite, all with --hypothesis-profile=thorough."""

from hypothesis import settings

THOROUGH = 1_000


def examples(number: int) -> int:
    """The number for the profile that is loaded."""
    default = settings.default
    is_thorough = default is not None and default.max_examples >= THOROUGH
    return number if is_thorough else number // 10
