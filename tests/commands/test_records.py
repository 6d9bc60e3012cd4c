"""`show`, `verify` and `review` on a real folder with real SSH signatures."""

import argparse
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from commands.real_records import Checkout, make_checkout
from core.record_values import ANA
from d1_preflight.adapters.ssh.sshsig import SshSigner
from d1_preflight.cli import main
from d1_preflight.commands import review, show, verify
from d1_preflight.commands.records import open_record
from d1_preflight.commands.review import ask_verdict, sign_review
from d1_preflight.core.checklist.checklist import Prompt
from d1_preflight.core.errors import (
    BadSignature,
    NotAllowed,
    PreflightError,
    ProjectError,
    UsageError,
)
from d1_preflight.core.record.review import CLOSED_RECORD, PLAN, Verdict
from d1_preflight.core.record.signing import CLOSE
from sampling import sampled


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    made = make_checkout(tmp_path / "project", tmp_path / "keys")
    monkeypatch.chdir(made.root)
    return made


@cache
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    commands = made.add_subparsers()
    for command in (show, verify, review):
        command.add_parser(commands)
    return made


def arguments(*words: str) -> argparse.Namespace:
    return parser().parse_args(words)


def code(*words: str) -> int:
    found = arguments(*words)
    ended: int = found.run(found)
    return ended


