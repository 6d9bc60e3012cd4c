"""The Workers part of the API: deployments, versions and the rollback of the sample Worker."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from d1_preflight.practice import worker
from d1_preflight.practice.replies import Reply, failed, ok
from d1_preflight.practice.results import Json
from d1_preflight.practice.state import AUTHOR, DATABASE_ID, Cloud, Deployment, zulu
from d1_preflight.practice.tail import TAILS

_WHOLE = 100
_TAIL = "practice-tail"


class WorkersApi:
    """Serves the only Worker of the account."""

    def __init__(self, cloud: Cloud, origin: str) -> None:
        self._cloud = cloud
        self._tails = f"ws{origin.removeprefix('http')}/practice/{TAILS}"

    def answer(
        self, method: str, script: str, parts: tuple[str, ...], body: Mapping[str, Any]
    ) -> Reply | None:
        """The answer to a call below `/workers/scripts/NAME`, None where there is no such call."""
        if script != worker.SCRIPT:
            return failed(404, 10007, "This Worker does not exist on your account.")
        match method, parts:
            case "GET", ("deployments",):
                return ok({"deployments": [_deployment(d) for d in self._cloud.deployments]})
            case "POST", ("deployments",):
                return self._deploy(body)
            case "POST", ("versions",):
                return self._upload(body)
            case "POST", ("tails",):
                expires = zulu(self._cloud.now() + timedelta(hours=6))
                return ok({"id": _TAIL, "url": f"{self._tails}/{_TAIL}", "expires_at": expires})
            case "DELETE", ("tails", _):
                return ok(None)
            case "GET", ("secrets",):
                return ok([])
            case "PATCH", ("script-settings",):
                return ok({})
            case "GET" | "POST", ("subdomain",):
                return ok({"enabled": False, "previews_enabled": False})
            case "GET", ("versions",):
                return ok({"items": [self._version(v) for v in reversed(self._cloud.versions)]})
            case "GET", ("versions", version_id):
                found = self._cloud.version(version_id)
                missing = failed(404, 10150, f"The version {version_id} could not be found.")
                return ok(self._version(found)) if found else missing
        return None

    def _deploy(self, body: Mapping[str, Any]) -> Reply:
        asked = body.get("versions") or [{}]
        version_id = str(asked[0].get("version_id", ""))
        if len(asked) != 1 or asked[0].get("percentage") != _WHOLE:
            return failed(400, 10001, "The stand-in deploys one version to 100 % of the traffic.")
        asked_for = self._cloud.version(version_id)
        if asked_for is None:
            return failed(404, 10150, f"The version {version_id} could not be found.")
        message = str((body.get("annotations") or {}).get("workers/message", ""))
        is_older = asked_for.number < self._cloud.active.number
        how = "rollback" if is_older else "deployment"
        return ok(_deployment(self._cloud.deploy(version_id, message, triggered_by=how)))

    def _upload(self, body: Mapping[str, Any]) -> Reply:
        script, metadata = body.get("script"), body.get("metadata")
        if not isinstance(script, str) or not isinstance(metadata, dict):
            return failed(400, 10021, "The upload holds no script.")
        notes = {str(key): str(text) for key, text in (metadata.get("annotations") or {}).items()}
        made = self._cloud.upload(script, notes)
        return ok({**self._version(made), "startup_time_ms": 1})

    def _version(self, version: worker.Version) -> Json:
        uploaded = zulu(self._cloud.uploaded_on(version))
        return {
            "id": version.id,
            "number": version.number,
            "metadata": {
                "created_on": uploaded,
                "modified_on": uploaded,
                "source": "wrangler",
                "author_email": AUTHOR,
            },
            "annotations": _annotations(version),
            "resources": {
                "bindings": [{"type": "d1", "name": "DB", "id": DATABASE_ID}],
                "script": {"handlers": ["fetch"], "etag": version.id},
                "script_runtime": {"usage_model": "standard"},
            },
        }


def _annotations(version: worker.Version) -> Json:
    """The notes that came with a version; one without a message has none."""
    first = version in worker.VERSIONS
    notes = {
        "workers/message": version.message,
        "workers/tag": f"v{version.number}" if first else version.tag,
        "workers/triggered_by": "upload",
    }
    return {key: text for key, text in notes.items() if text}


def _deployment(made: Deployment) -> Json:
    return {
        "id": made.id,
        "source": "wrangler",
        "strategy": "percentage",
        "author_email": AUTHOR,
        "created_on": made.created_on,
        "versions": [{"version_id": made.version_id, "percentage": _WHOLE}],
        "annotations": {
            "workers/message": made.message,
            "workers/triggered_by": made.triggered_by,
        },
    }
