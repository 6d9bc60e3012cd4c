"""The team's settings: strict, documented once, and without secrets."""

from dataclasses import replace
from datetime import date, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.project.setting_types import Busy, Endpoint, Freeze, SecondPerson, shown_busy
from d1_preflight.core.project.settings import (
    Data,
    Notify,
    Settings,
    Signing,
    Team,
    Users,
    Verification,
    WranglerSettings,
    dump_settings,
    load_settings,
)
from settings_table import settings_table

FULL = """\
go_minutes = 20
[team]
name = "platform"
timezone = "Europe/Berlin"
[users]
timezones = ["America/New_York", "Asia/Tokyo"]
busy = { days = ["mon", "Tuesday"], from = "08:00", to = "24:00" }
freeze = [{ from = 2026-12-20, to = "2027-01-02", reason = "year end" }, { from = 2026-11-27 }]
[verification]
error_rate_percent = 0.1
watch_minutes = 10
worker = "api"
[[verification.endpoints]]
url = "https://example.com/health"
[[verification.endpoints]]
url = "https://example.com/users/me"
method = "head"
expect = 204
bearer_env = "API_TOKEN"
header_env = { "X-Api-Key" = "API_KEY" }
[data]
critical_tables = ["users", "teams"]
time_travel_days = 30
[notify]
webhook_env = "SLACK_WEBHOOK"
[signing]
second_person = "destructive"
[wrangler]
command = "node_modules/.bin/wrangler"
"""


def test_an_empty_file_gives_the_defaults() -> None:
    settings = load_settings("")
    assert settings == Settings()
    assert settings.go_minutes == 30
    assert settings.verification.error_rate_percent == Decimal("0.1")
    assert settings.verification.watch_minutes == 5
    assert settings.users.busy == Busy((0, 1, 2, 3, 4), time(9), time(17))
    assert settings.notify.channel == "#engineering"
    assert settings.signing.second_person is SecondPerson.NEVER


def test_every_key_is_read() -> None:
    settings = load_settings(FULL)
    assert settings.go_minutes == 20
    assert settings.team == Team("platform", "Europe/Berlin")
    assert settings.users == Users(
        ("America/New_York", "Asia/Tokyo"),
        Busy((0, 1), time(8), time(0)),
        (
            Freeze(date(2026, 12, 20), date(2027, 1, 2), "year end"),
            Freeze(date(2026, 11, 27), date(2026, 11, 27)),
        ),
    )
    assert settings.verification.endpoints == (
        Endpoint("https://example.com/health"),
        Endpoint(
            "https://example.com/users/me", "HEAD", 204, "API_TOKEN", (("X-Api-Key", "API_KEY"),)
        ),
    )
    assert settings.data == Data(("users", "teams"), 500, 30)
    assert settings.notify == Notify("#engineering", "SLACK_WEBHOOK")
    assert settings.signing.second_person is SecondPerson.DESTRUCTIVE
    assert settings.wrangler.command == "node_modules/.bin/wrangler"


