"""The routes that the change touches, and which of them no configured endpoint calls."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from d1_preflight.actions.context import StepContext
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.record.safety_facts import DeployOrderFacts


def endpoint_plan(context: StepContext) -> Sequence[str]:
    """The routes whose queries touch the change, where they can be told."""
    routes = context.facts(DeployOrderFacts).routes
    return (f"the change touches: {', '.join(routes)}",) if routes else ()


def uncalled_routes(routes: Sequence[str], endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
    """The routes that no configured endpoint calls, whatever stands for their parameters."""
    called = [(e.method.upper(), urlsplit(e.url).path) for e in endpoints]
    return tuple(route for route in routes if not any(_calls(one, route) for one in called))


def _calls(called: tuple[str, str], route: str) -> bool:
    """Whether a call ends in the route's path: a router may lie below another path."""
    method, _, pattern = route.partition(" ")
    parts = (re.escape(p) if p[:1] != ":" else "[^/]+" for p in pattern.strip("/").split("/"))
    path = f"(?:^|/){'/'.join(parts).replace(re.escape('*'), '.*')}/?$"
    return method in ("ANY", called[0]) and re.search(path, called[1]) is not None
