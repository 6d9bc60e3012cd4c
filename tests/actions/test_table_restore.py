"""Table restore: what is written is tried here, and whatever does not come back is named."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import apsw
import pytest

from actions.fake_target import UUID
from d1_preflight.actions.context import Environment
from d1_preflight.actions.table_restore import (
    dry_run_repair,
    opened_copy,
    restore_copies,
    write_repair,
)
from d1_preflight.core.errors import NotAllowed, PreflightError, RecordInvalid
from d1_preflight.core.findings import Analysis, Effects, Kind, Risk
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.safety_facts import BackupTable
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.schema import Schema
from local_copies import schema_of, two_states

BEFORE = """CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE u(id INTEGER PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO u VALUES (1, 'a');
"""
AFTER = f"{BEFORE} DELETE FROM t WHERE id > 1;"
FOLDERS = ("restore/rows", "rehearsal/d1", "copy/d1")


@dataclass
class Locals:
    """The local databases by their scripts; `repaired` is what the tried script leaves."""

    folder: Path
    before: str = BEFORE
    after: str = AFTER
    repaired: str = BEFORE
    here: tuple[str, ...] = FOLDERS
    fails: PreflightError | None = None
    failing: Mapping[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    made: list[tuple[Path, Schema]] = field(default_factory=list)

    def file(self, persist: Path) -> Path:
        place = persist.relative_to(self.folder).as_posix()
        return self.folder / ("there" if place in self.here else "gone") / place

    def schema(self, persist: Path) -> Schema:
        return schema_of(self.repaired if persist.name == "given_back" else self.before)

    @contextmanager
    def attached(self, *, before: Path, after: Path) -> Iterator[apsw.Connection]:
        assert before.name == "rows"
        now = self.repaired if after.name == "given_back" else self.after
        with two_states(self.before, now) as connection:
            yield connection

    def failing_indexes(self, persist: Path) -> Mapping[str, str]:
        assert persist.name == "given_back"
        return self.failing

    def duplicate(self, source: Path, target: Path) -> None:
        assert (source.parent.name, target.name) == ("rehearsal", "given_back")

    def run_file(self, persist: Path, script: Path) -> int:
        assert persist.name == "given_back"
        if self.fails:
            raise self.fails
        self.ran.append(script.read_text(encoding="utf-8"))
        return 12

    def make(
        self, persist: Path, schema: Schema, copies: Collection[RowCopy], ledger: Collection[str]
    ) -> None:
        assert copies
        assert not ledger
        self.made.append((persist, schema))


def environment(local: Locals, *, rebuilt: tuple[str, ...] = (), prior: str = "") -> Environment:
    for place in FOLDERS:
        (local.folder / "there" / place).parent.mkdir(parents=True, exist_ok=True)
        (local.folder / "there" / place).touch()
    (local.folder / "restore").mkdir(exist_ok=True)
    analysis = Analysis(
        Kind.DESTRUCTIVE, Risk.HIGH, "irreversible", effects=Effects(tables_rebuilt=rebuilt)
    )
    found = SimpleNamespace(
        local=local,
        workspace=local.folder,
        copy=local.folder / "copy" / "d1",
        analysis=lambda: analysis,
        prior_schema=lambda: schema_of(prior or local.before),
        project=Project(
            local.folder,
            WranglerConfig(local.folder / "wrangler.jsonc"),
            Database("DB", "shop", UUID),
        ),
    )
    return cast("Environment", found)


def test_what_is_given_back_whole_is_said_with_its_rows_and_time(tmp_path: Path) -> None:
    local = Locals(tmp_path)

    found = dry_run_repair(environment(local))

    assert (found.runs, found.whole, found.rows, found.ms) == (True, True, 2, 12)
    assert found.words == ""
    assert "(2, 'b')" in local.ran[0]
    assert not list((tmp_path / "restore").iterdir())


T = "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
U = "CREATE TABLE u(id INTEGER PRIMARY KEY, v); INSERT INTO u VALUES (1, 'a');"


@pytest.mark.parametrize(
    ("repaired", "words"),
    [
        (U, "t is missing"),
        (f"{T} {U} INSERT INTO t VALUES (1, 'a'), (2, 'b');", "1 row of t stays lost"),
        (f"{T} {U} INSERT INTO t VALUES (1, 'a');", "2 rows of t stay lost"),
        (
            f"CREATE TABLE t(id INTEGER PRIMARY KEY); {U} INSERT INTO t VALUES (1), (2), (3);",
            "t lacks v",
        ),
        (
            f"{T} {U} INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'x');",
            "1 row of t differs from before",
        ),
        (
            f"{T} {U} INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, 'x');",
            "2 rows of t differ from before",
        ),
        (f"{BEFORE} INSERT INTO t VALUES (4, 'd'); CREATE TABLE more(x);", ""),
        (f"{BEFORE} CREATE TABLE d1_migrations(id); INSERT INTO d1_migrations VALUES (1);", ""),
    ],
)
def test_whatever_does_not_come_back_is_named(tmp_path: Path, repaired: str, words: str) -> None:
    found = dry_run_repair(environment(Locals(tmp_path, repaired=repaired)))

    assert (found.runs, found.whole, found.words) == (True, not words, words)


def test_an_index_that_fails_afterwards_is_named(tmp_path: Path) -> None:
    failing = {"notes": "its entries do not match"}

    found = dry_run_repair(environment(Locals(tmp_path, failing=failing)))

    assert (found.whole, found.words) == (False, "notes: its entries do not match")


COUNTER = "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (1), (1234);"


def test_ids_that_are_issued_again_are_named(tmp_path: Path) -> None:
    before = f"{COUNTER} DELETE FROM t WHERE id > 1;"
    after = f"{before} UPDATE sqlite_sequence SET seq = 1;"

    whole = dry_run_repair(environment(Locals(tmp_path, before, after, before)))
    low = dry_run_repair(environment(Locals(tmp_path, before, after, after)))

    assert whole.whole
    assert (low.whole, low.words) == (False, "t issues ids again, from 2 on")


def test_constraints_that_stay_gone_are_named_and_indexes_are_not(tmp_path: Path) -> None:
    """The script makes the objects again; a constraint stands in the table that it leaves."""
    before = """CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(id INTEGER PRIMARY KEY,
        p INTEGER REFERENCES p(id), n UNIQUE, v CHECK (v > 0)); CREATE INDEX i ON t(v);"""
    after = """CREATE TABLE p(id INTEGER PRIMARY KEY);
        CREATE TABLE t(id INTEGER PRIMARY KEY, p INTEGER, n, v);"""

    found = dry_run_repair(environment(Locals(tmp_path, before, after, after), rebuilt=("t",)))

    assert not found.whole
    said = found.words.split("; ")
    assert sorted(words.split(" t")[0] for words in said) == ["check", "foreign key", "unique"]
    assert all(words.endswith(" stays gone") for words in said)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (3, "t1 is missing; t2 is missing; t3 is missing"),
        (4, "t1 is missing; t2 is missing; t3 is missing and 1 more"),
    ],
)
def test_three_are_named_and_the_others_counted(tmp_path: Path, tables: int, words: str) -> None:
    before = "".join(f"CREATE TABLE t{n}(id INTEGER PRIMARY KEY);" for n in range(1, tables + 1))

    found = dry_run_repair(environment(Locals(tmp_path, before, before, "CREATE TABLE x(y);")))

    assert found.words == words
    assert not found.whole


def test_what_the_script_itself_cannot_give_back_is_no_whole(tmp_path: Path) -> None:
    """Rows of a rebuilt table without a key are equal here by chance, and are said all the same."""
    before = "CREATE TABLE log(v); INSERT INTO log VALUES ('a'), ('b');"
    after = f"{before} DELETE FROM log WHERE v = 'a';"

    found = dry_run_repair(environment(Locals(tmp_path, before, after, before), rebuilt=("LOG",)))

    assert (found.runs, found.whole) == (True, False)
    assert found.words == "log: its rows have no key, so they cannot be restored one by one"


GUARD = "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT RAISE(ABORT, {}); END;"


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("", "t: canary"),
        (GUARD.format("'fixed words'"), "t: canary"),
        (
            GUARD.format("'lost ' || new.v"),
            "It fails here; a trigger's own message is not kept, because it may quote a row.",
        ),
    ],
)
def test_a_script_that_fails_gives_back_nothing_and_quotes_no_row(
    tmp_path: Path, trigger: str, words: str
) -> None:
    local = Locals(tmp_path, fails=PreflightError("t: canary"))

    found = dry_run_repair(environment(local, prior=BEFORE + trigger))

    assert (found.runs, found.whole) == (False, False)
    assert found.words == words
    assert (found.rows, found.ms) == (None, None)
    assert not list((tmp_path / "restore").iterdir())


@pytest.mark.parametrize("gone", FOLDERS)
def test_without_any_of_the_three_databases_nothing_is_written(tmp_path: Path, gone: str) -> None:
    local = Locals(tmp_path, here=tuple(place for place in FOLDERS if place != gone))

    with pytest.raises(NotAllowed, match="not on this machine"):
        write_repair(environment(local), tmp_path / "out.sql")

    assert not (tmp_path / "out.sql").exists()


def test_only_the_wanted_tables_are_written(tmp_path: Path) -> None:
    local = Locals(tmp_path, after="CREATE TABLE other(x);")

    given = write_repair(environment(local), tmp_path / "out.sql", only=("u",))

    assert [table.table for table in given.tables] == ["u"]
    assert (tmp_path / "out.sql").stat().st_mode & 0o777 == 0o600


def copy_of(table: str) -> RowCopy:
    return cast("RowCopy", SimpleNamespace(table=table))


def test_rows_are_proved_in_their_tables_alone(tmp_path: Path) -> None:
    prior = f"""{BEFORE} CREATE INDEX i ON t(v); CREATE VIEW w AS SELECT v FROM t;
        CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END;"""
    local = Locals(tmp_path)

    restore_copies(environment(local, prior=prior), [copy_of("t")])

    ((place, schema),) = local.made
    assert place == tmp_path / "restore" / "rows"
    assert [(o.kind, o.name) for o in schema.objects] == [("table", "t")]


def test_a_copy_of_a_table_that_nobody_knows_is_not_restored(tmp_path: Path) -> None:
    local = Locals(tmp_path)

    with pytest.raises(NotAllowed, match=r"does not have x, y\."):
        restore_copies(environment(local), [copy_of("y"), copy_of("t"), copy_of("x")])

    assert local.made == []


@dataclass
class Opened:
    """Opens a copy whose content has this hash."""

    sha256: str

    def open_copy(self, path: Path) -> RowCopy:
        assert path.is_file()
        return cast("RowCopy", SimpleNamespace(table="t", sha256=self.sha256))


def with_copy(folder: Path, sha256: str) -> Environment:
    (folder / "t.rows").touch()
    project = SimpleNamespace(root=folder)
    return cast("Environment", SimpleNamespace(project=project, local=Opened(sha256)))


def test_a_backup_is_opened_only_as_it_was_written(tmp_path: Path) -> None:
    entry = BackupTable(table="t", file="t.rows", sha256="a" * 64)

    assert opened_copy(with_copy(tmp_path, "a" * 64), entry).table == "t"
    with pytest.raises(NotAllowed, match="The backup of t is not the file that was written"):
        opened_copy(with_copy(tmp_path, "b" * 64), entry)
    with pytest.raises(RecordInvalid, match="is not on this machine"):
        opened_copy(with_copy(tmp_path, "a" * 64), BackupTable(table="t", file="gone.rows"))
