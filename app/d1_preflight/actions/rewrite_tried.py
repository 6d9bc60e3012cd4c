"""Tries a rewrite with the real wrangler on a copy of the target, before it is offered."""

import asyncio
from collections.abc import Mapping

from d1_preflight.actions.context import StepContext
from d1_preflight.actions.rehearsal import run_local_file
from d1_preflight.actions.workspace import copy_folder, rewrite_folder
from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import diff


async def against_rewrite(context: StepContext, text: str) -> str:
    """What wrangler's run of a text on the copy speaks against it; "" where nothing does.

    Without a copy there is nothing to try it on.
    """
    environment = context.environment
    before, after = copy_folder(environment), rewrite_folder(environment)
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
    fewer = _fewer(environment.local.counts(before), environment.local.counts(after))
    lost = sorted(table for table in fewer if table.lower() not in deleted)
    return f"wrangler leaves fewer rows of {', '.join(lost)} on the copy" if lost else ""


def _fewer(before: Mapping[str, int], after: Mapping[str, int]) -> set[str]:
    return {table for table, rows in before.items() if after.get(table, rows) < rows}
