"""The verdict as JSON, schema 1: for programs."""

from d1_preflight.code.proposal import proposal
from d1_preflight.code.verdict import BrokenQuery, CodeState, Verdict
from d1_preflight.lint.deploy_order.places import shown

SCHEMA = 1
"""Raised when a key changes its meaning or goes; a new key alone does not raise it."""


def order_document(verdict: Verdict, prefix: str = "") -> dict[str, object]:
    """The verdict as one object; a query is named by place and digest, its literals are masked."""
    return {
        "schema": SCHEMA,
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
