"""`doctor` says what the login may do on D1: a token is tried by a read, a login by its scopes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.asked_doctor import asked
from commands.served_practice import served
from d1_preflight.commands.checks import Check
from d1_preflight.commands.doctor import examine
from d1_preflight.core.record.record import Status
from d1_preflight.practice.api import API_TOKEN
from d1_preflight.practice.faults import Fault
from d1_preflight.practice.server import Server
from d1_preflight.practice.state import ACCOUNT_ID, DATABASE_ID, DATABASE_NAME

TOKEN = "canary-27182818284590"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("served") / "practice") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """It answers as it should, and no test changes its database."""
    running.faults.set([])
    running.requests.clear()
    return running


def access(folder: Path, id_: str, **environ: str) -> Check | None:
    text = f'account_id = "{ACCOUNT_ID}"\n[[d1_databases]]\nbinding = "DB"\n'
    text += f'database_name = "{DATABASE_NAME}"\ndatabase_id = "{id_}"\n'
    (folder / "wrangler.toml").write_text(text)
    env = {"HOME": str(folder / "home"), "PATH": "", **environ}
    checks = list(examine(asked(), folder, env))
    assert TOKEN not in repr(checks)
    return next((check for check in checks if check.title == "D1 access"), None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


def login(folder: Path, text: str) -> None:
    path = folder / "home" / ".config" / ".wrangler" / "config" / "default.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_a_login_is_judged_by_its_scopes(folder: Path) -> None:
    login(folder, f'oauth_token = "{TOKEN}"\nscopes = ["account:read", "d1:write"]\n')

    found = access(folder, DATABASE_ID)
    assert found is not None
    assert found.status is Status.PROVED


@pytest.mark.parametrize(
    ("text", "status"),
    [('scopes = ["account:read"]\n', Status.FAILED), ("not toml", Status.UNKNOWN)],
)
def test_a_login_without_the_scope_is_no_access(folder: Path, text: str, status: Status) -> None:
    login(folder, text)

    found = access(folder, DATABASE_ID)
    assert found is not None
    assert found.status is status
    assert found.fix


def test_without_any_login_nothing_is_asked(folder: Path) -> None:
    assert access(folder, DATABASE_ID) is None


@pytest.mark.parametrize(
    ("uuid", "fault", "found"),
    [
        (DATABASE_ID, "", (Status.PROVED, "may read and change")),
        (DATABASE_ID, "forbidden", (Status.FAILED, "no right on D1")),
        (DATABASE_ID, "forbidden,count=1", (Status.FAILED, "may read D1 and not change it")),
        pytest.param(
            DATABASE_ID, "server-error", (Status.UNKNOWN, "answered 500"), marks=pytest.mark.matrix
        ),
        (DATABASE_ID.replace("3", "4"), "", (Status.FAILED, "no database of this id")),
        ("local", "", (Status.UNKNOWN, "not asked")),
        pytest.param("", "", (Status.UNKNOWN, "not asked"), marks=pytest.mark.matrix),
    ],
)
def test_a_token_is_tried_by_a_read(
    folder: Path, server: Server, uuid: str, fault: str, found: tuple[Status, str]
) -> None:
    server.faults.set([Fault.parse(fault)] if fault else [])
    base = f"{server.origin}/client/v4"

    check = access(folder, uuid, CLOUDFLARE_API_TOKEN=API_TOKEN, CLOUDFLARE_API_BASE_URL=base)
    assert check is not None
    assert (check.status, found[1] in check.words) == (found[0], True), check.words


def test_an_api_of_a_checkouts_dotenv_is_never_sent_the_token(folder: Path, server: Server) -> None:
    (folder / ".env").write_text(f"CLOUDFLARE_API_BASE_URL={server.origin}/client/v4\n")

    found = access(folder, DATABASE_ID, CLOUDFLARE_API_TOKEN=TOKEN)
    assert found is not None
    assert found.status is Status.UNKNOWN
    assert not server.requests
