"""Practice lays down projects as other tools make them; each is walked to the end."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from d1_preflight.adapters.git.door import ask_git
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.commands.adoption import ADOPTION, Adoption
from d1_preflight.commands.practice import _LIKE
from d1_preflight.core.analysis import baseline_schema
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import ComparedFacts
from d1_preflight.practice.project import migrations
from d1_preflight.practice.run import start
from d1_preflight.practice.shapes import SHAPES, Like
from d1_preflight.project_context import ProjectContext, open_context
from d1_preflight.session import Session
from flow.walking import PatientClock, walk_to

Open = Callable[[Like], ProjectContext]
NEXT = "0057"


@pytest.fixture
def like(tmp_path: Path) -> Iterator[Open]:
    """Opens a practice project of a shape, from the checkout's top folder."""
    with ExitStack() as stack:

        def opened(like: Like) -> ProjectContext:
            folder = tmp_path / "project"
            running = stack.enter_context(start(folder, next=NEXT, ask_git=ask_git, like=like))
            environ = {"PATH": os.environ["PATH"], **running.environment}
            return open_context(start=folder, environ=environ, target="practice")

        yield opened


def next_of(like: Like) -> str:
    return next(SHAPES[like].named(m) for m in migrations() if m.name.startswith(NEXT))


def with_clock(session: Session) -> Session:
    return Session(
        session.checklist, replace(session.environment, clock=PatientClock()), session.actions
    )


def test_the_shapes_are_those_that_the_command_offers() -> None:
    assert set(_LIKE) == {like.value for like in SHAPES}


IN_THE_SUITE = (Like.DRIZZLE, Like.MONOREPO, Like.ADOPT)
"""A journal, a home below the top folder, no ledger; the others differ by names alone."""


@pytest.mark.parametrize(
    "shape",
    [pytest.param(s, marks=() if s in IN_THE_SUITE else pytest.mark.matrix) for s in SHAPES],
)
def test_every_shape_opens_from_its_top_folder(like: Open, shape: Like) -> None:
    context = like(shape)

    names = [file.name for file in context.files()]

    assert next_of(shape) in names
    assert all(isinstance(file, Migration) for file in context.files())
    assert len(names) == len(migrations()) - (shape is Like.ADOPT)


async def walked(context: ProjectContext, shape: Like) -> ProjectContext:
    """The project's next migration, walked to its close; before it, the adoption."""
    if shape is Like.ADOPT:
        session = with_clock(
            context.adoption(Adoption(context).next(context.project.database.name))
        )
        await walk_to(session, given={"ran": ()})
        assert session.closed
        compared = ComparedFacts.from_attempt(session.attempt("compared"))
        states = {f.file[:4]: f.applied for f in compared.files}
        assert {s for name, s in states.items() if name < NEXT} == {"applied"}
        assert {s for name, s in states.items() if name >= NEXT} <= {"not applied", "unknown"}
        assert states[NEXT] == "not applied"
        Adoption(context).finish(session)
        session.close()
        context = replace(
            open_context(start=context.project.root, environ=context.environ, target="practice"),
            _toolchain=context._toolchain,
        )
    session = with_clock(context.session(next_of(shape)))
    await walk_to(session)
    assert session.closed
    session.close()
    return context


@pytest.mark.wrangler
@pytest.mark.matrix
@pytest.mark.parametrize("shape", [like for like in SHAPES if like is not Like.SAMPLE])
async def test_every_shape_is_walked_to_the_end(
    like: Open, wrangler_command: Toolchain, shape: Like
) -> None:
    context = replace(like(shape), _toolchain=wrangler_command)

    context = await walked(context, shape)

    if shape is Like.ADOPT:
        assert Adoption(context).next(context.project.database.name) != ADOPTION
        baseline = context.project.root / context.project.settings.lint.baseline
        made = baseline_schema(Migration.from_text("baseline.sql", baseline.read_text()))
        assert set(made.tables) == {"users", "sessions"}
