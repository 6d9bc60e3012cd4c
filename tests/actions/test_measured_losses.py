"""The question for the losses shows their counts, and a larger loss is not what was declared."""

from actions.conftest import Walked
from d1_preflight.core.record.change_facts import FindingsFacts
from d1_preflight.core.record.record import Status
from d1_preflight.session import Session

PURGE = "DELETE FROM members WHERE role IS NULL;\n"
SAID = f"{PURGE}-- preflight: loses members — nobody has no role\n"


def question(session: Session) -> str:
    step = session.checklist.step("findings")
    return next(p.help for p in session.prompts(step) if p.key == "losses")


async def test_the_question_shows_what_was_measured(walked: Walked) -> None:
    bench = await walked("findings", SAID)
    before = question(bench.session)
    bench = await walked("syntax", SAID)
    copied = question(bench.session)
    bench = await walked("counted", SAID)
    rehearsed = question(bench.session)

    reason = " (the file declares it: nobody has no role)"
    assert before.splitlines()[0] == f"members: rows{reason}"
    assert copied.splitlines()[0] == f"members: rows (3 rows in the copy){reason}"
    assert rehearsed.splitlines()[0] == f"members: rows (1 row lost in the last rehearsal){reason}"


async def test_a_larger_loss_than_the_declared_one_is_stopped(walked: Walked) -> None:
    bench = await walked("counted", PURGE)
    answered = await bench.step("findings")
    (measured,) = FindingsFacts.from_attempt(answered).measured
    assert (measured.table, measured.lost, measured.nulled) == ("members", 1, 0)
    assert (await bench.step("rehearsed")).status is Status.PROVED

    bench.target.connection.execute("INSERT INTO members VALUES (8, 'a', NULL), (9, 'b', NULL)")
    await bench.step("copied")
    await bench.step("syntax")
    rehearsed = await bench.step("rehearsed")

    assert rehearsed.status is Status.FAILED
    assert "members: 3 lost, 1 declared" in rehearsed.words
    await bench.step("findings")
    assert (await bench.step("rehearsed")).status is Status.PROVED
