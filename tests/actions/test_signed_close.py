"""What is signed at the close: the database agrees by ledger, schema and, for data, by values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import apsw
import pytest

from actions.fake_target import EARLIER, NAME, ROWS, UUID, Clock, FakeTarget
from core.record_values import ANA, KEYS, Walk, shipped_checklist
from d1_preflight.actions.close import close_prompts, sign_close
from d1_preflight.actions.context import Environment, Meter, StepContext
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT, ROLLED_BACK
from d1_preflight.core.checklist.checklist import Answer
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.findings import Analysis, Effects, Kind, Risk
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.schema.schema import Schema
from plain.fakes import MemoryStore, ReadySigner

if TYPE_CHECKING:
    from d1_preflight.core.record.apply_facts import CloseFacts

CHECKLIST = shipped_checklist()


class Hand(ReadySigner):
    """A hand that notes whether it was prepared."""

    prepared = 0

    def prepare(self) -> None:
        self.prepared += 1


@dataclass
class Closing:
    """A target on which a data migration was applied, and the copy of it from before."""

    folder: Path
    touched: tuple[str, ...] = ("teams",)
    has_copy: bool = True
    checklist_of_go: str = CHECKLIST.sha256
    target: FakeTarget = field(default_factory=lambda: FakeTarget(LocalDatabases(UUID)))
    signer: Hand = field(default_factory=lambda: Hand(KEYS, ANA))

    def __post_init__(self) -> None:
        self.before = self.target.connection.serialize("main")
        shop = apsw.Connection(":memory:")
        shop.execute(EARLIER)
        self.schema = Schema.from_connection(shop)
        self.target.apply(NAME, "SELECT 1")
        (self.folder / "file").touch()

    def file(self, persist: Path) -> Path:
        return self.folder / ("file" if self.has_copy else "gone") if persist else persist

    def schema_of(self, _: Path) -> Schema:
        return self.schema

    @contextmanager
    def attached(self, *, copy: Path) -> Iterator[apsw.Connection]:
        assert copy.is_file()
        connection = apsw.Connection(":memory:")
        connection.execute("ATTACH ':memory:' AS copy")
        connection.deserialize("copy", self.before)
        yield connection
        connection.close()

    def context(self, **answers: Answer) -> StepContext:
        mark = self.schema.fingerprint
        walk = Walk(CHECKLIST).answer("copied", facts={"schema": mark})
        walk.answer("rehearsed", facts={"schema_after": mark})
        walk.answer("go", Status.ATTESTED, facts={"checklist": self.checklist_of_go})
        walk.answer("applied")
        effects = Effects(tables_touched=self.touched)
        judged = Analysis(Kind.TRANSFORMATIVE, Risk.MEDIUM, "medium", effects=effects)
        config = WranglerConfig(self.folder / "wrangler.jsonc")
        project = Project(self.folder, config, Database("DB", "shop", UUID))
        environment = SimpleNamespace(
            project=project,
            target="remote",
            name=NAME,
            workspace=self.folder,
            copy=self.folder / "copy" / "d1",
            files=SimpleNamespace(target_config=lambda: self.folder / "one.json"),
            wrangler=self.target,
            cache=TargetCache(),
            meter=Meter(),
            clock=Clock(),
            store=MemoryStore(),
            signer=self.signer,
            local=SimpleNamespace(file=self.file, schema=self.schema_of, attached=self.attached),
            analysis=lambda: judged,
            prior_schema=lambda: self.schema,
        )
        return StepContext(
            environment=cast("Environment", environment),
            record=walk.record, checklist=CHECKLIST, kind=Kind.TRANSFORMATIVE,
            step=CHECKLIST.step("close"), answers={"verdict": "it is done", **answers},
        )  # fmt: skip

    async def ends(self, end: str, **answers: Answer) -> Outcome:
        return await sign_close(self.context(end=end, **answers))


@pytest.fixture
def closing(tmp_path: Path) -> Callable[..., Closing]:
    return lambda **more: Closing(tmp_path, **more)


Make = Callable[..., Closing]
CHANGE = "UPDATE teams SET name = 'other' WHERE id = 'a'"


async def test_what_was_kept_is_signed_with_the_schema_and_the_hand(closing: Make) -> None:
    place = closing()

    outcome = await place.ends(KEPT, prepare=True)

    assert (outcome.status, outcome.words) == (Status.ATTESTED, "it is done")
    facts = cast("CloseFacts", outcome.facts)
    assert (facts.end, facts.schema) == (KEPT, place.schema.fingerprint)
    # the walk took 3 min 30 s, and this clock stands: nothing is closed before its last answer
    assert (facts.signer, facts.closed_at) == (ANA, "2026-11-23T14:03:30Z")
    assert facts.tables == ()
    assert len(outcome.evidence) == 1
    assert place.signer.prepared == 1


async def test_a_key_is_made_only_by_consent_and_for_what_is_signed(closing: Make) -> None:
    asked, unasked = closing(), closing()

    await asked.ends(KEPT, prepare=False)
    unasked.target.connection.execute(f"DELETE FROM d1_migrations WHERE name = '{NAME}'")
    await unasked.ends(KEPT, prepare=True)

    assert (asked.signer.prepared, unasked.signer.prepared) == (0, 0)


async def test_without_its_ledger_row_nothing_was_kept(closing: Make) -> None:
    place = closing()
    place.target.connection.execute(f"DELETE FROM d1_migrations WHERE name = '{NAME}'")

    outcome = await place.ends(KEPT)

    assert outcome.status is Status.FAILED
    assert outcome.words.startswith(f"The ledger no longer has a row for {NAME}")
    assert cast("CloseFacts", outcome.facts).signer == ""


async def test_data_is_rolled_back_where_the_touched_values_are_those_from_before(
    closing: Make,
) -> None:
    place = closing()
    place.target.connection.execute("UPDATE members SET role = 'not touched'")

    outcome = await place.ends(ROLLED_BACK)

    assert outcome.status is Status.ATTESTED
    assert outcome.words.endswith(". it is done")
    assert len(outcome.evidence) == 2


@pytest.mark.parametrize(
    "write",
    [CHANGE, "UPDATE teams SET old = NULL", "INSERT INTO teams VALUES ('c', NULL, NULL)"],
)
async def test_data_whose_values_are_others_is_not_rolled_back(closing: Make, write: str) -> None:
    place = closing()
    place.target.connection.execute(write)

    outcome = await place.ends(ROLLED_BACK)

    assert outcome.status is Status.FAILED
    assert outcome.words.startswith("The values differ from before: ")
    assert "teams" in outcome.words
    assert "If rows were written since, choose “" in outcome.words


async def test_without_the_copy_the_values_are_unknown(closing: Make) -> None:
    outcome = await closing(has_copy=False).ends(ROLLED_BACK)

    assert outcome.status is Status.UNKNOWN
    assert "the values cannot be compared with those from before" in outcome.words


async def test_where_no_table_is_touched_no_values_are_asked_for(closing: Make) -> None:
    outcome = await closing(touched=(), has_copy=False).ends(ROLLED_BACK)

    assert outcome.status is Status.ATTESTED


async def test_values_too_long_to_be_asked_for_are_unknown(closing: Make) -> None:
    place = closing()
    connection = apsw.Connection(":memory:")
    connection.execute(EARLIER + ROWS)
    connection.execute("UPDATE teams SET name = ?, old = ?", ("x" * 900_000, "y" * 900_000))
    place.before = connection.serialize("main")

    outcome = await place.ends(ROLLED_BACK)

    assert outcome.status is Status.UNKNOWN
    assert outcome.words.startswith("teams holds rows too long to compare by a query.")


async def test_a_schema_that_shows_no_fix_needs_another_answer(closing: Make) -> None:
    """Both schemas are one here, so that they show nothing of the rows: a fix may be claimed."""
    outcome = await closing().ends(FIXED_MANUALLY)

    assert outcome.status is Status.ATTESTED
    assert outcome.words.endswith(". it is done")


async def test_a_close_needs_the_checklist_of_its_go(closing: Make) -> None:
    place = closing(checklist_of_go="d" * 64)

    with pytest.raises(NotAllowed, match="is not the checklist that GO was signed with") as refused:
        await place.ends(KEPT)

    assert "d" * 64 in refused.value.hint
    assert place.target.calls == []


def test_the_end_is_asked_with_every_answer(closing: Make) -> None:
    (end,) = close_prompts(closing().context())

    assert (end.key, end.choices) == ("end", (KEPT, ROLLED_BACK, FIXED_MANUALLY))
    assert len(end.labels) == 3