def test_every_record_of_the_project_is_verified(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("verify") == 0

    told = capsys.readouterr()
    assert told.out.startswith("✓ good")
    assert f"closed     {ANA} SHA256:" in told.out
    assert "the same text in this checkout" in told.out
    assert str(checkout.signers) in told.err


@pytest.mark.parametrize("word", ["0057", "0057_add_team_billing", "0057_add_team_billing.sql"])
def test_a_record_is_found_by_its_migration(checkout: Checkout, word: str) -> None:
    assert open_record(word, arguments("verify")).folder == checkout.folder


def test_a_record_is_found_by_its_path(checkout: Checkout) -> None:
    for word in (checkout.folder, checkout.folder / "record.toml"):
        assert open_record(str(word), arguments("verify")).folder == checkout.folder


def test_plain_ssh_keygen_agrees(checkout: Checkout) -> None:
    for name, role in (("go.toml", "go"), ("record.toml", "close")):
        document = checkout.folder / name
        done = subprocess.run(
            (
                *("ssh-keygen", "-Y", "verify", "-f", str(checkout.signers), "-I", ANA),
                *("-n", f"{role}@d1-preflight", "-s", f"{document}.sig"),
            ),
            input=document.read_bytes(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["record.toml", "go.toml", "evidence/001-named.out"])
def test_an_edited_file_makes_the_record_invalid(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = checkout.folder / name
    path.write_bytes(path.read_bytes() + b"\n")

    assert code("verify", "0057") == 4
    assert name.removesuffix(".out") in capsys.readouterr().out


def test_an_edited_migration_makes_the_record_invalid(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    migration = checkout.root / "migrations" / "0057_add_team_billing.sql"
    migration.write_text("DROP TABLE teams;\n")

    assert code("verify") == 4
    assert "is not the text that this record covers" in capsys.readouterr().out


def test_verify_tells_ci_in_json(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout.folder / "record.toml.sig").unlink()

    assert code("verify", "--format", "json") == 1

    (told,) = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 1
    assert told["problems"][0]["weight"] == "open"


@pytest.mark.usefixtures("checkout")
def test_a_stranger_brings_their_own_allowed_signers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = tmp_path / "nobody"
    nobody.write_text("")

    assert code("verify", "0057", "--allowed-signers", str(nobody)) == 4
    assert "go.toml.sig" in capsys.readouterr().out


LEFT = ("go.toml", "go.toml.sig", "record.toml.sig", "evidence/1.out")


@pytest.mark.parametrize(
    ("left", "good"), sampled([(left, good) for good in (True, False) for left in LEFT], 3)
)
def test_what_is_left_of_a_record_is_not_passed_over(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], left: str, *, good: bool
) -> None:
    folder = checkout.folder.with_name("0058_drop_everything")
    (folder / left).parent.mkdir(parents=True)
    (folder / left).write_text("x")
    if not good:
        shutil.rmtree(checkout.folder)

    assert code("verify") == 4

    told = capsys.readouterr().out
    assert f"✗ invalid  {folder}" in told
    assert "record.toml: is not there" in told


def test_what_lies_beside_the_records_is_no_record(checkout: Checkout) -> None:
    (checkout.root / "checklists" / "allowed_signers.sig").write_text("x")
    (checkout.folder.with_name("0058_notes")).mkdir()

    assert code("verify") == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_cannot_be_listed_is_not_passed_over(checkout: Checkout) -> None:
    closed = checkout.folder.with_name("0058_closed")
    closed.mkdir(mode=0)

    with pytest.raises(ProjectError, match="cannot be listed: Permission denied"):
        code("verify")


@pytest.mark.parametrize(
    ("words", "before"),
    [
        (("verify",), True),
        (("show", "0057"), False),
        (("review", "0057", "--approve"), True),
        pytest.param(("verify",), False, marks=pytest.mark.matrix),
        pytest.param(("show", "0057"), True, marks=pytest.mark.matrix),
        pytest.param(("review", "0057", "--approve"), False, marks=pytest.mark.matrix),
    ],
)
def test_the_records_of_the_named_configuration_are_meant(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], *, before: bool,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    named = ("--config", str(checkout.root / "wrangler.jsonc"))

    main((*named, *words) if before else (*words, *named))

    assert "0057_add_team_billing" in capsys.readouterr().out


def test_without_records_the_next_step_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match="no records here"):
        code("verify")
    with pytest.raises(UsageError, match="no record at"):
        code("show", "0099")


@pytest.mark.parametrize(
    ("form", "begins"),  # the suite has the others, too: commands/test_earlier_checklists
    sampled([("text", "\n0057"), ("md", "# 0057"), ("html", "<!doctype html>")], 3),
)
def test_show_writes_the_record_to_stdout(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], form: str, begins: str
) -> None:
    assert code("show", str(checkout.folder), "--format", form) == 0

    told = capsys.readouterr().out
    assert told.startswith(begins.strip("\n"))
    assert "verified" in told


def reviewed(
    checkout: Checkout, by: SshSigner, verdict: Verdict, reason: str = "", *, replace: bool = False
) -> str:
    found = open_record(str(checkout.folder), arguments("review", "0057"))
    return sign_review(found, CLOSED_RECORD, verdict, reason, by, replace=replace)


def test_a_reviewer_counter_signs_and_it_verifies(checkout: Checkout) -> None:
    assert reviewed(checkout, checkout.ben, Verdict.APPROVED) == "record.review.toml"

    assert code("verify") == 0


def test_a_reviewer_approves_the_go_as_second_person(checkout: Checkout) -> None:
    (checkout.root / "preflight.toml").write_text('[signing]\nsecond_person = "destructive"\n')
    assert code("verify") == 1
    found = open_record("0057", arguments("review", "0057", "--go"))

    assert sign_review(found, PLAN, Verdict.APPROVED, "", checkout.ben) == "go.review.toml"

    assert code("verify") == 0


@pytest.mark.matrix  # the suite has it before a later word: test_chain
def test_a_record_sent_back_is_open(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    reviewed(checkout, checkout.ben, Verdict.SENT_BACK, "the backup is of last week")

    assert code("verify") == 1
    assert "sent it back: the backup is of last week" in capsys.readouterr().out


def test_a_review_that_stands_is_not_replaced_unasked(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    name = reviewed(checkout, checkout.ben, Verdict.SENT_BACK, "the backup is of last week")
    before = (checkout.folder / name).read_bytes()

    with pytest.raises(NotAllowed, match=r"Already reviewed\. .*: sent back at") as refused:
        reviewed(checkout, checkout.ben, Verdict.APPROVED)

    assert "--replace" in refused.value.hint
    assert (checkout.folder / name).read_bytes() == before
    assert reviewed(checkout, checkout.ben, Verdict.APPROVED, replace=True) == name
    assert code("verify") == 0
    assert "sent it back" not in capsys.readouterr().out


def test_a_review_of_earlier_bytes_gives_way(checkout: Checkout) -> None:
    name = reviewed(checkout, checkout.ben, Verdict.SENT_BACK, "the backup is of last week")
    record, signature = checkout.folder / "record.toml", checkout.folder / "record.toml.sig"
    record.write_bytes(record.read_bytes() + b"\n")
    signature.write_bytes(checkout.ana.sign(record.read_bytes(), CLOSE))

    assert reviewed(checkout, checkout.ben, Verdict.APPROVED) == name


@pytest.mark.parametrize(
    "damage", sampled([b"", b"nonsense", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n"], 2)
)
def test_a_damaged_signature_is_to_be_restored_and_no_key_to_be_trusted(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    (checkout.folder / "record.toml.sig").write_bytes(damage)

    assert code("verify") == 4

    told = capsys.readouterr().out
    assert "it holds no signature" in told
    assert "Restore the signature file from git" in told
    assert "trust the key" not in told


def test_the_operator_is_refused_as_reviewer(checkout: Checkout) -> None:
    with pytest.raises(NotAllowed, match="signed as the operator"):
        reviewed(checkout, checkout.ana, Verdict.APPROVED)

    assert not (checkout.folder / "record.review.toml").exists()


def test_a_reviewer_whom_nobody_allowed_is_told_where_to_be_named(
    checkout: Checkout, tmp_path: Path
) -> None:
    from d1_preflight.adapters.ssh.keys import make_key

    stranger = SshSigner(
        "cat@example.com", make_key(tmp_path / "keys" / "cat", "cat"), checkout.signers
    )

    with pytest.raises(BadSignature) as refused:
        reviewed(checkout, stranger, Verdict.APPROVED)

    assert "name cat@example.com in" in refused.value.hint
    assert not (checkout.folder / "record.review.toml").exists()


def test_nobody_counter_signs_what_does_not_verify(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = checkout.folder / "evidence" / "001-named.out"
    evidence.write_text("something else")

    with pytest.raises(PreflightError, match="is not what step “named” saw"):
        code("review", "0057", "--approve")

    assert "Timeline" in capsys.readouterr().out


class Answers:
    """Answers prompts by their key; None leaves the question."""

    def __init__(self, **answers: object) -> None:
        self._answers = answers

    async def ask(self, prompt: Prompt) -> object:
        return self._answers.get(prompt.key)


async def test_the_reviewer_decides_by_choice_and_reason() -> None:
    approve = await ask_verdict(Answers(verdict="approve and counter-sign"), "0057")
    back = await ask_verdict(Answers(verdict="send back, with a reason", reason="why"), "0057")
    without = await ask_verdict(Answers(verdict="send back, with a reason", reason=" "), "0057")
    left = await ask_verdict(Answers(), "0057")

    assert approve == (Verdict.APPROVED, "")
    assert back == (Verdict.SENT_BACK, "why")
    assert without is None
    assert left is None
