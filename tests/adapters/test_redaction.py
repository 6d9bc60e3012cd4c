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


@given(st.text(), st.text())
def test_a_known_secret_never_gets_through(before: str, after: str) -> None:
    assert TOKEN not in Redactor.of({"API_TOKEN": TOKEN}).line(f"{before}{TOKEN}{after}")
