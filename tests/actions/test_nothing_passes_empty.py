"""Where there was nothing to prove, only a read that shows so proves it; else a person says why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from core.record_values import Walk, shipped_checklist
from d1_preflight.actions import rollback
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.data_safety import back_up, prove_backup
from d1_preflight.actions.rollback import NO_DOWN, NONE
from d1_preflight.actions.timing import check_window, require_window, window_prompts
from d1_preflight.core.checklist.checklist import Answer
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.settings import Settings, load_settings
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.record import Outcome, Record, Status
from d1_preflight.core.schema.schema import Schema

CHECKLIST = shipped_checklist()
SUNDAY = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
THURSDAY = datetime(2026, 11, 26, 10, 43, tzinfo=UTC)


class NoAnalytics:
    def account(self, configured: str) -> str:
        return configured

    async def analytics(self, query: str, variables: Mapping[str, object]) -> Mapping[str, object]:
        raise RemoteFailed(f"no token for {len(query)} {len(variables)}")


@dataclass
class Place:
    """The project and the clock that a window is judged by."""

    settings: Settings = field(default_factory=Settings)
    assumed_zone: str = "UTC"
    now: datetime = SUNDAY

    def context(self, record: Record | None = None, **answers: Answer) -> StepContext:
        project = Project(
            Path("/project"), WranglerConfig(Path("/project/wrangler.toml"), account_id="acc"),
            Database("DB", "shop", "id-1"), settings=self.settings, assumed_zone=self.assumed_zone,
        )  # fmt: skip
        environment = SimpleNamespace(
            project=project, settings=self.settings, web=NoAnalytics(), target="remote",
            clock=SimpleNamespace(now=lambda: self.now),
        )  # fmt: skip
        return StepContext(
            environment=cast("Environment", environment),
            record=record or Walk(CHECKLIST).record, checklist=CHECKLIST, kind=Kind.DESTRUCTIVE,
            step=CHECKLIST.step("window"), answers=answers,
        )  # fmt: skip


KNOWN = load_settings('[users]\ntimezones = ["America/New_York"]\n')
TEAM = load_settings('[team]\ntimezone = "America/New_York"\n')


async def test_an_unset_users_zone_is_asked_for_and_attested() -> None:
    place = Place()
    (asked,) = window_prompts(place.context())
    assert asked.key == "users"
    assert "UTC" in asked.help

    unsaid = await check_window(place.context())
    said = await check_window(place.context(users="Berlin; it is Sunday there too"))

    assert unsaid.status is Status.UNKNOWN
    assert said.status is Status.ATTESTED
    assert "Berlin; it is Sunday there too" in said.words


@pytest.mark.parametrize(("settings", "assumed"), [(KNOWN, "UTC"), (TEAM, "")])
async def test_a_zone_that_the_settings_name_is_checked(settings: Settings, assumed: str) -> None:
    place = Place(settings, assumed)

    assert window_prompts(place.context()) == ()
    assert (await check_window(place.context())).status is Status.PROVED


async def test_busy_hours_of_the_machines_zone_are_no_window_whatever_is_said() -> None:
    outcome = await check_window(Place(now=THURSDAY).context(users="nobody is there"))

    assert outcome.status is Status.FAILED


@pytest.mark.parametrize("status", [Status.PROVED, Status.ATTESTED])
def test_go_and_apply_ask_the_window_again(status: Status) -> None:
    record = Walk(CHECKLIST).answer("window", status).record
    london = load_settings('[users]\ntimezones = ["Europe/London"]\n')

    require_window(Place(london).context(record))
    with pytest.raises(NotAllowed, match="Now is Thursday 10:43"):
        require_window(Place(london, now=THURSDAY).context(record))
    waived = Walk(CHECKLIST).answer("window", Status.WAIVED).record
    require_window(Place(london, now=THURSDAY).context(waived))


# The down migration.


def without_down(record: Record | None = None, **answers: Answer) -> StepContext:
    files = SimpleNamespace(down=lambda _stem: None)
    environment = SimpleNamespace(files=files, stem="0061_x")
    return StepContext(
        environment=cast("Environment", environment),
        record=record or Walk(CHECKLIST).record, checklist=CHECKLIST, kind=Kind.DESTRUCTIVE,
        step=CHECKLIST.step("down_tested"), answers=answers,
    )  # fmt: skip


def told(reason: str) -> Record:
    """A record whose operator said why there is no down migration, where the file is written."""
    walk = Walk(CHECKLIST)
    step = CHECKLIST.step("down_written")
    walk.answer("down_written", Status.ATTESTED)
    last = walk.record.attempts[-1]
    answers = {"down": NONE} | ({NO_DOWN: reason} if reason else {})
    begun = walk.record.begin(step, answers, by=last.by, at=walk.now)
    return begun.finish(Outcome(Status.ATTESTED, "none"), at=walk.now)


async def test_without_a_down_file_nothing_was_tested_and_nothing_is_proved() -> None:
    (asked,) = rollback.test_prompts(without_down())
    assert asked.key == NO_DOWN

    assert (await rollback.test_down(without_down())).status is Status.UNKNOWN
    here = await rollback.test_down(without_down(no_down="the dropped rows are in the backup"))
    assert here.status is Status.ATTESTED
    assert "the dropped rows are in the backup" in here.words


async def test_the_reason_that_was_given_before_is_not_asked_twice() -> None:
    context = without_down(told("the data is gone by design"))

    assert rollback.test_prompts(context) == ()
    outcome = await rollback.test_down(context)
    assert outcome.status is Status.ATTESTED
    assert "the data is gone by design" in outcome.words
    assert rollback.test_prompts(without_down(told(""))) != ()


# The backup.


def backup_context(step: str, record: Record, critical: tuple[str, ...] = ()) -> StepContext:
    effects = SimpleNamespace(tables_touched=("fresh",), tables_rebuilt=())
    environment = SimpleNamespace(
        analysis=lambda: SimpleNamespace(effects=effects),
        prior_schema=Schema,
        settings=SimpleNamespace(data=SimpleNamespace(critical_tables=critical)),
    )
    return StepContext(
        environment=cast("Environment", environment), record=record, checklist=CHECKLIST,
        kind=Kind.TRANSFORMATIVE, step=CHECKLIST.step(step), answers={},
    )  # fmt: skip


def rehearsed() -> Record:
    return Walk(CHECKLIST).answer("rehearsed", facts={"schema_after": "f" * 64}).record


@pytest.mark.parametrize("step", ["backed_up", "restored"])
async def test_no_table_to_back_up_is_proved_by_the_rehearsal_alone(step: str) -> None:
    run = back_up if step == "backed_up" else prove_backup

    assert (await run(backup_context(step, Walk(CHECKLIST).record))).status is Status.UNKNOWN
    assert (await run(backup_context(step, rehearsed(), ("teams",)))).status is Status.UNKNOWN
    proved = await run(backup_context(step, rehearsed()))
    assert proved.status is Status.PROVED
    assert "The rehearsal changed no existing table" in proved.words
