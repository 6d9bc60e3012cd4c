"""Records of schema 2 on disk, closed one after the other with real keys: what verify refuses."""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commands.hostile import commit, git
from commands.real_records import CONFIG, person
from core.record_values import ANA, BEN, SQL, START, closed_files, closed_in_chain
from d1_preflight.adapters.record_folder import read_record_folder
from d1_preflight.adapters.ssh.sshsig import SshSigner
from d1_preflight.commands.ledger import Ledger
from d1_preflight.commands.records import Chains, open_record, opened
from d1_preflight.commands.review import sign_review
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.review import CLOSED_RECORD, Verdict, statement
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW
from d1_preflight.core.target.snapshot import LedgerRow
from lint.running import preflight

NAMES = ("0057_a.sql", "0058_b.sql", "0059_c.sql")
LEDGER = tuple(LedgerRow(n, name, "2026-11-23 14:00:00") for n, name in enumerate(NAMES, 57))


@dataclass(frozen=True)
class Shelf:
    """A project with a chain of closed records, their operator and a reviewer."""

    root: Path
    ana: SshSigner
    ben: SshSigner

    def folder(self, name: str) -> Path:
        return self.root / "checklists" / "marketplace-production" / name.removesuffix(".sql")

    def lay(self, name: str, files: dict[str, bytes]) -> None:
        for path, data in files.items():
            (self.folder(name) / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder(name) / path).write_bytes(data)
        (self.root / "migrations" / name).write_bytes(SQL)

    def verified(self, *words: str) -> dict[str, list[str]]:
        """The ids of what verify finds, by record."""
        found = json.loads(preflight("verify", "--format", "json", *words).out)
        told = {Path(one["record"]).name: [p["id"] for p in one["problems"]] for one in found}
        return {f"{name}.sql": ids for name, ids in told.items() if ids}


