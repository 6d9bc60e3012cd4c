"""The sample database's rows: invented, the same at every start, with values that are hard to copy.

Written with apsw directly, before the stand-in's guard and limits are on.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from random import Random

import apsw

USERS, TEAMS, MEMBERS, SESSIONS = 4_310, 112, 1_204, 240
WORKFLOWS, RUNS, DELIVERIES, KEYS = 620, 12_480, 900, 150
PRACTICE_TOKEN = "practice-user-token"  # noqa: S105 - opens nothing but the practice Worker


def _words(text: str) -> list[str]:
    return text.split()


_NEWEST = 1_795_000_000  # a fixed moment, so that two practice databases are equal
_FIRST = _words("Ada Berta Chloé Dmitri Emeka Fatima Grace Hồng Ines Jürgen Kofi Łucja Mei Noor")
_LAST = _words("O'Brien Álvarez Nguyễn Okafor Schmidt Ivanova 山田 Haddad Jones Kowalska")
_ZONES = ("America/New_York", "Europe/Berlin", "Asia/Ho_Chi_Minh", None)
_TWICE = 500  # every 500th run starts in the same second as the one before it

Row = tuple[object, ...]

TRICKY: tuple[tuple[int | None, float | None, str | None, bytes | None, object], ...] = (
    (9_007_199_254_740_993, 1.0, 'it\'s "quoted" `twice`', b"\x00\xff\x10", 1.0),
    (9_223_372_036_854_775_807, -0.5, "two\nlines\r\nand a literal \\n", b"", "007"),
    (-9_223_372_036_854_775_808, 1e308, "", None, b"\x27\x00"),
    (0, float("inf"), "ünï©ødé 山田 🚀 e\u0301", b"'", ""),
    (None, None, None, None, None),
    (1, 0.1, "-- not a comment; /* nor this", bytes(range(256)), -0.0),
    (2, 5e-324, "INSERT INTO teams VALUES ('x');", b"[0, 255]", "[0, 255]"),
)


@dataclass(frozen=True, slots=True)
class _Filling:
    """One table's rows, in the order of its columns as of 0056."""

    table: str
    columns: str
    rows: Iterator[Row]


def fill(connection: apsw.Connection) -> None:
    """Put rows into every table of the schema as it is after 0056."""
    random = Random(56)  # noqa: S311 - invented rows, no secret
    with connection:
        for filling in _fillings(random):
            marks = ", ".join("?" * (filling.columns.count(",") + 1))
            insert = f"INSERT INTO {filling.table} ({filling.columns}) VALUES ({marks})"
            connection.executemany(insert, filling.rows)


def fill_after(connection: apsw.Connection, name: str) -> None:
    """Put values into what one of the pending migrations has just added, as the API would have."""
    with connection:
        for words, sql in _AFTER.items():
            if words in name:
                connection.execute(sql)


_AFTER = {
    "add_team_billing_columns": "UPDATE teams SET billing_email = 'billing@' || domain,"
    " stripe_subscription_id = 'sub_' || substr(stripe_customer_id, 5)"
    " WHERE stripe_customer_id IS NOT NULL",
    "add_users_last_login": "UPDATE users SET last_login_at = created_at + 86400"
    " WHERE id IN (SELECT user_id FROM sessions)",
    "create_audit_logs": "INSERT INTO audit_logs"
    " SELECT 'audit-' || rowid, user_id, 'team.joined', 'team', team_id,"
    " json_object('role', role), joined_at FROM team_members",
}


def _fillings(random: Random) -> Iterator[_Filling]:
    yield _Filling("users", "id, email, name, role, time_zone, created_at", _users(random))
    yield _Filling("sessions", "token, user_id, expires_at", _sessions())
    yield _Filling(
        "teams",
        "id, domain, name, owner_id, deprecated_column, created_at, updated_at, stripe_customer_id",
        _teams(random),
    )
    yield _Filling("team_members", "team_id, user_id, role, joined_at", _members(random))
    yield _Filling("invitations", "email, invited_by, note, created_at", _invitations(random))
    yield _Filling("workflows", "id, owner_id, title, definition, enabled", _workflows(random))
    yield _Filling(
        "workflow_runs",
        "workflow_id, old_name, status, started_at, finished_at",
        _runs(random),
    )
    yield _Filling("workflow_tags", "workflow_id, tag", _tags(random))
    yield _Filling("integrations", "id, user_id, service, settings", _integrations(random))
    yield _Filling(
        "webhook_deliveries",
        "integration_id, external_id, seconds, subject, payload, extra",
        _deliveries(random),
    )
    yield _Filling("api_keys", "id, user_id, label, fingerprint, last_used_at", _keys(random))
    yield _Filling("usage_counters", "api_key_id, day, calls, bytes, average_ms", _counters(random))


