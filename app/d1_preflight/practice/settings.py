"""The sample project's `preflight.toml`: its endpoints, its Worker, its channel, its people."""

from d1_preflight.core.project.setting_types import Endpoint, WranglerUse
from d1_preflight.core.project.settings import (
    Data,
    Notify,
    Settings,
    Team,
    Users,
    Verification,
    WranglerSettings,
    dump_settings,
)
from d1_preflight.practice.worker import SCRIPT

WEBHOOK_VARIABLE = "PREFLIGHT_WEBHOOK"
TOKEN_VARIABLE = "WORKWAY_API_TOKEN"  # noqa: S105 - the name of a variable
_ZONE = "America/New_York"


def settings_toml(base_url: str) -> str:
    """The settings for the stand-in at an address; written anew at every start."""
    worker = f"{base_url}/worker/{SCRIPT}"
    endpoints = (
        Endpoint(url=f"{worker}/health"),
        Endpoint(url=f"{worker}/users/me", bearer_env=TOKEN_VARIABLE),
    )
    return dump_settings(
        Settings(
            team=Team(name="WORKWAY practice"),
            users=Users(timezones=(_ZONE,)),
            verification=Verification(endpoints=endpoints, worker=SCRIPT, watch_minutes=1),
            data=Data(critical_tables=("teams", "team_members", "users")),
            notify=Notify(webhook_env=WEBHOOK_VARIABLE),
            # The sample names a wrangler as projects do, and nobody installs it there.
            wrangler=WranglerSettings(use=WranglerUse.OWN),
        )
    )
