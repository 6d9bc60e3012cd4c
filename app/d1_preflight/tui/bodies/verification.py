"""Section 6: what the database and the application say now."""

from collections.abc import Sequence
from textwrap import wrap
from urllib.parse import urlsplit

from textual.content import Content

from d1_preflight.core.format import count, countdown, duration, plural
from d1_preflight.core.record import facts
from d1_preflight.core.record.record import Facts
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.gauges import sparkline
from d1_preflight.tui.widgets.tables import Cell, Column, table

_ROWS = (Column("table"), Column("expected", right=True), Column("found", right=True), Column(""))
_ENDPOINTS = (
    Column("endpoint"),
    Column("status", right=True),
    Column("took", right=True),
    Column(""),
)
_LABEL = 32
_DATABASE_FIRST = "database first, then Worker"


def body(view: View, width: int) -> Content:
    """Ledger, schema and rows; the endpoints; the error rate while it is watched."""
    blocks = [
        _deploy(view, width),
        _applied(view),
        _rate(view.facts("errors"), width),
        _rows(view, width),
        _endpoints(view.facts("endpoints"), width),
    ]
    shown = [block for block in blocks if block.cell_length]
    if not any(block.cell_length for block in blocks[1:]):
        shown.append(Content.styled(_not_read(view), QUIET))
    return Content("\n\n").join(shown)


def _not_read(view: View) -> str:
    if not view.status("applied").is_answered:
        return "Nothing is applied yet."
    when = facts.text(view.facts("applied"), "applied_at")
    at = f" at {view.moment(f'{when}+00:00')}" if when else ""
    return f"Applied{at}; not read back yet."


def _deploy(view: View, width: int) -> Content:
    """The reminder to deploy the Worker, until the endpoints are called."""
    order = facts.text(view.facts("deploy_order"), "order")
    turn = view.status("applied").is_answered and not view.status("endpoints").is_answered
    if order != _DATABASE_FIRST or not turn:
        return Content("")
    words = f"Now deploy the Worker ({order} was chosen), then call the endpoints."
    return Content.styled("\n".join(wrap(words, max(width, 1))), STRONG)


def _applied(view: View) -> Content:
    ledger, schema = view.facts("ledger"), view.facts("schema")
    parts: list[Content] = []
    if facts.number(ledger, "id") is not None:
        parts.append(
            Content(
                f"✓ ledger row {facts.number(ledger, 'id')}, "
                f"{view.moment(facts.text(ledger, 'applied_at') + '+00:00')}"
            )
        )
    if schema:
        parts.append(_schema(schema))
    return Content("\n").join(parts)


def _schema(schema: Facts) -> Content:
    if facts.flag(schema, "equal"):
        return Content("✓ schema equals the rehearsal")
    lines = [Content.styled("✗ schema differs from the rehearsal", DANGER)]
    lines += [Content(f"    {words}") for words in facts.words(schema, "differences")]
    return Content("\n").join(lines)


def _rows(view: View, width: int) -> Content:
    found = view.facts("rows")
    tables = facts.rows(found, "tables")
    if not tables:
        return Content("")
    wrong = [row for row in tables if facts.flag(row, "ok") is not True]
    if not wrong and _sound(found)[0] and view.step.id != "rows":
        return Content(f"✓ {plural(len(tables), 'table')} as rehearsed\n✓ {_sound(found)[1]}")
    lines: list[tuple[Cell, ...]] = [
        (
            facts.text(row, "table"),
            count(facts.number(row, "expected")),
            count(facts.number(row, "found")),
            "✓" if facts.flag(row, "ok") else ("✗ not as rehearsed", DANGER),
        )
        for row in (wrong or tables)
    ]
    fine, sound = _sound(found)
    note = Content.styled(f"✓ {sound}" if fine else f"✗ {sound}", "" if fine else DANGER)
    return Content("\n").join([table(_ROWS, lines, width), note])


def _sound(found: Facts) -> tuple[bool, str]:
    broken, check = facts.number(found, "broken_references"), facts.text(found, "quick_check")
    words = f"quick_check {check} · foreign_key_check {plural(broken, 'row')}"
    return check == "ok" and broken == 0, words


def _endpoints(endpoints: Facts, width: int) -> Content:
    lines: list[tuple[Cell, ...]] = []
    for row in facts.rows(endpoints, "endpoints"):
        fine = facts.flag(row, "ok")
        words = facts.text(row, "words")
        mark: Cell = "✓" if fine else (f"✗ {words}".strip(), DANGER)
        name = f"{facts.text(row, 'method')} {urlsplit(facts.text(row, 'url')).path or '/'}"
        lines.append((name, facts.text(row, "status"), duration(facts.number(row, "ms")), mark))
    return table(_ENDPOINTS, lines, width) if lines else Content("")


def _rate(errors: Facts, width: int) -> Content:
    samples = facts.rows(errors, "samples")
    if not samples and not facts.text(errors, "rate"):
        return Content("")
    rate, limit = facts.text(errors, "rate") or "?", facts.text(errors, "limit")
    over = _above(rate, limit)
    head = Content.assemble(
        ("error rate  ", QUIET),
        (f"{rate} %", DANGER if over else STRONG),
        f"   limit {limit} %",
        _left(errors),
    )
    values = tuple(_rates(samples))[-max(width - _LABEL, 8) :]
    line = Content.assemble(
        ("            ", ""),
        (sparkline(values, max(_number(limit), 0.0001)), DANGER if over else ACCENT),
        f"   {plural(facts.number(errors, 'requests'), 'request')}, "
        f"{plural(facts.number(errors, 'errors'), 'error')}",
        (f"   before {facts.text(errors, 'baseline')} %" if errors.get("baseline") else "", QUIET),
    )
    return Content("\n").join([head, line])


def _left(errors: Facts) -> tuple[str, str]:
    left = facts.number(errors, "left_s")
    if left is not None:
        return (f"   watch {countdown(left)} left", STRONG)
    watched = facts.number(errors, "watched_s")
    return (f"   watched {duration(watched * 1000)}", "") if watched is not None else ("", "")


def _rates(samples: Sequence[Facts]) -> list[float]:
    pairs = [(facts.number(s, "requests") or 0, facts.number(s, "errors") or 0) for s in samples]
    return [100 * errors / requests if requests else 0.0 for requests, errors in pairs]


def _above(rate: str, limit: str) -> bool:
    return bool(limit) and _number(rate) >= _number(limit) > 0


def _number(words: str) -> float:
    try:
        return float(words)
    except ValueError:
        return 0.0
