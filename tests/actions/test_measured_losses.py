"""A loss is declared by its measured figure; a larger one, measured later, is asked for again."""

from actions.conftest import Walked
from d1_preflight.core.record.change_facts import LossesFacts
from d1_preflight.core.record.record import Status

PURGE = "DELETE FROM members WHERE role IS NULL;\n"
SAID = f"{PURGE}-- preflight: loses members — nobody has no role\n"


async def test_the_question_shows_what_was_measured_and_what_the_file_says(walked: Walked) -> None:
    bench = await walked("losses", SAID)
    step = bench.session.checklist.step("losses")

    (asked, _) = bench.session.prompts(step)

    assert asked.label_of("members") == "members: 1 of 3 rows (33.3 %)"
    assert asked.help.splitlines()[0] == "members: (the file declares it: nobody has no role)"


async def test_a_larger_loss_than_the_declared_one_is_asked_for_again(walked: Walked) -> None:
    bench = await walked("counted", PURGE)
    declared = LossesFacts.from_attempt(bench.session.attempt("losses"))
    assert declared.losses == ("members: 1 of 3 rows (33.3 %)",)

    bench.target.connection.execute("INSERT INTO members VALUES (8, 'a', NULL), (9, 'b', NULL)")
    for step in ("copied", "syntax", "rehearsed"):
        assert (await bench.step(step)).status is Status.PROVED

    losses = bench.session.checklist.step("losses")
    assert not bench.session.status_of(losses).is_answered
    assert losses in [item.step for item in bench.session.open_before_go()]
    assert bench.session.prompts(losses)[0].label_of("members") == "members: 3 of 5 rows (60.0 %)"
