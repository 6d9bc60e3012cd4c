"""The plain walk's last steps: GO that lapsed, the close, and how the walk says that it is over."""

from datetime import timedelta

from actions.conftest import Walked
from actions.fake_target import CHECKLIST
from d1_preflight.core.checklist.answers import KEPT
from d1_preflight.core.record.record import Status
from d1_preflight.plain import text
from d1_preflight.plain.walkthrough import Choice, Walkthrough
from plain.fakes import TARGET, Script


async def test_the_plain_walk_ends_with_the_close(walked: Walked) -> None:
    bench = await walked("close")
    said: list[str] = []
    script = Script([("next", Choice.DO), ("end", KEPT), ("noticed", "nobody noticed")])

    code = await Walkthrough(bench.session, script, said.append, TARGET).run()

    assert bench.session.closed
    assert said[-1] == "Closed and signed. The record is final; preflight verify checks it."
    assert code == 0


async def test_who_is_asked_for_go_again_is_told_why(walked: Walked) -> None:
    bench = await walked("applied")
    bench.clock.at += timedelta(minutes=31)
    go = CHECKLIST.step("go")

    assert bench.session.status_of(go) is Status.PENDING
    told = "\n".join(text.question(bench.session, go))
    assert "so far: · The signed GO has expired; sign it again" in told
