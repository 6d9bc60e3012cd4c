"""A record is judged by the checklist it was walked by, whatever ships today."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from commands.real_records import make_checkout
from core.record_values import shipped_text
from d1_preflight.cli import main
from d1_preflight.commands.records import opened
from d1_preflight.core.checklist.definitions import checklists_dir
from d1_preflight.core.checklist.file import load_checklist, require_acts, shipped_checklist
from d1_preflight.core.checklist.shipped import earlier_checklist, measure_of, walked_checklist
from d1_preflight.core.errors import ChecklistInvalid
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.report import Format
from sampling import sampled

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "tests" / "records" / "checklist_4adaa57e"
RECORDS = tuple(
    ROOT / "tests" / "records" / name
    for name in (
        "checklist_4adaa57e",
        "checklist_375097bf",
        "summary_form_2",
        "summary_form_3",
    )
)
WALKED = "4adaa57ebf6503eaa02953f433c07e48f2f51f24f29e24a8b0149861842fbc87"
SHIPPED = {  # never shorter: records out there name them
    "3eb10756b0c94da934506731006d5fa12382749e4f989f1b734b0ed0da1d6681",
    "240711943bd23552de45814746cfb41035e89ea3e5b47221874b99d7701b0410",
    WALKED,
}
OPTIONS = argparse.Namespace(allowed_signers=None, checklist=None)


def test_every_shipped_checklist_is_kept_by_its_hash() -> None:
    kept = {path.stem: path for path in (checklists_dir() / "shipped").iterdir()}
    present = shipped_checklist().sha256

    assert {n: sha256(path.read_bytes()).hexdigest() for n, path in kept.items()} == {
        name: name for name in kept
    }
    assert set(kept) >= SHIPPED
    assert present in kept, f"cp checklists/d1.toml checklists/shipped/{present}.toml"


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(RECORDS[0], marks=pytest.mark.matrix),  # the suite has it, below
        *RECORDS[1:],
    ],
    ids=lambda folder: folder.name,
)
def test_a_record_of_each_form_is_good_for_ever(folder: Path) -> None:
    """The second has a file for each output and a summary of the first form, the third one file."""
    assert opened(folder, OPTIONS).verify().problems == ()
    assert main(["show", str(folder), "--format", "md"]) == 0
    data = (folder / "record.toml").read_bytes()
    assert dump_record(load_record(data)) == data


def test_an_old_record_is_good_for_ever() -> None:
    found = opened(RECORD, OPTIONS).verify()

    assert found.problems == ()
    assert found.facts["checklist"] == f"as shipped, an earlier version (sha256 {WALKED})"


def test_an_old_record_is_written_again_byte_for_byte() -> None:
    data = (RECORD / "record.toml").read_bytes()

    assert dump_record(load_record(data)) == data


@pytest.mark.parametrize("shape", sampled(Format, 2))
def test_an_old_record_is_shown(shape: Format, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(RECORD), "--format", shape.value]) == 0
    shown = capsys.readouterr().out
    assert ("closed: kept" if shape is Format.JSON else "applied and kept") in shown
    assert shape is Format.JSON or "A Time Travel bookmark is taken" in shown


STEP = """
[[section.step]]
id = "trained"
short = "trained"
title = "The team is trained"
why = "New in this version."
action = "open_dashboard"
"""


def next_version(folder: Path) -> Path:
    """This program as it may ship one day: every title reworded, and one more step required."""
    shutil.copytree(ROOT / "checklists", folder / "checklists")
    ignored = shutil.ignore_patterns("tui", "plain", "practice", "tree_sitter*")
    shutil.copytree(ROOT / "app" / "d1_preflight", folder / "app" / "d1_preflight", ignore=ignored)
    words = re.sub(r'title = "', 'title = "In other words: ', shipped_text())
    words = words.replace('\n[[section]]\nid = "local"', f'{STEP}\n[[section]]\nid = "local"', 1)
    (folder / "checklists" / "d1.toml").write_text(words)
    policy = folder / "app" / "d1_preflight" / "core" / "checklist" / "policy.py"
    code = policy.read_text()
    assert '"findings", "class",' in code
    policy.write_text(code.replace('"findings", "class",', '"findings", "class", "trained",', 1))
    return folder / "app"


VERIFY_AND_SHOW = """
import sys
from d1_preflight.cli import main
code = main(["verify", sys.argv[1]])
print("shown:")
main(["show", sys.argv[1]])
sys.exit(code)
"""


@pytest.mark.matrix  # the suite has it of earlier titles and fewer steps: every old record, above
def test_a_reworded_title_and_a_new_required_step_leave_old_records_good(tmp_path: Path) -> None:
    app = next_version(tmp_path)

    ran = subprocess.run(
        (sys.executable, "-P", "-c", VERIFY_AND_SHOW, str(RECORD)),
        env={**os.environ, "PYTHONPATH": str(app)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    verified, _, shown = ran.stdout.partition("shown:")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"as shipped, an earlier version (sha256 {WALKED})" in verified
    assert "A Time Travel bookmark is taken" in shown
    assert "In other words" not in shown


def test_a_checklist_that_nobody_knows_is_told(tmp_path: Path) -> None:
    shutil.copytree(RECORD, tmp_path / "record")
    path = tmp_path / "record" / "record.toml"
    path.write_text(path.read_text().replace(WALKED, "f" * 64))

    found = opened(tmp_path / "record", OPTIONS).verify()

    assert any("was made with another checklist" in problem.words for problem in found.problems)


@pytest.mark.parametrize("name", ["", "../d1", WALKED.upper(), "f" * 64])
def test_what_a_record_names_opens_no_other_file(name: str) -> None:
    assert earlier_checklist(name) is None


def test_a_projects_own_checklist_stays_the_measure_of_its_records(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "project", tmp_path / "keys")
    own = checkout.root / "checklists" / "d1.toml"
    own.write_text(shipped_text().replace("Data safety", "The rows"))

    found = opened(checkout.folder, OPTIONS).verify()

    assert any("was made with another checklist" in problem.words for problem in found.problems)


def test_a_shipped_checklist_is_held_to_itself_and_an_own_one_to_the_present() -> None:
    earlier = earlier_checklist(WALKED)
    own = load_checklist(shipped_text().replace("Data safety", "The rows"), "d1.toml")
    assert earlier is not None

    assert measure_of(earlier) is earlier
    assert measure_of(own) is shipped_checklist()
    assert walked_checklist(WALKED, shipped_checklist()) is earlier
    assert walked_checklist(WALKED, own) is own
    with pytest.raises(ChecklistInvalid):
        require_acts(load_checklist(shipped_text().replace('"take_bookmark"', '"check_name"'), "o"))
