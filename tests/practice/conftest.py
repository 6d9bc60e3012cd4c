"""A laid-down practice project, served; and a client that speaks to it without wrangler."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from commands.served_practice import laid_down
from d1_preflight.practice import run
from d1_preflight.practice.run import Practice
from d1_preflight.practice.state import ACCOUNT_ID, DATABASE_ID

Laid = Callable[[Path], Path]
"""Copies the project to a folder; its state."""
TRUSTED = httpx.create_ssl_context()


@dataclass(frozen=True)
class Client:
    """Calls the stand-in as wrangler does."""

    running: Practice
    http: httpx.Client

    @property
    def api(self) -> str:
        return self.running.environment["CLOUDFLARE_API_BASE_URL"]

    @property
    def anybody(self) -> httpx.Client:
        """Calls without the token."""
        return httpx.Client(verify=TRUSTED)

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        address = f"{self.api}/accounts/{ACCOUNT_ID}{path}"
        return self.http.request(method, address, json=body)

    def d1(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self.call(method, f"/d1/database/{DATABASE_ID}{path}", body)

    def query(self, sql: str) -> httpx.Response:
        return self.d1("POST", "/query", {"sql": sql})

    def rows(self, sql: str) -> list[dict[str, Any]]:
        answer = self.query(sql).json()
        assert answer["success"], answer
        found: list[dict[str, Any]] = answer["result"][-1]["results"]
        return found

    def count(self, table: str) -> int:
        number: int = self.rows(f'SELECT count(*) AS n FROM "{table}"')[0]["n"]
        return number

    def apply(self, number: str) -> httpx.Response:
        """What `migrations apply` sends for one file of the project."""
        (file,) = (self.running.project / "migrations").glob(f"{number}_*.sql")
        insert = f"\nINSERT INTO \"d1_migrations\" (name)\nvalues ('{file.name}');"
        return self.query(file.read_text() + insert)

    def ledger(self) -> list[str]:
        return [row["name"] for row in self.rows("SELECT name FROM d1_migrations ORDER BY id")]

    def bookmark(self) -> str:
        mark: str = self.d1("GET", "/time_travel/bookmark").json()["result"]["bookmark"]
        return mark

    def worker(self, path: str, token: str | None = None) -> httpx.Response:
        known = token or self.running.environment["WORKWAY_API_TOKEN"]
        address = f"{self.running.server.origin}/worker/workway-api{path}"
        return self.http.get(address, headers={"Authorization": f"Bearer {known}"})

    def graphql(self, query: str, **variables: object) -> dict[str, Any]:
        body = {"query": query, "variables": {"account": ACCOUNT_ID, **variables}}
        answer: dict[str, Any] = self.http.post(f"{self.api}/graphql", json=body).json()
        return answer


def client_of(running: Practice) -> Client:
    token = running.environment["CLOUDFLARE_API_TOKEN"]
    return Client(
        running, httpx.Client(headers={"Authorization": f"Bearer {token}"}, verify=TRUSTED)
    )


@pytest.fixture
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*run.REAL_LOGINS, *run.OTHER_ADDRESSES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def laid() -> Laid:
    """A practice project, laid down once: each test has a copy of it."""

    def copied(folder: Path) -> Path:
        return shutil.copytree(laid_down(), folder) / ".practice"

    return copied


@pytest.fixture
def client(tmp_path: Path, no_login: None, laid: Laid) -> Iterator[Client]:  # noqa: ARG001 - for its effect
    laid(tmp_path / "project")
    with run.start(tmp_path / "project", next="0061") as running:
        yield client_of(running)
