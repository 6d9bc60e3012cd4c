"""The sample project's `preflight.toml`: its endpoints, its Worker, its channel, its people."""

from datetime import datetime
from zoneinfo import ZoneInfo

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
_ZONES = ("America/New_York", "Asia/Tokyo", "Europe/Berlin")
_FRIDAY, _WORK = 4, range(8, 18)  # an hour before their work begins is too late to start a walk


def quiet_zone(now: datetime) -> str:
    """Where the made-up users live: the first zone in which nobody works now, nor soon will.

    Whoever practices by day would else waive the window, and learn that this is what one does.
    """
    local = {zone: now.astimezone(ZoneInfo(zone)) for zone in _ZONES}
    free = (zone for zone, at in local.items() if at.weekday() > _FRIDAY or at.hour not in _WORK)
    return next(free, _ZONES[0])


def settings_toml(base_url: str, now: datetime) -> str:
    """The settings for the stand-in at an address, as a project that is laid down now has them."""
    worker = f"{base_url}/worker/{SCRIPT}"
    endpoints = (
        Endpoint(url=f"{worker}/health"),
        Endpoint(url=f"{worker}/users/me", bearer_env=TOKEN_VARIABLE),
    )
    return dump_settings(
        Settings(
            team=Team(name="WORKWAY practice"),
            users=Users(timezones=(quiet_zone(now),)),
            verification=Verification(endpoints=endpoints, worker=SCRIPT, watch_minutes=1),
            data=Data(critical_tables=("teams", "team_members", "users")),
            notify=Notify(webhook_env=WEBHOOK_VARIABLE),
            # The sample names a wrangler as projects do, and nobody installs it there.
            wrangler=WranglerSettings(use=WranglerUse.OWN),
        )
    )
