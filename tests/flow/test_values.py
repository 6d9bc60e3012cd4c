"""What somebody writes past the wizard is seen by its values, and holds what it must hold."""

from dataclasses import replace
from datetime import timedelta

import pytest

from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.record import Status
from d1_preflight.practice.faults import Fault
from flow.conftest import OpenPractice
from flow.test_when_it_goes_wrong import Meanwhile
from flow.walking import PatientClock, by_hand, in_ledger, open_session, try_step, walk_to

pytestmark = pytest.mark.wrangler
ROLES = "0062_migrate_role_format.sql"
BILLING = "0057_add_team_billing_columns.sql"


@pytest.mark.matrix
async def test_a_data_migration_is_never_run_on_values_that_were_not_rehearsed(
    practice: OpenPractice,
) -> None:
    context, running = practice("0062")
    session, _ = open_session(context, ROLES)
    await walk_to(session, "applied")

    by_hand(running, (context.project.migrations_folder / ROLES).read_text())
    held = await try_step(session, "applied")
    again = await try_step(session, "applied")
    assert (held.status, again.status) == (Status.FAILED, Status.FAILED)
    assert "values changed in team_members" in held.words
    assert "already hold what the migration writes" in again.words
    assert in_ledger(running, ROLES) == 0

    by_hand(running, "UPDATE team_members SET role = upper(role)")
    by_hand(running, "UPDATE team_members SET role = 'MEMBER' WHERE rowid = "
            "(SELECT max(rowid) FROM team_members)")  # fmt: skip
    by_hand(running, "UPDATE users SET name = name || '!' WHERE id = (SELECT max(id) FROM users)")
    traffic = await try_step(session, "applied")
    assert traffic.status is Status.FAILED
    assert ApplyFacts.from_attempt(traffic).moved == ("team_members",)
    applied = await try_step(session, "applied")
    assert applied.status is Status.PROVED, applied.words
    assert ApplyFacts.from_attempt(applied).rehearsed_again[0] == "team_members"
    assert "users" in applied.words
    assert in_ledger(running, ROLES) == 1
    await walk_to(session, "rows")

    by_hand(running, "UPDATE team_members SET role = 'thief' WHERE rowid = "
            "(SELECT min(rowid) FROM team_members)")  # fmt: skip
    session.environment.cache.observation = None
    rows = await try_step(session, "rows")
    assert rows.status is Status.FAILED
    assert "team_members: 1 row differs" in rows.words
    explained = await try_step(session, "rows", {"explanation": "a colleague promoted one"})
    assert explained.status is Status.ATTESTED


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_moved_values
async def test_an_apply_that_commits_late_is_waited_for(practice: OpenPractice) -> None:
    context, running = practice("0057")
    session, wrangler = open_session(context, BILLING)
    await walk_to(session, "applied")
    running.server.faults.set([Fault.parse("lost-before,count=1")])
    lost = await try_step(session, "applied")
    assert lost.status is Status.UNKNOWN
    text = (context.project.migrations_folder / BILLING).read_text()

    class Late(PatientClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if not in_ledger(running, BILLING) and self.ahead > timedelta(seconds=25):
                insert = f"INSERT INTO d1_migrations (name) VALUES ('{BILLING}')"
                by_hand(running, f"{text}\n;{insert}")

    session.environment = replace(session.environment, clock=Late())
    seen = await try_step(session, "applied")

    assert seen.status is Status.PROVED
    assert "unknown by whom" in seen.words
    assert ApplyFacts.from_attempt(seen).by == "unknown"
    assert in_ledger(running, BILLING) == 1
    assert sum("apply" in call for call in wrangler.remote) == 1


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_moved_values
async def test_somebody_elses_apply_is_not_claimed(practice: OpenPractice) -> None:
    context, running = practice("0057")
    session, wrangler = open_session(context, BILLING)
    await walk_to(session, "applied")
    text = (context.project.migrations_folder / BILLING).read_text()
    insert = f"INSERT INTO d1_migrations (name) VALUES ('{BILLING}')"
    between = Meanwhile(wrangler, lambda: by_hand(running, f"{text}\n;{insert}"))
    session.environment = replace(session.environment, wrangler=between)

    attempt = await try_step(session, "applied")

    assert attempt.status is Status.PROVED
    assert "Applied by another" in attempt.words
    assert in_ledger(running, BILLING) == 1


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_moved_values
async def test_data_that_came_without_a_row_is_no_reason_to_try_again(
    practice: OpenPractice,
) -> None:
    context, running = practice("0062")
    session, _ = open_session(context, ROLES)
    await walk_to(session, "applied")
    running.server.faults.set([Fault.parse("lost-before,count=1")])
    lost = await try_step(session, "applied")
    running.server.faults.set(())
    before = await try_step(session, "applied")
    running.server.faults.set([Fault.parse("lost-before,count=1")])
    lost_again = await try_step(session, "applied")
    running.server.faults.set(())
    by_hand(running, (context.project.migrations_folder / ROLES).read_text())
    after = await try_step(session, "applied")

    assert (lost.status, lost_again.status) == (Status.UNKNOWN, Status.UNKNOWN)
    assert before.status is Status.FAILED
    assert "was not applied" in before.words
    assert after.status is Status.FAILED
    assert "Half-way" in after.words
    assert "team_members" in after.words
