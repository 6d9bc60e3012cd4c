"""The record's files on a disk: whole or not at all, and held by one session at a time."""

import errno
import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from core.record_values import new_record, shipped_checklist
from d1_preflight.adapters.leftover import NEW, PART, is_leftover
from d1_preflight.adapters.locks import Lock
from d1_preflight.adapters.store import (
    RECORD,
    RecordStore,
    create_durably,
    remove_leftovers,
    write_durably,
)
from d1_preflight.core.errors import ProjectError, RecordBusy, RecordInvalid

BUSY = RecordBusy("held")


def store(folder: Path) -> RecordStore:
    return RecordStore(folder / "record", folder / "locks" / "one.lock")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_record_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record = new_record(shipped_checklist())
    kept = store(tmp_path)
    assert kept.load() is None

    kept.save(record)

    assert store(tmp_path).load() == record
    assert names(tmp_path / "record") == ["record.toml"]


def test_a_damaged_record_is_named_by_its_path(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.write(RECORD, b"\xff")

    with pytest.raises(RecordInvalid, match=str(tmp_path / "record" / RECORD)):
        kept.load()


def test_a_file_is_replaced_whole_and_readable_by_others(tmp_path: Path) -> None:
    kept = store(tmp_path)
    assert kept.read("go.toml") is None

    kept.write("go.toml", b"a longer first text")
    digest = kept.write("go.toml", b"second")

    assert digest == sha256(b"second").hexdigest()
    assert kept.read("go.toml") == b"second"
    assert (tmp_path / "record" / "go.toml").stat().st_mode & 0o777 == 0o644
    assert names(tmp_path / "record") == ["go.toml"]


def test_a_private_file_is_nobody_elses(tmp_path: Path) -> None:
    write_durably(tmp_path / "key", b"x", mode=0o600)

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_whoever_reads_while_it_is_replaced_has_the_old_text_whole(tmp_path: Path) -> None:
    write_durably(tmp_path / "text", b"old")
    with (tmp_path / "text").open("rb") as reader:
        write_durably(tmp_path / "text", b"new")

        assert reader.read() == b"old"


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "record" / "go.toml").mkdir(parents=True)

    with pytest.raises(ProjectError, match=r"go\.toml cannot be written") as refused:
        store(tmp_path).write("go.toml", b"text")

    assert refused.value.hint.startswith("The earlier file is unchanged.")
    assert names(tmp_path / "record") == ["go.toml"]


def test_what_cannot_be_read_is_no_missing_file(tmp_path: Path) -> None:
    (tmp_path / "record" / "go.toml").mkdir(parents=True)

    with pytest.raises(ProjectError, match=r"go\.toml cannot be read"):
        store(tmp_path).read("go.toml")


def test_the_files_are_those_beside_the_record_without_the_evidence(tmp_path: Path) -> None:
    kept = store(tmp_path)
    assert kept.files() == {}
    kept.write("go.toml", b"go")
    kept.write("a.sig", b"sig")
    (tmp_path / "record" / "evidence").mkdir()
    (tmp_path / "record" / "evidence" / "001.out").write_bytes(b"out")

    assert kept.files() == {"a.sig": b"sig", "go.toml": b"go"}


