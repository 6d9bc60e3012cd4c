"""Walks a session as an operator would, through the one door that both faces use."""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from d1_preflight.adapters.system import SystemClock
from d1_preflight.core.checklist.checklist import Prompt, PromptKind, Step
from d1_preflight.core.ports import Emit, Evidence, Wrangler, silent
from d1_preflight.core.record.record import Attempt
from d1_preflight.practice.run import Practice
from d1_preflight.practice.state import DATABASE_ID
from d1_preflight.project_context import ProjectContext
from d1_preflight.session import Session


@dataclass(slots=True)
class PatientClock:
    """The real time, except that waiting takes none: the watch is over at once."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead

    def monotonic(self) -> float:
        return SystemClock().monotonic() + self.ahead.total_seconds()

    def boot(self) -> str:
        return SystemClock().boot()

    async def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass(slots=True)
class CountingWrangler:
    """The real wrangler, and which commands it was given."""

    real: Wrangler
    calls: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def remote(self) -> list[tuple[str, ...]]:
        return [call for call in self.calls if "--local" not in call]

    async def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        emit: Emit = silent,
        keep: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the port's own
        protect: bool = False,
    ) -> Evidence:
        self.calls.append(tuple(args))
        return await self.real.run(
            args, cwd=cwd, emit=emit, keep=keep, timeout=timeout, protect=protect
        )

    @property
    def version(self) -> str:
        return self.real.version

    def is_writing(self) -> bool:
        return self.real.is_writing()

    def recover(self, step: str) -> tuple[Evidence, ...]:
        return self.real.recover(step)


def open_session(context: ProjectContext, name: str) -> tuple[Session, CountingWrangler]:
    """A session as the board opens it, with a clock that does not wait and a counted wrangler."""
    store = context.store(name).acquire()
    environment = context.environment(name, store)
    wrangler = CountingWrangler(environment.wrangler)
    environment = replace(environment, clock=PatientClock(), wrangler=wrangler)
    return Session(context.checklist, environment), wrangler


def answer(prompt: Prompt) -> object:
    """What an agreeable operator answers."""
    match prompt.kind:
        case PromptKind.TEXT:
            return prompt.typed or "checked, and acceptable here"
        case PromptKind.CONFIRM:
            return True
        case PromptKind.CHOOSE:
            return prompt.choices[0]
        case PromptKind.CHOOSE_MANY:
            return prompt.choices


def raw_answers(
    session: Session, step: Step, given: Mapping[str, object] | None = None
) -> dict[str, object]:
    return {p.key: (given or {}).get(p.key, answer(p)) for p in session.prompts(step)}


async def try_step(
    session: Session, step_id: str, given: Mapping[str, object] | None = None
) -> Attempt:
    step = session.checklist.step(step_id)
    return await session.perform(step, raw_answers(session, step, given))


async def walk_to(
    session: Session, stop: str = "", given: Mapping[str, object] | None = None
) -> None:
    """Perform step after step until `stop` is the current one ("": until nothing is open).

    A waivable step that fails is waived; any other failure stops the walk with its words.
    """
    while (step := session.current) is not None and step.id != stop:
        attempt = await session.perform(step, raw_answers(session, step, given))
        if attempt.status.is_answered:
            continue
        assert step.waivable, f"{step.id}: {attempt.status}: {attempt.words}"
        session.waive(step, "waived in a test")


def by_hand(running: Practice, sql: str) -> list[dict[str, object]]:
    """Run SQL on the practice database as a colleague would: past the wizard and the ledger."""
    environment = running.environment
    base, account = environment["CLOUDFLARE_API_BASE_URL"], environment["CLOUDFLARE_ACCOUNT_ID"]
    request = urllib.request.Request(  # noqa: S310 - the stand-in on 127.0.0.1
        f"{base}/accounts/{account}/d1/database/{DATABASE_ID}/query",
        data=json.dumps({"sql": sql}).encode(),
        headers={
            "Authorization": f"Bearer {environment['CLOUDFLARE_API_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        results = json.load(answer)["result"]
    rows: list[dict[str, object]] = results[-1]["results"]
    return rows


def in_ledger(running: Practice, name: str) -> int:
    """How often the practice ledger holds a migration."""
    counted = by_hand(running, f"SELECT count(*) AS n FROM d1_migrations WHERE name = '{name}'")
    return int(str(counted[0]["n"]))