def _users(random: Random) -> Iterator[Row]:
    for n in range(USERS):
        name = f"{random.choice(_FIRST)} {random.choice(_LAST)}" if n % 9 else None
        role = "ADMIN" if n % 400 == 0 else "USER"
        joined = _NEWEST - random.randrange(90_000_000)
        yield _user(n), f"user{n}@team{n % TEAMS}.example", name, role, _ZONES[n % 4], joined


def _sessions() -> Iterator[Row]:
    yield PRACTICE_TOKEN, _user(0), _NEWEST + 90_000_000
    for n in range(1, SESSIONS):
        yield sha256(f"session {n}".encode()).hexdigest(), _user(n), _NEWEST + 90_000_000


def _teams(random: Random) -> Iterator[Row]:
    for n in range(TEAMS):
        made = _NEWEST - random.randrange(80_000_000)
        customer = f"cus_{sha256(str(n).encode()).hexdigest()[:14]}" if n % 3 else None
        old = ("legacy", None, "", f"plan:{n}")[n % 4]
        name = f"{random.choice(_LAST)} & {random.choice(_LAST)}"
        yield f"team-{n:03}", f"team{n}.example", name, _user(n), old, made, made + n, customer


def _members(random: Random) -> Iterator[Row]:
    for n in range(MEMBERS):  # the first ones are the owners; some roles are already lower-case
        role = "OWNER" if n < TEAMS else random.choice(("ADMIN", "MEMBER", "MEMBER", "member"))
        role = "owner" if n in (5, 17, 40) else role
        yield f"team-{n % TEAMS:03}", _user(n), role, _NEWEST - 60_000_000 + n * 1_000


def _invitations(random: Random) -> Iterator[Row]:
    notes = ("Welcome!", None, "it's the team's \"new\" address\nsee you", "こんにちは 👋", "")
    for n in range(80):
        inviter = _user(random.randrange(TEAMS)) if n % 7 else None
        yield f"guest{n}@elsewhere.example", inviter, notes[n % 5], _NEWEST - n * 3_600


def _workflows(random: Random) -> Iterator[Row]:
    for n in range(WORKFLOWS):
        steps = [{"do": random.choice(("mail", "sheet", "chat"))} for _ in range(1 + n % 4)]
        definition = json.dumps({"steps": steps, "note": "ü; 'x'"})
        yield f"wf-{n:04}", _user(n % SESSIONS), f"Workflow {n}", definition, int(n % 11 > 0)


def _runs(random: Random) -> Iterator[Row]:
    for n in range(RUNS):
        like = n - 1 if n and n % _TWICE == 0 else n
        workflow, began = like % WORKFLOWS, _NEWEST - 4_000_000 + like * 300
        status = "running" if n > RUNS - 4 else random.choice(("succeeded",) * 9 + ("failed",))
        ended = None if status == "running" else began + random.randrange(1, 90)
        yield f"wf-{workflow:04}", (f"run {n}" if n % 13 else None), status, began, ended


def _tags(random: Random) -> Iterator[Row]:
    for n in range(WORKFLOWS):
        for tag in sorted(random.sample(("sales", "Ops", "finance", "größe"), n % 3)):
            yield f"wf-{n:04}", tag


def _integrations(random: Random) -> Iterator[Row]:
    for n in range(300):
        service = random.choice(("slack", "gmail", "notion", "hubspot"))
        settings = json.dumps({"channel": f"#{n}"}) if n % 5 else None
        yield n + 1, _user(random.randrange(USERS)), service, settings


def _deliveries(random: Random) -> Iterator[Row]:
    for values in TRICKY:
        yield (1, *values)
    for n in range(DELIVERIES - len(TRICKY)):
        integration = 1 + random.randrange(300) if n % 10 else None
        yield integration, n, random.random() * 9, f"event {n}", random.randbytes(n % 40), None


def _keys(random: Random) -> Iterator[Row]:
    for n in range(KEYS):
        used = _NEWEST - random.randrange(9_000_000) if n % 4 else None
        yield f"key-{n:03}", _user(n), f"Key {n}", random.randbytes(16), used


def _counters(random: Random) -> Iterator[Row]:
    for n in range(KEYS):
        for day in range(1, 11):
            calls = random.randrange(5_000)
            average = random.random() * 200 if calls else None
            yield f"key-{n:03}", f"2026-11-{day:02}", calls, calls * 2**43, average


def _user(number: int) -> str:
    return f"user-{number % USERS:05}"
