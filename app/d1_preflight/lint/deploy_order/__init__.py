"""What `preflight code` prints: the order that is safe, and the queries that say so."""

import json
from collections.abc import Iterator

from d1_preflight.code.proposal import proposal
from d1_preflight.code.verdict import BrokenQuery, CodeState, Verdict
from d1_preflight.core.format import clean, plural
from d1_preflight.lint import Format
from d1_preflight.lint.deploy_order.places import places_of, shown

_MOST = 40
_QUERY = 160
_NOTES = 12
_SCHEMA = 1
"""Raised when a key changes its meaning or goes; a new key alone does not raise it."""


def render_order(verdict: Verdict, form: Format, prefix: str = "") -> str:
    """A verdict by itself; `prefix` leads from where paths begin to the repository's root."""
    return with_order("", verdict, form, prefix)


def with_order(findings: str, verdict: Verdict, form: Format, prefix: str = "") -> str:
    """The findings of `preflight lint` with a verdict added, one document where it was one."""
    match form:
        case Format.TEXT:
            order_text = "\n".join((*_lines(verdict, prefix), ""))
            return "\n".join(filter(None, (findings, order_text)))
        case Format.JSON:
            order = _document(verdict, prefix)
            document = {**json.loads(findings), "code": order} if findings else order
            return json.dumps(document, indent=2) + "\n"
        case Format.SARIF:
            from d1_preflight.lint.deploy_order.sarif import order_run, with_run

            return with_run(findings, order_run(verdict, prefix))
        case Format.GITHUB:
            return findings + _as_github(verdict, prefix)


def _lines(verdict: Verdict, prefix: str) -> Iterator[str]:
    """The whole verdict for people."""
    mark = "✗" if verdict.deployed.harmed or verdict.new.harmed_at_home else "✓"
    mark = mark if verdict.is_proved or mark == "✗" else "?"
    proof = "" if verdict.is_proved else " (for the queries that were seen)"
    yield f"{mark} {clean(', '.join(verdict.migrations))}  {verdict.order}{proof}"
    yield f"    deployed: {_about(verdict.deployed)}"
    yield f"    new:      {_about(verdict.new)}"
    places = list(places_of(verdict))
    for place in places[:_MOST]:
        yield ""
        path = clean(shown(prefix, place.query.path))
        yield f"{path}:{place.query.line}: {place.title}: {clean(place.query.words)}"
        query = clean(place.query.query)
        yield f"    {query[:_QUERY]}{'…' if len(query) > _QUERY else ''}"
    if len(places) > _MOST:
        yield f"\n… and {len(places) - _MOST} more"
    yield ""
    for number, step in enumerate(proposal(verdict), start=1):
        yield f"  {number}. {clean(step)}"
    yield from _unseen(verdict, prefix)


def _about(code: CodeState) -> str:
    seen = code.coverage
    parts = [
        plural(seen.queries, "query", "queries") + f" in {plural(seen.files, 'file')}",
        f"{plural(len(code.harmed), 'breaks', 'break')}",
    ]
    if seen.filled:
        parts.append(f"{seen.filled} with placeholders, which were filled")
    if seen.unread + seen.partly:
        parts.append(f"{seen.unread + seen.partly} not read")
    return f"{clean(code.name)}: {', '.join(parts)}"


def _unseen(verdict: Verdict, prefix: str) -> Iterator[str]:
    if verdict.unseen:
        yield ""
        yield f"Unknown: {clean('; '.join(verdict.unseen))}."
        if not verdict.can_harm_unseen:
            yield "The change only adds what no query can miss: it breaks none of them."
    for unread in list(dict.fromkeys((*verdict.deployed.unread, *verdict.new.unread)))[:_NOTES]:
        yield f"    {clean(shown(prefix, unread.path))}:{unread.line}: {clean(unread.why)}"
    for note in list(dict.fromkeys((*verdict.deployed.notes, *verdict.new.notes)))[:_NOTES]:
        yield f"    note: {clean(note)}"


def _document(verdict: Verdict, prefix: str) -> dict[str, object]:
    """The verdict as one object; a query is named by place and digest, its literals are masked."""
    return {
        "schema": _SCHEMA,
        "migrations": list(verdict.migrations),
        "order": verdict.order.value,
        "proved": verdict.is_proved,
        "unknown": list(verdict.unseen),
        "deployed": _code(verdict.deployed, prefix),
        "new": _code(verdict.new, prefix),
        "steps": list(proposal(verdict)),
    }


def _code(code: CodeState, prefix: str) -> dict[str, object]:
    seen = code.coverage
    return {
        "revision": code.name,
        "files": seen.files,
        "queries": seen.queries,
        "whole": seen.whole,
        "with_holes": seen.filled,
        "partly": seen.partly,
        "unread": seen.unread,
        "breaks": [_query(query, prefix) for query in code.breaks],
        "breaks_on_its_own_schema": [_query(query, prefix) for query in code.breaks_at_home],
        "not_read": [{"path": shown(prefix, one.path), "line": one.line} for one in code.unread],
        "orms": dict(code.orms or {}),
        "notes": list(code.notes),
    }


def _query(query: BrokenQuery, prefix: str) -> dict[str, object]:
    return {
        "path": shown(prefix, query.path),
        "line": query.line,
        "harm": query.harm.value,
        "words": query.masked_words,
        "query": query.masked_query,
        "sha256": query.digest,
    }


def _as_github(verdict: Verdict, prefix: str) -> str:
    """Workflow commands, which GitHub draws beside the queries: the heavy ones first."""
    from d1_preflight.lint.github import COMMANDS, command

    level = "error" if verdict.deployed.harmed or verdict.new.harmed_at_home else "notice"
    level = level if verdict.is_proved or level == "error" else "warning"
    unknown = [f"Unknown: {'; '.join(verdict.unseen)}."] if verdict.unseen else []
    words = "\n".join((*proposal(verdict), *unknown))
    title = f"{', '.join(verdict.migrations)}: {verdict.order}"
    lines = [command(level, {"title": title}, words)]
    for place in places_of(verdict):
        path, line = shown(prefix, place.query.path), place.query.line
        where = {"file": path, "line": line, "title": place.title}
        lines.append(command(COMMANDS[place.severity], where, place.query.masked_words))
    return "".join(f"{line}\n" for line in lines)
