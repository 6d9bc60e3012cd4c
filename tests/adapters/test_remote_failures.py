"""How the real wrangler fails against an API that fails, and what people are told of it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapters.test_real_wrangler import CONFIG
from d1_preflight.adapters.wrangler.redaction import MASK
from d1_preflight.adapters.wrangler.runner import RealWrangler
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.ports import Evidence
from d1_preflight.core.target.wrangler_output import explain_failure

pytestmark = pytest.mark.wrangler
TOKEN = "canary-token-3f9a77b2c4"
ACCOUNT = "0123456789abcdef0123456789abcdef"


@dataclass
class Api:
    """A stand-in that answers every request with one failure."""

    url: str
    status: int = 500
    body: str = ""
    retry_after: str = ""
    known: dict[str, object] = field(default_factory=dict)

    def fail(self, status: int, code: int, message: str) -> None:
        error = {"code": code, "message": message}
        answer = {"success": False, "errors": [error], "messages": [], "result": None}
        self.status, self.body = status, json.dumps(answer)


def envelope(result: object) -> str:
    return json.dumps({"success": True, "errors": [], "messages": [], "result": result})


@pytest.fixture
def api() -> Iterator[Api]:
    state = Api("")

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            path = self.path.partition("?")[0].removeprefix("/client/v4")
            known = state.known.get(path)
            self.send_response(state.status if known is None else 200)
            if state.retry_after:
                self.send_header("Retry-After", state.retry_after)
            self.end_headers()
            self.wfile.write((state.body if known is None else envelope(known)).encode())

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}/client/v4"
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@dataclass
class Remote:
    """The real wrangler, pointed at the failing API."""

    chain: Toolchain
    environ: dict[str, str]
    folder: Path

    async def run(self, api_url: str, *words: str) -> Evidence:
        environ = {
            **self.environ,
            "CLOUDFLARE_API_BASE_URL": api_url,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
        }
        wrangler = RealWrangler(
            lambda: self.chain, self.folder / "evidence", self.folder / "raw", environ
        )
        config = f"--config={self.folder / 'wrangler.jsonc'}"
        return await wrangler.run((*words, config), cwd=self.folder, keep="01-x")

    async def execute(self, api_url: str) -> str:
        words = ("d1", "execute", "shop-db", "--remote", "--json", "--command=SELECT 1")
        evidence = await self.run(api_url, *words)
        assert evidence.exit_code == 1
        return explain_failure(evidence).message

    async def bookmark(self, api_url: str) -> str:
        evidence = await self.run(api_url, "d1", "time-travel", "info", "shop-db", "--json")
        assert evidence.exit_code == 1
        return explain_failure(evidence).message

    @property
    def saved(self) -> str:
        return "".join(path.read_text() for path in (self.folder / "evidence").iterdir())


@pytest.fixture
def remote(tmp_path: Path, wrangler_command: Toolchain, quiet_environ: dict[str, str]) -> Remote:
    (tmp_path / "wrangler.jsonc").write_text(CONFIG)
    return Remote(wrangler_command, quiet_environ, tmp_path)


async def test_a_refused_token_is_named_and_the_account_stays_out(api: Api, remote: Remote) -> None:
    api.fail(403, 10000, "Authentication error")
    assert "refused the login" in await remote.execute(api.url)
    assert "refused the login" in await remote.bookmark(api.url)
    assert TOKEN not in remote.saved
    assert ACCOUNT not in remote.saved


async def test_what_wrangler_tells_of_the_account_is_masked(api: Api, remote: Remote) -> None:
    """After a refusal wrangler runs whoami by itself and prints it, with --json too."""
    api.fail(403, 10000, "Authentication error")
    account = {"id": ACCOUNT, "name": "canary@example.com's Account"}
    api.known = {
        "/user": {"id": "u", "email": "canary@example.com"},
        "/user/tokens/verify": {"id": "t", "status": "active"},
        "/accounts": [account],
        "/memberships": [{"id": "m", "account": account}],
    }
    evidence = await remote.run(api.url, "d1", "time-travel", "info", "shop-db", "--json")
    assert ACCOUNT in evidence.stdout
    assert "canary@" not in remote.saved
    assert ACCOUNT not in remote.saved
    assert MASK in remote.saved


async def test_a_refused_statement_gives_the_databases_reason(api: Api, remote: Remote) -> None:
    api.fail(400, 7500, "no such table: absent: SQLITE_ERROR")
    told = "The database refused the statement: no such table: absent: SQLITE_ERROR."
    assert await remote.execute(api.url) == told
    assert await remote.bookmark(api.url) == told


async def test_slow_down_is_named(api: Api, remote: Remote) -> None:
    api.fail(429, 971, "Please wait and consider throttling your request speed")
    api.retry_after = "7"
    assert "limits the request rate" in await remote.execute(api.url)
    assert "limits the request rate" in await remote.bookmark(api.url)


async def test_an_api_that_fails_is_named(api: Api, remote: Remote) -> None:
    api.status, api.body = 502, "<html>Bad gateway</html>"
    assert "Cloudflare's API is failing" in await remote.execute(api.url)
    assert "Cloudflare's API is failing" in await remote.bookmark(api.url)


async def test_an_internal_error_is_told_in_the_apis_words(api: Api, remote: Remote) -> None:
    api.fail(500, 7500, "internal error; reference = abc")
    told = "D1 could not run the query: internal error; reference = abc."
    assert await remote.execute(api.url) == told


async def test_an_api_that_cannot_be_reached_is_named(remote: Remote) -> None:
    nobody = "http://127.0.0.1:1/client/v4"
    assert "could not be reached" in await remote.execute(nobody)
    assert "could not be reached" in await remote.bookmark(nobody)
