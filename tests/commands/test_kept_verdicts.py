"""A kept verdict is what the same bytes would be judged again, and hides no change of any byte."""

import argparse
import json
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from commands.real_records import CONFIG, person
from core.record_values import ANA, BEN, SQL, START, closed_in_chain
from d1_preflight.adapters.kept_verdicts import KeptVerdicts
from d1_preflight.adapters.record_folder import signed_files
from d1_preflight.commands.records import open_record
from d1_preflight.commands.review import sign_review
from d1_preflight.core.record.review import CLOSED_RECORD, Verdict
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW
from d1_preflight.core.target.snapshot import LedgerRow
from d1_preflight.core.verify.chain import read_closed
from lint.running import preflight
from sampling import sampled

NAMES = ("0058_b.sql", "0059_c.sql")
LEDGER = tuple(LedgerRow(n, name, "2026-11-23 14:00:00") for n, name in enumerate(NAMES, 58))
RECORDS = Path("checklists") / "marketplace-production"
FIRST, LAST = RECORDS / "0058_b", RECORDS / "0059_c"
SIGNERS = Path("checklists") / "allowed_signers"


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a chain of two records, the last one reviewed, and verdicts on them."""
    top, keys = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("keys")
    root = top / "project"
    ana = person(keys, "ana", ANA, root / SIGNERS, (GO, CLOSE))
    ben = person(keys, "ben", BEN, root / SIGNERS, (REVIEW,))
    (root / "wrangler.jsonc").write_text(CONFIG)
    (root / "migrations").mkdir()
    made: list[dict[str, bytes]] = []
    for number, name in enumerate(NAMES):
        start = START + timedelta(days=number)
        files = closed_in_chain(made, migration=name, hand=ana, start=start, ledger=LEDGER)
        made.append(files)
        for path, data in files.items():
            place = root / RECORDS / name.removesuffix(".sql") / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        (root / "migrations" / name).write_bytes(SQL)
    record = open_record(
        str(root / LAST),
        argparse.Namespace(allowed_signers=None, checklist=None, config=None, trust_from=""),
    )
    sign_review(record, CLOSED_RECORD, Verdict.APPROVED, "", ben, replace=True)
    return top


@pytest.fixture
def project(laid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where verdicts may be kept, and are."""
    shutil.copytree(laid / "project", tmp_path / "project")
    for name in ("CI", "PREFLIGHT_NO_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(laid / "cache"))
    monkeypatch.chdir(tmp_path / "project")
    assert [one["exit_code"] for one in verified()] == [0, 0]
    return tmp_path / "project"


def verified(*words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(preflight("verify", "--format", "json", *words).out)
    return found


def flip(path: Path) -> None:
    data = path.read_bytes()
    at = len(data) // 2
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def flip_first(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def flip_last(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


Hand = Callable[[Path], None]
HANDS: tuple[Hand, ...] = (
    flip, Path.unlink, lengthen, flip_first, flip_last, empty, link,
)  # fmt: skip


def hidden(project: Path, changes: list[tuple[Hand, Path]], *, cold: bool) -> list[str]:
    """The changes, one at a time, that a kept verdict hid, or that were judged otherwise."""
    clean, wrong = verified(), []
    for hand, path in changes:
        shutil.copytree(project, project.parent / "before", symlinks=True)
        hand(project / path)
        told = verified()
        if told in (clean, []) or told != verified(*(["--no-cache"] if cold else [])):
            wrong.append(f"{hand.__name__} {path}")
        shutil.rmtree(project)
        (project.parent / "before").rename(project)
        os.chdir(project)
    assert verified() == clean
    return wrong


def files_of(project: Path, record: Path) -> list[Path]:
    found = sorted(path for path in (project / record).rglob("*") if path.is_file())
    return [path.relative_to(project) for path in found]


def test_no_byte_of_any_file_changes_unseen(project: Path) -> None:
    files = files_of(project, LAST)[::2]  # a document, or its signature; the matrix has each
    changes = [(HANDS[n % len(HANDS)], path) for n, path in enumerate(files)]

    assert len(files) >= 4
    assert hidden(project, changes, cold=False) == []


@pytest.mark.matrix
def test_no_byte_of_any_file_changes_unseen_by_any_hand(project: Path) -> None:
    files = [*files_of(project, LAST), *files_of(project, FIRST)]
    changes = [(hand, path) for path in files for hand in HANDS]

    assert hidden(project, changes, cold=True) == []
    print(f"tampered with under a kept verdict: tried {len(changes)}, refused {len(changes)}")


def add(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("more\n")


def remove(path: Path) -> None:
    shutil.rmtree(path)


def forbid(path: Path) -> None:
    """Ana may close no more."""
    path.write_text(path.read_text().replace(CLOSE, REVIEW))


def another_database(path: Path) -> None:
    path.write_text(path.read_text().replace("a1b2c3d4", "a1b2c3d5"))


def second_person(path: Path) -> None:
    path.write_text('[signing]\nsecond_person = "always"\n')


def own_checklist(path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "checklists" / "d1.toml"
    path.write_text(shipped.read_text() + "# ours\n")


def rename(path: Path) -> None:
    path.rename(path.with_name("0099_moved.sql"))


AROUND: list[tuple[Hand, Path]] = [
    (add, LAST / "notes.txt"),
    (add, LAST / "evidence" / "more.json"),
    (add, LAST / "record-2.review.toml"),
    (remove, LAST / "evidence"),
    (remove, FIRST),
    (Path.unlink, SIGNERS),
    (empty, SIGNERS),
    (forbid, SIGNERS),
    (flip, Path("migrations") / NAMES[1]),
    (Path.unlink, Path("migrations") / NAMES[1]),
    (rename, Path("migrations") / NAMES[1]),
    (another_database, Path("wrangler.jsonc")),
    (second_person, Path("preflight.toml")),
    (own_checklist, Path("checklists") / "d1.toml"),
]


def test_no_change_around_a_record_is_unseen(project: Path) -> None:
    assert hidden(project, AROUND[::4], cold=False) == []


@pytest.mark.matrix
def test_what_changed_around_a_record_is_judged_as_without_a_cache(project: Path) -> None:
    assert hidden(project, AROUND, cold=True) == []


def kept(laid: Path) -> Path:
    return laid / "cache" / "d1-preflight" / "records.json"


def forge(laid: Path, **more: object) -> None:
    """Have the kept verdicts say that they are kept ones."""
    whole = json.loads(kept(laid).read_bytes())
    for entry in whole["kept"].values():
        for verdict in entry.values():
            if isinstance(verdict, dict) and "facts" in verdict:
                verdict.update(more or {"facts": {"kept": "yes"}})
    kept(laid).write_text(json.dumps(whole))


@pytest.fixture
def forged(laid: Path, project: Path) -> Path:
    """A project on which the kept verdicts say that they are kept ones."""
    forge(laid)
    assert [one["facts"] for one in verified()] == [{"kept": "yes"}] * 2
    return project


def are_kept() -> list[bool]:
    return [one["facts"] == {"kept": "yes"} for one in verified()]


def test_what_did_not_change_is_kept(forged: Path) -> None:
    flip(forged / LAST / "SUMMARY.md")

    assert are_kept() == [True, False]


def test_the_chain_is_judged_although_a_verdict_is_kept(forged: Path) -> None:
    shutil.rmtree(forged / FIRST)

    told = [(one["facts"], [p["id"] for p in one["problems"]]) for one in verified()]  # type: ignore[attr-defined]
    assert told == [({"kept": "yes"}, ["chain-missing"])]


def test_signers_whom_time_changes_are_asked_again(forged: Path, laid: Path) -> None:
    signers = forged / SIGNERS
    until = ' valid-before="29990101",namespaces'
    signers.write_text(signers.read_text().replace(" namespaces", until))

    assert until in signers.read_text()
    assert are_kept() == [False] * 2
    forge(laid)
    assert are_kept() == [False] * 2


@pytest.mark.parametrize(
    "name",  # the suite has both for signatures: adapters/test_verdicts
    ["CI", pytest.param("PREFLIGHT_NO_CACHE", marks=pytest.mark.matrix)],
)
@pytest.mark.usefixtures("forged")
def test_no_verdict_is_believed_where_none_may_be(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")

    assert are_kept() == [False] * 2


def test_no_verdict_is_read_in_a_checkout_or_from_others(
    forged: Path, laid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(laid).chmod(0o644)
    assert are_kept() == [False] * 2
    shutil.copytree(laid / "cache", forged / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(forged / "cache"))
    assert are_kept() == [False] * 2


@pytest.mark.parametrize(
    "damage",
    sampled(
        [
            {"problems": [["file-changed", "a", "b", "c", "invalid"]]},
            {"problems": [["no such id", "a", "b", "c", "open"]]},
            {"facts": None},
            {"closed": [1]},
        ],
        2,
    ),
    ids=str,
)
def test_a_damaged_or_refusing_verdict_is_none(
    forged: Path, laid: Path, damage: dict[str, object]
) -> None:
    assert forged.is_dir()
    forge(laid, **damage)

    assert [one["exit_code"] for one in verified()] == [0, 0]


def test_a_refusal_is_not_kept(project: Path, laid: Path) -> None:
    flip(project / LAST / "SUMMARY.md")
    verified()

    assert "invalid" not in kept(laid).read_text()


def test_a_place_in_the_chain_reads_as_it_was_written(project: Path, tmp_path: Path) -> None:
    written = KeptVerdicts(tmp_path / "kept.json")
    found = [signed_files(project / record) for record in (FIRST, LAST)]
    first = [written.closed(files) for files in found]
    written.save()
    read = KeptVerdicts(tmp_path / "kept.json")

    again = [read.closed(files) for files in found]
    assert [repr(one) for one in again] == [repr(one) for one in first]
    assert again == first == [read_closed(files) for files in found]
    assert all(one is not None and one.link is not None for one in first)
