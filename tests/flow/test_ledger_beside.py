"""Another tool's ledger beside wrangler's, with the real wrangler: both rows come in one batch."""

import pytest

from flow.conftest import OpenPractice
from flow.walking import by_hand, in_ledger, open_session, walk_to

pytestmark = [pytest.mark.wrangler, pytest.mark.matrix]  # in memory: actions/test_two_ledgers
ADDITIVE = "0057_add_team_billing_columns.sql"


async def test_both_ledgers_have_the_row_and_the_record_closes(practice: OpenPractice) -> None:
    context, running = practice("0057")
    by_hand(running, "CREATE TABLE schema_migrations(name TEXT PRIMARY KEY, "
            "applied_at TEXT DEFAULT CURRENT_TIMESTAMP);"
            "INSERT INTO schema_migrations(name) SELECT name FROM d1_migrations")  # fmt: skip
    session, _ = open_session(context, ADDITIVE)

    await walk_to(session)

    beside = f"SELECT count(*) AS n FROM schema_migrations WHERE name = '{ADDITIVE}'"
    assert in_ledger(running, ADDITIVE) == 1
    assert by_hand(running, beside) == [{"n": 1}]
    assert session.closed
    session.close()
