"""Answers the API calls that wrangler makes: the account, then D1, Workers and analytics."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

from d1_preflight.practice import analytics
from d1_preflight.practice.d1_api import D1Api
from d1_preflight.practice.replies import Reply, failed, listed, ok
from d1_preflight.practice.state import ACCOUNT_ID, AUTHOR, DATABASE_NAME, Cloud
from d1_preflight.practice.worker import SCRIPT
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
        self._origin = origin
        self.d1 = D1Api(cloud, origin)
        self._databases = {cloud.uuid: self.d1, DATABASE_NAME: self.d1}
        self._workers = WorkersApi(cloud, origin)

    def serve(self, uuid: str, cloud: Cloud) -> None:
        """Answer calls for this uuid out of that database, which may say another uuid itself."""
        self._databases[uuid] = D1Api(cloud, self._origin)

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
                answer = self._of_d1(method, tuple(rest), request, break_after)
            case "GET", ("workers", "services", script) if script == SCRIPT:
                answer = ok(_SERVICE)
            case "GET" | "PATCH", ("workers", "workers", script) if script == SCRIPT:
                answer = ok(_WORKER)
            case "GET", ("workers", "subdomain"):
                answer = ok({"subdomain": "practice"})
            case method, ("workers", "scripts", script, *rest):
                answer = self._workers.answer(method, script, tuple(rest), request.body)
            case _:
                answer = None
        return answer or _NOT_FOUND

    def stored_file(self, name: str, signature: str) -> Path | None:
        """The export behind a signed address, whichever database made it."""
        found = (d1.stored_file(name, signature) for d1 in self._databases.values())
        return next((file for file in found if file is not None), None)

    def store_file(self, name: str, signature: str, data: bytes) -> str | None:
        """Take an upload to a signed address; its ETag, None where no database signed it."""
        found = (d1.store_file(name, signature, data) for d1 in self._databases.values())
        return next((tag for tag in found if tag is not None), None)

    def _of_d1(
        self, method: str, rest: tuple[str, ...], request: Request, break_after: int | None
    ) -> Reply | None:
        database = self._databases.get(rest[0]) if rest else self.d1
        if database is None:
            return failed(404, 7404, f"The database {rest[0]} could not be found")
        return database.answer(method, rest, request.query, request.body, break_after=break_after)

    def _graphql(self, request: Request) -> Reply:
        query = str(request.body.get("query", ""))
        variables = request.body.get("variables") or {}
        with self._cloud.lock:
            return Reply.of(200, analytics.answer(self._cloud, query, variables))


def body_of(data: bytes, media_type: str = "") -> dict[str, Any]:
    """The JSON object in a request's body, or the parts of an upload; empty where there is none."""
    if media_type.lower().startswith("multipart/form-data"):
        return _uploaded(data, media_type)
    loaded = json.loads(data) if data.strip() else {}
    return loaded if isinstance(loaded, dict) else {}


def _uploaded(data: bytes, media_type: str) -> dict[str, Any]:
    """A Worker's upload: its metadata, and the text of its modules."""
    whole = message_from_bytes(f"Content-Type: {media_type}\r\n\r\n".encode() + data)
    metadata: Any = {}
    modules: list[str] = []
    for part in whole.walk():
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            continue
        if part.get_param("name", header="Content-Disposition") == "metadata":
            metadata = json.loads(payload)
        else:
            modules.append(payload.decode("utf-8", "replace"))
    return {"metadata": metadata, "script": "\n".join(modules)} if modules else {}


_SCRIPT = {"id": SCRIPT, "tag": "practice", "last_deployed_from": "wrangler"}
_WORKER = {
    "id": "practice",
    "name": SCRIPT,
    "subdomain": {"enabled": True, "previews_enabled": False},
}
_SERVICE = {
    "id": SCRIPT,
    "default_environment": {"environment": "production", "script": _SCRIPT},
}
_ACCOUNT = {"id": ACCOUNT_ID, "name": "Practice", "type": "standard"}
