"""The real wrangler lists and applies exactly the files that we say it does."""

import re
import subprocess
from pathlib import Path

import pytest

from d1_preflight.adapters.project_files import ProjectFiles, open_surroundings
from d1_preflight.adapters.wrangler.staged_config import open_workspace
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.project.project import Project

pytestmark = pytest.mark.wrangler

CONFIG = """\
name = "api"
compatibility_date = "2026-01-01"
[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "11111111-1111-1111-1111-111111111111"
migrations_dir = "./db/m/"
migrations_table = "ledger"
"""
ODD = (
    "0010_d.sql", "abc.sql", "2_e.sql", "0001_c.sql", "0003_its.sql", "12abc.sql", "-1_x.sql",
    ".hidden.sql", "0004_x.SQL", "notes.md", "down/0001_c.sql", "_1.sql", "a b.sql",
)  # fmt: skip
NESTED = ("2_b/migration.sql", "10_a/migration.sql", "1_c/2_x.sql", "1_c/10_x.sql", ".z/1.sql")


def lay(root: Path, *names: str, pattern: str = "") -> Project:
    extra = f'migrations_pattern = "{pattern}"\n' if pattern else ""
    (root / "wrangler.toml").write_text(CONFIG + extra)
    for number, name in enumerate(names):
        path = root / "db" / "m" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"CREATE TABLE t{number} (id INTEGER);\n")
    return open_surroundings(root, environ={}).project


def wrangler(toolchain: Toolchain, environ: dict[str, str], root: Path, *args: str) -> str:
    environ = environ | {"CI": "1", "WRANGLER_SEND_METRICS": "false", "NO_COLOR": "1"}
    done = subprocess.run(
        (*toolchain.argv, *args), cwd=root, env=environ, capture_output=True, text=True,
        check=False, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def names_in(table: str) -> list[str]:
    return [m[1].strip() for m in re.finditer(r"^│ (?!name|Name)([^│]+?) +│", table, re.MULTILINE)]


@pytest.mark.parametrize(
    ("names", "pattern"), [(ODD, ""), (NESTED, "db/m/*/*.sql"), (NESTED, "./db/m/**/{1,2,10}*")]
)
def test_the_list_is_wranglers_list(
    tmp_path: Path,
    wrangler_command: Toolchain,
    quiet_environ: dict[str, str],
    names: tuple[str, ...],
    pattern: str,
) -> None:
    project = lay(tmp_path, *names, pattern=pattern)
    (tmp_path / "db" / "m" / "0009_link.sql").symlink_to(tmp_path / "wrangler.toml")
    args = ("d1", "migrations", "list", "shop", "--local", "--config", str(project.config.path))
    shown = names_in(wrangler(wrangler_command, quiet_environ, tmp_path, *args))
    assert shown
    assert [file.name for file in ProjectFiles(project).files()] == shown


def test_a_staged_configuration_applies_its_one_file_under_the_ledgers_name(
    tmp_path: Path, wrangler_command: Toolchain, quiet_environ: dict[str, str]
) -> None:
    project = lay(tmp_path, *NESTED, pattern="db/m/*/*.sql")
    (chosen,) = [m for m in ProjectFiles(project).migrations() if m.name == "1_c/10_x.sql"]
    workspace = open_workspace(tmp_path)
    path = ProjectFiles(project).stage(chosen, workspace / "staged" / "x")
    common = ("shop", "--local", "--persist-to", str(workspace / "d1"), "--config", str(path))
    wrangler(wrangler_command, quiet_environ, tmp_path, "d1", "migrations", "apply", *common)
    query = "--command=SELECT name FROM ledger"
    found = wrangler(
        wrangler_command, quiet_environ, tmp_path, "d1", "execute", *common, "--json", query
    )
    assert re.findall(r'"name": "([^"]+)"', found) == ["1_c/10_x.sql"]
