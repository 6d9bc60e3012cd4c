"""Starts and stops a practice run, and sets the environment in which wrangler reaches only it."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from d1_preflight.core.errors import PreflightError, ProjectError
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
from d1_preflight.core.target.api_place import PRACTICE, api_place
from d1_preflight.practice import project
from d1_preflight.practice.api import API_TOKEN
from d1_preflight.practice.faults import Fault, Faults
from d1_preflight.practice.rows import PRACTICE_TOKEN
from d1_preflight.practice.server import API_PATH, Server
from d1_preflight.practice.shapes import Like
from d1_preflight.practice.state import ACCOUNT_ID
from d1_preflight.practice.worker import SCRIPT

REAL_LOGINS = (
    "CLOUDFLARE_API_TOKEN",
    "CLOUDFLARE_API_KEY",
    "CLOUDFLARE_EMAIL",
    "CF_API_TOKEN",
    "CF_API_KEY",
    "CF_EMAIL",
)
_OWN_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+(?=/worker/)")
AskGit = Callable[[tuple[str, ...], Path], object]
OTHER_ADDRESSES = ("CLOUDFLARE_API_BASE_URL", "CF_API_BASE_URL")
WEBHOOK_VARIABLE = "PREFLIGHT_WEBHOOK"
TOKEN_VARIABLE = "WORKWAY_API_TOKEN"  # noqa: S105 - the name of a variable
_ZONES = ("America/New_York", "Asia/Tokyo", "Europe/Berlin")
_FRIDAY, _WORK = 4, range(8, 18)  # an hour before their work begins is too late to start a walk


class RealCredentials(PreflightError):
    """Practice refuses to run next to credentials of a real account."""


@dataclass(frozen=True, slots=True)
class Practice:
    """A running stand-in, where its project lies, and the environment for the tools.

    A context manager that stops it; the state stays on disk for the next start.
    """

    server: Server
    project: Path
    environment: Mapping[str, str]
    config: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()


def start(
    directory: Path,
    *,
    next: str = "0061",  # noqa: A002 - the word for it
    faults: Sequence[Fault] = (),
    ask_git: AskGit | None = None,
    like: Like = Like.SAMPLE,
) -> Practice:
    """Lay the project down once and serve its account; later starts go on where it was left.

    `ask_git` asks git in a folder: with it, the project is put under git, where git is there.
    """
    refuse_real_credentials(os.environ)
    directory = directory.resolve()
    try:
        state = project.lay_down(directory, next=next, like=like)
    except OSError as error:
        raise ProjectError(
            f"The practice project cannot be laid down in {directory}: {error.strerror}.",
            hint="Name a folder that can be written: preflight practice FOLDER",
        ) from error
    server = _serve(state, Faults(faults))
    environment = _environment(state, server)
    shape = project.shape_of(directory)
    home = directory / shape.home
    _write_settings(home / "preflight.toml", server.origin, shape.settings)
    if ask_git is not None:
        for words in project.first_commit(directory):
            ask_git(words, directory)
    server.start()
    return Practice(server, directory, environment, home / "wrangler.jsonc")


def refuse_real_credentials(environ: Mapping[str, str]) -> None:
    """Raise if the environment holds a login for, or the address of, a real account."""
    for name in REAL_LOGINS:
        if environ.get(name) not in (None, "", API_TOKEN):
            raise RealCredentials(
                f"{name} is set: practice never runs next to real Cloudflare credentials.",
                hint=f"Run it as: env -u {name} preflight practice",
            )
    for name in OTHER_ADDRESSES:
        if environ.get(name) and api_place({name: environ[name]}) != PRACTICE:
            raise RealCredentials(
                f"{name} points to another API than the practice one.",
                hint=f"Run it as: env -u {name} preflight practice",
            )


def _serve(state: Path, faults: Faults) -> Server:
    remembered = state / "port"
    known = remembered.read_text(encoding="utf-8") if remembered.exists() else ""
    server = Server(state, int(known) if known.isdigit() else 0, faults)
    _write(remembered, str(server.port))
    return server


def _environment(state: Path, server: Server) -> dict[str, str]:
    home = state / "home"
    home.mkdir(exist_ok=True)
    return {
        "CLOUDFLARE_API_BASE_URL": server.origin + API_PATH,
        "CLOUDFLARE_API_TOKEN": API_TOKEN,
        "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_HIDE_BANNER": "true",
        "WRANGLER_WRITE_LOGS": "false",
        "WRANGLER_NO_SKILLS_UPDATE_PROMPTS": "true",
        "CI": "1",
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1",
        TOKEN_VARIABLE: PRACTICE_TOKEN,
        WEBHOOK_VARIABLE: f"{server.origin}/hooks/{server.cloud.hook}",
    }


def _write_settings(path: Path, origin: str, more: str) -> None:
    """Write the settings once; later, bring only the stand-in's address up to date."""
    if path.exists():
        text = path.read_text(encoding="utf-8")
    else:
        text = settings_toml(origin, datetime.now(UTC)) + more
    _write(path, _OWN_ADDRESS.sub(origin, text))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


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
