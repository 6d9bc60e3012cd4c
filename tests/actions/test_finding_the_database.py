"""A database without an id is found by its name, through wrangler, and frozen by its uuid."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from actions.fake_target import Bench
from d1_preflight.actions.context import Environment
from d1_preflight.actions.target import confirm_identity, find_database, observe
from d1_preflight.core.errors import ProjectError, RemoteFailed
from d1_preflight.core.ports import Emit, Evidence, silent
from d1_preflight.core.project.wrangler_config import Database

ONE, TWO = "a1b2c3d4-0000-4000-8000-000000000001", "a1b2c3d4-0000-4000-8000-000000000002"


@dataclass
class Listing:
    """A wrangler that lists the account's databases."""

    stdout: str
    exit_code: int = 0
    version: str = "4.164.0"
    calls: list[tuple[str, ...]] = field(default_factory=list)

    async def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        emit: Emit = silent,
        keep: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as the port has it
        protect: bool = False,
    ) -> Evidence:
        assert (cwd, emit, keep, protect) == (cwd, silent, None, False)
        assert timeout
        self.calls.append(tuple(args))
        return Evidence(tuple(args), self.exit_code, 1, stdout=self.stdout, shown=self.stdout)

    def is_writing(self) -> bool:
        return False

    def recover(self, step: str) -> tuple[Evidence, ...]:
        raise NotImplementedError(step)


def shelf(*found: tuple[str, str]) -> str:
    items = [{"uuid": uuid, "name": name, "version": "production"} for uuid, name in found]
    return f"There is a newer version\n{json.dumps(items, indent=2)}\n"


def nameless(tmp_path: Path, wrangler: Listing, name: str = "shop") -> Environment:
    environment = Bench(tmp_path).environment()
    database = Database("MY_DB", name)
    config = replace(environment.project.config, databases=(database,))
    project = replace(environment.project, config=config, database=database)
    return replace(environment, project=project, wrangler=wrangler)


async def test_the_uuid_is_that_of_the_name(tmp_path: Path) -> None:
    wrangler = Listing(shelf((TWO, "shop-staging"), (ONE, "shop")))

    assert await find_database(nameless(tmp_path, wrangler)) == ONE
    assert wrangler.calls[0][:4] == ("d1", "list", "--json", "--config")


async def test_a_database_that_the_deploy_made_is_found_by_worker_and_binding(
    tmp_path: Path,
) -> None:
    wrangler = Listing(shelf((ONE, "workway-api-my-db"), (TWO, "shop")))

    assert await find_database(nameless(tmp_path, wrangler, "MY_DB")) == ONE


@pytest.mark.parametrize(
    ("stdout", "words"),
    [
        (shelf((ONE, "shop"), (TWO, "shop")), f"2 databases are named shop: {ONE}, {TWO}"),
        (shelf((ONE, "other")), "no database named shop"),
        (shelf(), "no database named shop"),
        ("[{}]", "could not be read"),
        ("Not logged in.", "could not be read"),
    ],
)
async def test_what_names_no_one_database_is_refused(
    tmp_path: Path, stdout: str, words: str
) -> None:
    with pytest.raises(RemoteFailed, match=words) as caught:
        await find_database(nameless(tmp_path, Listing(stdout)))
    assert caught.value.hint


async def test_a_refused_list_is_said_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(RemoteFailed):
        await find_database(nameless(tmp_path, Listing("Authentication error [code: 10000]", 1)))


@pytest.mark.parametrize("target", ["remote", "practice"])
@pytest.mark.parametrize("placeholder", ["${D1_ID}", "local", "<id>", "0000"])
async def test_a_placeholder_is_named_before_anything_is_sent(
    tmp_path: Path, placeholder: str, target: str
) -> None:
    wrangler = Listing("[]")
    environment = replace(nameless(tmp_path, wrangler), target=target)
    database = replace(environment.project.database, id=placeholder)
    project = replace(environment.project, database=database)

    with pytest.raises(ProjectError, match="is a placeholder"):
        await confirm_identity(replace(environment, project=project))
    with pytest.raises(ProjectError, match="is a placeholder"):
        await observe(replace(environment, project=project))
    assert wrangler.calls == []