@pytest.mark.parametrize("written", ["0.1", '"0.1"', '"0.10"'])
def test_the_error_rate_is_exact(written: str) -> None:
    settings = load_settings(f"[verification]\nerror_rate_percent = {written}\n")
    assert settings.verification.error_rate_percent == Decimal("0.1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "preflight.toml:1: unknown key x in the top level"),
        ("[user]\n", "preflight.toml:1: unknown key user in the top level. Did you mean users?"),
        ("[users]\ntimezone = []", "preflight.toml:2: unknown key timezone in [users]"),
        ("[users]\ntimezones = ['Mars/One']", 'preflight.toml:2: timezones: "Mars/One" is no'),
        ("[users]\ntimezones = ['../etc/passwd']", "preflight.toml:2: timezones:"),
        ("[users]\ntimezones = 'UTC'", "preflight.toml:2: timezones: must be a list"),
        ("[users]\ntimezones = ['UTC', 'UTC']", "preflight.toml:2: timezones: contains"),
        ("[team]\ntimezone = 1", "preflight.toml:2: timezone: must be a string"),
        ("[team]\ntimezone = 'EDTX'", "preflight.toml:2: timezone:"),
        ("[users]\nbusy = 9", "preflight.toml:2: busy: must be a table"),
        ("[users]\nbusy = { days = [] }", "preflight.toml:2: busy: days must be"),
        ("[users]\nbusy = { days = ['moon', 'xyz'] }", "preflight.toml:2: busy: days must be"),
        ("[users]\nbusy = { from = '9' }", "preflight.toml:2: busy: from must be a time"),
        ("[users]\nbusy = { to = '24:30' }", "preflight.toml:2: busy: to must be a time"),
        ("[users]\nbusy = { from = '09:00', to = '09:00' }", "preflight.toml:2: busy: from and to"),
        ("[users]\nbusy = { till = '9' }", "preflight.toml:2: busy: unknown key till"),
        ("[users]\nfreeze = ['x']", "preflight.toml:2: freeze: entry 1: must be a table"),
        ("[users]\nfreeze = [{ to = 2026-01-01 }]", "preflight.toml:2: freeze:"),
        ("[users]\nfreeze = [{ from = 2026-01-02, to = 2026-01-01 }]", "preflight.toml:2: freeze:"),
        ("[verification]\nwatch_minutes = 0", "preflight.toml:2: watch_minutes: must be a whole"),
        ("[verification]\nwatch_minutes = 11", "preflight.toml:2: watch_minutes:"),
        ("[verification]\nwatch_minutes = true", "preflight.toml:2: watch_minutes:"),
        ("[verification]\nerror_rate_percent = 0", "preflight.toml:2: error_rate_percent:"),
        ("[verification]\nerror_rate_percent = nan", "preflight.toml:2: error_rate_percent:"),
        ("[verification]\nerror_rate_percent = 'x'", "preflight.toml:2: error_rate_percent:"),
        ("[verification]\nendpoints = [{}]", "preflight.toml:2: endpoints: entry 1: url must be"),
        (
            "[verification]\nendpoints = [{ url = '/x' }]",
            "preflight.toml:2: endpoints: entry 1: url",
        ),
        ("[[verification.endpoints]]\nurl = 'http://a'\nmethod = 'X'", "preflight.toml:3: endpoi"),
        ("[[verification.endpoints]]\nurl = 'http://a'\nexpect = 9", "preflight.toml:3: endpo"),
        ("[[verification.endpoints]]\nurl = 'http://a'\nheaders = {}", "preflight.toml:3: endpoi"),
        (
            "[[verification.endpoints]]\nurl = 'http://a'\n[[verification.endpoints]]\nurl = 'b'",
            "preflight.toml:4: endpoints: entry 2: url must be",
        ),
        ("[signing]\nsecond_person = 'maybe'", "preflight.toml:2: second_person: must be one of"),
        ("team = 1", "preflight.toml:1: team must be a table"),
        ("a = [\n", "preflight.toml:1: "),
        ("[team]\nname = = 1", "preflight.toml:2: "),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_line_and_key(text: str, words: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load_settings(text)
    assert caught.value.message.startswith(words)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "[notify]\nwebhook_env = 'https://hooks.example/s3cret'",
        "[[verification.endpoints]]\nurl = 'http://a'\nbearer_env = 's3cret token'",
        "[[verification.endpoints]]\nurl = 'http://a'\nheader_env = { X = 's3cret!' }",
        "[[verification.endpoints]]\nurl = 'http://user:s3cret@a'",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load_settings(text)
    assert "s3cret" not in caught.value.message + caught.value.hint


def test_the_file_that_is_written_gives_back_the_settings() -> None:
    settings = load_settings(FULL)
    assert load_settings(dump_settings(settings)) == settings


def test_defaults_are_not_written() -> None:
    assert dump_settings(Settings()) == ""
    assert dump_settings(replace(Settings(), go_minutes=10)) == "go_minutes = 10\n"


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=9)
CLOCKS = st.times().map(lambda t: t.replace(second=0, microsecond=0))
BUSY = st.builds(
    Busy,
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    start=CLOCKS,
    until=CLOCKS,
).filter(lambda busy: busy.start != busy.until)
SETTINGS = st.builds(
    Settings,
    go_minutes=st.integers(1, 240),
    team=st.builds(Team, name=WORDS, timezone=st.sampled_from(["", "UTC", "Asia/Kolkata"])),
    users=st.builds(
        Users,
        timezones=st.sampled_from([(), ("UTC",), ("America/Lima", "Asia/Tokyo")]),
        busy=BUSY,
        freeze=st.tuples(st.builds(lambda day, why: Freeze(day, day, why), st.dates(), WORDS)),
    ),
    verification=st.builds(
        Verification,
        error_rate_percent=st.decimals("0.001", "99", places=3),
        watch_minutes=st.integers(1, 10),
    ),
    data=st.builds(Data, critical_tables=st.lists(WORDS, unique=True).map(tuple)),
    signing=st.builds(Signing, key=WORDS, second_person=st.sampled_from(SecondPerson)),
    wrangler=st.builds(WranglerSettings, command=WORDS),
)


@given(SETTINGS)
def test_any_settings_survive_the_file(settings: Settings) -> None:
    assert load_settings(dump_settings(settings)) == settings


def test_the_reference_names_every_setting_once_with_its_default() -> None:
    table = settings_table()
    for name in ("go_minutes", "team.timezone", "users.busy", "verification.endpoints"):
        assert table.count(f"| `{name}` |") == 1
    assert "| `users.busy` | Mon–Fri 09:00–17:00 |" in table
    assert "| `verification.error_rate_percent` | `0.1` |" in table
    assert all(line.count("|") == 4 for line in table.splitlines())


@pytest.mark.parametrize(
    ("busy", "words"),
    [
        (Busy(), "Mon–Fri 9–17"),
        (Busy((5, 6), time(8, 30), time(0)), "Sat, Sun 08:30–24"),
        (Busy((0, 2, 4)), "Mon, Wed, Fri 9–17"),
    ],
)
def test_busy_hours_read_as_people_say_them(busy: Busy, words: str) -> None:
    assert shown_busy(busy) == words


ENDPOINT = '[[verification.endpoints]]\nurl = "https://a.test"\n'


@pytest.mark.parametrize(
    "name",
    [
        "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL", "CLOUDFLARE_ACCOUNT_ID",
        "CF_API_TOKEN", "CF_API_KEY", "CF_EMAIL", "WRANGLER_ANYTHING", "cloudflare_api_token",
        "Cf_Api_Token",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[notify]\nwebhook_env = "{}"\n', 2),
        (ENDPOINT + 'bearer_env = "{}"\n', 3),
        (ENDPOINT + 'header_env = {{ "X-Key" = "OURS", "X-Token" = "{}" }}\n', 3),
        (ENDPOINT + '[verification.endpoints.header_env]\n"X-Key" = "{}"\n', 4),
    ],
)
def test_cloudflares_own_variables_are_sent_to_no_other_address(
    text: str, line: int, name: str
) -> None:
    with pytest.raises(ProjectError) as raised:
        load_settings(text.format(name))
    assert raised.value.message.startswith(f"preflight.toml:{line}: ")
    assert f"must not be {name}: Cloudflare's own variables" in raised.value.message


@pytest.mark.parametrize("name", ["CFG_TOKEN", "MY_CLOUDFLARE_TOKEN", "STATUS_TOKEN"])
def test_variables_of_other_names_are_taken(name: str) -> None:
    assert load_settings(f'[notify]\nwebhook_env = "{name}"\n').notify.webhook_env == name
