"""What `preflight lint` prints: the judgement of migrations in words, or for other programs."""

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Sequence

    from d1_preflight.lint.judged import Judged
    from d1_preflight.lint.paint import Paint


class Format(StrEnum):
    """What `preflight lint --format` accepts."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def render(judged: "Sequence[Judged]", form: Format, paint: "Paint | None" = None) -> str:
    """All judgements in the form asked for; `paint` is for people at a terminal only."""
    match form:
        case Format.TEXT:
            from d1_preflight.lint.paint import Paint
            from d1_preflight.lint.text import as_text

            return as_text(judged, paint or Paint())
        case Format.JSON:
            from d1_preflight.lint.plain_json import as_json

            return as_json(judged)
        case Format.SARIF:
            from d1_preflight.lint.sarif import as_sarif

            return as_sarif(judged)
        case Format.GITHUB:
            from d1_preflight.lint.github import as_github

            return as_github(judged)
        case _:
            assert_never(form)
