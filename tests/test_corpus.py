"""The engine against 714 real migrations with known truth; skipped where they are not at hand."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from d1_preflight.core.analysis import analyse_ledger
from d1_preflight.core.findings import Analysis, Kind
from d1_preflight.core.project.migration import Migration, ledger_key
from d1_preflight.core.sql.tokenizer import split

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(
    not (CORPUS / "truth.csv").is_file(),
    reason="the corpus of real migrations (../shared/corpus) is not on this machine",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One file: what is known about it and what the engine says."""

    file: str
    truth: dict[str, str]
    migration: Migration
    analysis: Analysis


def read_ledgers() -> list[list[tuple[dict[str, str], Migration]]]:
    """The folders of the corpus, each in ledger order."""
    found = defaultdict(list)
    with (CORPUS / "truth.csv").open(encoding="utf-8", newline="") as source:
        for truth in csv.DictReader(source):
            repository, _, rest = truth["file"].partition("/")
            folder, _, name = rest.rpartition("~~")
            data = (CORPUS / truth["file"]).read_bytes()
            found[repository, folder].append((truth, Migration.from_bytes(name, data)))
    return [sorted(rows, key=lambda row: ledger_key(row[1].name)) for rows in found.values()]


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    found = []
    for ledger in read_ledgers():
        analyses = analyse_ledger([migration for _, migration in ledger])
        for (truth, migration), analysis in zip(ledger, analyses, strict=True):
            found.append(Judged(truth["file"], truth, migration, analysis))
    return found


def test_every_file_is_judged(judged: list[Judged]) -> None:
    assert len(judged) == 714


def test_no_silent_loss_is_missed(judged: list[Judged]) -> None:
    silent = [one for one in judged if one.truth["silent_loss"] == "yes"]
    assert len(silent) == 9
    for one in silent:
        effects = one.analysis.effects
        named = {name.lower() for name in effects.rows_deleted_in}
        nulled = {name.lower() for name in effects.references_nulled_in}
        assert set(one.truth["rows_lost"].lower().split()) <= named, one.file
        assert set(one.truth["references_nulled"].lower().split()) <= nulled, one.file
        assert any(f.rows_at_risk and f.blocks for f in one.analysis.findings), one.file


def test_the_class_is_the_label_in_97_of_100_files(judged: list[Judged]) -> None:
    wrong = [one for one in judged if one.analysis.kind.value != one.truth["label"]]
    assert len(wrong) / len(judged) <= 0.03, [one.file for one in wrong]


def test_nothing_destructive_comes_out_additive(judged: list[Judged]) -> None:
    for one in judged:
        if one.truth["label"] == "destructive":
            assert one.analysis.kind is not Kind.ADDITIVE, one.file


def test_alarms_about_rows_are_rarely_false(judged: list[Judged]) -> None:
    """Against the runs with rows: a file that lost and cut off nothing should raise no alarm."""
    false = [
        one
        for one in judged
        if one.truth["seeded_run"] == "seeded"
        and not one.truth["rows_lost"]
        and not one.truth["references_nulled"]
        and any(f.rows_at_risk and f.blocks for f in one.analysis.findings)
    ]
    assert len(false) / len(judged) <= 0.03, [one.file for one in false]


def test_splitting_the_corpus_loses_no_character() -> None:
    for ledger in read_ledgers():
        for _, migration in ledger:
            pieces = split(migration.text)
            assert "".join(piece.text for piece in pieces) == migration.text
