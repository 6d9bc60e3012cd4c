"""A project's .env files mean to us what they mean to wrangler, and nothing in them is run."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.adapters.project_files import open_surroundings
from d1_preflight.adapters.wrangler.account import account_id
from d1_preflight.adapters.wrangler.dotenv import parse, read_environment
from d1_preflight.adapters.wrangler.redaction import Redactor
from d1_preflight.core.target.api_place import api_place, login_variable

TOKEN = "tok-0123456789abcdef"
CONFIG = """
name = "shop"
[[d1_databases]]
binding = "DB"
database_name = "app"
database_id = "prod"
[env.staging]
[[env.staging.d1_databases]]
binding = "DB"
database_name = "app"
database_id = "stage"
"""
OLD, MIDDLE, NEW = (4, 0, 0), (4, 50, 0), (4, 164, 0)


def lay(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".", 1).replace("__", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=b", {"A": "b"}),
        ("export A = b # c", {"A": "b"}),
        ("A: b", {"A": "b"}),
        ("A='b # c'", {"A": "b # c"}),
        ('A="b\\nc"', {"A": "b\nc"}),
        ("A='b\\nc'", {"A": "b\\nc"}),
        ("A=`b'\"c`", {"A": "b'\"c"}),
        ("A=", {"A": ""}),
        ("A", {}),
        ("# A=b", {}),
        ("A=b\r\nB=c\rC=d", {"A": "b", "B": "c", "C": "d"}),
        ('A="b\nc"\nB=d', {"A": "b\nc", "B": "d"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A.b-c=1", {"A.b-c": "1"}),
        ("\ufeffA=1", {"A": "1"}),
    ],
)
def test_a_file_reads_as_the_package_dotenv_reads_it(text: str, found: dict[str, str]) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("\n", " ", "A\n", "A='\n", "A='\\'", "A=$A", "#\n", "A= \n \n"),
        *(pytest.param(text, marks=pytest.mark.matrix) for text in ('A="\n', "A=`x\n")),
    ],
)
def test_a_long_file_of_anything_is_read_in_linear_time(tmp_path: Path, text: str) -> None:
    lay(tmp_path, _env=(text * (100_000 // len(text)))[:100_000] + "\nB=c\n")
    read_environment(tmp_path, {}, wrangler=NEW)  # a search that is not linear never ends here


@given(st.text())
def test_whatever_stands_in_a_file_is_read_or_passed_over(text: str) -> None:
    assert all(isinstance(value, str) for value in parse(text).values())


def test_the_shell_wins_and_what_is_empty_there_does_not(tmp_path: Path) -> None:
    lay(tmp_path, _env=f"CLOUDFLARE_API_TOKEN={TOKEN}\nCLOUDFLARE_ACCOUNT_ID=from-file\n")
    shell = {"CLOUDFLARE_ACCOUNT_ID": "from-shell", "CLOUDFLARE_API_TOKEN": ""}

    found = read_environment(tmp_path, shell, wrangler=NEW)
    old = read_environment(tmp_path, shell, wrangler=OLD)

    assert found.variables["CLOUDFLARE_API_TOKEN"] == TOKEN
    assert found.source("CLOUDFLARE_API_TOKEN") == ".env"
    assert found.variables["CLOUDFLARE_ACCOUNT_ID"] == "from-shell"
    assert found.source("CLOUDFLARE_ACCOUNT_ID") == "the shell"
    assert old.variables["CLOUDFLARE_API_TOKEN"] == ""
    assert login_variable(old.variables) == ""


def test_later_files_win_as_far_as_this_wrangler_reads_them(tmp_path: Path) -> None:
    lay(
        tmp_path,
        _env="CLOUDFLARE_API_TOKEN=one\n",
        _env__local="CLOUDFLARE_API_TOKEN=two\n",
        _env__staging="CLOUDFLARE_API_TOKEN=three\n",
    )

    def token(version: tuple[int, int, int], environment: str | None) -> str:
        found = read_environment(tmp_path, {}, wrangler=version, environment=environment)
        return found.variables["CLOUDFLARE_API_TOKEN"]

    assert [token(v, None) for v in (OLD, MIDDLE, NEW)] == ["one", "two", "two"]
    assert [token(v, "staging") for v in (OLD, MIDDLE, NEW)] == ["three", "three", "three"]
    assert [token(v, "") for v in (OLD, MIDDLE, NEW)] == ["one", "two", "two"]


def test_references_expand_and_never_run(tmp_path: Path) -> None:
    lay(tmp_path, _env="A=x\nCLOUDFLARE_API_TOKEN=${A}-$HOME_NAME-${NONE:-d}-$(touch pwned)\n")

    found = read_environment(tmp_path, {"HOME_NAME": "h"}, wrangler=NEW)

    assert found.variables["CLOUDFLARE_API_TOKEN"] == "x-h-d-$(touch pwned)"
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "text", ["A=$A", "A=$B\nB=$A", "A=${A:-$A}$A", "A=" + "$B" * 500 + "\nB=$A$A"]
)
def test_a_reference_to_itself_ends(tmp_path: Path, text: str) -> None:
    lay(tmp_path, _env=text + "\nCLOUDFLARE_API_TOKEN=$A\n")
    assert len(read_environment(tmp_path, {}, wrangler=NEW).variables) <= 1


def test_only_what_the_call_needs_is_handed_over(tmp_path: Path) -> None:
    lay(tmp_path, _env=f"CLOUDFLARE_API_TOKEN={TOKEN}\nNODE_OPTIONS=--require=x\nPATH=/x\nA=b\n")

    found = read_environment(tmp_path, {"PATH": "/bin"}, wrangler=NEW)

    assert dict(found.variables) == {"PATH": "/bin", "CLOUDFLARE_API_TOKEN": TOKEN}


@pytest.mark.parametrize(
    ("version", "chosen"), [(OLD, ""), (MIDDLE, ""), ((4, 51, 0), "staging"), (NEW, "staging")]
)
def test_the_environment_is_chosen_as_this_wrangler_chooses_it(
    tmp_path: Path, version: tuple[int, int, int], chosen: str
) -> None:
    lay(tmp_path, _env__local="CLOUDFLARE_ENV=staging\n")
    (tmp_path / "wrangler.toml").write_text(CONFIG)

    opened = open_surroundings(tmp_path, environ={}, wrangler=lambda *_: version)

    assert opened.project.environment == chosen
    assert opened.project.database.id == ("stage" if chosen else "prod")
    assert opened.project.chosen_by == ("CLOUDFLARE_ENV in .env.local" if chosen else "")
    assert "CLOUDFLARE_ENV" not in opened.around.variables


@pytest.mark.parametrize(("flag", "uuid"), [("", "prod"), ("staging", "stage")])
def test_the_flag_wins_over_every_file_and_the_shell(tmp_path: Path, flag: str, uuid: str) -> None:
    lay(tmp_path, _env="CLOUDFLARE_ENV=staging\n" if not flag else "CLOUDFLARE_ENV=nothing\n")
    (tmp_path / "wrangler.toml").write_text(CONFIG)

    project = open_surroundings(
        tmp_path, environment=flag, environ={"CLOUDFLARE_ENV": "other"}
    ).project

    assert (project.environment, project.database.id) == (flag, uuid)


def test_what_holds_no_line_of_text_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    (tmp_path / ".env.local").symlink_to("/dev/zero")
    (tmp_path / ".dev.vars").mkdir()

    assert dict(read_environment(tmp_path, {"A": "b"}, wrangler=NEW).variables) == {"A": "b"}


def test_the_secrets_of_every_file_are_masked(tmp_path: Path) -> None:
    lay(
        tmp_path,
        _env=f"CLOUDFLARE_API_TOKEN={TOKEN}\nCLOUDFLARE_ENV=production\n",
        _env__example="STRIPE_SECRET=sk_live_0123456789\n",
        _dev__vars='SESSION_SECRET="spaced out secret"\n',
    )

    found = read_environment(tmp_path, {}, wrangler=OLD)
    redactor = Redactor.of(found.variables, found.secrets)

    told = redactor.line(f"a {TOKEN} b sk_live_0123456789 c spaced out secret d production")
    assert told == "a «masked» b «masked» c «masked» d production"
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("base", "place"),
    [
        ("", "remote"),
        ("https://api.cloudflare.com/client/v4", "remote"),
        ("https://API.cloudflare.com:443/client/v4", "remote"),
        ("http://127.0.0.1:8080/client/v4", "practice"),
        ("http://localhost:8080", "practice"),
        ("http://[::1]:8080", "practice"),
        ("http://127.0.0.1:8080@api.evil.example/client/v4", "api.evil.example"),
        ("https://api.cloudflare.com.evil.example/", "api.cloudflare.com.evil.example"),
        ("http://api.cloudflare.com/client/v4", "api.cloudflare.com"),
        ("https://proxy.example:8443/cf", "proxy.example:8443"),
        ("http://[::1", "an unreadable API base"),
        ("nonsense", "an unreadable API base"),
    ],
)
def test_what_answers_as_the_api_is_called_by_its_name(base: str, place: str) -> None:
    assert api_place({"CLOUDFLARE_API_BASE_URL": base}) == place
    assert api_place({"CF_API_BASE_URL": base}) == place


def test_the_account_is_the_one_that_wrangler_would_take(tmp_path: Path) -> None:
    kept = tmp_path / ".wrangler" / "cache" / "wrangler-account.json"
    assert account_id({}, tmp_path) == ""
    kept.parent.mkdir(parents=True)
    kept.write_text('{"account": {"id": "kept", "name": "n"}}')
    assert account_id({}, tmp_path) == "kept"
    assert account_id({"CF_ACCOUNT_ID": "named"}, tmp_path) == "named"
    kept.write_text("[")
    assert account_id({}, tmp_path) == ""
