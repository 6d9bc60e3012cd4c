"""The verdict for people: the order, why, the queries, what to do, and what was not seen."""

from collections.abc import Iterator

from d1_preflight.code.proposal import proposal
from d1_preflight.code.verdict import CodeState, Verdict
from d1_preflight.core.format import clean, plural
from d1_preflight.lint.deploy_order.places import places_of, shown

_MOST = 40
_QUERY = 160
_NOTES = 12


def order_as_text(verdict: Verdict, prefix: str = "") -> str:
    """The whole verdict."""
    return "\n".join(_lines(verdict, prefix)) + "\n"


def _lines(verdict: Verdict, prefix: str) -> Iterator[str]:
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
