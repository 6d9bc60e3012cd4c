"""A record that is about something else is not gone on with."""

from dataclasses import replace

import pytest

from d1_preflight.actions.context import Environment
from d1_preflight.core.errors import NotAllowed
from d1_preflight.session import Session
from plain.fakes import MemoryStore, open_session


def tools_of(store: MemoryStore) -> Environment:
    session = open_session(store)
    session.waive(session.checklist.step("named"), "for the test")
    return session.environment


def test_a_record_goes_on_where_it_was_left() -> None:
    store = MemoryStore()
    tools_of(store)

    assert [a.step for a in open_session(store).record.attempts] == ["named"]


def test_a_record_of_another_migration_is_refused() -> None:
    store = MemoryStore()
    tools_of(store)
    other = store.held["record.toml"].replace(b"0057_add_billing_email", b"0056_add_workflow_tags")
    store.held["record.toml"] = other

    with pytest.raises(NotAllowed, match=r"is about 0056_add_workflow_tags\.sql, not 0057"):
        open_session(store)


def test_a_record_of_practice_is_refused_on_the_real_target() -> None:
    store = MemoryStore()
    environment = tools_of(store)

    with pytest.raises(NotAllowed, match="made on practice, and this is remote"):
        Session(open_session(store).checklist, replace(environment, target="remote"))
