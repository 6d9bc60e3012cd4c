"""One migration, staged alone: what wrangler is given to apply."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from d1_preflight.adapters.project_files import ProjectFiles, open_surroundings
from d1_preflight.adapters.wrangler.staged_config import open_workspace
from d1_preflight.core.errors import MigrationUnreadable, ProjectError
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.wrangler_config_file import parse_config

CONFIG = """\
name = "api"
account_id = "acc"
[[d1_databases]]
binding = "OTHER"
database_name = "other"
database_id = "id-0"
[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "id-1"
preview_database_id = "preview"
migrations_table = "ledger"
migrations_dir = "migrations"
"""


def lay(root: Path, *names: str, config: str = CONFIG) -> Project:
    (root / "wrangler.toml").write_text(config)
    for name in names:
        path = root / "migrations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"SELECT '{name}';\r\n".encode())
    return open_surroundings(root, database="shop", environ={}).project


def migration(project: Project, name: str) -> Migration:
    return next(m for m in ProjectFiles(project).migrations() if m.name == name)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def staged(project: Project, name: str) -> Path:
    folder = open_workspace(project.root) / "staged" / "0001"
    return ProjectFiles(project).stage(migration(project, name), folder)


def test_the_staged_project_has_this_database_and_this_file_only(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql", "0002_b.sql")
    path = staged(project, "0002_b.sql")
    config = parse_config(path, path.read_text())
    (database,) = config.databases
    assert (database.name, database.id, database.migrations_table) == ("shop", "id-1", "ledger")
    assert (config.name, config.account_id, database.preview_id) == ("api", "acc", "")
    (only,) = ProjectFiles(open_surroundings(path.parent, environ={}).project).migrations()
    assert only.name == "0002_b.sql"
    assert only.sha256 == migration(project, "0002_b.sql").sha256


def test_a_nested_name_stays_the_ledgers_name(tmp_path: Path) -> None:
    pattern = 'migrations_pattern = "migrations/*/migration.sql"\n'
    project = lay(tmp_path, "0001_a/migration.sql", config=CONFIG + pattern)
    path = staged(project, "0001_a/migration.sql")
    (only,) = ProjectFiles(open_surroundings(path.parent, environ={}).project).migrations()
    assert only.name == "0001_a/migration.sql"


def test_staging_again_leaves_nothing_of_before(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql", "0002_b.sql")
    staged(project, "0001_a.sql")
    path = staged(project, "0002_b.sql")
    found = [p.name for p in path.parent.rglob("*.sql")]
    assert found == ["0002_b.sql"]


def test_no_environment_can_choose_another_database(tmp_path: Path) -> None:
    text = CONFIG.replace("[[d1", "[[env.live.d1")
    (tmp_path / "wrangler.toml").write_text(text)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_a.sql").write_text("SELECT 1;\n")
    project = open_surroundings(tmp_path, environment="live", database="shop", environ={}).project
    path = staged(project, "0001_a.sql")
    target = ProjectFiles(project, account="acc-1").target_config()
    for config in (path, target):
        document = json.loads(config.read_text())
        assert "env" not in document
        assert [entry["database_id"] for entry in document["d1_databases"]] == ["id-1"]
    assert json.loads(target.read_text())["account_id"] == "acc"
    assert target.relative_to(tmp_path) == Path(".preflight/targets/id-1.json")


@pytest.mark.parametrize("uuid", ["../../etc", "a/b", "${D1_ID}", "x" * 300])
def test_an_id_that_could_name_another_folder_stays_in_its_own(tmp_path: Path, uuid: str) -> None:
    project = lay(tmp_path, "0001_a.sql")
    project = replace(project, database=replace(project.database, id=uuid))
    target = ProjectFiles(project).target_config()
    assert target.parent == tmp_path / ".preflight" / "targets"
    assert json.loads(target.read_text())["d1_databases"][0]["database_id"] == uuid


def test_a_dotenv_that_somebody_put_beside_the_targets_configuration_is_refused(
    tmp_path: Path,
) -> None:
    project = lay(tmp_path, "0001_a.sql")
    target = ProjectFiles(project).target_config()
    (target.parent / ".env.local").write_text("CLOUDFLARE_API_BASE_URL=http://127.0.0.1:1\n")
    with pytest.raises(ProjectError, match="would change what wrangler does"):
        ProjectFiles(project).target_config()


def test_all_of_it_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql")
    path = staged(project, "0001_a.sql")
    workspace = tmp_path / ".preflight"
    assert (workspace / ".gitignore").read_text() == "*\n"
    for found in (workspace, *workspace.rglob("*")):
        assert mode(found) == (0o700 if found.is_dir() else 0o600), found
    assert json.loads(path.read_text())["d1_databases"]


def test_a_workspace_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / ".preflight").mkdir(mode=0o755)
    assert mode(open_workspace(tmp_path)) == 0o700


def test_a_file_that_changed_meanwhile_is_not_staged(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql")
    judged = migration(project, "0001_a.sql")
    (tmp_path / "migrations" / "0001_a.sql").write_text("DROP TABLE users;")
    with pytest.raises(MigrationUnreadable, match="changed on disk"):
        ProjectFiles(project).stage(judged, tmp_path / "staged")
    assert not (tmp_path / "staged").exists()


def test_a_file_that_is_gone_is_not_staged(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql")
    judged = migration(project, "0001_a.sql")
    (tmp_path / "migrations" / "0001_a.sql").unlink()
    with pytest.raises(MigrationUnreadable, match="cannot be read"):
        ProjectFiles(project).stage(judged, tmp_path / "staged")


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql")
    before = mode(tmp_path)
    with pytest.raises(ProjectError, match="not a staging folder"):
        ProjectFiles(project).stage(migration(project, "0001_a.sql"), tmp_path)
    assert (tmp_path / "migrations" / "0001_a.sql").is_file()
    assert mode(tmp_path) == before


def test_a_workspace_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / ".preflight").write_text("")
    with pytest.raises(ProjectError, match="cannot be made") as caught:
        open_workspace(tmp_path)
    assert caught.value.hint
