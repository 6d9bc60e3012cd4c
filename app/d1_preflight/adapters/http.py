"""Asks over HTTP: probes endpoints, notifies the team's webhook, reads Cloudflare's analytics.

Addresses and tokens are secrets here: what is said about a request names its host only.
"""

import asyncio
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from d1_preflight.core.errors import ProjectError, RemoteFailed, UsageError
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    import ssl

    import httpx

PROBE_TIMEOUT = 10.0
CLOUDFLARE_GRAPHQL = "https://api.cloudflare.com/client/v4/graphql"
_SLOW_DOWN = 429
_OK = range(200, 300)
_LOGIN_REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What an endpoint answered; `status` is None where nothing came back. No body is kept."""

    status: int | None
    milliseconds: int
    ok: bool
    words: str


async def probe(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    expect_status: int = 200,
    timeout: float = PROBE_TIMEOUT,  # noqa: ASYNC109 - the whole exchange, reported in the result
) -> ProbeResult:
    """Ask an endpoint once; every outcome is a result, also that nothing answers."""
    _require_http(url)
    given = dict(headers or {})
    for name, value in given.items():
        require_header(f"The header {name}", value)
    return await _ask(method, url, frozenset({expect_status}), timeout, headers=given)


async def read_probe(
    url: str,
    token: str,
    json: Mapping[str, object] | None = None,
    timeout: float = PROBE_TIMEOUT,  # noqa: ASYNC109 - the whole exchange, reported in the result
) -> ProbeResult:
    """Ask Cloudflare's API once, a GET without `json`; what it answers is not kept."""
    headers, method = _with_token(url, token), "GET" if json is None else "POST"
    return await _ask(method, url, frozenset({200}), timeout, headers=headers, json=json)


async def read_reply(
    url: str,
    token: str,
    json: Mapping[str, object] | None = None,
    timeout: float = PROBE_TIMEOUT,  # noqa: ASYNC109 - the whole exchange, reported in the error
) -> object:
    """The result in the answer of Cloudflare's API; RemoteFailed where there is none."""
    import httpx

    headers, method = _with_token(url, token), "GET" if json is None else "POST"
    try:
        async with asyncio.timeout(timeout), _client(timeout) as client:
            answer = await client.request(method, url, headers=headers, json=json)
            reply = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise RemoteFailed(
            f"{host_of(url)} did not answer: {_words(error, timeout)}.", hint="Try again."
        ) from None  # the chain would carry the request, and its headers the token
    match reply:
        case {"success": True, "result": result}:
            return result
        case {"errors": [{"message": str(message)}, *_]}:
            raise RemoteFailed(f"{host_of(url)} refused: {message}.", hint="Try again.")
    raise RemoteFailed(f"{host_of(url)} answered {answer.status_code}.", hint="Try again.")


async def post_webhook(
    url: str,
    payload: Mapping[str, object],
    timeout: float = PROBE_TIMEOUT,  # noqa: ASYNC109 - the whole exchange, reported in the result
) -> ProbeResult:
    """Post a message to the team's webhook; its address never appears, only its host."""
    _require_http(url)
    return await _ask("POST", url, frozenset(_OK), timeout, json=dict(payload))


async def graphql(
    endpoint: str,
    token: str,
    query: str,
    variables: Mapping[str, object],
    timeout: float = 30.0,  # noqa: ASYNC109 - the whole exchange, reported in the error
) -> Mapping[str, object]:
    """Put a GraphQL question and return its `data`; RemoteFailed when there is none."""
    import httpx

    headers, host = _with_token(endpoint, token), host_of(endpoint)
    try:
        async with asyncio.timeout(timeout), _client(timeout) as client:
            answer = await client.post(
                endpoint,
                json={"query": query, "variables": dict(variables)},
                headers=headers,
            )
            return _data_of(answer, host)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise RemoteFailed(
            f"{host} did not answer the analytics query: {_words(error, timeout)}.",
            hint="Check the network, then ask again.",
        ) from None  # the chain would carry the request, and its headers the token


def _with_token(url: str, token: str) -> dict[str, str]:
    """The header that carries the token, once both can be sent."""
    _require_http(url)
    require_header("The API token", token)
    return {"Authorization": f"Bearer {token}"}


def host_of(url: str) -> str:
    """The host of an address, the only part of it that may be shown."""
    try:
        return urlsplit(url).hostname or "the server"
    except ValueError:
        return "the server"


def require_header(what: str, value: str) -> None:
    """ProjectError where a header cannot carry the value; the value itself is never shown."""
    if not (value.isascii() and value.isprintable()):
        raise ProjectError(
            f"{what} contains characters that HTTP cannot carry; its value is not shown.",
            hint="Set it again: only plain letters, digits and signs, no line end.",
        )


def _client(limit: float) -> "httpx.AsyncClient":
    import httpx

    return httpx.AsyncClient(timeout=limit, verify=_trusted())


@cache
def _trusted() -> "ssl.SSLContext":
    """The authorities that a server's certificate may come from: reading them takes 20 ms."""
    import httpx

    return httpx.create_ssl_context()


async def _ask(
    method: str,
    url: str,
    expected: frozenset[int],
    limit: float,
    *,
    headers: Mapping[str, str] | None = None,
    json: object = None,
) -> ProbeResult:
    import httpx

    started = time.monotonic()
    status, words = None, ""
    try:
        async with (
            asyncio.timeout(limit),
            _client(limit) as client,
            client.stream(method, url, headers=headers, json=json) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        words = f"{host_of(url)} did not answer: {_words(error, limit)}"
    taken = round((time.monotonic() - started) * 1000)
    if status is None:
        return ProbeResult(None, taken, ok=False, words=words)
    ok = status in expected
    wanted = "" if ok else f", expected {_range(expected)}"
    return ProbeResult(status, taken, ok, f"{host_of(url)} answered {status}{wanted}")


def _data_of(answer: "httpx.Response", host: str) -> Mapping[str, object]:
    if answer.status_code in _LOGIN_REFUSED:
        raise RemoteFailed(
            f"{host} refused the token for analytics ({answer.status_code}).",
            hint="Give the token the permission Account Analytics: Read.",
        )
    if answer.status_code == _SLOW_DOWN:
        wait = answer.headers.get("retry-after", "")
        when = f"in {wait} s" if wait.isdigit() else "in a minute"
        raise RemoteFailed(f"{host} limits the request rate (429).", hint=f"Ask again {when}.")
    try:
        reply = answer.json()
    except ValueError:
        reply = None
    match reply:
        case {"errors": [{"message": str(message)}, *_]}:
            raise RemoteFailed(
                f"{host} could not answer the analytics query: {message}",
                hint="Try again in a minute.",
            )
        case {"data": dict(data)} if answer.is_success:
            return data
    raise RemoteFailed(
        f"{host} answered {answer.status_code} without analytics.", hint="Ask again in a minute."
    )


def _words(error: Exception, limit: float) -> str:
    """The kind of failure; httpx's own text may repeat the address."""
    import httpx

    match error:
        case TimeoutError() | httpx.TimeoutException():
            return f"no answer within {limit:g} s"
        case httpx.ConnectError():
            return "the connection was refused or the name is unknown"
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | ValueError():
            return "the address is not valid"
    return f"the connection broke ({type(error).__name__})"


def _range(expected: frozenset[int]) -> str:
    return str(min(expected)) if len(expected) == 1 else f"{min(expected)} to {max(expected)}"


def _require_http(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_http = False
    if not is_http:
        raise UsageError(
            "An address must begin with http:// or https:// and name a host.",
            hint="Correct it; it is not shown here, for it may be a secret.",
        )
