"""A death at any line of a write leaves nothing that keeps the next try from its work."""

import json
import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType

import pytest

from adapters.test_staging import lay, migration, mode
from core.record_values import new_record, shipped_checklist
from d1_preflight.adapters.leftover import is_leftover
from d1_preflight.adapters.localdb import Contents, create, duplicate, read_schema
from d1_preflight.adapters.project_files import ProjectFiles
from d1_preflight.adapters.store import RecordStore, remove_leftovers
from d1_preflight.adapters.wrangler.evidence import EvidenceFolder
from d1_preflight.adapters.wrangler.redaction import Redactor
from d1_preflight.adapters.wrangler.staged_config import open_workspace
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.schema.schema import Schema, SchemaObject
from d1_preflight.disk import new_text

Act = Callable[[Path], None]
_KILLED = 9
_WRITERS = ("store.py", "locks.py", "staged_config.py", "evidence.py", "localdb.py", "disk.py")


def killed_at(line: int, act: Act, folder: Path) -> bool:
    """Whether a process that does this died at the nth line it ran of the program."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame: FrameType, event: str, _arg: object) -> object:
            nonlocal left
            if not frame.f_code.co_filename.endswith(_WRITERS):
                return None
            left -= event == "line"
            if left <= 0:
                os._exit(_KILLED)
            return trace

        sys.settrace(trace)  # type: ignore[arg-type]  # returns itself
        try:
            act(folder)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _KILLED


def survives(act: Act, tmp_path: Path, stride: int) -> int:
    """Kill it at each line in turn, in a folder of its own, and do it again; how many points."""
    for number in count(1):
        line = 1 + (number - 1) * stride
        folder = tmp_path / f"{line:04}"
        folder.mkdir()
        if not killed_at(line, act, folder):
            return number - 1
        act(folder)
    raise AssertionError


def stage(root: Path) -> None:
    project = lay(root, "0001_a.sql", "0002_b.sql")
    folder = open_workspace(root) / "shop" / "0002_b" / "apply"
    path = ProjectFiles(project).stage(migration(project, "0002_b.sql"), folder)
    assert [p.name for p in path.parent.rglob("*.sql")] == ["0002_b.sql"]
    assert json.loads(path.read_text())["d1_databases"]


def write_target_config(root: Path) -> None:
    ProjectFiles(lay(root, "0001_a.sql")).target_config()


def save_record(root: Path) -> None:
    store = RecordStore(root / "record", root / "locks" / "one.lock").acquire()
    record = new_record(shipped_checklist())
    store.save(record)
    store.write("go.toml", b"plan")
    assert store.load() == record
    assert set(store.files()) == {"record.toml", "go.toml"}
    store.release()


def keep_evidence(root: Path) -> None:
    folder = EvidenceFolder(root / "evidence", root / "running", Redactor())
    folder.note("001-applied", ("d1", "migrations", "apply"))
    with folder.open("001-applied", "out") as out:
        out.write(b"applied\n")
    folder.open(None, "err").close()
    folder.recover("applied")
    kept = sorted(p.name for p in (root / "evidence").iterdir() if not is_leftover(p.name))
    assert kept == ["001-applied.out"]


SCHEMA = Schema((SchemaObject("table", "teams", "teams", "CREATE TABLE teams(id TEXT)"),))


def make_local(root: Path) -> None:
    for name in ("one", "two"):
        (root / f"{name}.sqlite").unlink(missing_ok=True)
    create(root / "one.sqlite", Contents(SCHEMA))
    duplicate(root / "one.sqlite", root / "two.sqlite")


def write_sql(root: Path) -> None:
    path = root / "restore.sql"
    path.unlink(missing_ok=True)
    with new_text(path) as file:
        file.write("INSERT INTO teams VALUES (1);\n")
        file.write("INSERT INTO teams VALUES (2);\n")


_EACH_LINE = (stage, write_target_config, save_record, keep_evidence, make_local)


@pytest.mark.parametrize(
    ("act", "stride"),
    [
        (stage, 31),  # writes the target's configuration, too
        (save_record, 23),
        (keep_evidence, 23),
        (make_local, 13),
        *(pytest.param(act, 1, marks=pytest.mark.matrix) for act in _EACH_LINE),
    ],
)
def test_a_kill_at_any_line_leaves_nothing_that_blocks_the_next_try(
    act: Act, stride: int, tmp_path: Path
) -> None:
    points = survives(act, tmp_path, stride)

    print(f"{act.__name__}: {points} kill points, 0 failed")
    assert points > 5


@pytest.mark.parametrize("stride", [17, pytest.param(1, marks=pytest.mark.matrix)])
def test_a_local_database_and_a_restore_script_are_whole_or_not_there(
    stride: int, tmp_path: Path
) -> None:
    for line in range(1, 60, stride):
        (folder := tmp_path / str(line)).mkdir()
        for act in (make_local, write_sql):
            killed_at(line, act, folder)
        for database in folder.glob("[!.]*.sqlite"):
            assert read_schema(database).tables == SCHEMA.tables
        script = folder / "restore.sql"
        assert not script.exists() or len(script.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "left",
    ["..staged-by-preflight.x1y2z3", "..staged-by-preflight.ab_d1234", ".preflight-x1y2.new"],
)
@pytest.mark.parametrize("place", ["apply", "rehearsal"])
def test_the_mark_that_a_killed_staging_left_without_its_name_is_taken_over(
    left: str, place: str, tmp_path: Path
) -> None:
    project = lay(tmp_path, "0001_a.sql")
    folder = open_workspace(tmp_path) / "shop" / "0001_a" / place
    folder.mkdir(parents=True, mode=0o700)
    (folder / left).touch(mode=0o600)

    ProjectFiles(project).stage(migration(project, "0001_a.sql"), folder)

    assert mode(folder) == 0o700


MARK = ".staged-by-preflight"
IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "an empty folder of the mark's name": lambda folder: (folder / MARK).mkdir(),
    "a folder of a leftover's name": lambda folder: (folder / f".{MARK}.x1y2z3").mkdir(),
    "a link that leads nowhere": lambda folder: (folder / MARK).symlink_to(folder / "nowhere"),
    "a link to another file": lambda folder: (folder / MARK).symlink_to(__file__),
    "a half-written leftover": lambda folder: (folder / f".{MARK}.x1y2z3").write_text("{"),
    "a file instead of the migrations": lambda folder: [
        (folder / MARK).write_text(""),
        (folder / "migrations").write_text(""),
    ],
}


@pytest.mark.parametrize("lay_it", IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
def test_what_stands_in_the_marks_place_is_taken_over(
    lay_it: Callable[[Path], object], tmp_path: Path
) -> None:
    project = lay(tmp_path, "0001_a.sql")
    folder = open_workspace(tmp_path) / "apply"
    folder.mkdir(mode=0o700)
    before = Path(__file__).read_bytes()
    lay_it(folder)

    ProjectFiles(project).stage(migration(project, "0001_a.sql"), folder)

    assert (folder / MARK).is_file()
    assert not (folder / MARK).is_symlink()
    assert [file.name for file in (folder / "migrations").iterdir()] == ["0001_a.sql"]
    assert Path(__file__).read_bytes() == before


def test_a_folder_of_the_marks_name_that_holds_files_is_left_alone(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql")
    folder = open_workspace(tmp_path) / "apply"
    (folder / MARK).mkdir(parents=True)
    (folder / MARK / "notes.txt").write_text("mine")

    with pytest.raises(ProjectError, match="is a folder with files in it"):
        ProjectFiles(project).stage(migration(project, "0001_a.sql"), folder)
    assert (folder / MARK / "notes.txt").read_text() == "mine"


def test_what_is_no_leftover_of_ours_is_still_left_alone(tmp_path: Path) -> None:
    project = lay(tmp_path, "0001_a.sql")
    folder = open_workspace(tmp_path) / "apply"
    folder.mkdir(mode=0o700)
    (folder / ".preflight-x1y2.new").touch()
    (folder / "notes.txt").write_text("mine")

    with pytest.raises(ProjectError, match="not a staging folder"):
        ProjectFiles(project).stage(migration(project, "0001_a.sql"), folder)
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "left",
    [
        ".preflight-ab12cd_x.new",
        ".record.toml.ab12cd_x",
        ".go.toml.sig.ab12cd_x",
        ".1-x.out.partial",
    ],
)
def test_what_a_killed_write_left_in_a_record_is_no_file_of_it_and_goes(
    left: str, tmp_path: Path
) -> None:
    save_record(tmp_path)
    for folder in (tmp_path / "record", tmp_path / "record" / "evidence"):
        folder.mkdir(exist_ok=True)
        (folder / left).write_bytes(b"half")
        os.utime(folder / left, (0, 0))
    store = RecordStore(tmp_path / "record", tmp_path / "locks" / "one.lock")
    assert set(store.files()) == {"record.toml", "go.toml"}

    store.acquire().release()

    assert not list((tmp_path / "record").rglob(left))


def test_a_write_that_is_under_way_is_not_taken_for_a_leftover(tmp_path: Path) -> None:
    (tmp_path / ".preflight-ab12cd_x.new").write_bytes(b"half")

    remove_leftovers(tmp_path)

    assert (tmp_path / ".preflight-ab12cd_x.new").exists()
