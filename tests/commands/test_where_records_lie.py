"""`verify` in a project: by which checklist, in which folder, and for which database."""

import argparse
import shutil
from pathlib import Path

import pytest

from commands.real_records import Checkout, make_checkout
from commands.test_records import arguments
from core.record_values import ANA, AnyAction, Walk, shipped_text
from d1_preflight.adapters.ssh.sshsig import SshSigner
from d1_preflight.commands.records import opened
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.record.file import dump_record
from d1_preflight.core.record.record import Status
from d1_preflight.core.record.signing import CLOSE
from d1_preflight.core.verify.links import Verification
from example_record import EXAMPLE
from sampling import sampled

ONLY_A_CLOSE = """schema = 1
[[section]]
id = "close"
title = "Close"
[[section.step]]
id = "close"
short = "c"
title = "closed"
why = "w"
action = "sign_close"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path / "project", tmp_path / "keys")


def verified(folder: Path, *options: str) -> Verification:
    return opened(folder, arguments("verify", *options)).verify()


def words(found: Verification) -> str:
    return "\n".join(f"{p.weight} {p.file}: {p.words} {p.hint}" for p in found.problems)


def moved(checkout: Checkout, place: str) -> Path:
    folder = checkout.root / "checklists" / place
    folder.parent.mkdir(exist_ok=True)
    shutil.copytree(checkout.folder, folder)
    return folder


def replace_in_config(checkout: Checkout, old: str, new: str) -> None:
    path = checkout.root / "wrangler.jsonc"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_record_in_its_place_is_good(checkout: Checkout) -> None:
    found = verified(checkout.folder)

    assert words(found) == ""
    assert found.facts["checklist"] == "as shipped"
    assert "practice" not in found.facts


@pytest.mark.parametrize(
    "place",
    sampled(
        [
            "marketplace-production/0099_drop_everything",
            "marketplace-production/deeper/0057_add_team_billing",
            "other-db/0057_add_team_billing",
            "0099_drop_everything",
        ],
        2,
    ),
)
def test_a_record_in_another_folder_is_invalid(checkout: Checkout, place: str) -> None:
    found = verified(moved(checkout, place))

    assert (
        "invalid record.toml: covers 0057_add_team_billing.sql on marketplace-production, "
        f"but lies in checklists/{place}" in words(found)
    )
    assert found.exit_code == 4


def test_a_folder_of_checklists_without_its_project_is_held_to_its_names_too(
    checkout: Checkout,
) -> None:
    other = moved(checkout, "other-db/0099_drop_everything")
    (checkout.root / "wrangler.jsonc").unlink()

    assert verified(checkout.folder).exit_code == 0
    assert "but lies in checklists/other-db/0099_drop_everything" in words(verified(other))


def test_a_record_read_alone_may_lie_anywhere(checkout: Checkout, tmp_path: Path) -> None:
    shutil.copytree(checkout.folder, tmp_path / "from-ana")

    found = verified(tmp_path / "from-ana", "--allowed-signers", str(checkout.signers))

    assert words(found) == ""


def test_a_record_of_another_database_of_that_name_is_invalid(checkout: Checkout) -> None:
    replace_in_config(checkout, "a1b2c3d4-", "ffffffff-")

    found = verified(checkout.folder)

    assert (
        "invalid record.toml: covers marketplace-production "
        "a1b2c3d4-0000-4000-8000-000000000001; "
        "the configuration has ffffffff-0000-4000-8000-000000000001 under that name"
    ) in words(found)
    assert found.exit_code == 4


@pytest.mark.parametrize(
    ("old", "new"),
    sampled(
        [
            ('"database_name": "marketplace-production"', '"database_name": "shop"'),
            ('"name": "workway-api"', '"name": 7'),
            ('"binding": "DB"', '"binding": "marketplace-production"'),
            ('"d1_databases"', '"databases"'),
            ("// a Worker", "a Worker"),
        ],
        2,
    ),
)
def test_a_record_that_cannot_be_held_against_a_database_is_no_pass(
    checkout: Checkout, old: str, new: str
) -> None:
    if old == '"binding": "DB"':
        replace_in_config(
            checkout, '"database_name": "marketplace-production"', '"database_name": "shop"'
        )
    replace_in_config(checkout, old, new)

    found = verified(checkout.folder)

    assert "may cover another database than the configured marketplace-production" in words(found)
    assert found.exit_code == 1


def without_id(checkout: Checkout) -> None:
    replace_in_config(
        checkout, '"database_id": "a1b2c3d4-0000-4000-8000-000000000001"', '"database_id": ""'
    )


def test_where_the_configuration_names_the_database_alone_the_uuid_of_go_counts(
    checkout: Checkout,
) -> None:
    without_id(checkout)

    found = verified(checkout.folder)

    assert words(found) == ""
    assert found.exit_code == 0


def test_of_records_about_two_databases_of_one_name_none_is_good(checkout: Checkout) -> None:
    without_id(checkout)
    other = checkout.folder.parent / "0061_rebuild_teams_remove_deprecated"
    shutil.copytree(EXAMPLE, other)

    found = verified(checkout.folder)

    assert "the records of marketplace-production are about" in words(found)
    assert found.exit_code == 1
    assert "may cover another database" in words(verified(other))


def test_the_configuration_it_was_made_with_can_be_named(checkout: Checkout) -> None:
    named = checkout.root / "wrangler.staging.jsonc"
    shutil.copy(checkout.root / "wrangler.jsonc", named)
    replace_in_config(checkout, "a1b2c3d4-", "ffffffff-")

    assert verified(checkout.folder, "--config", str(named)).exit_code == 0


def test_the_environment_of_today_is_not_asked(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLARE_ENV", "staging")

    assert words(verified(checkout.folder)) == ""


def test_the_example_says_that_it_is_practice_and_is_good() -> None:
    found = opened(EXAMPLE, argparse.Namespace(allowed_signers=None, checklist=None)).verify()

    assert words(found) == ""
    assert found.facts["practice"].startswith("a practice record")


def test_a_practice_record_proves_nothing_in_a_real_project(checkout: Checkout) -> None:
    folder = checkout.root / "checklists" / "marketplace-production"
    folder /= "0061_rebuild_teams_remove_deprecated"
    shutil.copytree(EXAMPLE, folder)

    found = verified(folder)

    assert "invalid record.toml: is a practice record of marketplace-production" in words(found)
    assert found.exit_code == 4


def signed_close(checkout: Checkout, by: SshSigner) -> None:
    walk = Walk(load_checklist(ONLY_A_CLOSE, "d1.toml", AnyAction())).answer(
        "close", Status.ATTESTED
    )
    shutil.rmtree(checkout.folder)
    checkout.folder.mkdir()
    data = dump_record(walk.record)
    (checkout.folder / "record.toml").write_bytes(data)
    (checkout.folder / "record.toml.sig").write_bytes(by.sign(data, CLOSE))


def test_a_checklist_with_nothing_but_a_close_makes_no_record_good(checkout: Checkout) -> None:
    (checkout.root / "checklists" / "d1.toml").write_text(ONLY_A_CLOSE)
    signed_close(checkout, checkout.ana)

    found = verified(checkout.folder)

    assert "d1.toml:1: there is no step 'findings' with the action 'answer_findings'" in words(
        found
    )
    assert found.exit_code == 4
    assert found.facts["closed"].startswith(ANA)


def test_the_projects_own_checklist_is_named(checkout: Checkout) -> None:
    own = shipped_text().replace("Data safety", "The rows")
    (checkout.root / "checklists" / "d1.toml").write_text(own)

    found = verified(checkout.folder)

    sha256 = load_checklist(own, "d1.toml").sha256
    assert found.facts["checklist"] == f"the project's own (sha256 {sha256})"
    assert "was made with another checklist" in words(found)


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"schema = 1\n# \xff\n", "d1.toml:2: not UTF-8 text"), (b"schema = ", "is not valid TOML")],
)
def test_a_checklist_that_cannot_be_read_is_invalid(
    checkout: Checkout, data: bytes, told: str
) -> None:
    (checkout.root / "checklists" / "d1.toml").write_bytes(data)

    found = verified(checkout.folder)

    assert told in words(found)
    assert found.exit_code == 4
