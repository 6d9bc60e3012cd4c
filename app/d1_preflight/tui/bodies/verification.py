"""Section 6: what the database and the application say now."""

from collections.abc import Sequence
from textwrap import wrap
from urllib.parse import urlsplit

from textual.content import Content

from d1_preflight.core.format import count, countdown, duration, plural
from d1_preflight.core.record.apply_facts import (
    ApplyFacts,
    EndpointFacts,
    ErrorRateFacts,
    LedgerFacts,
    RowCheckFacts,
    SchemaCheckFacts,
    TrafficSample,
)
from d1_preflight.core.record.safety_facts import DeployOrderFacts
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
_LABEL = 12
_DATABASE_FIRST = "database first, then Worker"


def body(view: View, width: int) -> Content:
    """Ledger, schema and rows; the endpoints; the error rate while it is watched."""
    blocks = [
        _deploy(view, width),
        _applied(view),
        _rate(view.facts(ErrorRateFacts), width),
        _rows(view, width),
        _endpoints(view.facts(EndpointFacts), width),
    ]
    shown = [block for block in blocks if block.cell_length]
    if not any(block.cell_length for block in blocks[1:]):
        shown.append(Content.styled(_not_read(view), QUIET))
    return Content("\n\n").join(shown)


def _not_read(view: View) -> str:
    if not view.status("applied").is_answered:
        return "Nothing is applied yet."
    when = view.facts(ApplyFacts).applied_at
    at = f" at {view.moment(f'{when}+00:00')}" if when else ""
    return f"Applied{at}; not read back yet."


def _deploy(view: View, width: int) -> Content:
    """The reminder to deploy the Worker, until the endpoints are called."""
    order = view.facts(DeployOrderFacts).order
    turn = view.status("applied").is_answered and not view.status("endpoints").is_answered
    if order != _DATABASE_FIRST or not turn:
        return Content("")
    words = f"Now deploy the Worker ({order} was chosen), then call the endpoints."
    return Content.styled("\n".join(wrap(words, max(width, 1))), STRONG)


def _applied(view: View) -> Content:
    ledger, schema = view.facts(LedgerFacts), view.facts(SchemaCheckFacts)
    parts: list[Content] = []
    if ledger.id is not None:
        at = view.moment(f"{ledger.applied_at}+00:00")
        stale = view.later_write(LedgerFacts)
        parts.append(_earlier(f"ledger row {ledger.id}, {at}", stale))
    if not schema.is_empty:
        parts.append(_schema(schema, view.later_write(SchemaCheckFacts)))
    return Content("\n").join(parts)


def _earlier(words: str, since: str) -> Content:
    """A proof; where something was written since, that it is one of before."""
    if not since:
        return Content(f"✓ {words}")
    return Content.assemble((f"· {words}", QUIET), (f"   stale: since then {since}", DANGER))


def _schema(schema: SchemaCheckFacts, since: str) -> Content:
    if schema.equal and since:
        return _earlier("schema matched the rehearsal", since)
    if schema.equal:
        return Content("✓ schema matches the rehearsal")
    lines = [Content.styled("✗ schema differs from the rehearsal", DANGER)]
    lines += [Content(f"    {words}") for words in schema.differences]
    return Content("\n").join(lines)


def _rows(view: View, width: int) -> Content:
    found = view.facts(RowCheckFacts)
    tables = found.tables
    if not tables:
        return Content("")
    wrong = [checked for checked in tables if checked.ok is not True]
    since = view.later_write(RowCheckFacts)
    if not wrong and since and _sound(found)[0]:
        return _earlier(f"{plural(len(tables), 'table')} were as rehearsed", since)
    if not wrong and _sound(found)[0] and view.step.id != RowCheckFacts.step:
        return Content(f"✓ {plural(len(tables), 'table')} as rehearsed\n✓ {_sound(found)[1]}")
    lines: list[tuple[Cell, ...]] = [
        (
            checked.table,
            count(checked.expected),
            count(checked.found),
            "✓" if checked.ok else ("✗ not as rehearsed", DANGER),
        )
        for checked in (wrong or tables)
    ]
    fine, sound = _sound(found)
    note = Content.styled(f"✓ {sound}" if fine else f"✗ {sound}", "" if fine else DANGER)
    return Content("\n").join([table(_ROWS, lines, width), note])


def _sound(found: RowCheckFacts) -> tuple[bool, str]:
    broken, check = found.broken_references, found.quick_check
    words = f"quick_check {check} · foreign_key_check {plural(broken, 'row')}"
    return check == "ok" and broken == 0, words


def _endpoints(found: EndpointFacts, width: int) -> Content:
    lines: list[tuple[Cell, ...]] = []
    for answer in found.endpoints:
        mark: Cell = "✓" if answer.ok else (f"✗ {answer.words}".strip(), DANGER)
        name = f"{answer.method} {urlsplit(answer.url).path or '/'}"
        status = "" if answer.status is None else str(answer.status)
        lines.append((name, status, duration(answer.ms), mark))
    return table(_ENDPOINTS, lines, width) if lines else Content("")


def _rate(errors: ErrorRateFacts, width: int) -> Content:
    if not errors.samples and not errors.rate:
        return Content("")
    rate, limit = errors.rate or "?", errors.limit
    over = _above(rate, limit)
    head = Content.assemble(
        ("error rate  ", QUIET),
        (f"{rate} %", DANGER if over else STRONG),
        f"  limit {limit} %",
        (f"  before {errors.baseline} %" if errors.baseline else "", QUIET),
        _left(errors),
    )
    told = f"   {plural(errors.requests, 'request')}, {plural(errors.errors, 'error')}"
    values = tuple(_rates(errors.samples))[-max(width - _LABEL - len(told), 8) :]
    line = Content.assemble(
        ("            ", ""),
        (sparkline(values, max(_number(limit), 0.0001)), DANGER if over else ACCENT),
        told,
    )
    return Content("\n").join([head, line])


def _left(errors: ErrorRateFacts) -> tuple[str, str]:
    if errors.left_s is not None:
        return (f"  watch {countdown(errors.left_s)} left", STRONG)
    watched = errors.watched_s
    return (f"  watched {duration(watched * 1000)}", "") if watched is not None else ("", "")


def _rates(samples: Sequence[TrafficSample]) -> list[float]:
    pairs = [(sample.requests or 0, sample.errors or 0) for sample in samples]
    return [100 * errors / requests if requests else 0.0 for requests, errors in pairs]


def _above(rate: str, limit: str) -> bool:
    return bool(limit) and _number(rate) >= _number(limit) > 0


def _number(words: str) -> float:
    try:
        return float(words)
    except ValueError:
        return 0.0
