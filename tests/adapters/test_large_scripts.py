"""A large file of SQL is run statement by statement, exactly, and never held as a whole."""

import tracemalloc
from pathlib import Path

import apsw
import pytest

from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.errors import ProjectError

TRICKY = [
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v);",
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN\nSELECT 1;\nSELECT 2;\nEND;",
    "INSERT INTO t(v) VALUES ('a;\n-- b;\n/* c;\n'';\n');",
    "INSERT INTO t(v) VALUES ('one\r\ntwo\rthree'); INSERT INTO t(v) VALUES ('same line;');",
    "-- INSERT INTO t(v) VALUES ('no');",
    "INSERT INTO t(v)\nVALUES ('no semicolon')",
]


@pytest.fixture
def local(tmp_path: Path) -> LocalDatabases:
    local = LocalDatabases("an-id")
    local.file(tmp_path / "d1").parent.mkdir(parents=True)
    return local


def held(path: Path) -> list[object]:
    connection = apsw.Connection(str(path))
    try:
        return [row[0] for row in connection.execute("SELECT v FROM t ORDER BY id")]
    finally:
        connection.close()


def test_a_file_is_run_as_it_is_written(tmp_path: Path, local: LocalDatabases) -> None:
    (tmp_path / "s.sql").write_text("\n".join(TRICKY), encoding="utf-8", newline="")

    local.run_file(tmp_path / "d1", tmp_path / "s.sql")
    loads = local.load_dump(tmp_path / "dump", tmp_path / "s.sql")

    expected = ["a;\n-- b;\n/* c;\n';\n", "one\r\ntwo\rthree", "same line;", "no semicolon"]
    assert held(local.file(tmp_path / "d1")) == expected
    assert (loads, held(local.file(tmp_path / "dump"))) == ("", expected)


def test_a_file_that_fails_in_its_midst_leaves_nothing(
    tmp_path: Path, local: LocalDatabases
) -> None:
    local.run_sql(tmp_path / "d1", "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    (tmp_path / "s.sql").write_text("INSERT INTO t(v) VALUES (1);\nINSERT INTO gone VALUES (1);\n")
    with pytest.raises(ProjectError):
        local.run_file(tmp_path / "d1", tmp_path / "s.sql")
    assert held(local.file(tmp_path / "d1")) == []


def test_the_memory_does_not_grow_with_the_file(tmp_path: Path, local: LocalDatabases) -> None:
    row = f"('{'x' * 900}'),\n"
    statement = f"INSERT INTO t(v) VALUES\n{row * 90}('last');\n"
    with (tmp_path / "s.sql").open("w") as file:
        file.write("CREATE TABLE t(id INTEGER PRIMARY KEY, v);\n")
        for _ in range(100):
            file.write(statement)
    size = (tmp_path / "s.sql").stat().st_size
    tracemalloc.start()
    local.run_file(tmp_path / "d1", tmp_path / "s.sql")
    local.load_dump(tmp_path / "dump", tmp_path / "s.sql")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 8_000_000
    assert peak < 2_000_000
