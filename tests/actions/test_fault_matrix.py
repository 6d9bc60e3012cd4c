"""Every call of a walk × every fault: nothing is proved by a broken answer, nothing is sent twice.

The suite tries a part of them, `-m matrix` all; `-s` prints how many were tried.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from actions.conftest import Walked
from actions.fake_target import CHECKLIST, NAME, Answer, Bench, cut, failed, lost
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.record import Attempt, Status
from sampling import sampled

LOWER = "UPDATE members SET role = lower(role);\n"
WALKS = {"destructive": "ALTER TABLE teams DROP COLUMN old;\n", "transformative": LOWER}
_TRIES = 4
_COMMANDS = ("info", "read", "bookmark", "export", "apply", "deployments", "rehearse", "down")
# The copy of the rows is the backup; an export that failed says so beside it.
_VOLATILE = frozenset({
    "rows_read", "rows_written",
    "export", "sql_ms", "predicted_ms", "wrangler_ms", "ms", "by", "exit_code",
})  # fmt: skip


def says(text: str, code: int = 0) -> Answer:
    """The program ends with this code and says this instead."""
    return lambda ran: replace(ran, exit_code=code, stdout=text, shown=text)


def half(ran: Evidence) -> Evidence:
    """The answer stops in its middle."""
    text = ran.stdout[: len(ran.stdout) // 2]
    return replace(ran, stdout=text, shown=ran.shown[: len(ran.shown) // 2])


def unsuccessful(ran: Evidence) -> Evidence:
    """Exit code 0 over an answer that says that it failed."""
    return replace(ran, stdout=ran.stdout.replace('"success": true', '"success": false'))


def shorter(ran: Evidence) -> Evidence:
    """The last result of a batch is missing."""
    try:
        value = json.loads(ran.stdout)
    except ValueError:
        return replace(ran, stdout="")
    return replace(ran, stdout=json.dumps(value[:-1] if isinstance(value, list) else {}))


FAULTS: Mapping[str, Answer] = {
    "cut": cut,
    "killed": lost,
    "refused": failed("no such table: members: SQLITE_ERROR"),
    "overloaded": failed("D1 DB is overloaded. Requests queued for too long."),
    "not authorized": failed("Authentication error [code: 10000]"),
    "html": says("<html><body>502 Bad Gateway</body></html>"),
    "nothing": says(""),
    "an empty list": says("[]"),
    "null": says("null"),
    "another shape": says('{"success": true, "result": []}'),
    "half": half,
    "one result less": shorter,
    "unsuccessful": unsuccessful,
    "a whole answer and exit code 1": lambda ran: replace(ran, exit_code=1),
}


def at_call(bench: Bench, index: int, fault: Answer) -> None:
    """Let the call of that number alone answer so."""

    def answer(ran: Evidence) -> Evidence:
        return fault(ran) if len(bench.target.calls) == index else ran

    bench.target.instead = dict.fromkeys(_COMMANDS, answer)


def stable(attempt: Attempt) -> Mapping[str, object]:
    """What a step found, without what differs from try to try."""
    return {key: value for key, value in attempt.facts.items() if key not in _VOLATILE}


async def steps_with_calls(walked: Walked, kind: str) -> list[tuple[str, int, Attempt]]:
    """The steps that call wrangler: (id, number of calls, the undisturbed attempt)."""
    found = []
    bench = await walked("applied", WALKS[kind], kind)
    for step in bench.session.path:
        bench = await walked(step.id, WALKS[kind], kind)
        attempt = await bench.step(step.id)
        if bench.target.calls:
            found.append((step.id, len(bench.target.calls), attempt))
    return found


async def try_fault(walked: Walked, kind: str, clean: Attempt, index: int, name: str) -> None:
    """One fault at one call of a step, then the same step until it is answered."""
    step = clean.step
    bench = await walked(step, WALKS[kind], kind)
    at_call(bench, index, FAULTS[name])
    where = f"{kind}: {step}, call {index}, {name}"

    attempt = await bench.step(step)

    if attempt.status is Status.PROVED:
        assert stable(attempt) == stable(clean), where
    for _ in range(_TRIES):
        if bench.session.status_of(CHECKLIST.step(step)).is_answered:
            break
        attempt = await bench.step(step)
    assert bench.session.status_of(CHECKLIST.step(step)).is_answered, f"{where}: {attempt.words}"
    rows = bench.query(f"SELECT count(*) FROM d1_migrations WHERE name = '{NAME}'")
    assert rows[0][0] == (1 if _is_after_apply(step) else 0), where
    assert bench.target.commands.count("apply") <= 1, where


def _is_after_apply(step: str) -> bool:
    ids = [other.id for other in CHECKLIST.steps]
    return ids.index(step) >= ids.index("applied")


async def _matrix(walked: Walked, kind: str, chosen: Callable[[int], bool]) -> str:
    tried = 0
    number = 0
    calls = 0
    for _, count, clean in await steps_with_calls(walked, kind):
        for index in range(1, count + 1):
            calls += 1
            for name in FAULTS:
                number += 1
                if chosen(number):
                    await try_fault(walked, kind, clean, index, name)
                    tried += 1
    return f"{kind}: {calls} calls × {len(FAULTS)} faults, {tried} tried, 0 failed"


@pytest.mark.matrix
@pytest.mark.parametrize("kind", sorted(WALKS))
async def test_no_broken_answer_proves_anything(walked: Walked, kind: str) -> None:
    print(await _matrix(walked, kind, lambda _: True))


@pytest.mark.parametrize(
    ("step", "index", "name"),
    sampled(
        [
            ("rehearsed", 1, "killed"),
            ("bookmark", 1, "html"),
            ("applied", 2, "half"),
            ("applied", 4, "a whole answer and exit code 1"),
            ("schema", 2, "unsuccessful"),
        ],
        2,
    ),
)
async def test_some_broken_answers_prove_nothing(
    walked: Walked, step: str, index: int, name: str
) -> None:
    bench = await walked(step, WALKS["transformative"], "transformative")
    clean = await bench.step(step)
    assert len(bench.target.calls) >= index
    await try_fault(walked, "transformative", clean, index, name)
