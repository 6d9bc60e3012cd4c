"""The project's files on disk, found and listed as wrangler finds and lists them."""

import os
import stat
from pathlib import Path

import pytest

from d1_preflight.adapters.configuration import find_config, read_config
from d1_preflight.adapters.project_files import (
    ProjectFiles,
    open_surroundings,
    read_migrations,
    read_settings,
    require_migrations,
    write_settings,
)
from d1_preflight.adapters.store import make_folder
from d1_preflight.core.errors import MigrationUnreadable, ProjectError, UsageError
from d1_preflight.core.project.migration import Migration, UnreadableMigration
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.settings import Settings, Team

CONFIG = """\
[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "id-1"
"""


def lay(root: Path, *names: str, config: str = CONFIG) -> Project:
    """A project with these migrations."""
    (root / "wrangler.toml").write_text(config)
    (root / "migrations").mkdir(exist_ok=True)
    for name in names:
        path = root / "migrations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"-- {name}\n")
    return open_surroundings(root, environ={}).project


def listed(project: Project) -> list[str]:
    return [file.name for file in ProjectFiles(project).files()]


def with_pattern(pattern: str) -> str:
    return f'{CONFIG}migrations_dir = "migrations"\nmigrations_pattern = "{pattern}"\n'


def test_a_wrangler_json_three_levels_up_beats_a_toml_right_here(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "wrangler.toml").write_text(CONFIG)
    assert find_config(deep) == deep / "wrangler.toml"
    entry = '{"d1_databases": [{"binding": "DB"}]}'
    (tmp_path / "a" / "wrangler.jsonc").write_text(entry)
    assert find_config(deep) == tmp_path / "a" / "wrangler.jsonc"
    (tmp_path / "wrangler.json").write_text(entry)
    assert find_config(deep) == tmp_path / "wrangler.json"


def test_a_folder_of_that_name_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "wrangler.json").mkdir()
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    assert find_config(tmp_path) == tmp_path / "wrangler.toml"


