"""The short form of an attempt's facts in a record of schema 2, and the whole form it stands for.

A table that has the rows which the copy counted is counted and not listed: `{ unchanged = 13 }`
stands for the next thirteen tables of the copy that the list does not name. Traffic is one line.
What the short form cannot say again is written whole.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from d1_preflight.core.record.change_facts import CopyFacts
from d1_preflight.core.record.facts import Fact, Facts

UNCHANGED = "unchanged"
_LINE = " / "
_SAMPLE = ("at", "requests", "errors")
Rows = dict[str, int]
"""The copy's counts, in its order: what other counts are compared with."""


def _count(table: str, rows: int) -> Facts:
    return {"table": table, "rows": rows}


def _change(table: str, rows: int, verdict: str = "unchanged") -> Facts:
    same: Facts = {"lost": 0, "added": 0, "changed": 0, "nulled": 0}
    counts: Facts = {"table": table, "before": rows, "after": rows}
    return {**counts, **same, "verdict": verdict, "ok": True}


def _check(table: str, rows: int) -> Facts:
    return {"table": table, "expected": rows, "found": rows, "ok": True}


def _end(table: str, rows: int) -> Facts:
    return {"table": table, "before": rows, "after": rows, "now": rows}


_LISTS: Mapping[tuple[str, str], Callable[[str, int], Facts]] = {
    ("rehearsed", "counts_before"): _count,
    ("rehearsed", "counts_after"): _count,
    ("rehearsed", "tables"): _change,
    ("counted", "tables"): _count,
    ("down_tested", "tables"): partial(_change, verdict="as before"),
    ("applied", "counts_before"): _count,
    ("rows", "tables"): _check,
    ("close", "tables"): _end,
}
_LINES = (("window", "hours"), ("errors", "samples"))


def rows_of(step: str, facts: Facts, before: Rows) -> Rows:
    """The counts for the attempts after this one: the last copy's."""
    if step != CopyFacts.step:
        return before
    tables = CopyFacts.read(facts).tables
    rows = {t.table: t.rows for t in tables if t.rows is not None}
    return rows if tables and len(rows) == len(tables) else before


def packed(step: str, facts: Facts, rows: Rows) -> Facts:
    """The facts as they are written."""
    return {key: _packed(step, key, value, rows) for key, value in facts.items()}


def unpacked(step: str, facts: Facts, rows: Rows) -> Facts:
    """The facts as they were; raises ValueError where the short form stands for nothing."""
    return {key: _unpacked(step, key, value, rows) for key, value in facts.items()}


def _packed(step: str, key: str, value: Fact, rows: Rows) -> Fact:
    if not isinstance(value, tuple):
        return value
    short: Fact = value
    try:
        if (step, key) in _LISTS:
            short = _counted(value, _LISTS[step, key], rows)
        elif (step, key) in _LINES:
            short = _one_line(value)
        return short if _unpacked(step, key, short, rows) == value else value
    except ValueError:
        return value


def _unpacked(step: str, key: str, value: Fact, rows: Rows) -> Fact:
    if (step, key) in _LISTS and isinstance(value, tuple):
        return _listed(value, _LISTS[step, key], rows)
    if (step, key) in _LINES and isinstance(value, str):
        return tuple(_many_lines(key, value))
    return value


def _counted(items: Sequence[Fact], like: Callable[[str, int], Facts], rows: Rows) -> Fact:
    """Runs of unchanged tables, each as its number and what its tables have in common."""
    found: list[Fact] = []
    for item in items:
        more = _more(item, like, rows)
        last = found[-1] if found else None
        if more is None:
            found.append(item)
        elif isinstance(last, Mapping) and _goes_on(last, more):
            found[-1] = {**last, UNCHANGED: int(str(last[UNCHANGED])) + 1}
        else:
            found.append({UNCHANGED: 1, **more})
    return tuple(found)


def _goes_on(run: Facts, more: Facts) -> bool:
    """Whether the last item is a run, and of tables that have the same in common."""
    return UNCHANGED in run and {**run, UNCHANGED: 0} == {UNCHANGED: 0, **more}


def _more(item: Fact, like: Callable[[str, int], Facts], rows: Rows) -> Facts | None:
    """What an unchanged table says beyond its counts; None for any other item."""
    name = item.get("table") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or not isinstance(name, str) or name not in rows:
        return None
    same = like(name, rows[name])
    if any(key not in item or item[key] != value for key, value in same.items()):
        return None
    more = {key: value for key, value in item.items() if key not in same}
    return more if all(isinstance(value, bool) for value in more.values()) else None


def _listed(items: Sequence[Fact], like: Callable[[str, int], Facts], rows: Rows) -> Fact:
    named = {item.get("table") for item in items if isinstance(item, Mapping)}
    left = [name for name in rows if name not in named]
    found: list[Fact] = []
    for item in items:
        if not isinstance(item, Mapping) or UNCHANGED not in item:
            found.append(item)
            continue
        number = item[UNCHANGED]
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= len(left):
            raise ValueError(f"{UNCHANGED} = {number!r}, but the copy has {len(left)} such tables")
        more = {key: value for key, value in item.items() if key != UNCHANGED}
        found += [{**like(name, rows[name]), **more} for name in left[:number]]
        left = left[number:]
    return tuple(found)


def _one_line(items: Sequence[Fact]) -> Fact:
    """Strings, or samples of traffic, as one string; anything else as it is."""
    lines = [_line(item) for item in items]
    return _LINE.join(line for line in lines if line) if lines and all(lines) else tuple(items)


def _line(item: Fact) -> str:
    if isinstance(item, Mapping) and tuple(item) == _SAMPLE:
        return " ".join(str(value) for value in item.values())
    return item if isinstance(item, str) else ""


def _many_lines(key: str, line: str) -> Iterable[Fact]:
    for part in line.split(_LINE):
        if key == "hours":
            yield part
            continue
        at, *counts = part.split(" ")
        if len(counts) != len(_SAMPLE) - 1 or not all(c.isascii() and c.isdigit() for c in counts):
            raise ValueError(f"{part!r} is not a traffic sample")
        yield dict(zip(_SAMPLE, (at, *map(int, counts)), strict=True))
