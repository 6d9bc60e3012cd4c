"""Losses are declared once they are measured, with their figures; earlier checklists ask before."""

import pytest

from actions.conftest import Walked
from actions.fake_target import ADDITIVE, CHECKLIST, Bench
from d1_preflight.actions import STEPS
from d1_preflight.actions.losses import share
from d1_preflight.core.checklist.shipped import earlier_checklist
from d1_preflight.core.errors import Rejected
from d1_preflight.core.record.record import Status
from d1_preflight.session import Session

EMPTIED = "DROP TABLE log;\nDELETE FROM members WHERE role IS NULL;\n"
BEFORE_LOSSES = "eb0dec2837c60b1d0ceb4674f4b513766e2ed8fffe94490cc9a30311ca5de8fd"


async def test_every_measured_loss_is_asked_with_its_figures(walked: Walked) -> None:
    bench = await walked("losses", EMPTIED)

    losses, reason = bench.session.prompts(CHECKLIST.step("losses"))

    assert [losses.label_of(table) for table in losses.choices] == [
        "log: the table and all 3 rows",
        "members: 1 of 3 rows (33.3 %)",
    ]
    assert losses.optional
    assert reason.after == "losses"
    rehearsed = bench.session.attempt("rehearsed")
    assert rehearsed is not None
    assert "4 lost, to be declared" in rehearsed.words


async def test_a_declared_loss_is_kept_with_its_figures_and_reason(walked: Walked) -> None:
    bench = await walked("losses")

    attempt = await bench.step("losses", loss_reason="nobody reads the column")

    assert attempt.status is Status.ATTESTED
    assert attempt.facts == {
        "declared_losses": ("teams",),
        "losses": ("teams: the values of old in 1 of 2 rows (50.0 %)",),
        "loss_reason": "nobody reads the column",
    }


async def test_a_loss_that_is_not_declared_stays_open(walked: Walked) -> None:
    bench = await walked("losses")

    attempt = await bench.step("losses", losses=())

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("Not declared: teams: the values of old in 1 of 2 rows")
    assert "losses" in {item.step.id for item in bench.session.open_before_go()}


@pytest.mark.parametrize("reason", ["", "ok", "is fine", "x y z w", "  . . . "])
async def test_a_word_or_two_is_no_reason(walked: Walked, reason: str) -> None:
    bench = await walked("losses")

    with pytest.raises(Rejected):
        await bench.step("losses", loss_reason=reason)


async def test_what_loses_nothing_is_asked_nothing(walked: Walked) -> None:
    bench = await walked("losses", "UPDATE log SET what = 'x';\n", "transformative")

    assert bench.session.prompts(CHECKLIST.step("losses")) == ()
    assert (await bench.step("losses")).status is Status.PROVED


async def test_an_additive_migration_does_not_walk_the_step(walked: Walked) -> None:
    bench = await walked("counted", ADDITIVE, "additive")

    assert "losses" not in {step.id for step in bench.session.path}


async def test_a_loss_is_declared_again_after_another_rehearsal(walked: Walked) -> None:
    bench = await walked("counted")
    step = CHECKLIST.step("losses")
    before = bench.session.status_of(step)

    await bench.step("rehearsed")

    assert before is Status.ATTESTED
    assert bench.session.status_of(step) is Status.PENDING


async def earlier(bench: Bench) -> Session:
    """The same project, walked by the checklist that shipped before this step."""
    checklist = earlier_checklist(BEFORE_LOSSES)
    assert checklist is not None
    return Session(checklist, bench.environment(), STEPS)


async def test_an_earlier_checklist_declares_before_the_rehearsal(walked: Walked) -> None:
    bench = await walked("findings")
    session = bench.session = await earlier(bench)
    step = session.checklist.step("findings")

    asked = {prompt.key for prompt in session.prompts(step)}
    attempt = await session.perform(step, {"losses": (), "loss_reason": ""})

    assert {"losses", "loss_reason"} <= asked
    assert attempt.status is Status.FAILED
    assert attempt.words == (
        "Not declared: teams would lose column old. Fix the migration, or declare the loss."
    )


async def test_what_an_earlier_checklist_declared_goes_on_in_this_one(walked: Walked) -> None:
    bench = await walked("named")
    session = bench.session = await earlier(bench)
    answers = {"losses": ("teams",), "loss_reason": "old", "class": "destructive", "purpose": "x"}
    while (step := session.current) is not None and step.id != "counted":
        asked = {p.key: answers.get(p.key, "fine here") for p in session.prompts(step)}
        await session.perform(step, asked)
    here = bench.opened()

    assert here.current is not None
    assert here.current.id == "losses"
    (losses, _) = here.prompts(CHECKLIST.step("losses"))
    assert losses.choices == ("teams",)


async def test_a_loss_that_the_file_declares_is_asked_about_all_the_same(walked: Walked) -> None:
    sql = "-- preflight: loses teams.old — nobody reads it\nALTER TABLE teams DROP COLUMN old;\n"
    bench = await walked("losses", sql)

    (losses, _) = bench.session.prompts(CHECKLIST.step("losses"))

    assert losses.choices == ("teams",)
    assert "the file declares it: nobody reads it" in losses.help


@pytest.mark.parametrize(
    ("rows", "of", "words"),
    [
        (1204, 1204, "all 1,204 rows"),
        (1, 1, "all 1 row"),
        (12, 1204, "12 of 1,204 rows (1.0 %)"),
        (1, 100_000, "1 of 100,000 rows (under 0.1 %)"),
        (99_999, 100_000, "99,999 of 100,000 rows (over 99.9 %)"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(rows: int, of: int, words: str) -> None:
    assert share(rows, of) == words


async def test_the_same_finding_on_several_lines_is_asked_once(walked: Walked) -> None:
    sql = "UPDATE members SET role = 'a';\nUPDATE log SET what = 'b';\n"
    bench = await walked("findings", sql, "transformative")
    step = CHECKLIST.step("findings")
    asked = bench.session.prompts(step)
    rules = [prompt.key.partition("@")[0] for prompt in asked]

    attempt = await bench.step("findings")

    assert len(rules) == len(set(rules))
    kept = attempt.facts["findings"]
    assert isinstance(kept, tuple)
    lines = [dict(item)["line"] for item in kept if isinstance(item, dict) and item["answer"]]
    assert len(lines) > len(asked)
