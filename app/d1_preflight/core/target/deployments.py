"""Which versions of a Worker get traffic, as `wrangler deployments` and `versions view` say it."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from d1_preflight.core.target.wrangler_output import json_values
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Deployment:
    """The newest deployment: its versions by their share of the traffic, the most first."""

    versions: tuple[tuple[str, float], ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version that gets most of the traffic; "" where it is not known."""
        return self.versions[0][0] if self.versions else ""

    @property
    def ids(self) -> tuple[str, ...]:
        """All versions that get traffic."""
        return tuple(version for version, _ in self.versions)


def newest_deployment(stdout: str) -> Deployment:
    """What runs now, by the list that wrangler printed; empty where it says nothing of it."""
    found: object = next(json_values(stdout, "[{"), {})
    items = found if isinstance(found, list) else [found]
    known = [item for item in items if isinstance(item, dict)]
    newest = max(known, key=lambda item: str(item.get("created_on", "")), default={})
    shares = sorted(_shares(newest.get("versions")), key=lambda one: -one[1])
    return Deployment(tuple(shares), annotations_of(newest))


def version_annotations(stdout: str) -> Mapping[str, str]:
    """The annotations of one version, by the object that wrangler printed."""
    found: object = next(json_values(stdout, "[{"), {})
    return annotations_of(found) if isinstance(found, dict) else {}


def annotations_of(item: Mapping[str, object]) -> Mapping[str, str]:
    """The texts that came with a deploy, by their keys."""
    found = item.get("annotations")
    pairs = found.items() if isinstance(found, dict) else ()
    return {str(key): value for key, value in pairs if isinstance(value, str) and value.strip()}


def _shares(versions: object) -> Iterator[tuple[str, float]]:
    for item in versions if isinstance(versions, list) else ():
        if not isinstance(item, dict) or not isinstance(item.get("version_id"), str):
            continue
        share = item.get("percentage", 0)
        number = float(share) if isinstance(share, int | float) else 0.0
        if number > 0 or len(versions) == 1:  # type: ignore[arg-type] # it is the list itself
            yield item["version_id"], number
