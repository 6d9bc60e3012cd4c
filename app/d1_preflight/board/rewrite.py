"""The proved rewrite of a migration that a session walks, tried by wrangler where it can be."""

import asyncio
import time
from typing import TYPE_CHECKING

from d1_preflight.actions.rewrite_tried import against_rewrite
from d1_preflight.core.remedies.fix import Fix, fix

if TYPE_CHECKING:
    from d1_preflight.project_context import ProjectContext
    from d1_preflight.session import Session

_SECONDS = 60


async def proved_rewrite(session: "Session", project: "ProjectContext") -> Fix:
    """The rewrite on the schema that the migration will meet, and on the copy of the target.

    Raises NotJudged where the proof takes longer than a minute.
    """
    found = await asyncio.to_thread(_proved, session, project)
    if not found.is_offered:
        return found
    context = session.context(session.checklist.steps[0])
    why = await against_rewrite(context, found.after)
    return found.refused(why) if why else found


def _proved(session: "Session", project: "ProjectContext") -> Fix:
    own, end = session.environment, time.monotonic() + _SECONDS
    return fix(
        own.migration(),
        own.prior_schema(),
        tuple(own.files.migrations()),
        is_late=lambda: time.monotonic() > end,
        copies=project.copied_rows(own),
    )
