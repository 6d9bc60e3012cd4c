"""The archive of a closed record's outputs: any tar reads it, and it holds nothing else."""

import gzip
import io
import subprocess
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from core.record_values import ANA, KEYS, closed_in_chain, shipped_checklist
from d1_preflight.adapters.record_folder import read_record_folder
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.signing import CLOSE
from d1_preflight.core.target.kept_outputs import OUTPUTS, archived, fits_archive, read_outputs
from d1_preflight.core.verify.verify import verify_record

FILES = {
    "evidence/002-b.out": b"x" * 512,
    "evidence/001-a.out": "ein Wort: ü\n".encode(),
    "evidence/003-c.err": b"",
}


def test_what_goes_in_comes_out() -> None:
    archive = archived(FILES)

    assert read_outputs(archive).files == FILES
    assert read_outputs(archive).is_whole
    assert archived(dict(reversed(FILES.items()))) == archive


def test_tar_unpacks_it(tmp_path: Path) -> None:
    (tmp_path / "outputs.tar.gz").write_bytes(archived(FILES))

    done = subprocess.run(
        ("tar", "-xzf", "outputs.tar.gz"), cwd=tmp_path, capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES


def _made_by_python(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size, member.type = len(data), kind
        tar.addfile(member, io.BytesIO(data))
    return into.getvalue()


def _content(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


TAR = gzip.decompress(archived(FILES))


OTHERS = {
    "nothing": b"",
    "no gzip": b"not gzip",
    "cut off": archived(FILES)[:-9],
    "more bytes": archived(FILES) + b"x",
    "twice": archived(FILES) * 2,
    "after the end": _content(TAR + b"after the end"),
    "no end": _content(TAR[:-512]),
    "short": _content(TAR[:600]),
    "another name": _content(TAR.replace(b"001-a", b"001-z")),
    "another mode": _content(TAR.replace(b"0000644", b"0000777")),
    "no tar": _content(b"x" * 5000),
    "made by Python": _made_by_python("evidence/001-a.out"),
    "out of the folder": _made_by_python("../001-a.out"),
    "a way out": _made_by_python("evidence/../../x"),
    "the record": _made_by_python("record.toml"),
    "a link": _made_by_python("evidence/link", b"", tarfile.SYMTYPE),
}


@pytest.mark.parametrize("archive", OTHERS.values(), ids=OTHERS.keys())
def test_an_archive_of_another_make_holds_nothing(archive: bytes) -> None:
    found = read_outputs(archive)

    assert found.files == {}
    assert not found.is_whole


@pytest.mark.parametrize(
    "name", ["record.toml", "evidence/a/b", "evidence/", "evidence/" + "n" * 91]
)
def test_only_evidence_goes_into_it(name: str) -> None:
    assert not fits_archive(name)


def _archived_record(outputs: bytes) -> dict[str, bytes]:
    """A closed record whose one output lies in this archive."""
    files = closed_in_chain()
    record = load_record(files["record.toml"])
    close = record.attempts[-1]
    facts = CloseFacts.from_attempt(close)
    named = f"{sha256(outputs).hexdigest()}  {OUTPUTS}"
    bound = {**facts.written(), "files": (*facts.files, named)}
    files.pop("evidence/001-named.out")
    return _signed(files, record, bound) | {OUTPUTS: outputs}


def _signed(files: dict[str, bytes], record: Record, facts: object) -> dict[str, bytes]:
    last = replace(record.attempts[-1], facts=facts)  # type: ignore[arg-type]  # facts as read
    document = dump_record(replace(record, attempts=(*record.attempts[:-1], last)))
    signature = KEYS.sign(document, CLOSE, ANA)
    return {**files, "record.toml": document, "record.toml.sig": signature}


def _verified(folder: Path, files: dict[str, bytes]) -> list[str]:
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(data)
    found = verify_record(read_record_folder(folder), shipped_checklist(), KEYS)
    return [f"{p.id} {p.file}" for p in found.problems]


OUTPUT = {"evidence/001-named.out": closed_in_chain()["evidence/001-named.out"]}


def test_an_output_in_the_archive_counts_as_the_file(tmp_path: Path) -> None:
    assert _verified(tmp_path, _archived_record(archived(OUTPUT))) == []


def test_its_file_may_lie_beside_it_as_a_stopped_close_leaves_it(tmp_path: Path) -> None:
    assert _verified(tmp_path, _archived_record(archived(OUTPUT)) | OUTPUT) == []


def test_an_output_that_no_step_names_is_refused(tmp_path: Path) -> None:
    files = _archived_record(archived({**OUTPUT, "evidence/099-more.out": b"all well"}))

    assert _verified(tmp_path, files) == ["file-unlisted evidence/099-more.out"]


def test_another_output_than_the_step_saw_is_refused(tmp_path: Path) -> None:
    files = _archived_record(archived(dict.fromkeys(OUTPUT, b"other")))

    assert _verified(tmp_path, files) == ["evidence-changed evidence/001-named.out"]


def test_an_archive_that_hides_something_is_refused(tmp_path: Path) -> None:
    hidden = _content(gzip.decompress(archived(OUTPUT)) + b"note")

    assert _verified(tmp_path, _archived_record(hidden)) == [f"evidence-changed {OUTPUTS}"]
