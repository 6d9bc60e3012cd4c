"""Whatever a .env says, all calls of a walk go to the one database that GO names by its uuid."""

import json
import os
import shutil
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from d1_preflight.adapters.git.door import ask_git
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.record.record import Status
from d1_preflight.practice.run import Practice, start
from d1_preflight.practice.state import DATABASE_ID, DATABASE_NAME, Cloud
from d1_preflight.project_context import ProjectContext, open_context
from flow.walking import open_session, walk_to

pytestmark = pytest.mark.wrangler
ADDITIVE = "0057_add_team_billing_columns.sql"
REBUILD = "0061_rebuild_teams_remove_deprecated.sql"
TWIN_ID = "d00d0000-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
LOGIN = ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_BASE_URL")


@dataclass(frozen=True)
class Twins:
    """A project with two databases of one name, and the stand-in that serves both."""

    folder: Path
    running: Practice
    environ: dict[str, str]
    toolchain: Toolchain

    def context(self, environment: str | None) -> ProjectContext:
        return replace(
            open_context(start=self.folder, environ=self.environ, environment=environment),
            _toolchain=self.toolchain,
        )

    def by_uuid(self) -> Counter[str]:
        asked = (request.split("/d1/database/") for request in self.running.server.requests)
        return Counter(parts[1].split("/")[0] for parts in asked if len(parts) > 1)


OpenTwins = Callable[..., Twins]


@pytest.fixture
def twins(tmp_path: Path, wrangler_command: Toolchain) -> Iterator[OpenTwins]:
    """Lays the project down: the login stands in .env alone, beside what chooses an environment."""
    with ExitStack() as stack:

        def lay(top: str, named: str, dotenv: str, toolchain: Toolchain | None = None) -> Twins:
            folder = tmp_path / "project"
            running = stack.enter_context(start(folder, next="0057", ask_git=ask_git))
            shutil.copytree(folder / ".practice", tmp_path / "twin")
            running.server.api.serve(TWIN_ID, Cloud(tmp_path / "twin", uuid=TWIN_ID))
            entry = {"binding": "DB", "database_name": DATABASE_NAME}
            environment = {"other": {"d1_databases": [entry | {"database_id": named}]}}
            text = {"name": "workway-api", "d1_databases": [entry | {"database_id": top}]}
            (folder / "wrangler.jsonc").write_text(json.dumps({**text, "env": environment}))
            variables = {"PATH": os.environ["PATH"], **running.environment}
            login = "".join(f"{name}={variables.pop(name)}\n" for name in LOGIN)
            (folder / ".env").write_text(f"{login}{dotenv}")
            return Twins(folder, running, variables, toolchain or wrangler_command)

        yield lay


async def walk(
    found: Twins, environment: str | None, stop: str = "", name: str = REBUILD
) -> tuple[str, Counter[str]]:
    """Walk a migration; the uuid that GO names, and how often each was asked."""
    session, _ = open_session(found.context(environment), name)
    await walk_to(session, stop)
    go = tomllib.loads((session.environment.store.read("go.toml") or b"").decode())
    assert go["database"]["target"] == "practice"
    requests = found.by_uuid()
    print(f"{found.toolchain.wrangler_version}: GO {go['database']['id'][:8]}, {dict(requests)}")
    session.close()
    return go["database"]["id"], requests


async def test_a_dotenv_that_names_another_environment_leads_no_call_to_it(
    twins: OpenTwins,
) -> None:
    found = twins(DATABASE_ID, TWIN_ID, "CLOUDFLARE_ENV=other\n")

    signed, requests = await walk(found, "", "ledger", ADDITIVE)

    assert signed == DATABASE_ID
    assert set(requests) == {DATABASE_ID}
    assert requests[DATABASE_ID] > 5


async def test_a_database_that_says_another_uuid_is_refused_before_anything_is_believed(
    twins: OpenTwins, tmp_path: Path
) -> None:
    found = twins(DATABASE_ID, TWIN_ID, "")
    found.running.server.api.serve(DATABASE_ID, Cloud(tmp_path / "twin", uuid=TWIN_ID))
    session, _ = open_session(found.context(None), REBUILD)

    attempt = await session.perform(session.checklist.step("copied"), {})

    assert attempt.status is Status.UNKNOWN
    assert f"asked {DATABASE_ID} and got the database {TWIN_ID}" in attempt.words
    assert session.environment.cache.observation is None
    assert not session.environment.local.file(session.environment.copy).exists()
    session.close()


@pytest.mark.matrix
@pytest.mark.parametrize("version", ["4.0.0", "4.50.0", "4.90.0", "4.120.0", "4.164.0"])
@pytest.mark.parametrize("ids", [(DATABASE_ID, TWIN_ID), (TWIN_ID, DATABASE_ID)])
@pytest.mark.parametrize("flag", [None, "", "other"])
async def test_every_wrangler_asks_the_database_of_go_alone(
    twins: OpenTwins,
    wrangler_of: Callable[[str], Awaitable[Toolchain]],
    version: str,
    ids: tuple[str, str],
    flag: str | None,
) -> None:
    top, named = ids
    found = twins(top, named, "CLOUDFLARE_ENV=other\n", await wrangler_of(version))
    settings = found.folder / "preflight.toml"
    command = f'\n[wrangler]\ncommand = "{found.toolchain.argv[-1]}"\n'
    settings.write_text(settings.read_text() + command)

    signed, requests = await walk(found, flag)

    reads = tuple(int(part) for part in version.split(".")) >= (4, 51, 0)
    other = flag == "other" or (flag is None and reads)
    assert signed == (named if other else top)
    assert set(requests) == {signed}
