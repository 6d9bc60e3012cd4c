"""The verdict as a record keeps it: counts, revisions, file:line, digests, no literal."""

import posixpath
from collections.abc import Iterator

from d1_preflight.code.proposal import proposal
from d1_preflight.code.verdict import BrokenQuery, Verdict
from d1_preflight.core.record.safety_facts import BrokenQueryFacts, DeployOrderFacts

MOST = 40
_LONGEST = 300


def facts_of(verdict: Verdict, folder: str = "") -> DeployOrderFacts:
    """The facts; paths count from the project's folder inside its repository."""
    deployed, new = verdict.deployed, verdict.new
    return DeployOrderFacts(
        safe_order=verdict.order,
        deployed=deployed.name,
        new=new.name,
        deployed_queries=deployed.coverage.queries,
        new_queries=new.coverage.queries,
        deployed_breaks=len(deployed.harmed),
        new_breaks=len(new.harmed),
        new_breaks_at_home=len(new.harmed_at_home),
        harmless=not verdict.can_harm_unseen,
        unseen=verdict.unseen,
        removed=verdict.removed,
        added=verdict.added,
        breaks=tuple(_breaks(verdict, folder))[:MOST],
        steps=proposal(verdict),
        routes=verdict.routes,
    )


def _breaks(verdict: Verdict, folder: str) -> Iterator[BrokenQueryFacts]:
    for code, schema, found in (
        ("deployed code", "new schema", verdict.deployed.harmed),
        ("new code", "new schema", verdict.new.harmed_at_home),
        ("new code", "old schema", verdict.new.harmed),
    ):
        for query in found:
            yield _facts(query, code, schema, folder)


def _facts(query: BrokenQuery, code: str, schema: str, folder: str) -> BrokenQueryFacts:
    path = posixpath.relpath(query.path, folder) if folder else query.path
    text = query.masked_query
    return BrokenQueryFacts(
        code=code,
        schema=schema,
        at=f"{path}:{query.line}",
        words=query.masked_words,
        query=text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…",
        sha256=query.digest,
    )
