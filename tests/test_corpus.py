"""The engine against 714 real migrations with known truth; skipped where they are not at hand.

The suite judges a fixed fifth: the short ledgers whole, and of the long ones every hard file. All
of them are judged in the matrix, which every CI run tries.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from d1_preflight.core.analysis import analyse, judge_in_order
from d1_preflight.core.findings import Analysis, Kind
from d1_preflight.core.project.migration import Migration, ledger_key
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.tokenizer import split, statements

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(
    not (CORPUS / "truth.csv").is_file(),
    reason="the corpus of real migrations (../shared/corpus) is not on this machine",
)
FILES = 714
SHORT = 20
OFF_THE_LABEL = frozenset({  # judged otherwise than the label says; the label may be wrong, too
    "NEARBuilders__cyborg/0001_add_near_account.sql",
    "WORKWAYCO__WORKWAY/apps~f-n-web~migrations~~0002_complimentary.sql",
    "alookai__alook/0059_community_attachment_pending.sql",
    "alookai__alook/0066_friendship_status_cancelled.sql",
    "ilGentEAcutoO__QuestKit/0002_seed_sample_data.sql",
    "ilGentEAcutoO__QuestKit/0003_add_daily_visitor_mission.sql",
    "ilGentEAcutoO__QuestKit/0004_add_minigame_missions.sql",
    "paulchrisluke__krabiclaw/0002_add_work_requests_and_platform_content_components.sql",
    "paulchrisluke__krabiclaw/0017_free_nightshade.sql",
    "paulchrisluke__krabiclaw/0018_repair_site_analytics_daily_schema.sql",
    "paulchrisluke__krabiclaw/0021_convert_better_auth_timestamps_to_integer.sql",
    "paulchrisluke__krabiclaw/0035_stale_zodiak.sql",
    "paulchrisluke__krabiclaw/0078_prepare_location_experience_media_backups.sql",
    "paulchrisluke__krabiclaw/0082_assert_unified_media_physical_contract.sql",
    "paulchrisluke__krabiclaw/0092_tranquil_fixer.sql",
    "paulchrisluke__krabiclaw/0114_tense_greymalkin.sql",
    "piffio__rushomon/0003_add_link_status.sql",
    "piffio__rushomon/0013_fix_monthly_counters_unique.sql",
})  # fmt: skip
FALSE_ALARMS = frozenset({  # of rows, where the run with rows lost none
    "ColeMurray__background-agents/0049_backfill_better_auth_accounts.sql",
    "alookai__alook/0059_community_attachment_pending.sql",
    "alookai__alook/0066_friendship_status_cancelled.sql",
    "ilGentEAcutoO__QuestKit/0002_seed_sample_data.sql",
    "ilGentEAcutoO__QuestKit/0003_add_daily_visitor_mission.sql",
    "ilGentEAcutoO__QuestKit/0004_add_minigame_missions.sql",
    "kentcdodds__kody/0017-saved-app-facets.sql",
    "kentcdodds__kody/0020-jobs-codemode-only.sql",
    "kentcdodds__kody/0021-jobs-storage-id.sql",
    "kentcdodds__kody/0031-unified-email-receipt.sql",
    "paulchrisluke__krabiclaw/0018_repair_site_analytics_daily_schema.sql",
    "paulchrisluke__krabiclaw/0035_stale_zodiak.sql",
    "paulchrisluke__krabiclaw/0092_tranquil_fixer.sql",
    "piffio__rushomon/0013_fix_monthly_counters_unique.sql",
    "saltbo__zpan/0067_storage-health-status-default.sql",
    "saltbo__zpan/0069_storage-health-status-vocabulary.sql",
})  # fmt: skip
DEFINES = ("CREATE", "ALTER", "DROP")
Ledger = list[tuple[dict[str, str], Migration]]


@dataclass(frozen=True, slots=True)
class Judged:
    """One file: what is known about it and what the engine says."""

    file: str
    truth: dict[str, str]
    migration: Migration
    analysis: Analysis


def read_ledgers() -> list[Ledger]:
    """The folders of the corpus, each in ledger order."""
    found = defaultdict(list)
    with (CORPUS / "truth.csv").open(encoding="utf-8", newline="") as source:
        for truth in csv.DictReader(source):
            repository, _, rest = truth["file"].partition("/")
            folder, _, name = rest.rpartition("~~")
            data = (CORPUS / truth["file"]).read_bytes()
            found[repository, folder].append((truth, Migration.from_bytes(name, data)))
    return [sorted(rows, key=lambda row: ledger_key(row[1].name)) for rows in found.values()]


def is_hard(truth: dict[str, str]) -> bool:
    """Whether rows are lost or cut off."""
    return truth["silent_loss"] == "yes" or bool(truth["rows_lost"] + truth["references_nulled"])


def judge_all(ledger: Ledger) -> Iterator[Judged]:
    analyses = tuple(judge_in_order([migration for _, migration in ledger]))
    for (truth, migration), analysis in zip(ledger, analyses, strict=True):
        yield Judged(truth["file"], truth, migration, analysis)


def judge_hard(ledger: Ledger) -> Iterator[Judged]:
    """Each hard file on the schema that SQLite alone makes of the files before it."""
    siblings = [migration for _, migration in ledger]
    connection = apsw.Connection(":memory:")
    last = max((n for n, (truth, _) in enumerate(ledger) if is_hard(truth)), default=-1)
    for truth, migration in ledger[: last + 1]:
        if is_hard(truth):
            analysis = analyse(migration, Schema.from_connection(connection), siblings)
            yield Judged(truth["file"], truth, migration, analysis)
        for statement in statements(migration.text):
            if statement.body.upper().startswith(DEFINES):
                try:
                    connection.execute(statement.body)
                except apsw.Error:  # as in a run whose earlier files were refused
                    continue


@pytest.fixture(scope="module", params=["a fifth", pytest.param("all", marks=pytest.mark.matrix)])
def judged(request: pytest.FixtureRequest) -> list[Judged]:
    in_full = request.param == "all"
    return [
        one
        for ledger in read_ledgers()
        for one in (judge_all if in_full or len(ledger) <= SHORT else judge_hard)(ledger)
    ]


def test_every_file_is_judged(judged: list[Judged], request: pytest.FixtureRequest) -> None:
    assert len(judged) == (FILES if "all" in request.node.name else 144)
    assert {one.truth["label"] for one in judged} == {*Kind} - {Kind.UNKNOWN}


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
    wrong = {one.file for one in judged if one.analysis.kind.value != one.truth["label"]}
    assert len(wrong) / FILES <= 0.03, wrong
    assert wrong <= OFF_THE_LABEL


def test_nothing_destructive_comes_out_additive(judged: list[Judged]) -> None:
    for one in judged:
        if one.truth["label"] == "destructive":
            assert one.analysis.kind is not Kind.ADDITIVE, one.file


def test_alarms_about_rows_are_rarely_false(judged: list[Judged]) -> None:
    """Against the runs with rows: a file that lost and cut off nothing should raise no alarm."""
    false = {
        one.file
        for one in judged
        if one.truth["seeded_run"] == "seeded"
        and not one.truth["rows_lost"]
        and not one.truth["references_nulled"]
        and any(f.rows_at_risk and f.blocks for f in one.analysis.findings)
    }
    assert len(false) / FILES <= 0.03, false
    assert false <= FALSE_ALARMS


def test_splitting_the_corpus_loses_no_character() -> None:
    for ledger in read_ledgers():
        for _, migration in ledger:
            pieces = split(migration.text)
            assert "".join(piece.text for piece in pieces) == migration.text