def test_a_named_configuration_is_taken_relative_to_where_one_stands(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(CONFIG)
    deep = tmp_path / "a"
    deep.mkdir()
    assert find_config(deep, Path("../other.toml")) == tmp_path / "other.toml"
    with pytest.raises(ProjectError, match="does not exist"):
        find_config(deep, Path("none.toml"))


def test_no_configuration_at_all_offers_the_ways_on(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="No wrangler configuration") as caught:
        find_config(tmp_path)
    assert "--config" in caught.value.hint
    assert "preflight practice" in caught.value.hint


def test_a_project_opens_with_its_database_and_settings(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "preflight.toml").write_text("go_minutes = 10\n")
    project = open_surroundings(tmp_path / "migrations", environ={}).project
    assert project.root == tmp_path
    assert project.database.name == "shop"
    assert project.settings.go_minutes == 10
    assert project.migrations_folder == tmp_path / "migrations"
    assert project.records == tmp_path / "checklists" / "shop"


def test_the_environment_comes_from_the_flag_then_from_cloudflare_env(tmp_path: Path) -> None:
    text = CONFIG + "".join(
        f'[[env.{name}.d1_databases]]\nbinding = "DB"\ndatabase_name = "{name}"\n'
        f'database_id = "{name}"\n'
        for name in ("live", "test")
    )
    lay(tmp_path, config=text)
    by_variable = open_surroundings(tmp_path, environ={"CLOUDFLARE_ENV": "live"}).project
    assert (by_variable.database.name, by_variable.environment) == ("live", "live")
    assert by_variable.config.environment == "live"
    by_flag = open_surroundings(
        tmp_path, environment="test", environ={"CLOUDFLARE_ENV": "live"}
    ).project
    assert (by_flag.database.name, by_flag.environment) == ("test", "test")


def test_an_unknown_database_is_refused(tmp_path: Path) -> None:
    lay(tmp_path)
    with pytest.raises(UsageError, match='"nope"'):
        open_surroundings(tmp_path, database="nope", environ={})


def test_a_configuration_that_is_not_utf8_is_refused_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_bytes(b'name = "a"\nx = "\xe9"\n')
    with pytest.raises(ProjectError, match=r"wrangler\.toml:2: not UTF-8"):
        read_config(tmp_path / "wrangler.toml")


def test_a_configuration_that_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be read: No such file"):
        read_config(tmp_path / "wrangler.toml")


def test_migrations_are_listed_in_wranglers_order_and_nothing_else(tmp_path: Path) -> None:
    project = lay(
        tmp_path, "0010_d.sql", "abc.sql", "2_e.sql", "0001_c.sql", "0003_it's.sql",
        ".hidden.sql", "0004_x.SQL", "notes.md", "down/0001_c.sql",
    )  # fmt: skip
    (tmp_path / "migrations" / "0005_folder.sql").mkdir()
    (tmp_path / "migrations" / "0006_link.sql").symlink_to(tmp_path / "migrations" / "abc.sql")
    assert listed(project) == ["0001_c.sql", "2_e.sql", "0003_it's.sql", "0010_d.sql", "abc.sql"]


def test_nested_patterns_name_the_folder_in_the_ledger(tmp_path: Path) -> None:
    names = ("0002_b/migration.sql", "0001_a/migration.sql", "0001_a/notes.sql", "top.sql")
    project = lay(tmp_path, *names, config=with_pattern("migrations/*/migration.sql"))
    assert listed(project) == ["0001_a/migration.sql", "0002_b/migration.sql"]


def test_a_linked_folder_is_not_entered_but_the_migrations_folder_may_be_a_link(
    tmp_path: Path,
) -> None:
    real = tmp_path / "real"
    (real / "0001_a").mkdir(parents=True)
    (real / "0001_a" / "migration.sql").write_text("")
    (real / "0002_b").symlink_to(real / "0001_a")
    (tmp_path / "migrations").symlink_to(real)
    project = lay(tmp_path, config=with_pattern("migrations/*/migration.sql"))
    assert listed(project) == ["0001_a/migration.sql"]


def test_a_file_that_is_not_utf8_stands_among_the_others_with_its_problem(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql", "0003_c.sql")
    (tmp_path / "migrations" / "0002_b.sql").write_bytes("SELECT 'é'".encode("latin-1"))
    first, second, third = ProjectFiles(project).files()
    assert isinstance(second, UnreadableMigration)
    assert "not UTF-8" in second.problem
    assert second.hint
    assert [type(first), type(third)] == [Migration, Migration]
    assert [m.name for m in ProjectFiles(project).migrations()] == ["0001_a.sql", "0003_c.sql"]


def test_a_name_that_is_not_utf8_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    project = lay(tmp_path)
    path = os.fsencode(tmp_path / "migrations") + b"/0001_\xff.sql"
    Path(os.fsdecode(path)).write_text("")
    (found,) = ProjectFiles(project).files()
    assert isinstance(found, UnreadableMigration)
    assert "name is not UTF-8" in found.problem
    assert found.name.encode()


def test_a_missing_migrations_folder_is_told_with_the_way_on(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    project = open_surroundings(tmp_path, environ={}).project
    with pytest.raises(ProjectError, match="no migrations folder at") as caught:
        read_migrations(project.database, project.config)
    assert "preflight new" in caught.value.hint


def test_an_empty_folder_is_told_with_the_pattern(tmp_path: Path) -> None:
    project = lay(tmp_path)
    assert read_migrations(project.database, project.config) == ()
    with pytest.raises(ProjectError, match=r"no file matches migrations/\*\.sql"):
        require_migrations(project.database, project.config)


def test_files_that_only_another_pattern_would_find_are_hinted_at(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a/migration.sql")
    with pytest.raises(ProjectError) as caught:
        require_migrations(project.database, project.config)
    assert 'migrations_pattern = "migrations/*/migration.sql"' in caught.value.hint


def test_a_down_migration_lies_where_wrangler_does_not_see_it(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql")
    files = ProjectFiles(project)
    assert files.down("0001_a") is None
    path = files.write_down("0001_a", "DROP TABLE a;\n")
    assert path == tmp_path / "migrations" / "down" / "0001_a.sql"
    found = files.down("0001_a")
    assert found is not None
    assert (found.name, found.text) == ("down/0001_a.sql", "DROP TABLE a;\n")
    assert listed(project) == ["0001_a.sql"]


@pytest.mark.parametrize("pattern", ["migrations/**/*.sql", "migrations/*/*.sql"])
def test_a_pattern_that_reaches_into_down_moves_it_out_of_sight(
    tmp_path: Path, pattern: str
) -> None:
    project = lay(tmp_path, "up/0001_a.sql", config=with_pattern(pattern))
    path = ProjectFiles(project).write_down("0001_a", "DROP TABLE a;\n")
    assert path == tmp_path / "migrations" / ".down" / "0001_a.sql"
    assert listed(project) == ["up/0001_a.sql"]


NESTED = "migrations/*/migration.sql"
EVERY = "migrations/**/*.sql"


@pytest.mark.parametrize(("pattern", "name"), [(NESTED, "down.sql"), (EVERY, ".down.sql")])
def test_the_down_file_of_a_folder_lies_in_it_where_no_tool_takes_it_for_a_migration(
    tmp_path: Path, pattern: str, name: str
) -> None:
    project = lay(tmp_path, "0001_a/migration.sql", config=with_pattern(pattern))
    files = ProjectFiles(project)

    path = files.write_down("0001_a/migration", "DROP TABLE a;\n")

    assert path == tmp_path / "migrations" / "0001_a" / name
    assert files.down("0001_a/migration") is not None
    assert listed(project) == ["0001_a/migration.sql"]


@pytest.mark.parametrize("down", ["down", ".down"])
def test_a_down_file_that_was_written_where_folders_lie_is_still_found(
    tmp_path: Path, down: str
) -> None:
    files = ProjectFiles(lay(tmp_path, "0001_a/migration.sql", config=with_pattern(NESTED)))
    old = tmp_path / "migrations" / down / "0001_a" / "migration.sql"
    old.parent.mkdir(parents=True)
    old.write_text("DROP TABLE a;\n")

    assert files.down_path("0001_a/migration") == old
    assert files.down("0001_a/migration") is not None


def test_a_down_migration_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    files = ProjectFiles(lay(tmp_path, "0001_a.sql"))
    files.write_down("0001_a", "").write_bytes(b"\xff")
    with pytest.raises(MigrationUnreadable):
        files.down("0001_a")


def test_settings_are_optional_and_written_beside_the_configuration(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings()
    settings = Settings(team=Team(name="platform"))
    assert write_settings(tmp_path, settings) == tmp_path / "preflight.toml"
    assert read_settings(tmp_path) == settings


def test_damaged_settings_are_refused_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "preflight.toml").write_text("x = 1\n")
    with pytest.raises(ProjectError, match=r"preflight\.toml:1: unknown key x"):
        read_settings(tmp_path)


def test_the_configurations_hash_follows_its_bytes(tmp_path: Path) -> None:
    files = ProjectFiles(lay(tmp_path))
    before = files.config_sha256()
    (tmp_path / "wrangler.toml").write_text(f"{CONFIG}# changed\n")
    assert files.config_sha256() != before


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="cannot be made"):
        make_folder(tmp_path / "file" / "down")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_one_may_not_look_into_holds_no_configuration(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0)
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    assert find_config(shut) == tmp_path / "wrangler.toml"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write and read everywhere")
def test_a_read_only_project_is_told_and_nothing_is_begun(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql")
    folder = tmp_path / "migrations"
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(ProjectError):
            ProjectFiles(project).write_down("0001_a", "x")
    finally:
        folder.chmod(0o700)
