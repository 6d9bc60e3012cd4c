"""`verify` in CI: who may sign, the policy and the checklist come from the base revision."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from commands.hostile import commit, git
from commands.real_records import Checkout, make_checkout, sign_checkout
from d1_preflight.core.checklist.definitions import checklists_dir
from lint.running import preflight
from sampling import sampled

TRUST = ("--trust-from", "base")


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A project whose base revision, `base`, has signers and no record yet."""
    top = tmp_path_factory.mktemp("trust")
    made = make_checkout(top / "project", top / "keys")
    record = top / "record"
    shutil.move(made.folder, record)
    git(made.root, "init", "-q", "-b", "main")
    commit(made.root, "base")
    git(made.root, "branch", "base")
    shutil.move(record, made.folder)
    commit(made.root, "record")
    return made


@pytest.fixture
def base(laid: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A copy of it."""
    root = tmp_path / "project"
    shutil.copytree(laid.root, root)
    monkeypatch.chdir(root)
    folder, signers = (root / path.relative_to(laid.root) for path in (laid.folder, laid.signers))
    return replace(laid, root=root, folder=folder, signers=signers)


def forged(base: Checkout, tmp_path: Path) -> None:
    """The record again, signed by other keys that the pull request itself allows."""
    other = sign_checkout(tmp_path / "forged", tmp_path / "theirs")
    shutil.rmtree(base.folder)
    shutil.copytree(other.folder, base.folder)
    shutil.copy(other.signers, base.signers)
    commit(base.root, "forged")


@pytest.mark.usefixtures("base")
def test_every_form_says_from_where() -> None:
    here, then = preflight("verify"), preflight("verify", *TRUST)
    assert (here.code, then.code) == (0, 0), here.out + then.out
    assert "signers from this checkout" in here.out.splitlines()[0]
    assert "signers from base (commit " in then.out.splitlines()[0]
    [told] = json.loads(preflight("verify", "--format", "json", *TRUST).out)
    assert told["trust"].startswith("signers from base (commit ")
    [told] = json.loads(preflight("verify", "--format", "json").out)
    assert told["trust"].startswith("signers from this checkout")


@pytest.mark.parametrize("form", sampled(["md", "html", "text"], 2))
def test_every_form_of_a_shown_record_says_from_where(base: Checkout, form: str) -> None:
    shown = preflight("show", str(base.folder), "--format", form).out
    assert "signers from this checkout" in shown.replace("\n", " ")


def test_signers_of_the_pull_request_count_for_nothing(base: Checkout, tmp_path: Path) -> None:
    forged(base, tmp_path)
    assert preflight("verify").code == 0
    assert preflight("verify", *TRUST).code == 4


def test_signers_beside_the_record_count_for_nothing(base: Checkout) -> None:
    git(base.root, "checkout", "-q", "base")
    git(base.root, "rm", "-q", "checklists/allowed_signers")
    commit(base.root, "no signers")
    git(base.root, "checkout", "-q", "main")
    shutil.copy(base.signers, base.folder / "allowed_signers")
    ran = preflight("verify", *TRUST)
    assert ran.code == 4
    assert "no signers in base" in ran.out


def test_the_policy_of_the_base_holds(base: Checkout) -> None:
    git(base.root, "checkout", "-q", "base")
    policy = '[signing]\nsecond_person = ["additive", "transformative", "destructive"]\n'
    (base.root / "preflight.toml").write_text(policy)
    commit(base.root, "policy")
    git(base.root, "checkout", "-q", "main")
    assert not (base.root / "preflight.toml").exists()
    assert preflight("verify").code == 0
    assert preflight("verify", *TRUST).code != 0


def test_the_checklist_of_the_base_holds(base: Checkout) -> None:
    weak = (checklists_dir() / "d1.toml").read_text()
    (base.root / "checklists" / "d1.toml").write_text(f"{weak}\n# ours\n")
    here, then = (preflight("verify", *words).out for words in ((), TRUST))
    assert "the project's own" in here
    assert "as shipped" in then


def test_a_revision_that_is_none_is_refused(base: Checkout, tmp_path: Path) -> None:
    for name in ("no-such", "--help", "HEAD:migrations/0057_add_team_billing.sql"):
        assert preflight("verify", f"--trust-from={name}").code == 2
    shutil.copytree(base.folder, tmp_path / "alone")
    assert preflight("verify", str(tmp_path / "alone"), *TRUST).code == 2
