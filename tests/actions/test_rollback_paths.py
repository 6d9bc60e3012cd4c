"""Which rollback paths are offered and what each loses; which Worker's version is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from actions.fake_target import UUID
from core.record_values import Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.rollback import (
    choose_way_back,
    way_back_prompts,
    ways_back,
)
from d1_preflight.core.checklist.checklist import Answer
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.record import Status

if TYPE_CHECKING:
    from d1_preflight.core.record.safety_facts import RollbackPlanFacts

CHECKLIST = shipped_checklist()
CONFIG = f".preflight/targets/{UUID}.json"


@dataclass
class Place:
    """A project whose target nobody has looked at."""

    def context(
        self,
        kind: Kind = Kind.DESTRUCTIVE,
        walk: Walk | None = None,
        answers: Mapping[str, Answer] | None = None,
    ) -> StepContext:
        root, database = Path("/project"), Database("DB", "shop-db", UUID)
        config = WranglerConfig(root / "wrangler.jsonc", "shop", databases=(database,))
        project = Project(root, config, database)
        environment = SimpleNamespace(
            project=project,
            settings=SimpleNamespace(verification=SimpleNamespace(worker="")),
            name="0061_x.sql",
            stem="0061_x",
            files=SimpleNamespace(
                target_config=lambda: project.target_config,
                down_path=lambda stem: project.migrations_folder / "down" / f"{stem}.sql",
            ),
            cache=SimpleNamespace(observation=None),
        )
        return StepContext(
            environment=cast("Environment", environment),
            record=(walk or Walk(CHECKLIST)).record, checklist=CHECKLIST, kind=kind,
            step=CHECKLIST.step("deploy_order"), answers=answers or {},
        )  # fmt: skip


def proved(
    *, down: Mapping[str, object] | None = None, gives: Mapping[str, object] | None = None
) -> Walk:
    walk = Walk(CHECKLIST)
    if gives is not None:
        walk.answer("restored", facts={"gives_back": gives})  # type: ignore[dict-item]
    walk.answer("bookmark", facts={"bookmark": "0001-mark"})
    if down is not None:
        walk.answer("down_tested", facts=down)  # type: ignore[arg-type]
    return walk


RESTORED = {"schema": "restored", "loses": "nothing", "ms": 7}
GIVES = {"runs": True, "whole": True, "ms": 9}


@pytest.mark.parametrize(
    ("kind", "down", "gives", "paths"),
    [
        (Kind.DESTRUCTIVE, None, None, ["time travel: every write since"]),
        (Kind.ADDITIVE, None, None, ["leave it: nothing", "time travel: every write since"]),
        (Kind.NONE, None, None, ["leave it: nothing", "time travel: every write since"]),
        (
            Kind.DESTRUCTIVE,
            RESTORED,
            GIVES,
            [
                "down migration: nothing",
                "table restore: later writes to the rows it restores",
                "time travel: every write since",
            ],
        ),
        (
            Kind.DESTRUCTIVE,
            {**RESTORED, "loses": "3 rows"},
            GIVES,
            [
                "table restore: later writes to the rows it restores",
                "down migration: 3 rows",
                "time travel: every write since",
            ],
        ),
        (
            Kind.DESTRUCTIVE,
            {"schema": "differs", "loses": "nothing"},
            None,
            ["time travel: every write since"],
        ),
        (
            Kind.DESTRUCTIVE,
            {"schema": "restored"},
            {"runs": False, "whole": False, "words": "it fails"},
            ["down migration: not known", "time travel: every write since"],
        ),
        (
            Kind.DESTRUCTIVE,
            None,
            {"runs": True, "whole": False, "words": "t is missing"},
            [
                ("table restore: later writes to the rows it restores; not restored: t is missing"),
                "time travel: every write since",
            ],
        ),
    ],
)
def test_only_what_was_proved_is_offered_the_mildest_first(
    kind: Kind,
    down: Mapping[str, object] | None,
    gives: Mapping[str, object] | None,
    paths: list[str],
) -> None:
    found = ways_back(Place().context(kind, proved(down=down, gives=gives)))

    assert [f"{path.way}: {path.loses}" for path in found] == paths


def test_each_path_has_its_command_and_its_time() -> None:
    found = {p.way: p for p in ways_back(Place().context(walk=proved(down=RESTORED, gives=GIVES)))}
    untimed = ways_back(
        Place().context(
            walk=proved(down={"schema": "restored"}, gives={"runs": True, "whole": True})
        )
    )

    assert [found[way].takes_ms for way in ("down migration", "table restore")] == [7, 9]
    assert [path.takes_ms for path in untimed][:2] == [0, 0]
    assert found["down migration"].command == (
        f"wrangler d1 execute shop-db --config {CONFIG} --remote --file=migrations/down/0061_x.sql"
    )
    assert found["table restore"].command == "preflight restore 0061_x"
    assert found["time travel"].command == (
        f"wrangler d1 time-travel restore shop-db --config {CONFIG} --bookmark 0001-mark"
    )


@pytest.mark.parametrize(
    ("kind", "scenarios", "last"),
    [
        (Kind.ADDITIVE, 2, "roll back the code first, then decide on the migration"),
        (Kind.TRANSFORMATIVE, 2, "roll back the code first, then apply the down migration"),
        (Kind.DESTRUCTIVE, 3, "Time Travel to the bookmark; every later write is lost"),
        (Kind.UNKNOWN, 3, "Time Travel to the bookmark; every later write is lost"),
    ],
)
async def test_the_chosen_path_is_kept_with_the_others(
    kind: Kind, scenarios: int, last: str
) -> None:
    place = Place()
    walk = proved(gives=GIVES)
    (prompt,) = way_back_prompts(place.context(kind, walk))

    outcome = await choose_way_back(place.context(kind, walk, {"way": "time travel"}))

    assert "time travel: loses every write since" in prompt.help.splitlines()
    assert (outcome.status, outcome.words) == (
        Status.ATTESTED, "Time travel; loses every write since.",
    )  # fmt: skip
    facts = cast("RollbackPlanFacts", outcome.facts)
    assert (facts.chosen, tuple(path.way for path in facts.ways)) == (
        "time travel", prompt.choices,
    )  # fmt: skip
    assert (len(facts.matrix), facts.matrix[-1].action) == (scenarios, last)


async def test_a_migration_that_needs_no_rollback_says_why_not() -> None:
    place = Place()
    (prompt,) = way_back_prompts(place.context(Kind.ADDITIVE, proved()))

    outcome = await choose_way_back(place.context(Kind.ADDITIVE, proved(), {"way": "leave it"}))

    assert outcome.words == "No rollback; none needed, leaving it applied loses nothing."
    assert prompt.help.splitlines() == [
        "no rollback: none needed, leaving it applied loses nothing",
        "time travel: loses every write since",
    ]
