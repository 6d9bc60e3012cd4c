"""The plain face: one question after another, for SSH, screen readers and terminals of any kind."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d1_preflight.core.recovery.runbook import Target
    from d1_preflight.plain.asker import Asker
    from d1_preflight.plain.walkthrough import Rewriter
    from d1_preflight.session import Session


def open_asker(environ: Mapping[str, str], *, goes_back: bool = False) -> "Asker":
    """Who asks at this terminal; raises UsageError where there is none."""
    from d1_preflight.plain import asker

    return asker.open_asker(environ, goes_back=goes_back)


def choose(asker: "Asker", question: str, names: Sequence[str]) -> str:
    """What a person chooses of these; "" where they leave or there is none."""
    import asyncio

    from d1_preflight.core.checklist.checklist import Prompt, PromptKind

    if not names:
        return ""
    asked = Prompt("migration", PromptKind.CHOOSE, question, choices=tuple(names))
    answer = asyncio.run(asker.ask(asked))
    return answer if isinstance(answer, str) else ""


def walk(
    session: "Session", target: "Target", asker: "Asker", rewriter: "Rewriter | None" = None
) -> int:
    """Walk a session with these questions; 0 when it is closed, 1 when steps stay open.

    Ctrl-C while a step runs leaves it interrupted.
    """
    import asyncio

    from d1_preflight.plain.walkthrough import Walkthrough

    say = partial(print, flush=True)
    return asyncio.run(Walkthrough(session, asker, say, target, rewriter).run())
