"""The proved rewrite of a migration that a session walks, tried by wrangler where it can be."""

import asyncio
import time
from typing import TYPE_CHECKING

from d1_preflight.actions.rewrite_tried import against_rewrite
from d1_preflight.core.remedies.fix import Fix, fix
from d1_preflight.core.remedies.patterns.split import RULE, names_at, split, with_split
from d1_preflight.core.remedies.remedy import NoRemedy

if TYPE_CHECKING:
    from d1_preflight.project_context import ProjectContext
    from d1_preflight.session import Session

_SECONDS = 60


async def proved_rewrite(session: "Session", project: "ProjectContext") -> Fix:
    """The rewrite on the schema that the migration will meet, and on the copy of the target.

    Where the file holds several changes, its split comes with it.

    Raises NotJudged where the proof takes longer than a minute.
    """
    found = await asyncio.to_thread(_proved, session, project)
    context = session.context(session.checklist.steps[0])
    if found.is_offered:
        why = await against_rewrite(context, found.after)
        found = found.refused(why) if why else found
    if found.split is not None:
        texts = (found.split.after, *(text for _, text in found.split.files))
        why = await against_rewrite(context, "\n".join(texts))
        found = with_split(found, NoRemedy(f"The split is not proved: {why}.")) if why else found
    return found


def _proved(session: "Session", project: "ProjectContext") -> Fix:
    own, end = session.environment, time.monotonic() + _SECONDS
    migration, prior, siblings = own.migration(), own.prior_schema(), own.files.migrations()
    found = fix(
        migration,
        prior,
        tuple(siblings),
        is_late=lambda: time.monotonic() > end,
        copies=project.copied_rows(own),
    )
    if all(answer.finding.rule != RULE for answer in found.left):
        return found
    names = names_at(project.now(), migration, siblings)
    return with_split(found, split(migration, prior, siblings, names))
