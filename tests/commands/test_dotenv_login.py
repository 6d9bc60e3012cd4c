"""A login that stands in .env alone is found, named by its place, and masked."""

import os
from pathlib import Path

import pytest

from d1_preflight.cli import main
from d1_preflight.project_context import open_context

TOKEN = "tok-0123456789abcdef"
CONFIG = """
name = "shop"
[[d1_databases]]
binding = "DB"
database_name = "app"
database_id = "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
[env.staging]
[[env.staging.d1_databases]]
binding = "DB"
database_name = "app"
database_id = "d00d0000-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
"""
WRANGLER = """#!/bin/sh
[ "$1" = --version ] && { echo 4.164.0; exit 0; }
echo "token $CLOUDFLARE_API_TOKEN is bad, env is [$CLOUDFLARE_ENV]" >&2
exit 1
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    (folder / "migrations").mkdir(parents=True)
    (folder / "migrations" / "0001_a.sql").write_text("SELECT 1;\n")
    (folder / "wrangler.toml").write_text(CONFIG)
    program = tmp_path / "wrangler"
    program.write_text(WRANGLER)
    program.chmod(0o755)
    (folder / "preflight.toml").write_text(f'[wrangler]\ncommand = "{program}"\n')
    monkeypatch.chdir(folder)
    for name in [n for n in os.environ if n.startswith(("CLOUDFLARE_", "CF_"))]:
        monkeypatch.delenv(name)
    return folder


def test_doctor_says_where_login_environment_and_api_come_from(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".env").write_text(
        f"CLOUDFLARE_API_TOKEN={TOKEN}\nCLOUDFLARE_ENV=staging\n"
        "CLOUDFLARE_API_BASE_URL=https://proxy.example/client/v4\n"
    )

    main(["doctor"])

    told = capsys.readouterr().out
    assert "CLOUDFLARE_API_TOKEN is set in .env" in told
    assert '"staging", chosen by CLOUDFLARE_ENV in .env' in told
    assert "proxy.example answers as Cloudflare's API" in told
    assert TOKEN not in told


async def test_a_token_of_a_dotenv_is_masked_and_its_environment_reaches_no_wrangler(
    project: Path,
) -> None:
    (project / ".env.local").write_text(f"CLOUDFLARE_API_TOKEN={TOKEN}\nCLOUDFLARE_ENV=staging\n")
    context = open_context(environ={"PATH": os.environ["PATH"], "HOME": str(project.parent)})
    environment = context.environment("0001_a.sql", context.store("0001_a.sql"))

    ran = await environment.wrangler.run(("d1", "info"), cwd=project, keep="001-a")

    assert "token «masked» is bad, env is []" in ran.stderr
    kept = context.store("0001_a.sql").folder / "evidence" / "001-a.err"
    assert TOKEN not in kept.read_text()
    assert "«masked»" in kept.read_text()


def test_an_api_that_is_not_cloudflares_is_called_by_its_name(project: Path) -> None:
    (project / ".env").write_text("CLOUDFLARE_API_BASE_URL=http://127.0.0.1:9/client/v4\n")
    assert open_context(environ={"PATH": os.environ["PATH"]}).target == "practice"
    (project / ".env").write_text("CLOUDFLARE_API_BASE_URL=https://proxy.example/client/v4\n")
    assert open_context(environ={"PATH": os.environ["PATH"]}).target == "proxy.example"


def test_an_environment_that_is_not_there_is_said_with_where_it_was_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".env").write_text("CLOUDFLARE_ENV=ghost\n")

    assert main(["doctor"]) == 1

    told = capsys.readouterr().out
    assert 'has no environment "ghost"' in told
    assert "CLOUDFLARE_ENV in .env chose the environment" in told
