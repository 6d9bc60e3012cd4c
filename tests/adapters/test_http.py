"""Endpoints, webhook and analytics, asked of a server on this machine."""

import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from d1_preflight.adapters.http import EnvironmentWeb, graphql, post_webhook, probe, read_reply
from d1_preflight.core.errors import PreflightError, ProjectError, RemoteFailed, UsageError
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.project.settings import Notify, Settings, load_settings

SECRET = "canary-3f9a77"


@dataclass
class Server:
    """Answers every request alike and remembers what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.hold.set()


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.asked.append((self.command, self.path, headers, body))
            state.hold.wait(10)
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(state.body)

        do_GET = do_POST = do_HEAD = answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    yield state
    state.hold.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


async def test_an_endpoint_that_answers_as_expected_is_ok(server: Server) -> None:
    result = await probe(f"{server.url}/users", headers={"X-Probe": "1"})
    assert (result.status, result.ok) == (200, True)
    assert (server.asked[0][0], server.asked[0][2]["x-probe"]) == ("GET", "1")


async def test_another_status_is_not_ok_and_says_both(server: Server) -> None:
    server.status = 503
    result = await probe(f"{server.url}/users")
    assert (result.ok, result.words) == (False, "127.0.0.1 answered 503, expected 200")


async def test_an_expected_error_status_is_ok(server: Server) -> None:
    server.status = 401
    assert (await probe(server.url, expect_status=401)).ok


async def test_a_redirect_is_not_followed_into_another_answer(server: Server) -> None:
    server.status, server.headers = 302, {"Location": "/login"}
    assert not (await probe(server.url)).ok
    assert len(server.asked) == 1


async def test_no_answer_in_time_is_a_result(server: Server) -> None:
    server.hold.clear()
    result = await probe(server.url, timeout=0.2)
    assert (result.status, result.ok) == (None, False)
    assert "no answer within 0.2 s" in result.words


async def test_nobody_listening_is_a_result(server: Server) -> None:
    result = await probe("http://127.0.0.1:1/")
    assert (result.status, result.ok) == (None, False)
    assert "refused" in result.words
    assert not server.asked


@pytest.mark.parametrize("url", ["", "ftp://x", "file:///etc/passwd", "http://", "users"])
async def test_only_http_addresses_are_asked(url: str) -> None:
    with pytest.raises(UsageError):
        await probe(url)


async def test_the_webhook_gets_the_message_and_its_address_is_not_told(server: Server) -> None:
    result = await post_webhook(f"{server.url}/services/{SECRET}", {"text": "GO"})
    assert result.ok
    assert (server.asked[0][1], json.loads(server.asked[0][3])) == (
        f"/services/{SECRET}",
        {"text": "GO"},
    )
    assert SECRET not in repr(result)


@pytest.mark.parametrize("status", [404, 410, 500])
async def test_a_refused_message_is_told_without_the_address(server: Server, status: int) -> None:
    server.status, server.body = status, SECRET.encode()
    result = await post_webhook(f"{server.url}/services/{SECRET}", {"text": "GO"})
    assert not result.ok
    assert str(status) in result.words
    assert SECRET not in repr(result)


async def test_an_unreachable_webhook_is_told_without_the_address() -> None:
    result = await post_webhook(f"http://127.0.0.1:1/services/{SECRET}", {"text": "GO"})
    assert not result.ok
    assert SECRET not in repr(result)


async def test_analytics_are_asked_with_the_token_and_give_their_data(server: Server) -> None:
    server.body = b'{"data": {"viewer": {"accounts": []}}, "errors": null}'
    data = await graphql(server.url, SECRET, "query Q {}", {"since": "x"})
    assert data == {"viewer": {"accounts": []}}
    _, _, headers, body = server.asked[0]
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert json.loads(body) == {"query": "query Q {}", "variables": {"since": "x"}}


GRAPHQL = partial(graphql, query="query Q {}", variables={})


@pytest.mark.parametrize(
    ("ask", "status", "body", "words"),
    [
        (GRAPHQL, 401, b"", "refused the token"),
        (GRAPHQL, 403, b"{}", "refused the token"),
        (GRAPHQL, 429, b"", "limits the request rate"),
        (GRAPHQL, 500, b"<html>", "answered 500"),
        (GRAPHQL, 200, b"<html>", "answered 200"),
        (GRAPHQL, 200, b'{"data": null}', "answered 200"),
        (
            GRAPHQL,
            200,
            b'{"data": {}, "errors": [{"message": "unknown field x"}]}',
            "unknown field x",
        ),
        (read_reply, 502, b"<html>", "answered 502"),
        (read_reply, 200, b"<html>", "answered 200"),
        (read_reply, 400, b'{"errors": [{"message": "no such table: t"}]}', "no such table: t"),
    ],
)
async def test_a_reply_without_a_result_is_never_an_empty_answer(
    server: Server,
    ask: Callable[[str, str], Awaitable[object]],
    status: int,
    body: bytes,
    words: str,
) -> None:
    server.status, server.body = status, body
    with pytest.raises(RemoteFailed, match=words) as raised:
        await ask(server.url, SECRET)
    assert SECRET not in f"{raised.value.message} {raised.value.hint}"


async def test_slow_down_says_when_to_ask_again(server: Server) -> None:
    server.status, server.headers = 429, {"Retry-After": "7"}
    with pytest.raises(RemoteFailed) as raised:
        await graphql(server.url, SECRET, "query Q {}", {})
    assert raised.value.hint == "Ask again in 7 s."


async def test_unreachable_analytics_carry_no_token_in_their_chain() -> None:
    with pytest.raises(RemoteFailed) as raised:
        await graphql("http://127.0.0.1:1/graphql", SECRET, "query Q {}", {})
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


NOWHERE = "http://127.0.0.1:9/"
ACCENTED = "tök-canary-3f9a77"


async def refused(web: EnvironmentWeb, endpoint: Endpoint) -> PreflightError:
    with pytest.raises(ProjectError) as raised:
        await web.probe(endpoint)
    return raised.value


@pytest.mark.parametrize("value", [ACCENTED, f"{SECRET}\n", f"a\r\nX-Evil: {SECRET}", "tab\there"])
async def test_a_secret_that_no_header_can_carry_is_told_by_its_variable(value: str) -> None:
    web = EnvironmentWeb(Settings(), {"SHOP_TOKEN": value})
    for endpoint in (
        Endpoint(NOWHERE, bearer_env="SHOP_TOKEN"),
        Endpoint(NOWHERE, header_env=(("X-Key", "SHOP_TOKEN"),)),
    ):
        error = await refused(web, endpoint)
        assert "SHOP_TOKEN" in error.message
        assert "canary" not in f"{error.message} {error.hint}"


async def test_an_api_token_that_no_header_can_carry_is_told_by_its_variable() -> None:
    web = EnvironmentWeb(Settings(), {"CLOUDFLARE_API_TOKEN": ACCENTED})
    with pytest.raises(ProjectError, match="CLOUDFLARE_API_TOKEN") as raised:
        await web.analytics("query", {})
    assert "canary" not in str(raised.value)


async def test_http_itself_refuses_such_a_value_before_it_asks() -> None:
    with pytest.raises(ProjectError, match="X-Key"):
        await probe(NOWHERE, headers={"X-Key": ACCENTED})
    with pytest.raises(ProjectError, match="The API token"):
        await graphql(NOWHERE, ACCENTED, "query", {})


@pytest.mark.parametrize("address", ["http://[x/canary", "canary", "ftp://h/canary", "http://"])
async def test_a_webhook_that_is_no_address_is_told_by_its_variable(address: str) -> None:
    settings = Settings(notify=Notify(webhook_env="TEAM_HOOK"))
    web = EnvironmentWeb(settings, {"TEAM_HOOK": address})
    with pytest.raises(ProjectError, match="TEAM_HOOK") as raised:
        await web.notify("hello")
    assert raised.value.hint
    assert "canary" not in f"{raised.value.message} {raised.value.hint}"


@pytest.mark.parametrize("host", ["h:99999", "a" * 70 + ".example", "127.0.0.1:9\x00"])
async def test_an_address_that_cannot_be_asked_is_an_outcome(host: str) -> None:
    result = await post_webhook(f"http://{host}/canary", {"text": "x"})
    assert (result.status, result.ok) == (None, False)
    assert "canary" not in result.words
    with pytest.raises(RemoteFailed):
        await graphql(f"http://{host}/canary", "token", "query", {})


async def test_half_a_character_in_a_name_does_not_stop_the_notice(server: Server) -> None:
    settings = Settings(notify=Notify(webhook_env="TEAM_HOOK"))
    web = EnvironmentWeb(settings, {"TEAM_HOOK": server.url})
    assert (await web.notify("by an\udce9")).ok


@pytest.mark.parametrize(
    "line", ['{ url = "http://[x/" }', '{ url = "https://h/", header_env = { "Ä" = "NAME" } }']
)
def test_the_settings_refuse_what_could_never_be_asked(line: str) -> None:
    with pytest.raises(ProjectError, match="endpoints"):
        load_settings(f"[verification]\nendpoints = [{line}]\n")
