"""Masks secrets in what wrangler prints, before it is shown, saved or hashed.

Rows are not its business: a command that prints rows keeps no evidence at all.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Self

from d1_preflight.lazy_dataclass import dataclass

MASK = "«masked»"
_SHORTEST_SECRET = 8
_SECRET_NAMES = re.compile(
    r"TOKEN|SECRET|PASSW|API_?KEY|PRIVATE|CREDENTIAL|WEBHOOK|COOKIE|AUTH(?!OR)|API_HEADERS|DSN",
    re.IGNORECASE,
)
_NOT_SECRET_NAMES = frozenset({"SSH_AUTH_SOCK", "XAUTHORITY"})
_HEADERS = "authorization|x-auth-key|x-auth-email|cookie"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
    # A header's value goes on to its quote or the line's end: a scheme, then a token; two cookies.
    (re.compile(rf"(?i)\b({_HEADERS})([\"']?\s*[:=]\s*[\"']?)[^\"'\r\n]+"), rf"\1\2{MASK}"),
    (re.compile(rf"(?i)\b({_HEADERS})([^\w«]{{1,4}})[\w./+-][^\s,;\"'}}«]*"), rf"\1\2{MASK}"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@\"']+@"), rf"\1{MASK}@"),
    (re.compile(r"(?i)(https?://hooks\.[^\s/\"']+/)[^\s\"'<>)]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(https?://[^\s\"'<>]*?/webhooks?/)[^\s\"'<>)]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(https?://[^\s\"'<>?]+\?)[^\s\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(/accounts/)[0-9a-f]{32}"), rf"\1{MASK}"),
    (re.compile(r"(?i)(\"?account(?:tag|[_ ]?id)\"?\W{1,4})[0-9a-f]{32}"), rf"\1{MASK}"),
    (re.compile(r"(?i)^\s*[│|].*\b[0-9a-f]{32}\b.*$"), f"│ {MASK} │"),
    (re.compile(r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)+"), MASK),
)
# A line without any of these fits no pattern; most lines of a long output have none.
_MARKS = ("://", "@", "bearer", "basic", "authorization", "x-auth", "cookie", "account", "│", "|")


@dataclass(frozen=True, slots=True)
class Redactor:
    """Knows the exact secrets of this run; masks them and everything that is shaped like one."""

    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str], more: Iterable[str] = ()) -> Self:
        """Collect the secrets of an environment and those the caller names."""
        texts = (*secret_values(environ), *more)
        lines = (line.strip() for text in texts for line in text.splitlines())
        found = {line for line in lines if len(line) >= _SHORTEST_SECRET}
        return cls(tuple(sorted(found, key=lambda text: (-len(text), text))))

    def exact(self, text: str) -> str:
        """Mask only the known secrets; the rest stays byte for byte."""
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text

    def line(self, text: str) -> str:
        """Mask one line for people and for evidence: known secrets and all that looks like one."""
        text = self.exact(text)
        folded = text.lower()
        if not any(mark in folded for mark in _MARKS):
            return text
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def secret_values(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The values whose variable has a secret's name."""
    named = (name for name in variables if _SECRET_NAMES.search(name))
    return tuple(variables[name] for name in named if name not in _NOT_SECRET_NAMES)
