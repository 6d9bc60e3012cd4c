"""An additive migration and a rebuild walked to the close, with every wrangler from 4.0.0 on.

Each is installed once a machine; `pytest -m matrix -s` prints the table. "latest" is the newest
that the registry serves when it is installed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.project_context import open_context
from flow.conftest import OpenPractice
from flow.walking import open_session, walk_to

pytestmark = [pytest.mark.wrangler, pytest.mark.matrix]
VERSIONS = ("4.0.0", "4.50.0", "4.90.0", "4.120.0", "4.164.0", "latest")
NAMES = {
    "0057": "0057_add_team_billing_columns.sql",
    "0061": "0061_rebuild_teams_remove_deprecated.sql",
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("number", NAMES)
async def test_a_migration_is_walked_to_its_close(
    practice: OpenPractice,
    wrangler_of: Callable[[str], Awaitable[Toolchain]],
    number: str,
    version: str,
) -> None:
    first, _ = practice(number)
    chosen, root = await wrangler_of(version), first.project.root
    found, settings = chosen.wrangler_version, root / "preflight.toml"
    command = f'command = "{chosen.argv[-1]}"'
    settings.write_text(settings.read_text().replace('use = "own"', command))
    opened = open_context(start=root, environ=first.environ, target="practice")
    context = replace(opened, _toolchain=chosen)
    session, _ = open_session(context, NAMES[number])

    await walk_to(session, "close" if number == "0061" else "")

    applied = ApplyFacts.from_attempt(session.attempt("applied"))
    ledger = session.attempt("ledger")
    assert ledger is not None
    assert applied.ledger_id is not None
    print(f"wrangler {found:10} {number} ledger row {applied.ledger_id}: {ledger.status}")
    assert session.closed is (number == "0057")
    session.close()
