"""The sample Worker: its versions answer from the database, so a bad migration breaks them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from uuid import NAMESPACE_URL, uuid5

import apsw

from d1_preflight.practice.engine import Database
from d1_preflight.practice.results import Json, to_json

SCRIPT = "workway-api"
_HEALTH = "SELECT id FROM users LIMIT 1"
_USER_OF_TOKEN = "SELECT user_id FROM sessions WHERE token = ?1"  # noqa: S105 - a query
_USER_ALONE = "SELECT id, email, name FROM users WHERE id = ?1"
_USER_WITH_TEAM = (
    "SELECT u.id, u.email, u.name, t.name AS team, m.role FROM users u"
    " JOIN team_members m ON m.user_id = u.id JOIN teams t ON t.id = m.team_id"
    " WHERE u.id = ?1 ORDER BY m.joined_at LIMIT 1"
)
_LAST_RUN = (
    "SELECT r.{column} AS last_run FROM workflow_runs r JOIN workflows w ON w.id = r.workflow_id"
    " WHERE w.owner_id = ?1 ORDER BY r.started_at DESC LIMIT 1"
)
_SAMPLE = "SELECT token FROM sessions ORDER BY token LIMIT 60"
_HEALTH_CHECKS_PER_USER = 0.25
_LITERAL = re.compile(r"`([^`]*)`|\"([^\"\n]*)\"")


@dataclass(frozen=True, slots=True)
class Version:
    """One uploaded version of the Worker: its queries are its code."""

    id: str
    number: int
    message: str
    age_days: float
    user_query: str
    run_query: str | None = None
    tag: str = ""

    def answer(self, database: Database, path: str, headers: Mapping[str, str]) -> "Answer":
        """What this version's code answers to one request."""
        try:
            match path:
                case "/health":
                    database.rows(_HEALTH)
                    return Answer(200, {"ok": True})
                case "/users/me":
                    token = (headers.get("Authorization") or "").removeprefix("Bearer ")
                    return self._user(database, token)
                case _:
                    return Answer(404, {"error": "not found"})
        except apsw.Error as error:
            return Answer(500, {"error": f"D1_ERROR: {error}"})

    def _user(self, database: Database, token: str) -> "Answer":
        owners = database.rows(_USER_OF_TOKEN, (token,))
        if not owners:
            return Answer(401, {"error": "unknown token"})
        user = database.rows(self.user_query, owners[0])
        if not user:
            return Answer(500, {"error": "user without a team"})
        body: Json = dict(zip(_FIELDS, map(to_json, user[0]), strict=False))
        if self.run_query:
            run = database.rows(self.run_query, owners[0])
            body["last_run"] = to_json(run[0][0]) if run else None
        return Answer(200, body)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the Worker."""

    status: int
    body: Json

    @property
    def failed(self) -> bool:
        """Whether Cloudflare counts the request as an error."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


_FIELDS = ("id", "email", "name", "team", "role")
PLAIN = Version(
    "41f0c6d2-7a3e-4b85-9d10-5c2e8f6a1b34", 41, "Sign-in without teams", 16.2, _USER_ALONE
)
CURRENT = Version(
    "42a9e7b1-3c58-4f02-8e6d-1b7c4d9f0a25",
    42,
    "Show team, role and last run",
    6.1,
    _USER_WITH_TEAM,
    _LAST_RUN.format(column="old_name"),
)
RENAMED = Version(
    "43d5b8c4-9e21-4a67-b3f8-6d0e2c7a5f19",
    43,
    "Read new_name of workflow_runs",
    0.2,
    _USER_WITH_TEAM,
    _LAST_RUN.format(column="new_name"),
)
VERSIONS = (PLAIN, CURRENT, RENAMED)


def uploaded(script: str, number: int, age_days: float, notes: Mapping[str, str]) -> Version:
    """The version that an uploaded script makes: it answers by the SQL that stands in it."""
    user, run = _query(script, "AS team"), _query(script, "AS last_run")
    name = f"{number} {sha256(script.encode()).hexdigest()}"
    return Version(
        str(uuid5(NAMESPACE_URL, name)),
        number,
        notes.get("workers/message", ""),
        age_days,
        user or _USER_ALONE,
        run,
        notes.get("workers/tag", ""),
    )


def _query(script: str, words: str) -> str | None:
    """The literal of a script that holds a query with these words."""
    found = (text for pair in _LITERAL.findall(script) for text in pair if words in text)
    return next((text for text in found if text.lstrip().upper().startswith("SELECT")), None)


def failing_share(database: Database, active: Version) -> float:
    """The part of the Worker's traffic that fails now: its real queries, for a sample of people."""
    try:
        tokens = [str(row[0]) for row in database.rows(_SAMPLE)]
    except apsw.Error:
        tokens = []
    requests = [active.answer(database, "/users/me", {"Authorization": t}) for t in tokens]
    failed = sum(answer.failed for answer in requests)
    health = active.answer(database, "/health", {}).failed
    share = failed / len(requests) if requests else 1.0
    return share * (1 - _HEALTH_CHECKS_PER_USER) + health * _HEALTH_CHECKS_PER_USER
