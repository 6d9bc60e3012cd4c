"""Canaries: a secret put in anywhere comes out nowhere."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fake_wrangler import Act, wrangler_playing
from d1_preflight.adapters.wrangler.redaction import MASK, Redactor
from d1_preflight.core.target.wrangler_output import explain_failure

TOKEN = "canary-token-3f9a77"
WEBHOOK = "https://hooks.slack.test/services/T0/B0/canary-hook"
CANARIES = (
    TOKEN,
    "canary-bearer",
    "canary-signature",
    "canary-hook",
    "canary@example.com",
    "0123456789abcdef0123456789abcdef",
)
SPOKEN = (
    f"token {TOKEN}\n"
    "Authorization: Bearer canary-bearer\n"
    "get https://r2.test/dump.sql?X-Amz-Expires=3600&X-Amz-Signature=canary-signature now\n"
    f"posted to {WEBHOOK}\n"
    "logged in as canary@example.com\n"
    "│ Ana's Account │ 0123456789abcdef0123456789abcdef │\n"
    "failed: /accounts/0123456789abcdef0123456789abcdef/d1/database\n"
    f"\x1b[31mtoken \x1b[1mcanary\x1b[0m-token-3f9a77\n"
)


async def test_no_secret_leaves_by_any_channel(tmp_path: Path) -> None:
    acts: list[Act] = [{"out": SPOKEN}, {"err": f"✘ [ERROR] {SPOKEN}"}, {"exit": 1}]
    wrangler = wrangler_playing(tmp_path, *acts, CLOUDFLARE_API_TOKEN=TOKEN)
    shown: list[str] = []
    evidence = await wrangler.run(
        ("d1", "execute", f"--command=select '{TOKEN}'"),
        cwd=tmp_path,
        keep="01-x",
        emit=lambda line, _stream: shown.append(line),
    )
    saved = "".join(path.read_text() for path in (tmp_path / "record/evidence").iterdir())
    assert len(shown) == 16
    assert saved.count(MASK) >= 14
    for canary in CANARIES:
        assert canary not in "\n".join(shown)
        assert canary not in saved
        assert canary not in repr(wrangler)
    assert TOKEN not in repr(evidence)
    assert TOKEN not in evidence.shown
    assert TOKEN in evidence.stdout  # what is read as data is not rewritten
    assert TOKEN not in explain_failure(evidence).message
    assert not list((tmp_path / "private").iterdir())


def test_a_webhook_the_caller_names_is_masked_whole() -> None:
    address = "https://chat.internal.test/incoming/aaaa-bbbb"
    assert Redactor.of({}, (address,)).line(f"sent to {address}!") == f"sent to {MASK}!"


@pytest.mark.parametrize(
    "line",
    [
        "Executing on remote database app (11111111-2222-3333-4444-555555555555):",
        "bookmark 00000085-0000024c-00004c6d-8e61117bf38d7adb71b934ebbf891683",
        "│ 0061_add_status.sql │ ✅ │",
        'near "selec": syntax error at offset 0: SQLITE_ERROR [code: 7500]',
        "https://developers.cloudflare.com/d1/",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert Redactor.of({"CLOUDFLARE_API_TOKEN": TOKEN}).line(line) == line


def test_a_short_or_harmless_variable_is_no_secret() -> None:
    environ = {"MY_TOKEN": "abc", "GIT_AUTHOR_NAME": "Ana Example", "SSH_AUTH_SOCK": "/run/agent.1"}
    assert Redactor.of(environ).secrets == ()


def test_every_line_of_a_secret_counts() -> None:
    redactor = Redactor.of({"PRIVATE_PEM": "-----BEGIN KEY-----\nMIICanary\n"})
    assert redactor.line("it said MIICanary") == f"it said {MASK}"


HEX = "0123456789abcdef0123456789abcdef"
SHAPES = {
    "bearer": ("sent Bearer canary1 to it", "sent Bearer {} to it"),
    "basic": ("BASIC Y2FuYXJ5", "BASIC {}"),
    "authorization": ("Authorization: canary1", "Authorization: {}"),
    "authorization of another scheme": ("Authorization: Token canary1", "Authorization: {}"),
    "authorization in json": ('{"authorization":"Token canary1"}', '{"authorization":"{}"}'),
    "authorization in a shell": (
        "-H 'authorization: ApiKey canary1' -s",
        "-H 'authorization: {}' -s",
    ),
    "authorization without a colon": ("authorization canary1 then", "authorization {} then"),
    "key": ("x-auth-key=canary1", "x-auth-key={}"),
    "address": ("X-Auth-Email: canary1", "X-Auth-Email: {}"),
    "cookie": ("cookie: canary1", "cookie: {}"),
    "two cookies": ("Cookie: a=canary1; b=canary1", "Cookie: {}"),
    "cookies in json": ('"cookie": "a=1; b=canary1", "x": 1', '"cookie": "{}", "x": 1'),
    "name and password": ("http://ana:canary1@proxy.test/x", "http://{}@proxy.test/x"),
    "token before a host": ("git clone https://canary1@git.test", "git clone https://{}@git.test"),
    "another protocol": ("postgres://ana:canary1@db.test/x", "postgres://{}@db.test/x"),
    "proxy": ("SOCKS5://canary1@p.test:1080", "SOCKS5://{}@p.test:1080"),
    "hook": ("https://hooks.chat.test/T0/canary1", "https://hooks.chat.test/{}"),
    "webhook": ("<https://chat.test/webhook/canary1>", "<https://chat.test/webhook/{}>"),
    "webhooks": (
        "(https://chat.test/api/webhooks/1/canary1)",
        "(https://chat.test/api/webhooks/{})",
    ),
    "query": ("at https://r2.test/d.sql?sig=canary1 now", "at https://r2.test/d.sql?{} now"),
    "account in a path": (f"/Accounts/{HEX}/d1", "/Accounts/{}/d1"),
    "account id": (f'account_id = "{HEX}"', 'account_id = "{}"'),
    "accountId": (f"accountId: {HEX},", "accountId: {},"),
    "account id in words": (f"Account ID: {HEX}", "Account ID: {}"),
    "account tag": (f'"accountTag":"{HEX.upper()}"', '"accountTag":"{}"'),
    "row of accounts": (f"  │ Ana's Account │ {HEX} │", "│ {} │"),
    "row of accounts in ascii": (f"| Ana's Account | {HEX} |", "│ {} │"),
    "row of ids": (f"│ Ana │ {HEX} │", "│ {} │"),
    "row of ids in ascii": (f"| Ana | {HEX} |", "│ {} │"),
    "all at once": (
        f"│ | x://a@b bearer basic authorization x-auth cookie account {HEX}",
        "│ {} │",
    ),
    "mail": ("by ana.b+canary1@mail.example.com.", "by {}."),
}


@pytest.mark.parametrize(("line", "shown"), SHAPES.values(), ids=SHAPES.keys())
def test_what_is_shaped_like_a_secret_is_masked_and_the_rest_stays(line: str, shown: str) -> None:
    assert Redactor().line(line) == shown.replace("{}", MASK)


@pytest.mark.parametrize(
    "name",
    [
        "CLOUDFLARE_API_TOKEN", "client_secret", "DB_PASSWORD", "PASSWD", "CLOUDFLARE_API_KEY",
        "MY_APIKEY", "PRIVATE_PEM", "AWS_CREDENTIALS", "SLACK_WEBHOOK", "SESSION_COOKIE",
        "NPM_AUTH", "WRANGLER_API_HEADERS", "SENTRY_DSN",
    ],
)  # fmt: skip
def test_a_variable_with_a_secrets_name_is_a_secret(name: str) -> None:
    redactor = Redactor.of({name: "12345678"})

    assert redactor.secrets == ("12345678",)
    assert redactor.line("it is 12345678.") == f"it is {MASK}."


@pytest.mark.parametrize("name", ["PATH", "AUTHOR", "XAUTHORITY", "SSH_AUTH_SOCK", "KEYBOARD"])
def test_a_variable_with_another_name_is_none(name: str) -> None:
    assert Redactor.of({name: "12345678"}).secrets == ()


def test_a_secret_within_a_longer_one_leaves_nothing_of_it() -> None:
    redactor = Redactor.of({"A_TOKEN": "12345678", "B_TOKEN": "12345678-more"}, ["1234567"])

    assert redactor.secrets == ("12345678-more", "12345678")
    assert redactor.line("12345678-more 12345678") == f"{MASK} {MASK}"
    assert redactor.exact("ana@example.com 12345678") == f"ana@example.com {MASK}"


@given(st.text(), st.text())
def test_a_known_secret_never_gets_through(before: str, after: str) -> None:
    assert TOKEN not in Redactor.of({"API_TOKEN": TOKEN}).line(f"{before}{TOKEN}{after}")
