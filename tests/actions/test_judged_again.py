"""What the files leave unknown for want of a base schema is judged again on the target's."""

from pathlib import Path

import pytest

from actions.fake_target import Bench
from core.record_values import KEYS
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.change_facts import ClassFacts
from d1_preflight.core.record.record import Status
from d1_preflight.core.verify.verify import verify_record
from sampling import sampled

BASE = "CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT);"
ROWS = "INSERT INTO users VALUES (1, 'a'), (2, 'b');"
ADD = "ALTER TABLE users ADD COLUMN salt TEXT;"
ADD_WITH_INDEX = f"{ADD} CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY);"


def bench_of(folder: Path, sql: str, kind: str) -> Bench:
    """A target whose tables no file makes."""
    bench = Bench(folder, sql, kind, earlier=BASE, rows=ROWS)
    bench.files.others = ()
    bench.opened()
    return bench


@pytest.mark.parametrize("sql", sampled([ADD_WITH_INDEX, ADD], 2))
async def test_an_added_column_is_walked_as_additive_and_asked_once(
    tmp_path: Path, sql: str
) -> None:
    bench = bench_of(tmp_path, sql, "additive")

    await bench.walk("copied")
    before = bench.session.kind
    await bench.walk("counted")
    decided = ClassFacts.from_attempt(bench.session.attempt("class"))
    await bench.walk()

    assert bench.session.closed
    assert (decided.kind, decided.found) == (Kind.ADDITIVE, Kind.ADDITIVE)
    assert decided.source.startswith("the target's schema")
    assert (before, bench.session.kind) == (Kind.DESTRUCTIVE, Kind.ADDITIVE)
    asked = [attempt.step for attempt in bench.session.record.attempts]
    assert [asked.count(step) for step in ("findings", "class", "backed_up")] == [1, 2, 0]
    files = bench.store.files()
    sha256 = bench.files.own.sha256
    found = verify_record(files, bench.session.checklist, KEYS, migration_sha256=sha256)
    assert [problem.words for problem in found.problems] == []


async def test_a_person_who_raised_a_known_class_is_not_overruled(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ADD, "additive", earlier=BASE, rows=ROWS)
    await bench.walk("counted", **{"class": "destructive"})
    assert bench.session.kind is Kind.DESTRUCTIVE


async def test_a_loss_on_the_targets_schema_is_asked_for(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, "ALTER TABLE users DROP COLUMN email;", "destructive")
    await bench.walk("losses")

    failed = await bench.step("losses", losses=(), loss_reason="")

    assert failed.status is Status.FAILED
    assert "Not declared" in failed.words
    assert bench.session.kind is Kind.DESTRUCTIVE
