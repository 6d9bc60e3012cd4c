"""The shipped JSON Schema describes what is really written, and refuses what the reader refuses."""

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from core.record_values import BEN, START, closed_files, closed_in_chain
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.review import PLAN, Verdict, statement
from sampling import sampled

PATH = Path(__file__).resolve().parents[2] / "checklists" / "record.schema.json"
VALIDATOR = Draft202012Validator(json.loads(PATH.read_text("utf-8")))
CLOSED = closed_files()[0]


def is_valid(document: bytes) -> bool:
    return bool(VALIDATOR.is_valid(tomllib.loads(document.decode())))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("name", ["record.toml", "go.toml"])
def test_what_is_written_is_valid(name: str) -> None:
    assert is_valid(CLOSED[name])


def test_a_review_is_valid() -> None:
    record = load_record(CLOSED["record.toml"])
    told = statement(CLOSED, record, PLAN, Verdict.APPROVED, "", reviewer=BEN, at=START)

    assert is_valid(told)


@pytest.mark.parametrize(
    ("old", "new"),
    sampled(
        [
            ("schema = 1", "schema = 3"),
            ("schema = 1", "schema = 1\ncolour = 'red'"),
            ('status = "proved"', 'status = "sworn"'),
            ('target = "remote"', ""),
            ("milliseconds = 12", "milliseconds = 1.5"),
            ('started_at = "2026-11-23T14:00:00Z"', "started_at = 2026-11-23T14:00:00Z"),
        ],
        2,
    ),
)
def test_what_the_reader_refuses_is_not_valid(old: str, new: str) -> None:
    document = CLOSED["record.toml"].decode()
    assert old in document

    assert not is_valid(document.replace(old, new, 1).encode())


CHAINED = closed_in_chain()


@pytest.mark.parametrize("name", ["record.toml", "go.toml"])
def test_what_is_written_in_schema_2_is_valid(name: str) -> None:
    assert is_valid(CHAINED[name])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema = 2", "schema = 1"),
        ("schema = 2", "schema = 2\ncolour = 'red'"),
        ('when = "2026-11-23T14:00:00Z/', 'when = "2026-11-23T14:00:00Z'),
        ('when = "', 'started_at = "'),
        ('by = "ana@example.com"\n', ""),
    ],
)
def test_what_the_reader_of_schema_2_refuses_is_not_valid(old: str, new: str) -> None:
    document = CHAINED["record.toml"].decode()
    assert old in document

    broken = document.replace(old, new, 1).encode()

    assert not is_valid(broken)
    with pytest.raises(RecordInvalid):
        load_record(broken)
