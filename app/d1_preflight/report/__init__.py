"""The record for people: words and marks, as text, Markdown or one HTML file."""

from enum import StrEnum
from typing import assert_never

from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.record.record import Record
from d1_preflight.core.verify.verify import Verification
from d1_preflight.report.document import document


class Format(StrEnum):
    """What `preflight show --format` accepts."""

    TEXT = "text"
    MARKDOWN = "md"
    HTML = "html"


def show(
    record: Record,
    checklist: Checklist,
    verification: Verification | None = None,
    form: Format = Format.TEXT,
    timeline: bytes | None = None,
) -> str:
    """The whole record for people, in the form asked for; `timeline` is an emergency's."""
    content = document(record, checklist, verification, timeline)
    match form:
        case Format.TEXT:
            from d1_preflight.report.text import as_text

            return as_text(content)
        case Format.MARKDOWN:
            from d1_preflight.report.markdown import as_markdown

            return as_markdown(content)
        case Format.HTML:
            from d1_preflight.report.html import as_html

            return as_html(content)
        case _:
            assert_never(form)
