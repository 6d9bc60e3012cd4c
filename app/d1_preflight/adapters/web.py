"""HTTP with the secrets that the settings name: taken from the environment, never shown."""

from collections.abc import Mapping

from d1_preflight.adapters import http
from d1_preflight.adapters.system import open_in_browser
from d1_preflight.core.errors import NoAnalytics, ProjectError, UsageError
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.target.api_place import ACCOUNT_NAMES, API_BASE_NAMES, TOKEN_NAMES, first_set
from d1_preflight.lazy_dataclass import dataclass


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

    async def probe(self, endpoint: Endpoint) -> http.ProbeResult:
        """Ask one endpoint; ProjectError where a secret it needs is not in the environment."""
        headers = {name: self._secret(variable) for name, variable in endpoint.header_env}
        if endpoint.bearer_env:
            headers["Authorization"] = f"Bearer {self._secret(endpoint.bearer_env)}"
        return await http.probe(
            endpoint.url, method=endpoint.method, headers=headers, expect_status=endpoint.expect
        )

    async def notify(self, text: str) -> http.ProbeResult:
        """Post the text to the webhook, in Slack's format; ProjectError without a valid address."""
        said = text.encode(errors="replace").decode()  # a name may hold half a character
        try:
            return await http.post_webhook(self._webhook(), {"text": said})
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
        http.require_header(f"The environment variable {named}", token)
        given = first_set(self.environ, API_BASE_NAMES)
        base = self.environ.get(given, "").rstrip("/")
        endpoint = f"{base}/graphql" if base else http.CLOUDFLARE_GRAPHQL
        try:
            return await http.graphql(endpoint, token, query, variables)
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
        http.require_header(f"The environment variable {variable}", value)
        return value


def _no_address(variable: str) -> ProjectError:
    return ProjectError(
        f"The environment variable {variable} is not set to an address: it must begin with "
        "http:// or "
        "https:// and name a host.",
        hint=f"Set {variable} again; its value is not shown.",
    )
