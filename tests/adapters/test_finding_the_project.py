"""From any folder of a repository the configuration with the D1 database is found."""

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import pytest

from d1_preflight.adapters.configuration import (
    deployed_config,
    find_config,
    other_configs,
    remembering,
)
from d1_preflight.adapters.git.base_revision import BaseRevision
from d1_preflight.adapters.git.merged import AppliedMigrations
from d1_preflight.adapters.lint_sources import Sources
from d1_preflight.adapters.project_files import ProjectFiles, open_folder, open_surroundings
from d1_preflight.commands import records
from d1_preflight.core.errors import ProjectError, Undecided
from d1_preflight.core.project.settings import load_settings

ID = "a1b2c3d4-0000-4000-8000-000000000001"
D1 = f'[[d1_databases]]\nbinding = "DB"\ndatabase_name = "shop"\ndatabase_id = "{ID}"\n'
JSONC = json.dumps({"d1_databases": [{"binding": "DB", "database_name": "shop"}]})
NONE = 'name = "web"\n'


def lay(root: Path, files: Mapping[str, str]) -> Path:
    (root / ".git").mkdir()
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "start", "found"),
    [
        ({"wrangler.toml": D1}, ".", "wrangler.toml"),
        ({"wrangler.toml": D1}, "src/db", "wrangler.toml"),
        ({"apps/api/wrangler.jsonc": JSONC}, ".", "apps/api/wrangler.jsonc"),
        ({"apps/api/wrangler.jsonc": JSONC}, "packages/db", "apps/api/wrangler.jsonc"),
        ({"api/wrangler.toml": D1, "web/wrangler.toml": NONE}, ".", "api/wrangler.toml"),
        ({"api/wrangler.toml": D1, "web/wrangler.toml": NONE}, "web", "web/wrangler.toml"),
        ({"wrangler.toml": NONE, "apps/api/wrangler.toml": D1}, ".", "apps/api/wrangler.toml"),
        ({"wrangler.production.jsonc": JSONC}, ".", "wrangler.production.jsonc"),
        ({"wrangler.toml": NONE, "wrangler.live.toml": D1}, ".", "wrangler.live.toml"),
        ({"wrangler.toml": D1, "node_modules/x/wrangler.toml": D1}, ".", "wrangler.toml"),
        (
            {".wrangler/deploy/config.json": '{"configPath": "../../dist/w.json"}',
             "dist/w.json": JSONC},
            ".",
            "dist/w.json",
        ),
        (
            {"a/wrangler.toml": D1, "b/wrangler.toml": D1,
             "preflight.toml": '[wrangler]\nconfig = "b/wrangler.toml"\n'},
            "packages/db",
            "b/wrangler.toml",
        ),
        (
            {"wrangler.toml": D1, "wrangler.live.toml": D1,
             "preflight.toml": '[wrangler]\nconfig = "wrangler.live.toml"\n'},
            ".",
            "wrangler.live.toml",
        ),
    ],
)  # fmt: skip
def test_one_configuration_is_found(
    tmp_path: Path, files: dict[str, str], start: str, found: str
) -> None:
    root = lay(tmp_path, files)
    (root / start).mkdir(parents=True, exist_ok=True)

    assert find_config(root / start) == root / found


def test_several_are_named_and_none_is_taken(tmp_path: Path) -> None:
    root = lay(
        tmp_path, {"a/wrangler.toml": D1, "b/wrangler.jsonc": JSONC, "c/wrangler.toml": NONE}
    )

    with pytest.raises(Undecided, match=r"a/wrangler\.toml, b/wrangler\.jsonc") as caught:
        find_config(root)

    assert caught.value.choices == ("a/wrangler.toml", "b/wrangler.jsonc")
    assert "--config" in caught.value.hint


def test_a_remembered_choice_that_is_gone_is_said_with_its_place(tmp_path: Path) -> None:
    root = lay(tmp_path, {"preflight.toml": '[wrangler]\nconfig = "b/wrangler.toml"\n'})

    with pytest.raises(ProjectError, match="does not exist") as caught:
        find_config(root)
    assert str(root / "preflight.toml") in caught.value.hint


@pytest.mark.parametrize("before", ["", "go_minutes = 10 # ours\n", '[wrangler]\ncommand = "w"\n'])
def test_a_choice_is_written_and_all_else_stays(before: str) -> None:
    text = remembering(before, 'apps/"api"/wrangler.toml')

    assert load_settings(text).wrangler.config == 'apps/"api"/wrangler.toml'
    assert set(before.splitlines()) <= set(text.splitlines())


def test_the_cf_tools_configuration_gets_a_clear_sentence(tmp_path: Path) -> None:
    root = lay(tmp_path, {"cloudflare.config.ts": "export default {}"})

    with pytest.raises(ProjectError, match="cf tool") as caught:
        find_config(root)
    assert "database_id" in caught.value.hint


def test_no_configuration_ends_within_bounds(tmp_path: Path) -> None:
    deep = "/".join("abcdefghij")
    root = lay(tmp_path, {f"{deep}/wrangler.toml": D1})

    with pytest.raises(ProjectError, match="No wrangler configuration"):
        find_config(root)


def test_what_deploy_takes_instead_and_what_lies_beside_is_known(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "wrangler.toml": D1,
            "wrangler.live.toml": D1,
            "wrangler.web.toml": NONE,
            ".wrangler/deploy/config.json": '{"configPath": "../../dist/w.json"}',
            "dist/w.json": JSONC,
        },
    )

    assert other_configs(root / "wrangler.toml") == (root / "wrangler.live.toml",)
    assert deployed_config(root) == root / "dist" / "w.json"


MOVED = '[migrations]\nfolder = "../../packages/db/drizzle"\n'


