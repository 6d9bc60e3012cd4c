"""Which rollback paths are offered and what each loses; which Worker's version is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from actions.fake_target import refused, replied
from core.record_values import Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.rollback import (
    choose_deploy_order,
    choose_way_back,
    deploy_plan,
    live_version,
    order_prompts,
    way_back_prompts,
    ways_back,
)
from d1_preflight.core.checklist.checklist import Answer
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.record import Status

if TYPE_CHECKING:
    from d1_preflight.core.record.safety_facts import DeployOrderFacts, RollbackPlanFacts

CHECKLIST = shipped_checklist()


@dataclass
class Live:
    """A wrangler that tells which version is live, or fails."""

    fails: bool = False
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def run(self, args: Sequence[str], **_: object) -> Evidence:
        self.asked.append(tuple(args))
        if self.fails:
            return refused(args, "no such worker")
        return replied(args, {"versions": [{"version_id": "v-12345678", "percentage": 100}]})


@dataclass
class Place:
    """A project with these names of its Worker."""

    configured: str = "shop"
    named: str = ""
    wrangler: Live = field(default_factory=Live)

    def context(
        self,
        kind: Kind = Kind.DESTRUCTIVE,
        walk: Walk | None = None,
        answers: Mapping[str, Answer] | None = None,
    ) -> StepContext:
        config = SimpleNamespace(
            name=self.configured, environments=(), databases=("one",), account_id=""
        )
        project = SimpleNamespace(
            root=Path("/project"),
            target_config=Path("/project/one.json"),
            environment="",
            config=config,
            database=SimpleNamespace(
                name="shop-db", migrations_dir="migrations", migrations_table="d1_migrations"
            ),
        )
        environment = SimpleNamespace(
            project=project,
            settings=SimpleNamespace(verification=SimpleNamespace(worker=self.named)),
            name="0061_x.sql",
            stem="0061_x",
            files=SimpleNamespace(target_config=lambda: Path("/project/one.json")),
            wrangler=self.wrangler,
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
            {"runs": True, "whole": False, "words": "t is not there"},
            [
                (
                    "table restore: later writes to the rows it restores; not restored: "
                    "t is not there"
                ),
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
        "wrangler d1 execute shop-db --config one.json --remote --file=migrations/down/0061_x.sql"
    )
    assert found["table restore"].command == "preflight restore 0061_x"
    assert found["time travel"].command == (
        "wrangler d1 time-travel restore shop-db --config one.json --bookmark 0001-mark"
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
        Status.ATTESTED, "time travel; loses every write since.",
    )  # fmt: skip
    facts = cast("RollbackPlanFacts", outcome.facts)
    assert (facts.chosen, tuple(path.way for path in facts.ways)) == (
        "time travel", prompt.choices,
    )  # fmt: skip
    assert (len(facts.matrix), facts.matrix[-1].action) == (scenarios, last)


@pytest.mark.parametrize(
    ("configured", "named", "worker"),
    [("shop", "", "shop"), ("shop", "api", "api"), ("", "api", "api")],
)
async def test_the_version_of_the_named_worker_is_asked_for(
    configured: str, named: str, worker: str
) -> None:
    place = Place(configured, named)

    outcome = await choose_deploy_order(place.context(answers={"order": "database-first"}))

    assert place.wrangler.asked[0][:4] == ("deployments", "status", "--name", worker)
    assert deploy_plan(place.context())[0].startswith(
        f"wrangler deployments status --name {worker} "
    )
    assert outcome.words.endswith(f"; {worker} runs version v-123456 now.")
    facts = cast("DeployOrderFacts", outcome.facts)
    assert (facts.order, facts.worker, facts.version) == ("database-first", worker, "v-12345678")
    assert facts.out_of_order == ""
    assert len(outcome.evidence) == 1


async def test_without_a_worker_nothing_is_asked() -> None:
    place = Place("", "")

    outcome = await choose_deploy_order(place.context(answers={"order": "database-first"}))

    assert (place.wrangler.asked, deploy_plan(place.context())) == ([], ())
    assert outcome.status is Status.ATTESTED
    assert outcome.evidence == ()


async def test_a_version_that_is_not_told_is_said_and_not_kept() -> None:
    place = Place(wrangler=Live(fails=True))

    outcome = await choose_deploy_order(place.context(answers={"order": "database-first"}))

    assert "The live version of shop is not known: " in outcome.words
    assert cast("DeployOrderFacts", outcome.facts).version == ""
    assert len(outcome.evidence) == 1


@pytest.mark.parametrize(
    "deployment",
    [
        {"versions": [{"version_id": "a", "percentage": None}]},
        {"versions": [{"version_id": "a", "percentage": "most"}]},
        {"versions": ["version_id", 7, None, {"version_id": "a", "percentage": 1}]},
        {"versions": [{"percentage": 95}, {"version_id": "a", "percentage": 5}]},
        {"versions": [{"version_id": "b"}, {"version_id": "a", "percentage": 0.5}]},
    ],
)
def test_a_version_without_a_name_or_a_share_is_none(deployment: Mapping[str, object]) -> None:
    assert live_version(deployment) == "a"


OWN, LATER = "0061_x.sql", "0062_a.sql"


@pytest.mark.parametrize(
    ("pending", "named"),
    [
        ((), ""),
        ((OWN, LATER), ""),
        ((OWN, "0060_a.sql", LATER), "0060_a.sql"),
        ((OWN, "0061_y.sql"), "0061_y.sql"),
        (tuple(f"005{n}_a.sql" for n in range(3)), "0050_a.sql, 0051_a.sql, 0052_a.sql"),
        (
            tuple(f"005{n}_a.sql" for n in range(5)),
            "0050_a.sql, 0051_a.sql, 0052_a.sql and 2 more",
        ),
    ],
)
async def test_what_is_passed_by_is_named_asked_about_and_kept(
    pending: tuple[str, ...], named: str
) -> None:
    walk = Walk(CHECKLIST).answer("copied", facts={"pending": pending})
    context = Place("").context(walk=walk, answers={"order": "db", "out_of_order": "it is urgent"})

    asked = order_prompts(context)
    outcome = await choose_deploy_order(context)

    assert [prompt.label for prompt in asked] == (
        [f"Pending before it: {named}. Why is this one first?"] if named else []
    )
    kept = outcome.facts.written().get("out_of_order", "")
    assert kept == f"{', '.join(n for n in pending if n not in (OWN, LATER))}: it is urgent"
