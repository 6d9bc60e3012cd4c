"""The record for people: words and marks, as text, Markdown, one HTML file, or JSON."""

from enum import StrEnum

from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.record.file import dump_record
from d1_preflight.core.record.record import Record
from d1_preflight.core.summary.markdown import as_markdown as summary_markdown
from d1_preflight.core.summary.summary import Summary, summary_of
from d1_preflight.core.summary.verdict import closed_attempt
from d1_preflight.core.verify.links import Verification
from d1_preflight.core.verify.timeline import read_timeline
from d1_preflight.report.document import (
    Document,
    document,
    missing,
    not_verified,
    summary_blocks,
    undo_blocks,
)
from d1_preflight.report.overview import overview, undoing
from d1_preflight.report.pictures import pictures


class Format(StrEnum):
    """What `preflight show --format` accepts."""

    TEXT = "text"
    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"


def show(
    record: Record,
    checklist: Checklist,
    verification: Verification | None = None,
    form: Format = Format.TEXT,
    timeline: bytes | None = None,
) -> str:
    """The whole record for people, its summary first; `timeline` is an emergency's."""
    still_open = "" if closed_attempt(record) else missing(record, checklist)
    summary = summary_of(record, read_timeline(timeline or b"").entries, still_open)
    content = document(record, checklist, verification, timeline)
    if form is Format.JSON:
        return _as_json(summary, record, verification)
    return _for_people(form, overview(summary, record, still_open), content, record, verification)


def _for_people(
    form: Format,
    summary: Summary,
    content: Document,
    record: Record,
    verification: Verification | None,
) -> str:
    warning, undo = not_verified(verification), undoing(record)
    if form is Format.MARKDOWN:
        from d1_preflight.report.markdown import as_markdown

        warned = f"{as_markdown(warning)}\n" if warning else ""
        rest = as_markdown((*undo_blocks(undo), *pictures(record), *content))
        return f"{warned}{summary_markdown(summary)}\n{rest}"
    whole = (*warning, *summary_blocks(summary, undo), *pictures(record), *content)
    if form is Format.TEXT:
        from d1_preflight.report.text import as_text

        return as_text(whole)
    from d1_preflight.report.html import as_html

    return as_html(whole)


def _as_json(summary: Summary, record: Record, verification: Verification | None) -> str:
    """One object for programs; `record` has the form that `record.schema.json` describes."""
    import json
    import tomllib
    from dataclasses import asdict

    verified = verification and {
        "exit_code": verification.exit_code,
        "trust": verification.trust,
        "facts": dict(verification.facts),
        "problems": [asdict(problem) for problem in verification.problems],
    }
    content = {
        "summary": {**asdict(summary), "facts": dict(summary.facts)},
        "verification": verified,
        "record": tomllib.loads(dump_record(record).decode()),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
