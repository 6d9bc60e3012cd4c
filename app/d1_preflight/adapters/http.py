"""Asks over HTTP: probes endpoints, notifies the team's webhook, reads Cloudflare's analytics.

Addresses and tokens are secrets here: what is said about a request names its host only.
"""

import asyncio
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from d1_preflight.adapters.system import open_in_browser
from d1_preflight.core.errors import NoAnalytics, ProjectError, RemoteFailed, UsageError
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.target.api_place import ACCOUNT_NAMES, API_BASE_NAMES, TOKEN_NAMES, first_set
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    import ssl

    import httpx

PROBE_TIMEOUT = 10.0
_GRAPHQL_TIMEOUT = 30.0
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


async def read_probe(url: str, token: str, json: Mapping[str, object] | None = None) -> ProbeResult:
    """Ask Cloudflare's API once, a GET without `json`; what it answers is not kept."""
    headers, method = _with_token(url, token), "GET" if json is None else "POST"
    return await _ask(method, url, frozenset({200}), PROBE_TIMEOUT, headers=headers, json=json)


async def read_reply(url: str, token: str, json: Mapping[str, object] | None = None) -> object:
    """The result in the answer of Cloudflare's API; RemoteFailed where there is none."""
    answer = await _answered(url, token, json, PROBE_TIMEOUT, hint="Try again.")
    match _json_of(answer):
        case {"success": True, "result": result}:
            return result
        case {"errors": [{"message": str(message)}, *_]}:
            raise RemoteFailed(f"{host_of(url)} refused: {message}.", hint="Try again.")
    raise RemoteFailed(f"{host_of(url)} answered {answer.status_code}.", hint="Try again.")


async def post_webhook(url: str, payload: Mapping[str, object]) -> ProbeResult:
    """Post a message to the team's webhook; its address never appears, only its host."""
    _require_http(url)
    return await _ask("POST", url, frozenset(_OK), PROBE_TIMEOUT, json=dict(payload))


async def graphql(
    endpoint: str, token: str, query: str, variables: Mapping[str, object]
) -> Mapping[str, object]:
    """Put a GraphQL question and return its `data`; RemoteFailed when there is none."""
    asked = {"query": query, "variables": dict(variables)}
    answer = await _answered(
        endpoint, token, asked, _GRAPHQL_TIMEOUT, which=" the analytics query",
        hint="Check the network, then ask again.",
    )  # fmt: skip
    return _data_of(answer, host_of(endpoint))


async def _answered(
    url: str,
    token: str,
    json: Mapping[str, object] | None,
    limit: float,
    *,
    which: str = "",
    hint: str,
) -> "httpx.Response":
    """The whole answer to one question; RemoteFailed where none came."""
    import httpx

    headers, method = _with_token(url, token), "GET" if json is None else "POST"
    try:
        async with asyncio.timeout(limit), _client(limit) as client:
            return await client.request(method, url, headers=headers, json=json)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise RemoteFailed(
            f"{host_of(url)} did not answer{which}: {_words(error, limit)}.", hint=hint
        ) from None  # the chain would carry the request, and its headers the token


def _json_of(answer: "httpx.Response") -> object:
    try:
        return answer.json()
    except ValueError:
        return None


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


def _client(limit: float) -> "httpx.AsyncClient":
    import httpx

    return httpx.AsyncClient(timeout=limit, verify=_authorities())


@cache
def _authorities() -> "ssl.SSLContext":
    """Whom HTTPS trusts; read once, for it takes longer than most requests."""
    import httpx

    return httpx.create_ssl_context()


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
    match _json_of(answer):
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


@dataclass(frozen=True, slots=True)
class EnvironmentWeb:
    """Endpoints, webhook and analytics, with `environ` as the only source of secrets."""

    settings: Settings
    environ: Mapping[str, str]

    @property
    def has_webhook(self) -> bool:
        """Whether the settings name a variable that holds the webhook's address."""
        return bool(self._webhook())

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be seen in any output."""
        endpoints = self.settings.verification.endpoints
        names = [e.bearer_env for e in endpoints] + [v for e in endpoints for _, v in e.header_env]
        values = (self.environ.get(name, "") for name in names if name)
        return tuple(value for value in (self._webhook(), *values) if value)

    def account(self, configured: str) -> str:
        """The account's id: the configuration's, else the environment's, as wrangler reads it."""
        return configured or self.environ.get(first_set(self.environ, ACCOUNT_NAMES), "")

    async def probe(self, endpoint: Endpoint) -> ProbeResult:
        """Ask one endpoint; ProjectError where a secret it needs is not in the environment."""
        headers = {name: self._secret(variable) for name, variable in endpoint.header_env}
        if endpoint.bearer_env:
            headers["Authorization"] = f"Bearer {self._secret(endpoint.bearer_env)}"
        return await probe(
            endpoint.url, method=endpoint.method, headers=headers, expect_status=endpoint.expect
        )

    async def notify(self, text: str) -> ProbeResult:
        """Post the text to the webhook, in Slack's format; ProjectError without a valid address."""
        said = text.encode(errors="replace").decode()  # a name may hold half a character
        try:
            return await post_webhook(self._webhook(), {"text": said})
        except UsageError as error:
            raise _no_address(self.settings.notify.webhook_env) from error

    async def analytics(self, query: str, variables: Mapping[str, object]) -> Mapping[str, object]:
        """Put a question to Cloudflare's GraphQL analytics; NoAnalytics without a token."""
        named = first_set(self.environ, TOKEN_NAMES)
        if not named:
            raise NoAnalytics(
                "Analytics need CLOUDFLARE_API_TOKEN; a wrangler login does not give one.",
                hint="Set it to a token that may read account analytics.",
            )
        token = self.environ[named]
        require_header(f"The environment variable {named}", token)
        given = first_set(self.environ, API_BASE_NAMES)
        base = self.environ.get(given, "").rstrip("/")
        endpoint = f"{base}/graphql" if base else CLOUDFLARE_GRAPHQL
        try:
            return await graphql(endpoint, token, query, variables)
        except UsageError as error:
            raise _no_address(given) from error

    def open(self, url: str) -> bool:
        """Open an address in a browser of its own."""
        return open_in_browser(url, self.environ)

    def _webhook(self) -> str:
        name = self.settings.notify.webhook_env
        return self.environ.get(name, "") if name else ""

    def _secret(self, variable: str) -> str:
        value = self.environ.get(variable, "")
        if not value:
            raise ProjectError(
                f"An endpoint needs the environment variable {variable}, and it is not set.",
                hint=f"Export {variable}, then run the step again.",
            )
        require_header(f"The environment variable {variable}", value)
        return value


def _no_address(variable: str) -> ProjectError:
    return ProjectError(
        f"The environment variable {variable} is not set to an address: it must begin with "
        "http:// or "
        "https:// and name a host.",
        hint=f"Set {variable} again; its value is not shown.",
    )
