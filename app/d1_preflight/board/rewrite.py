"""The proved rewrite of a migration that a session walks, tried by wrangler where it can be."""

import asyncio
import time
from typing import TYPE_CHECKING

from d1_preflight.actions.context import StepContext
from d1_preflight.actions.rehearsal import run_local_file
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.remedies.fix import Fix, fix
from d1_preflight.core.remedies.patterns.split import RULE, names_at, split, with_split
from d1_preflight.core.remedies.remedy import NoRemedy
from d1_preflight.core.schema.schema import diff

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


async def against_rewrite(context: StepContext, text: str) -> str:
    """What the real wrangler's run of a text on the copy speaks against it; "" where nothing does.

    Without a copy there is nothing to try it on.
    """
    environment = context.environment
    before, after = Folder.COPY.of(environment), Folder.REWRITE.of(environment)
    if not environment.local.file(before).is_file():
        return ""
    script = Migration.from_text(environment.name, text)
    await asyncio.to_thread(environment.local.duplicate, before, after)
    # Its output is not kept: a SELECT in the script would print the target's rows.
    ran = await run_local_file(context, script, after, keep=None)
    if ran.exit_code != 0:
        return f"wrangler does not run it on the copy: {context.own_reason(ran, script)}"
    prior = environment.local.schema(before)
    changes = diff(schema_after([script], prior), environment.local.schema(after))
    if changes:
        return f"wrangler leaves another schema on the copy: {changes[0].words}"
    deleted = {t.lower() for t in analyse(script, prior).effects.rows_deleted_in}
    old, new = environment.local.counts(before), environment.local.counts(after)
    fewer = (table for table, rows in old.items() if new.get(table, rows) < rows)
    lost = sorted(table for table in fewer if table.lower() not in deleted)
    return f"wrangler leaves fewer rows of {', '.join(lost)} on the copy" if lost else ""
