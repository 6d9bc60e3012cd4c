"""The record for people: every state has mark and word, and nothing in a record can act."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.record_values import KEYS, Walk, closed_files, shipped_checklist
from d1_preflight.core.format import cell_width, count, duration, size
from d1_preflight.core.record.facts import Facts
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import MARKS, Record, Status
from d1_preflight.core.verify.verify import verify_record
from d1_preflight.report import Format, show
from d1_preflight.report.document import table_of
from d1_preflight.report.fact_text import fact_text
from d1_preflight.report.markdown import escaped
from d1_preflight.report.text import table_lines
from example_record import EXAMPLE

CHECKLIST = shipped_checklist()
REHEARSAL: tuple[Facts, ...] = (
    {"table": "team_members", "before": 1204, "after": 0, "lost": 1204, "ok": False},
    {"table": "teams", "before": 112, "after": 112, "lost": 0, "ok": True},
)
PEOPLE = [form for form in Format if form is not Format.JSON]
HOSTILE = "<script>alert(1)</script> | `x` @everyone \x1b[31m\u202e\n# heading"


def rehearsed() -> Record:
    walk = Walk(CHECKLIST).through("classification")
    walk.answer("copied").answer("syntax", Status.WAIVED, words="no engine today")
    walk.answer("rehearsed", Status.FAILED, {"tables": REHEARSAL, "sql_ms": 3100})
    return walk.record


def test_the_text_tells_state_figures_and_what_is_open() -> None:
    told = show(rehearsed(), CHECKLIST)

    assert "✗ failed" in told
    assert re.search(r"team_members +1,204 +0 +−1,204 +✗ no", told)
    assert "SQL took  3.1 s" in told
    assert "· pending" in told
    assert "open: GO is not signed; missing: “" in told


def test_waived_items_stand_in_the_head() -> None:
    head = show(rehearsed(), CHECKLIST).split("1 Classification")[0]

    assert "⊘ waived" in head
    assert "no engine today" in head


def test_a_closed_record_names_its_signer_and_its_evidence() -> None:
    files, checklist = closed_files()
    record = load_record(files["record.toml"])

    told = show(record, checklist, verify_record(files, checklist, KEYS))

    assert "closed: how it ended is not recorded" in told
    assert "GO" in told
    assert "SHA256:ana@example.com" in told
    assert "✓ verified" in told
    assert "evidence/001-named.out  sha256 " in told
    assert "Timeline" in told


def test_what_does_not_verify_is_told_in_the_head() -> None:
    files, checklist = closed_files()
    files["go.toml"] += b"\n"

    told = show(load_record(files["record.toml"]), checklist, verify_record(files, checklist, KEYS))

    assert "✗ not verified" in told
    assert "go.toml" in told


@pytest.mark.parametrize("form", PEOPLE)
def test_an_empty_record_is_shown_too(form: Format) -> None:
    assert "No step has run yet" in show(Walk(CHECKLIST).record, CHECKLIST, None, form)


@pytest.mark.parametrize("form", PEOPLE)
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PENDING])
def test_every_state_has_its_mark_and_its_word(form: Format, status: Status) -> None:
    walk = Walk(CHECKLIST).answer("named", status)

    assert f"{MARKS[status]} {status}" in show(walk.record, CHECKLIST, None, form)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in {"src", "href"} for name, _ in attrs)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(st.text(max_size=40) | st.just(HOSTILE))
def test_no_text_of_a_record_becomes_markup(words: str) -> None:
    walk = Walk(CHECKLIST).answer("named", Status.FAILED, {"note": words}, words=words)
    record = replace(walk.record, migration=words, tools={"x": words})
    page = Elements()

    page.feed(show(record, CHECKLIST, None, Format.HTML))

    allowed = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span"}
    allowed |= {"table", "thead", "tbody", "tr", "th", "td", "strong", "code", "br"}
    allowed |= {"details", "summary", "figure", "figcaption"}
    allowed |= {"svg", "g", "rect", "text", "line", "polyline"}
    assert set(page.tags) <= allowed
    assert not page.open


@given(st.text(max_size=40) | st.just(HOSTILE))
def test_no_text_of_a_record_drives_the_terminal(words: str) -> None:
    walk = Walk(CHECKLIST).answer("named", Status.FAILED, {"note": words}, words=words)
    lines = show(walk.record, CHECKLIST).split("\n")

    assert all(line.isprintable() for line in lines)


def test_markdown_shows_a_record_letter_for_letter() -> None:
    told = escaped(HOSTILE)

    assert "<script>" not in told.replace("\\<", "")
    assert "@everyone" not in told
    assert "\n" not in told


def test_the_html_is_one_file_that_loads_nothing() -> None:
    page = show(rehearsed(), CHECKLIST, None, Format.HTML)

    assert page.startswith("<!doctype html>")
    assert "default-src 'none'" in page
    assert "@media print" in page
    assert not re.search(r"https?://|<script|<img|<link", page)


def test_tables_align_figures_to_the_right_also_beside_wide_letters() -> None:
    table = table_of(({"table": "表", "rows": 7}, {"table": "teams", "rows": 1204}))

    assert table is not None
    assert table_lines(table) == ["table   rows", "表         7", "teams  1,204"]
    assert {cell_width(line) for line in table_lines(table)} == {12}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (count(1204), "1,204"),
        (size(999), "999 B"),
        (size(9_400_000), "9.4 MB"),
        (duration(18), "18 ms"),
        (duration(3100), "3.1 s"),
        (duration(130_000), "2 min 10 s"),
        (fact_text("predicted_ms", 900), "900 ms"),
        (fact_text("watch_s", 300), "5 min"),
        (fact_text("ledger_id", 1057), "1057"),
        (fact_text("missing", ("type", "rollback")), "type, rollback"),
        (fact_text("sent", value=False), "no"),
    ],
)
def test_figures_read_well(told: str, expected: str) -> None:
    assert told == expected


@pytest.mark.parametrize("form", PEOPLE)
def test_a_stored_answer_is_shown_by_its_label(form: Format) -> None:
    record = load_record((EXAMPLE / "record.toml").read_bytes())

    shown = show(record, shipped_checklist(), None, form)

    assert record.last("close").answers["end"] == "it stands"  # type: ignore[union-attr]
    assert "kept" in shown
    assert "it stands" not in shown
