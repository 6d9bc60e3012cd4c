"""A folder of one nested migration, given by its path, is judged among its siblings."""

import json
from pathlib import Path

import pytest

from lint.running import folder, preflight

CONFIG = """{"d1_databases": [{"binding": "DB", "database_name": "d", "migrations_dir": "m",
  "migrations_pattern": "m/*/migration.sql"}]}"""
FILES = {
    "m/20260101000000_a/migration.sql": "CREATE TABLE a (id INTEGER PRIMARY KEY);",
    "m/20260102000000_b/migration.sql": "ALTER TABLE a ADD COLUMN n TEXT;",
}


@pytest.mark.parametrize("config", [{}, {"wrangler.jsonc": CONFIG}])
def test_the_folder_is_judged_as_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, str]
) -> None:
    monkeypatch.chdir(folder(tmp_path, FILES | config))
    ran = preflight("lint", "--format", "json", "m/20260102000000_b")
    [found] = json.loads(ran.out)["migrations"]
    assert (ran.code, found["class"]) == (0, "additive")
    assert found["name"] == "20260102000000_b/migration.sql"


def test_the_folder_above_holds_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder(tmp_path, FILES))
    ran = preflight("lint", "--format", "json", "m")
    assert len(json.loads(ran.out)["migrations"]) == len(FILES)
