"""The page for people: folded, drawn, and under a policy that its own style alone passes."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

from d1_preflight.core.record.record import Record, Status
from d1_preflight.report import Format, show
from d1_preflight.report.html import as_svg
from d1_preflight.report.pictures import RowBars, Series, Spans, pictures
from tui import scenes


def page(record: Record | None = None) -> str:
    session = scenes.rebuild().walked_to("close")
    return show(record or session.record, session.checklist, None, Format.HTML)


def test_the_policy_names_the_style_by_its_hash_and_allows_nothing_else() -> None:
    shown = page()
    style = re.search(r"<style>(.*?)</style>", shown, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', shown)

    assert style
    assert policy
    own = b64encode(sha256(style[1].encode()).digest()).decode()
    rules = {rule.strip() for rule in policy[1].split(";")}
    assert rules == {"default-src 'none'", f"style-src 'sha256-{own}'", "base-uri 'none'",
                     "form-action 'none'"}  # fmt: skip
    assert " style=" not in shown


def test_sections_are_folded_below_the_summary_and_open_where_something_went_wrong() -> None:
    record = scenes.rebuild().walked_to("close").record
    failed = tuple(
        replace(a, status=Status.WAIVED) if a.step == "dashboard" else a for a in record.attempts
    )
    shown = page(replace(record, attempts=failed))
    sections = re.findall(r"<details( open)?><summary><h2>([^<]+)", shown)

    assert [title for is_open, title in sections if is_open] == ["5 Timing"] or [
        title for is_open, title in sections if is_open
    ] == ["Record", "5 Timing"]
    assert len(sections) > 8
    assert shown.index("<h1>") < shown.index("<svg") < shown.index("<details")


def test_every_cell_says_its_column_where_a_narrow_page_stacks_them() -> None:
    cells = re.findall(r"<td([^>]*)>", re.sub(r'<table class="pairs">.*?</table>', "", page()))

    assert cells
    assert all("data-name=" in cell for cell in cells)


def test_rows_watch_and_time_are_drawn() -> None:
    record = scenes.rebuild().walked_to("close").record
    bars, series, spans = pictures(record)

    assert isinstance(bars, RowBars)
    assert [bar.table for bar in bars.bars] == ["teams"]
    assert isinstance(series, Series)
    assert len(series.line) == 30
    assert isinstance(spans, Spans)
    assert len(spans.spans) == len(record.attempts)


def test_a_lost_row_is_drawn_beside_what_was_kept() -> None:
    session = scenes.rebuild()
    gone = replace(scenes.REHEARSED_BAD, status=Status.PROVED)
    session.script = {**scenes.outcomes(), "rehearsed": gone}
    bars = next(iter(pictures(session.walked_to("losses").record)))

    assert isinstance(bars, RowBars)
    drawn = as_svg(bars)
    assert 'class="lost"' in drawn
    assert "1,204 → 0, 1,204 lost" in drawn


def test_text_and_markdown_have_the_watch_as_a_line() -> None:
    session = scenes.rebuild().walked_to("close")
    for form in (Format.TEXT, Format.MARKDOWN):
        told = show(session.record, session.checklist, None, form)
        assert told.lstrip("# ").startswith("0061")
        assert "▁" in told