def closed(
    names: Sequence[str], hand: SshSigner, since: datetime = START
) -> dict[str, dict[str, bytes]]:
    made: dict[str, dict[str, bytes]] = {}
    for number, name in enumerate(names):
        start = since + timedelta(days=number)
        made[name] = closed_in_chain(
            list(made.values()), migration=name, hand=hand, start=start, ledger=LEDGER
        )
    return made


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    root, keys = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("keys")
    signers = root / "checklists" / "allowed_signers"
    shelf = Shelf(
        root, person(keys, "ana", ANA, signers, (GO, CLOSE)),
        person(keys, "ben", BEN, signers, (REVIEW,)),
    )  # fmt: skip
    (root / "wrangler.jsonc").write_text(CONFIG)
    (root / "migrations").mkdir()
    for name, files in closed(NAMES, shelf.ana).items():
        shelf.lay(name, files)
    git(root, "init", "-q", "-b", "main")
    commit(root, "three records")
    git(root, "branch", "base")
    return shelf


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shelf(laid: Shelf, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A copy of it; what an earlier test had judged of the same bytes is kept, as for a user."""
    root = tmp_path / "project"
    shutil.copytree(laid.root, root)
    for name in ("CI", "PREFLIGHT_NO_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.chdir(root)
    return Shelf(root, laid.ana, laid.ben)


def review(shelf: Shelf, name: str, verdict: Verdict = Verdict.APPROVED) -> str:
    found = open_record(str(shelf.folder(name)), _arguments())
    reason = "" if verdict is Verdict.APPROVED else "counts are missing"
    return sign_review(found, CLOSED_RECORD, verdict, reason, shelf.ben, replace=True)


@pytest.mark.usefixtures("shelf")
def test_a_whole_chain_is_good_and_says_its_places() -> None:
    found = preflight("verify")

    assert found.code == 0, found.out
    assert "record 1 of this database, the first" in found.out
    assert "record 3 of this database, after 0058_b.sql" in found.out


def test_a_record_that_was_removed_is_named(shelf: Shelf) -> None:
    shutil.rmtree(shelf.folder(NAMES[1]))

    assert shelf.verified() == {NAMES[2]: ["chain-missing"]}
    assert preflight("verify").code == 4


@pytest.mark.matrix  # the suite has it with other keys: core/test_record_chain
def test_two_branches_that_were_merged_are_a_fork(shelf: Shelf) -> None:
    first = closed_in_chain(migration=NAMES[0], hand=shelf.ana, start=START, ledger=LEDGER)
    shelf.lay(NAMES[0], first)
    for name in NAMES[1:]:
        shutil.rmtree(shelf.folder(name))
        shelf.lay(name, closed_in_chain([first], migration=name, hand=shelf.ana, ledger=LEDGER))

    assert shelf.verified() == {name: ["chain-fork"] for name in NAMES[1:]}


@pytest.mark.matrix
def test_a_record_signed_again_is_named_by_the_chain(shelf: Shelf) -> None:
    again = closed_in_chain(migration=NAMES[0], hand=shelf.ana, start=START + timedelta(hours=1))
    shelf.lay(NAMES[0], again)

    found = shelf.verified()

    assert found[NAMES[0]] == ["chain-replaced"]
    assert found[NAMES[1]] == ["chain-missing"]
    assert NAMES[2] not in found


@pytest.mark.matrix  # the suite has it with other keys: core/test_record_chain
def test_a_reviewers_signature_covers_the_head(shelf: Shelf) -> None:
    name = review(shelf, NAMES[0])
    assert shelf.verified() == {}

    again = closed_in_chain(migration=NAMES[2], hand=shelf.ana, ledger=LEDGER)
    shelf.lay(NAMES[2], again)

    assert "review-head-missing" in shelf.verified()[NAMES[0]]
    words = "covers 0059_c.sql, and the record that its signer saw is not here"
    assert f"{name}: {words}" in preflight("verify").out


def test_a_later_word_is_written_beside_the_earlier_one(shelf: Shelf) -> None:
    a_moment_ago = datetime.now(UTC) - timedelta(seconds=2)  # of one second the worse word counts
    seen(shelf, NAMES[0], a_moment_ago, shelf.ben, Verdict.SENT_BACK)
    assert shelf.verified() == {NAMES[0]: ["sent-back"]}

    assert review(shelf, NAMES[0]) == "record-2.review.toml"
    assert shelf.verified() == {}


@pytest.mark.matrix
def test_a_schema_1_record_closed_later_is_named(shelf: Shelf) -> None:
    shelf.lay("0057_add_team_billing.sql", closed_files(hand=shelf.ana)[0])

    assert shelf.verified() == {"0057_add_team_billing.sql": ["chain-old-schema"]}


def test_a_damaged_record_has_its_own_sentence_and_the_rest_is_judged(shelf: Shelf) -> None:
    path = shelf.folder(NAMES[2]) / "record.toml"
    path.write_bytes(path.read_bytes()[:-40])

    found = shelf.verified()

    assert set(found) == {NAMES[2]}
    assert "record-invalid" in found[NAMES[2]]


@pytest.mark.matrix  # the suite has it with other keys: core/test_bound_files
def test_a_migration_that_is_gone_or_renamed_is_named(shelf: Shelf) -> None:
    migrations = shelf.root / "migrations"
    (migrations / NAMES[0]).unlink()
    assert shelf.verified() == {NAMES[0]: ["migration-renamed"]}  # the others have its text

    for name in NAMES:
        (migrations / name).unlink(missing_ok=True)
    assert shelf.verified() == {name: ["migration-missing"] for name in NAMES}


def test_a_file_that_nobody_named_is_named(shelf: Shelf) -> None:
    (shelf.folder(NAMES[1]) / "evidence" / "099-made-up.out").write_text("all well\n")
    (shelf.folder(NAMES[0]) / "evidence" / "098-link.out").symlink_to("001-named.out")

    assert shelf.verified() == {NAMES[0]: ["file-unlisted"], NAMES[1]: ["file-unlisted"]}


def _arguments() -> argparse.Namespace:
    return argparse.Namespace(allowed_signers=None, checklist=None, config=None, trust_from="")


TRUST = ("--trust-from", "base")


def test_what_is_merged_may_neither_go_nor_change(shelf: Shelf) -> None:
    assert shelf.verified(*TRUST) == {}

    shutil.rmtree(shelf.folder(NAMES[2]))  # the last one: no later record names it
    assert shelf.verified() == {}
    assert shelf.verified(*TRUST) == {NAMES[2]: ["base-missing"]}


@pytest.mark.matrix
def test_a_merged_record_signed_again_without_an_attempt_is_named(shelf: Shelf) -> None:
    before = closed(NAMES[:2], shelf.ana)
    again = closed_in_chain(
        list(before.values()), migration=NAMES[2], hand=shelf.ana, start=START, ledger=LEDGER
    )
    shelf.lay(NAMES[2], again)

    assert set(shelf.verified(*TRUST)[NAMES[2]]) == {"base-changed"}


@pytest.mark.matrix  # as a merged record, above
def test_a_merged_review_may_not_go(shelf: Shelf) -> None:
    name = review(shelf, NAMES[2], Verdict.SENT_BACK)
    commit(shelf.root, "sent back")
    git(shelf.root, "branch", "-f", "base")
    for file in (name, f"{name}.sig"):
        (shelf.folder(NAMES[2]) / file).unlink()

    assert shelf.verified() == {}
    assert shelf.verified(*TRUST) == {NAMES[2]: ["base-missing", "base-missing"]}


def test_a_branch_that_is_behind_its_base_lacks_nothing(shelf: Shelf) -> None:
    git(shelf.root, "checkout", "-q", "-b", "work")
    git(shelf.root, "checkout", "-q", "base")
    shelf.lay("0060_d.sql", closed_in_chain(migration="0060_d.sql", hand=shelf.ana))
    commit(shelf.root, "meanwhile")
    git(shelf.root, "checkout", "-q", "work")

    assert shelf.verified(*TRUST) == {}


THEN = datetime(2020, 5, 4, 14, 0, tzinfo=UTC)
OLD = NAMES[:2]


@pytest.fixture(scope="module")
def closed_then(laid: Shelf) -> dict[str, dict[str, bytes]]:
    """The records as they would be if they were closed in May 2020, by a key that expires."""
    return closed(OLD, laid.ana, THEN)


@pytest.fixture
def old(shelf: Shelf, closed_then: dict[str, dict[str, bytes]]) -> Shelf:
    for name in NAMES:
        shutil.rmtree(shelf.folder(name))
    for name, files in closed_then.items():
        shelf.lay(name, files)
    return shelf


def expire(shelf: Shelf, who: SshSigner, day: str, *others: SshSigner) -> None:
    lines = [f'{who.identity} valid-before="{day}" {who.key.public}']
    lines += [f"{other.identity} {other.key.public}" for other in others]
    (shelf.root / "checklists" / "allowed_signers").write_text("\n".join(lines) + "\n")


def seen(
    shelf: Shelf, name: str, at: datetime, hand: SshSigner, verdict: Verdict = Verdict.APPROVED
) -> None:
    """A review of that moment."""
    files = read_record_folder(shelf.folder(name))
    record = load_record(files["record.toml"])
    reason = "" if verdict is Verdict.APPROVED else "counts are missing"
    words = statement(files, record, CLOSED_RECORD, verdict, reason, reviewer=hand.identity, at=at)
    shelf.lay(name, {"record.review.toml": words})
    shelf.lay(name, {"record.review.toml.sig": hand.sign(words, REVIEW)})


@pytest.mark.matrix  # the suite has it where the history of the base is not asked, below
def test_an_expired_key_is_not_saved_by_its_own_time(old: Shelf) -> None:
    expire(old, old.ana, "29991231", old.ben)
    assert old.verified() == {}

    expire(old, old.ana, "20200601", old.ben)
    assert old.verified() == {name: ["signature-bad"] * 2 for name in OLD}


def test_an_expired_key_is_good_where_a_reviewer_saw_its_record_before(old: Shelf) -> None:
    expire(old, old.ana, "20200601", old.ben)
    seen(old, OLD[0], datetime(2020, 5, 20, tzinfo=UTC), old.ben)
    seen(old, OLD[1], datetime(2020, 6, 20, tzinfo=UTC), old.ben)

    assert old.verified() == {OLD[1]: ["signature-bad", "signature-bad", "review-invalid"]}


@pytest.mark.parametrize(
    ("day", "is_before"),
    [
        ("20200601", False),
        pytest.param("20200505", True, marks=pytest.mark.matrix),  # before the later one's close
    ],
)
def test_an_expired_key_is_good_where_a_later_record_of_another_key_names_it(
    old: Shelf, closed_then: dict[str, dict[str, bytes]], tmp_path: Path, day: str, is_before: bool
) -> None:
    cleo = person(tmp_path / "more", "cleo", "cleo@example.com", tmp_path / "own", (GO, CLOSE))
    made, start = [closed_then[OLD[0]]], THEN + timedelta(days=1)
    last = closed_in_chain(made, migration=OLD[1], hand=cleo, start=start, ledger=LEDGER)
    shutil.rmtree(old.folder(OLD[1]))
    old.lay(OLD[1], last)

    expire(old, old.ana, day, old.ben, cleo)
    assert old.verified() == ({OLD[0]: ["signature-bad"] * 2} if is_before else {})


def test_an_expired_key_is_good_where_the_history_of_the_base_had_its_record(
    old: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-05-10T12:00:00Z")
    expire(old, old.ana, "20200601", old.ben)
    commit(old.root, "merged in May")
    git(old.root, "branch", "-f", "base")

    assert set(old.verified()) == set(OLD)
    assert old.verified(*TRUST) == {}


def test_a_key_that_was_taken_out_is_saved_by_nothing(old: Shelf) -> None:
    seen(old, NAMES[0], datetime(2020, 5, 20, tzinfo=UTC), old.ben)
    text = f"{BEN} {old.ben.key.public}\n"
    (old.root / "checklists" / "allowed_signers").write_text(text)

    found = old.verified()
    assert all("signature-bad" in found[name] for name in OLD)


def test_the_ledger_is_held_against_the_records_that_lie_here(shelf: Shelf) -> None:
    shutil.rmtree(shelf.folder(NAMES[2]))
    chains, arguments = Chains(), _arguments()
    records = [opened(shelf.folder(name), arguments, chains) for name in NAMES[:2]]
    database = records[0].record.database
    rows = (LEDGER[0], replace(LEDGER[1], id=99), LEDGER[2])
    ledger = Ledger(database, shelf.root, shelf.folder(NAMES[0]).parent, rows)

    found = [ledger.held_against(record, record.verify()).problems for record in records]

    assert [[p.id for p in problems] for problems in found] == [[], ["ledger-row-differs"]]
    absent = [(folder, problem.id) for folder, problem in ledger.unrecorded(chains)]
    assert absent == [(shelf.folder(NAMES[2]), "ledger-record-missing")]


def test_the_ledger_of_an_untrusted_checkout_is_not_asked(shelf: Shelf) -> None:
    found = preflight("verify", "--remote", "--trust-from", "base", str(shelf.folder(NAMES[0])))

    assert found.code == 2
    assert "in a checkout that you trust" in found.err