def test_migrations_of_another_package_are_this_projects(tmp_path: Path) -> None:
    files = {
        "apps/api/wrangler.toml": D1,
        "apps/api/preflight.toml": MOVED,
        "packages/db/drizzle/0001_add_users.sql": "CREATE TABLE users(id);\n",
    }
    root = lay(tmp_path, files)
    project = open_surroundings(root, environ={}).project

    assert project.migrations_folder == root / "packages" / "db" / "drizzle"
    assert [file.name for file in ProjectFiles(project).files()] == ["0001_add_users.sql"]
    (ledger,) = Sources(root).project()
    assert ledger.wanted == {"0001_add_users.sql"}


def test_a_pattern_of_the_settings_takes_nested_files(tmp_path: Path) -> None:
    settings = '[migrations]\nfolder = "terraform/d1"\npattern = "*/migration.sql"\n'
    root = lay(tmp_path, {"wrangler.toml": D1, "preflight.toml": settings})
    path = root / "terraform" / "d1" / "0001_a_b" / "migration.sql"
    path.parent.mkdir(parents=True)
    path.write_text("CREATE TABLE t(id);\n")

    (file,) = ProjectFiles(open_surroundings(root, environ={}).project).files()
    assert file.name == "0001_a_b/migration.sql"


def test_two_places_for_migrations_are_refused(tmp_path: Path) -> None:
    config = f'{D1}migrations_dir = "db"\n'
    root = lay(tmp_path, {"wrangler.toml": config, "preflight.toml": MOVED})

    with pytest.raises(ProjectError, match=r"migrations_dir db, and \[migrations\] folder"):
        open_surroundings(root, environ={})


@pytest.mark.parametrize(
    "files",
    [
        {"migrations/0001_a_b.sql": "CREATE TABLE a(id);\n"},
        {"wrangler.toml": NONE, "migrations/0001_a_b.sql": "CREATE TABLE a(id);\n"},
        {"cloudflare.config.ts": "", "migrations/0001_a_b.sql": "CREATE TABLE a(id);\n"},
        {"wrangler.jsonc": JSONC, "migrations/0001_a_b.sql": "CREATE TABLE a(id);\n"},
        {
            "wrangler.toml": f'{D1}[[d1_databases]]\nbinding = "TWO"\n',
            "migrations/0001_a_b.sql": "CREATE TABLE a(id);\n",
        },
    ],
)
def test_what_only_needs_the_files_asks_for_no_database(
    tmp_path: Path, files: dict[str, str]
) -> None:
    root = lay(tmp_path, files)

    (ledger,) = Sources(root).project()
    assert ledger.wanted == {"0001_a_b.sql"}
    assert open_folder(root).migrations_folder == root / "migrations"


def test_without_files_the_missing_configuration_is_still_said(tmp_path: Path) -> None:
    root = lay(tmp_path, {})

    with pytest.raises(ProjectError, match="No wrangler configuration"):
        Sources(root).project()
    with pytest.raises(ProjectError, match="No wrangler configuration"):
        open_folder(root)


TWINS = f"""\
[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "{ID}"
preview_database_id = "{ID.upper()}"
remote = true

[[env.staging.d1_databases]]
binding = "DB"
database_name = "shop-staging"
database_id = "{ID}"
"""


def test_what_could_be_mistaken_for_another_database_is_said(tmp_path: Path) -> None:
    root = lay(tmp_path, {"wrangler.toml": TWINS})
    top = open_surroundings(root, environ={}).project
    staging = open_surroundings(root, environment="staging", environ={}).project

    said = " ".join(top.config.remarks(top.database))
    assert 'The environment "staging" has the same database (shop-staging)' in said
    assert "The preview of shop is this very database" in said
    assert "wrangler dev reads and writes this very database" in said
    assert "The top level has the same database (shop)" in " ".join(
        staging.config.remarks(staging.database)
    )


def test_a_plain_project_gets_no_remarks(tmp_path: Path) -> None:
    project = open_surroundings(lay(tmp_path, {"wrangler.toml": D1}), environ={}).project

    assert project.config.remarks(project.database) == ()


@pytest.mark.parametrize("below", ["a", "b"])
def test_records_are_looked_for_where_one_stands_whatever_lies_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    root = lay(tmp_path, {"a/wrangler.toml": D1, f"{below}/wrangler.jsonc": JSONC})
    (root / "checklists").mkdir()
    (root / "migrations").mkdir()
    monkeypatch.chdir(root)

    assert records._roots(Namespace(config=None)) == (root,)
    assert not records._is_project(root, None, records.Chains())
    applied = AppliedMigrations(BaseRevision("HEAD"), root / "migrations")
    assert applied._top() == root / "checklists"


def test_without_records_here_those_of_the_only_project_below_are_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lay(tmp_path, {"apps/api/wrangler.toml": D1})
    monkeypatch.chdir(root)

    assert records._roots(Namespace(config=None)) == (root / "apps" / "api",)


@pytest.mark.parametrize("up", ["../../..", "../..", "/etc"])
@pytest.mark.parametrize("has_checkout", [True, False])
def test_a_migrations_folder_outside_of_the_checkout_is_refused(
    tmp_path: Path, up: str, *, has_checkout: bool
) -> None:
    root = tmp_path / "repo" / "api"
    root.mkdir(parents=True)
    (tmp_path / "0001_of_others.sql").write_text("CREATE TABLE others(x);")
    if has_checkout:
        (root.parent / ".git").mkdir()
    elif up == "/etc":
        return
    (root / "wrangler.toml").write_text(f'{D1}migrations_dir = "{up}"\n')
    project = open_surroundings(root, environ={}).project

    with pytest.raises(ProjectError, match="is outside of"):
        ProjectFiles(project).files()
