"""The findings as a compiler prints them: place, snippet, problem, and what to write instead.

The first line of a finding is `path:line:column`, so that editors and terminals can jump there.
"""

from collections.abc import Iterator, Sequence

from d1_preflight.core.findings import Finding, Kind, Risk, Severity
from d1_preflight.core.format import clean, plural
from d1_preflight.lint.judged import Judged
from d1_preflight.lint.paint import Paint
from d1_preflight.lint.snippet import Lines

_KINDS = {Kind.NONE: "no effect", Kind.UNKNOWN: "unknown: treat it as destructive"}
_REASONS = 12
_ROLLBACKS = {"irreversible": "no rollback, only a restore"}


def as_text(judged: Sequence[Judged], paint: Paint) -> str:
    """All judgements; "" where there is none."""
    return "\n".join(line for one in judged for line in _migration(one, paint)).lstrip("\n") + (
        "\n" if judged else ""
    )


def _migration(one: Judged, paint: Paint) -> Iterator[str]:
    mark = "✗" if one.blocks else "✓"
    weight = Severity.BLOCKING if one.blocks else Severity.NOTE
    yield ""
    yield f"{paint.weight(weight, mark)} {paint.strong(clean(one.path))}  {_verdict(one)}"
    yield from (f"    {line}" for line in _why(one, paint))
    lines = Lines(one.migration.text)
    for finding in one.shown:
        yield ""
        yield from _finding(one.path, finding, lines, paint)
    for finding, number in one.left_out:
        yield ""
        place = f"{clean(one.path)}:{finding.line}:{finding.column}:"
        yield f"{paint.strong(place)} … and {number} more of {finding.rule}"


def _verdict(one: Judged) -> str:
    found = one.analysis
    parts = [_KINDS.get(found.kind, found.kind.value)]
    if found.kind is not Kind.NONE:
        risk = "risk unknown" if found.risk is Risk.UNKNOWN else f"{found.risk.value} risk"
        parts += [risk, _ROLLBACKS.get(found.rollback, f"rollback effort: {found.rollback}")]
    return " · ".join(parts)


def _why(one: Judged, paint: Paint) -> Iterator[str]:
    found = one.analysis
    if found.kind in (Kind.ADDITIVE, Kind.NONE):
        return
    for reason in found.reasons[:_REASONS]:
        yield from wrapped(f"line {reason.line}: {clean(reason.clause)}", paint.width - 4)
    if len(found.reasons) > _REASONS:
        yield f"… and {len(found.reasons) - _REASONS} more"
    for words, names in (
        ("deletes rows in", found.effects.rows_deleted_in),
        ("sets to NULL", found.effects.references_nulled_in),
    ):
        if names:
            yield from wrapped(f"{words}: {clean(', '.join(names))}", paint.width - 4)


def _finding(path: str, finding: Finding, lines: Lines, paint: Paint) -> Iterator[str]:
    place = f"{clean(path)}:{finding.line}:{finding.column}:"
    words = {"allowed": finding.allowed, "declared": finding.declared}
    answered = next((f"{word} " for word, reason in words.items() if reason), "")
    word = f"{answered}{finding.severity.value}"
    head = paint.weight(finding.severity, f"{word}[{finding.rule}]")
    yield f"{paint.strong(place)} {head} {clean(finding.title)}"
    gutter = " " * len(str(finding.line))
    if finding.allowed:
        yield from _after_equals(gutter, f"allowed here: {finding.allowed}", paint)
        return
    yield from _snippet(finding, lines, paint, gutter)
    yield from _after_equals(gutter, finding.message, paint)
    if finding.declared:
        yield from _after_equals(gutter, f"declared here: {finding.declared}", paint)
        return
    if finding.instead:
        yield f"{gutter} {paint.faint('=')} instead:"
    for number, step in enumerate(finding.instead, start=1):
        lead = f"{gutter}   {number}. "
        yield from wrapped(clean(step), paint.width, lead)


def _snippet(finding: Finding, lines: Lines, paint: Paint, gutter: str) -> Iterator[str]:
    found = lines.snippet(finding, paint.width - len(gutter) - 3)
    if found is None:
        return
    bar = paint.faint(f"{gutter} |")
    under = paint.weight(finding.severity, "^" * found.length)
    more = f" and {plural(found.more, 'more line')}" if found.more else ""
    yield bar
    yield f"{paint.faint(f'{finding.line} |')} {found.line}".rstrip()
    yield f"{bar} {' ' * found.offset}{under}{more}"


def _after_equals(gutter: str, text: str, paint: Paint) -> Iterator[str]:
    lead = f"{gutter} = "
    lines = wrapped(clean(text), paint.width, lead)
    yield next(lines).replace("=", paint.faint("="), 1)
    yield from lines


def wrapped(text: str, width: int, lead: str = "") -> Iterator[str]:
    """The text in lines; words are never broken, so that names can be copied."""
    import textwrap

    yield from textwrap.wrap(
        text,
        width,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead.rstrip()]
