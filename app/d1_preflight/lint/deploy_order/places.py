"""The queries to report, in the order of harm, each with what it means for the deploy."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from d1_preflight.code.verdict import BrokenQuery, Harm, Verdict
from d1_preflight.core.findings import Severity


@dataclass(frozen=True, slots=True)
class Place:
    """One query of one code; `sort` names the kind of result for other programs."""

    sort: str
    severity: Severity
    query: BrokenQuery
    title: str


SORTS = {
    "deployed-code-breaks": "The deployed code breaks on the new schema",
    "new-code-needs-migration": "The new code needs the new schema",
    "new-code-breaks": "The new code breaks on the new schema",
    "query-changes": "The query gives something else on the new schema",
}
_WORDS = {Harm.FAILS: "fails", Harm.WRONG: "goes wrong", Harm.NOTE: "changes"}


def places_of(verdict: Verdict) -> Iterator[Place]:
    """All queries to report."""
    deployed, new = verdict.deployed, verdict.new
    for query in deployed.harmed:
        title = f"deployed code {_WORDS[query.harm]} on the new schema"
        yield Place("deployed-code-breaks", Severity.BLOCKING, query, title)
    for query in new.harmed_at_home:
        title = f"new code {_WORDS[query.harm]} on the new schema"
        yield Place("new-code-breaks", Severity.BLOCKING, query, title)
    for query in new.harmed:
        title = f"new code {_WORDS[query.harm]} on the old schema"
        yield Place("new-code-needs-migration", Severity.WARNING, query, title)
    for query in deployed.breaks:
        if query.harm is Harm.NOTE:
            title = "deployed code: other columns on the new schema"
            yield Place("query-changes", Severity.NOTE, query, title)


def shown(prefix: str, path: str) -> str:
    """A path of the repository as the reader has it."""
    return posixpath.normpath(posixpath.join(prefix, path)) if prefix else path
