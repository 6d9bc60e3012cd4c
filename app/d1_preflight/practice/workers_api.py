"""The Workers part of the API: deployments, versions and the rollback of the sample Worker."""

from collections.abc import Mapping
from typing import Any

from d1_preflight.practice import worker
from d1_preflight.practice.replies import Reply, failed, ok
from d1_preflight.practice.results import Json
from d1_preflight.practice.state import AUTHOR, DATABASE_ID, Cloud, Deployment, zulu

_WHOLE = 100


class WorkersApi:
    """Serves the only Worker of the account."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

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
            case "GET", ("versions",):
                return ok({"items": [self._version(v) for v in reversed(worker.VERSIONS)]})
            case "GET", ("versions", version_id):
                found = worker.version(version_id)
                missing = failed(404, 10150, f"The version {version_id} could not be found.")
                return ok(self._version(found)) if found else missing
        return None

    def _deploy(self, body: Mapping[str, Any]) -> Reply:
        asked = body.get("versions") or [{}]
        version_id = str(asked[0].get("version_id", ""))
        if len(asked) != 1 or asked[0].get("percentage") != _WHOLE:
            return failed(400, 10001, "The stand-in deploys one version to 100 % of the traffic.")
        if worker.version(version_id) is None:
            return failed(404, 10150, f"The version {version_id} could not be found.")
        message = str((body.get("annotations") or {}).get("workers/message", ""))
        made = self._cloud.deploy(version_id, message, triggered_by="rollback")
        return ok(_deployment(made))

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
            "annotations": {
                "workers/message": version.message,
                "workers/tag": f"v{version.number}",
                "workers/triggered_by": "upload",
            },
            "resources": {
                "bindings": [{"type": "d1", "name": "DB", "id": DATABASE_ID}],
                "script": {"handlers": ["fetch"]},
            },
        }


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
