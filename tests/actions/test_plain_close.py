"""The plain walk's last step: the close, and how the walk says that it is over."""

from actions.conftest import Walked
from d1_preflight.core.checklist.answers import KEPT
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