def test_the_sums_are_those_of_the_records_own_files(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.write("go.toml", b"go")
    (tmp_path / "record" / "evidence").mkdir()
    (tmp_path / "record" / "evidence" / "001.out").write_bytes(b"out")
    (tmp_path / "record" / "link.out").symlink_to(tmp_path / "record" / "go.toml")
    (tmp_path / "record" / f"{PART}x1{NEW}").write_bytes(b"half")

    sums = {name: sha256(data).hexdigest()
            for name, data in (("evidence/001.out", b"out"), ("go.toml", b"go"))}  # fmt: skip
    assert kept.sums() == sums


def test_a_file_is_taken_away_once_and_may_be_gone_already(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.write("go.toml", b"go")

    kept.remove("go.toml")
    kept.remove("go.toml")

    assert kept.files() == {}


def test_a_file_that_cannot_be_taken_away_is_told(tmp_path: Path) -> None:
    (tmp_path / "record" / "go.toml").mkdir(parents=True)

    with pytest.raises(ProjectError, match=r"go\.toml cannot be written"):
        store(tmp_path).remove("go.toml")


def test_one_session_at_a_time_holds_a_record(tmp_path: Path) -> None:
    first, second = store(tmp_path), store(tmp_path)
    assert first.lock_fd is None
    assert first.acquire() is first
    held = first.lock_fd
    assert held is not None
    assert first.acquire().lock_fd == held

    with pytest.raises(RecordBusy, match=rf"\(process {os.getpid()}\)"):
        second.acquire()
    assert second.lock_fd is None

    first.release()
    first.release()
    assert first.lock_fd is None
    second.acquire()
    with pytest.raises(RecordBusy):
        first.acquire()
    second.release()


def test_a_child_that_has_the_lock_keeps_the_next_session_out(tmp_path: Path) -> None:
    first, second = store(tmp_path).acquire(), store(tmp_path)
    assert first.lock_fd is not None
    inherited = os.dup(first.lock_fd)
    first.release()

    with pytest.raises(RecordBusy):
        second.acquire()

    os.close(inherited)
    second.acquire().release()


def test_a_shorter_holder_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "one.lock"
    lock.parent.mkdir()
    lock.write_text("process 123456789012345 of long ago")

    held = store(tmp_path).acquire()

    assert lock.read_text() == f"process {os.getpid()}"
    held.release()


def test_a_lock_is_held_as_long_as_its_block(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    assert not Lock.is_held(path)
    assert not path.exists()

    with Lock(path, BUSY) as handle:
        assert handle > 0
        assert Lock.is_held(path)
        with pytest.raises(RecordBusy), Lock(path, BUSY):
            pass

    assert not Lock.is_held(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_file_is_made_whole_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "0001_a.sql"

    create_durably(path, b"SELECT 1;")

    assert path.read_bytes() == b"SELECT 1;"
    assert path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(ProjectError, match="already exists") as refused:
        create_durably(path, b"other")
    assert refused.value.hint == "Choose another name."
    assert path.read_bytes() == b"SELECT 1;"
    assert names(tmp_path) == ["0001_a.sql"]


def test_a_link_to_nothing_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").symlink_to(tmp_path / "nowhere")

    with pytest.raises(ProjectError, match="already exists"):
        create_durably(tmp_path / "0001_a.sql", b"SELECT 1;")

    assert names(tmp_path) == ["0001_a.sql"]


def test_a_new_file_in_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"0001_a\.sql cannot be made") as refused:
        create_durably(tmp_path / "none" / "0001_a.sql", b"SELECT 1;")

    assert refused.value.hint.startswith("Nothing was made.")


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "record").write_text("no folder")

    with pytest.raises(ProjectError, match="record cannot be made") as refused:
        store(tmp_path).write("go.toml", b"text")

    assert refused.value.hint.startswith("Nothing was started.")


NO_LINKS = [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS]


@pytest.mark.parametrize("number", NO_LINKS, ids=errno.errorcode.get)
def test_a_file_system_without_links_holds_a_new_file_too(tmp_path: Path, number: int) -> None:
    def refuse(_: Path, name: Path) -> None:
        raise OSError(number, os.strerror(number), str(name))

    create_durably(tmp_path / "0001_a.sql", b"SELECT 1;", refuse)

    assert (tmp_path / "0001_a.sql").read_bytes() == b"SELECT 1;"
    assert names(tmp_path) == ["0001_a.sql"]


@pytest.mark.parametrize("number", [errno.EEXIST, *NO_LINKS], ids=errno.errorcode.get)
def test_whoever_made_the_file_meanwhile_keeps_it(tmp_path: Path, number: int) -> None:
    def make_another(_: Path, name: Path) -> None:
        name.write_bytes(b"another's")
        raise OSError(number, os.strerror(number), str(name))

    with pytest.raises(ProjectError, match="already exists") as refused:
        create_durably(tmp_path / "0001_a.sql", b"SELECT 1;", make_another)

    assert refused.value.hint == "Choose another name."
    assert (tmp_path / "0001_a.sql").read_bytes() == b"another's"
    assert names(tmp_path) == ["0001_a.sql"]


def test_a_name_that_the_disk_refuses_leaves_nothing(tmp_path: Path) -> None:
    def refuse(_: Path, name: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(name))

    with pytest.raises(ProjectError, match="cannot be made: Input/output error") as refused:
        create_durably(tmp_path / "0001_a.sql", b"SELECT 1;", refuse)

    assert refused.value.hint.startswith("Nothing was made.")
    assert names(tmp_path) == []


def test_a_new_file_is_whole_before_it_has_its_name(tmp_path: Path) -> None:
    seen: list[tuple[bytes, bool]] = []

    def look(temporary: Path, name: Path) -> None:
        seen.append((temporary.read_bytes(), name.exists()))
        os.link(temporary, name)

    create_durably(tmp_path / "0001_a.sql", b"SELECT 1;", look)

    assert seen == [(b"SELECT 1;", False)]


@pytest.mark.parametrize(
    ("name", "is_left"),
    [
        (".preflight-ab_9.new", True),
        (".restore.sql.partial", True),
        (".record.toml.ab12cd_9", True),
        (".001-a.out.abcdefgh", True),
        ("record.toml", False),
        (".preflight-.new", False),
        ("x.preflight-ab.new", False),
        (".preflight-ab.new.sig", False),
        (".partial", False),
        ("restore.sql.partial", False),
        (".record.toml.short", False),
        (".gitignore", False),
    ],
)
def test_what_a_killed_write_left_is_known_by_its_name(name: str, *, is_left: bool) -> None:
    assert is_leftover(name) is is_left


def test_only_an_old_leftover_is_removed(tmp_path: Path) -> None:
    old, young, ours = ".preflight-old.new", ".preflight-young.new", "go.toml"
    for name, age in ((old, 700), (young, 500), (ours, 9_000)):
        (tmp_path / name).write_text("half")
        then = time.time() - age
        os.utime(tmp_path / name, (then, then))

    remove_leftovers(tmp_path / "nowhere")
    remove_leftovers(tmp_path)

    assert names(tmp_path) == [young, ours]


def test_a_session_removes_what_killed_writes_left_and_shows_none_of_it(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.write("go.toml", b"go")
    folders = (tmp_path / "record", tmp_path / "record" / "evidence")
    folders[1].mkdir()
    for folder in folders:
        (folder / ".preflight-old.new").write_text("half")
        os.utime(folder / ".preflight-old.new", (1_000, 1_000))
    assert kept.files() == {"go.toml": b"go"}

    kept.acquire().release()

    assert [names(folder) for folder in folders] == [["evidence", "go.toml"], []]


def test_a_lock_that_names_nobody_is_held_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one.lock"
    path.parent.mkdir()

    with Lock(path, BUSY), pytest.raises(RecordBusy) as refused:
        store(tmp_path).acquire()

    assert refused.value.message == "Another session holds this record."


def test_a_write_that_fails_half_way_leaves_the_old_file_alone(tmp_path: Path) -> None:
    write_durably(tmp_path / "text", b"old")

    with pytest.raises(TypeError):
        write_durably(tmp_path / "text", "no bytes")  # type: ignore[arg-type]

    assert (tmp_path / "text").read_bytes() == b"old"
    assert names(tmp_path) == ["text"]


def test_the_first_record_says_to_git_how_records_are_kept(tmp_path: Path) -> None:
    records = tmp_path / "checklists"
    kept = RecordStore(records / "db" / "0057", tmp_path / "one.lock", records)
    record = new_record(shipped_checklist())

    kept.save(record)

    lines = (records / ".gitattributes").read_text().splitlines()
    assert lines[1:] == ["* -text", "**/evidence/** linguist-generated"]
    assert not (tmp_path / ".gitattributes").exists()


@pytest.mark.parametrize("text", ["", "*.toml diff\n"])
def test_attributes_of_somebody_else_stay(tmp_path: Path, text: str) -> None:
    records = tmp_path / "checklists"
    records.mkdir()
    (records / ".gitattributes").write_text(text)
    kept = RecordStore(records / "db" / "0057", tmp_path / "one.lock", records)

    kept.save(new_record(shipped_checklist()))

    assert (records / ".gitattributes").read_text() == text


def test_attributes_that_were_removed_do_not_come_back_with_each_save(tmp_path: Path) -> None:
    records = tmp_path / "checklists"
    kept = RecordStore(records / "db" / "0057", tmp_path / "one.lock", records)
    kept.save(new_record(shipped_checklist()))
    (records / ".gitattributes").unlink()

    kept.save(new_record(shipped_checklist()))

    assert not (records / ".gitattributes").exists()
