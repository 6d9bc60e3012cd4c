"""Answers the API calls that wrangler makes: the account, then D1, Workers and analytics."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from d1_preflight.practice import analytics
from d1_preflight.practice.d1_api import D1Api
from d1_preflight.practice.replies import Reply, failed, listed, ok
from d1_preflight.practice.state import ACCOUNT_ID, AUTHOR, Cloud
from d1_preflight.practice.workers_api import WorkersApi

API_TOKEN = "practice-token-that-opens-nothing-real-0"  # noqa: S105 - the stand-in's own
_NOT_FOUND = failed(404, 7003, "Could not route to this address; the stand-in does not serve it.")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, parsed: `parts` is the path below the API's base, `body` the JSON object."""

    method: str
    parts: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


class Api:
    """The stand-in for `https://api.cloudflare.com/client/v4`."""

    def __init__(self, cloud: Cloud, origin: str) -> None:
        self._cloud = cloud
        self.d1 = D1Api(cloud, origin)
        self._workers = WorkersApi(cloud)

    def answer(self, request: Request, *, break_after: int | None = None) -> Reply:
        """What Cloudflare would say."""
        if request.headers.get("Authorization") != f"Bearer {API_TOKEN}":
            return failed(401, 10000, "Authentication error")
        match request.method, request.parts:
            case "POST", ("graphql",):
                return self._graphql(request)
            case "GET", ("user", "tokens", "verify"):
                return ok({"id": "practice", "status": "active"})
            case "GET", ("user",):
                return ok({"id": "practice", "email": AUTHOR})
            case "GET", ("accounts",):
                return listed([_ACCOUNT])
            case "GET", ("memberships",):
                return listed([{"id": "practice", "account": _ACCOUNT, "status": "accepted"}])
            case _, ("accounts", account, *rest):
                if account != ACCOUNT_ID:
                    return failed(403, 10000, "Authentication error")
                return self._of_account(request, tuple(rest), break_after)
        return _NOT_FOUND

    def _of_account(
        self, request: Request, parts: tuple[str, ...], break_after: int | None
    ) -> Reply:
        match request.method, parts:
            case method, ("d1", "database", *rest):
                answer = self.d1.answer(
                    method, tuple(rest), request.query, request.body, break_after=break_after
                )
            case method, ("workers", "scripts", script, *rest):
                answer = self._workers.answer(method, script, tuple(rest), request.body)
            case _:
                answer = None
        return answer or _NOT_FOUND

    def _graphql(self, request: Request) -> Reply:
        query = str(request.body.get("query", ""))
        variables = request.body.get("variables") or {}
        with self._cloud.lock:
            return Reply.of(200, analytics.answer(self._cloud, query, variables))


def body_of(data: bytes) -> dict[str, Any]:
    """The JSON object in a request's body; empty where there is none."""
    loaded = json.loads(data) if data.strip() else {}
    return loaded if isinstance(loaded, dict) else {}


_ACCOUNT = {"id": ACCOUNT_ID, "name": "Practice", "type": "standard"}
