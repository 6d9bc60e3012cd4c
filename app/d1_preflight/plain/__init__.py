"""The plain face: one question after another, for SSH, screen readers and terminals of any kind."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d1_preflight.core.recovery.runbook import Target
    from d1_preflight.plain.walkthrough import Rewriter
    from d1_preflight.session import Session


def walk(session: "Session", target: "Target", rewriter: "Rewriter | None" = None) -> int:
    """Walk a session at this terminal; 0 when it is closed, 1 when steps stay open.

    Raises UsageError where there is no terminal. Ctrl-C while a step runs leaves it interrupted.
    """
    import asyncio

    from d1_preflight.plain.asker import open_asker
    from d1_preflight.plain.walkthrough import Walkthrough

    def say(line: str) -> None:
        print(line, flush=True)

    return asyncio.run(Walkthrough(session, open_asker(), say, target, rewriter).run())
