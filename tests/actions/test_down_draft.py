"""A down draft is offered only if it would be read as a down migration."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import apsw

from core.record_values import Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.rollback import DRAFT, NONE, down_prompts, write_down
from d1_preflight.core.checklist.checklist import Answer, still_asked
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.record import Status
from d1_preflight.core.schema.schema import Schema

CHECKLIST = shipped_checklist()
BEFORE = "CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT)"


@dataclass
class DownFiles:
    """A project whose down migration is read as the real one: comments are none."""

    text: str = ""
    ending: str = ""
    written: list[str] = field(default_factory=list)

    def down(self, stem: str) -> Migration | None:
        found = Migration.from_text(f"down/{stem}.sql", self.text)
        return None if found.is_blank else found

    def down_path(self, stem: str) -> Path:
        return Path(f"/project/migrations/down/{stem}.sql")

    def write_down(self, stem: str, text: str) -> Path:
        self.written.append(text)
        self.text = text + self.ending
        return self.down_path(stem)


@dataclass
class Schemas:
    """The schema before and after, where the rehearsal left them."""

    before: Schema
    after: Schema

    def file(self, _persist: Path) -> Path:
        return Path(__file__)

    def schema(self, persist: Path) -> Schema:
        return self.before if "copy" in persist.parts else self.after


def schema(sql: str) -> Schema:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    found = Schema.from_connection(connection)
    connection.close()
    return found


def work_on(sql: str, files: DownFiles, **answers: Answer) -> StepContext:
    migration = Migration.from_text("0061_mend_teams.sql", sql)
    environment = SimpleNamespace(
        files=files,
        local=Schemas(schema(BEFORE), schema(f"{BEFORE}; {sql}")),
        migration=lambda: migration,
        name=migration.name,
        stem=migration.stem,
        workspace=Path("/project/.preflight/shop/0061_mend_teams"),
        copy=Path("/project/.preflight/shop/copy/d1"),
        project=SimpleNamespace(
            root=Path("/project"), database=SimpleNamespace(migrations_dir="migrations")
        ),
    )
    return StepContext(
        environment=cast("Environment", environment),
        record=Walk(CHECKLIST).record, checklist=CHECKLIST,
        kind=Kind.TRANSFORMATIVE, step=CHECKLIST.step("down_written"), answers=answers,
    )  # fmt: skip


UPDATE = "UPDATE teams SET name = upper(name);"
RENAME = "ALTER TABLE teams RENAME COLUMN name TO title;"


def test_a_draft_of_comments_alone_is_not_offered_but_says_why() -> None:
    asked, why = down_prompts(work_on(UPDATE, DownFiles()))

    assert still_asked(why, {"down": NONE})
    assert asked.choices == (NONE,)
    assert "No statement undoes it" in asked.label
    assert "only a backup has" in asked.help


async def test_a_draft_of_comments_alone_is_not_proved_if_it_is_asked_for() -> None:
    files = DownFiles()

    outcome = await write_down(work_on(UPDATE, files, down=DRAFT))

    assert outcome.status is Status.FAILED
    assert files.written == []


async def test_a_draft_that_undoes_something_is_offered_and_reads_back_as_written() -> None:
    files = DownFiles()
    asked, why = down_prompts(work_on(RENAME, files))
    assert asked.choices == (DRAFT, NONE)
    assert not still_asked(why, {"down": DRAFT})

    outcome = await write_down(work_on(RENAME, files, down=DRAFT))

    found = files.down("0061_mend_teams")
    assert outcome.status is Status.PROVED
    assert found is not None
    assert outcome.wrote == {"down": found.sha256}
    assert down_prompts(work_on(RENAME, files)) == ()


async def test_that_there_is_none_needs_its_reason() -> None:
    unsaid = await write_down(work_on(RENAME, DownFiles(), down=NONE))
    said = await write_down(work_on(RENAME, DownFiles(), down=NONE, no_down="rows are in backup"))

    assert unsaid.status is Status.UNKNOWN
    assert said.status is Status.ATTESTED
    assert "rows are in backup" in said.words


async def test_what_reads_otherwise_than_it_was_written_is_not_proved() -> None:
    files = DownFiles(ending="-- another hand\n")

    outcome = await write_down(work_on(RENAME, files, down=DRAFT))

    assert outcome.status is Status.FAILED
    assert "differs from what was written" in outcome.words
