"""A record is judged by its bytes: what is missing, changed or out of turn is told."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.record_values import (
    ANA,
    BEFORE_GO,
    BEN,
    KEYS,
    SQL,
    AnyAction,
    FakeKeys,
    Walk,
    closed_files,
    shipped_checklist,
    shipped_text,
    signed_go,
    with_section,
)
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.facts import Facts
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.record import Record, Status
from d1_preflight.core.record.signing import CLOSE, GO
from d1_preflight.core.verify.links import Verification
from d1_preflight.core.verify.verify import verify_record

CLOSED, CHECKLIST = closed_files()


def verified(files: dict[str, bytes], **more: object) -> Verification:
    return verify_record(files, CHECKLIST, KEYS, **more)  # type: ignore[arg-type]  # two keywords


def words(found: Verification) -> str:
    return "\n".join(f"{p.weight} {p.file}: {p.words}" for p in found.problems)


def resigned(change: Callable[[Record], Record]) -> dict[str, bytes]:
    """The closed record with a change in it that its signer has signed again."""
    document = dump_record(change(load_record(CLOSED["record.toml"])))
    return CLOSED | {"record.toml": document, "record.toml.sig": KEYS.sign(document, CLOSE, ANA)}


@pytest.mark.parametrize("kind", [Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE])
def test_a_whole_record_is_good(kind: Kind) -> None:
    files, checklist = closed_files(kind)

    found = verify_record(files, checklist, KEYS, migration_sha256=sha256(SQL).hexdigest())

    assert words(found) == ""
    assert found.exit_code == 0
    assert found.facts["closed"] == f"{ANA} SHA256:{ANA}"


@given(name=st.sampled_from(sorted(CLOSED)), data=st.data())
def test_any_edited_byte_breaks_verify(name: str, data: st.DataObject) -> None:
    original = CLOSED[name]
    position = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != original[position]))
    edited = original[:position] + bytes([byte]) + original[position + 1 :]

    assert verified(CLOSED | {name: edited}).exit_code == 4


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_any_missing_file_is_told_by_its_name(name: str) -> None:
    files = {key: value for key, value in CLOSED.items() if key != name}

    found = verified(files)

    assert found.exit_code == (1 if name == "record.toml.sig" else 4)
    assert any(name.removesuffix(".sig") in p.file for p in found.problems)


def test_a_migration_edited_since_is_told() -> None:
    found = verified(dict(CLOSED), migration_sha256="0" * 64)

    assert "0057_add_team_billing.sql: is not the text" in words(found)
    assert found.exit_code == 4


def test_a_record_under_way_is_open_not_invalid() -> None:
    checklist = shipped_checklist()
    walk = Walk(checklist).through("classification")

    found = verify_record({"record.toml": dump_record(walk.record)}, checklist, None)

    assert found.exit_code == 1
    assert "3 Data safety: “The row count of every table is recorded” is pending" in words(found)


def test_open_steps_behind_a_good_signature_are_told() -> None:
    def fail_the_rows(record: Record) -> Record:
        attempts = tuple(
            replace(a, status=Status.UNKNOWN) if a.step == "rows" else a for a in record.attempts
        )
        return replace(record, attempts=attempts)

    found = verified(resigned(fail_the_rows))

    assert found.exit_code == 1
    assert "is unknown" in words(found)


def test_a_waiver_of_a_step_that_cannot_be_waived_is_invalid() -> None:
    def waive_the_backup(record: Record) -> Record:
        attempts = tuple(
            replace(a, status=Status.WAIVED) if a.step == "backed_up" else a
            for a in record.attempts
        )
        return replace(record, attempts=attempts)

    assert "which cannot be waived" in words(verified(resigned(waive_the_backup)))


def test_a_proof_rewritten_after_go_contradicts_the_plan() -> None:
    def rewrite(record: Record) -> Record:
        attempts = tuple(
            replace(a, words="0 rows lost") if a.step == "rehearsed" else a for a in record.attempts
        )
        return replace(record, attempts=attempts)

    found = verified(resigned(rewrite))

    assert "go.toml: has another outcome for step “rehearsed”" in words(found)


def test_an_apply_after_the_go_expired_is_invalid() -> None:
    def wait(record: Record) -> Record:
        at = next(n for n, a in enumerate(record.attempts) if a.step == "applied")
        late = tuple(
            replace(
                a,
                started_at=a.started_at + timedelta(hours=1),
                finished_at=a.finished_at and a.finished_at + timedelta(hours=1),
            )
            for a in record.attempts[at:]
        )
        return replace(record, attempts=(*record.attempts[:at], *late))

    assert "was applied after its GO expired" in words(verified(resigned(wait)))


def aged(
    before_go: timedelta,
    before_apply: timedelta = timedelta(),
    *,
    rechecked: tuple[str, ...] = ("window",),
    checklist: Checklist = CHECKLIST,
    window: Status = Status.PROVED,
) -> dict[str, bytes]:
    """A closed record whose GO, or whose apply, came so long after what it rests on."""
    walk, files = Walk(checklist).through(*BEFORE_GO), dict[str, bytes]()
    walk.answer("window", window)
    walk.now += before_go
    signed_go(walk, files)
    walk.now += before_apply
    walk.answer("applied", facts={"rechecked": rechecked})
    walk.through("verification", "close")
    files["record.toml"] = dump_record(walk.record)
    files["record.toml.sig"] = KEYS.sign(files["record.toml"], CLOSE, ANA)
    return files


def test_a_go_signed_over_a_stale_proof_is_invalid() -> None:
    found = verified(aged(timedelta(hours=16)))

    assert found.exit_code == 4
    assert (
        "GO was signed over a stale proof: “Now is a low-traffic window”, proved 16 h before, "
        "good for 15 min" in words(found)
    )
    assert "“The row count of every table is recorded”" in words(found)
    assert words(verified(aged(timedelta(minutes=10)))) == ""


def test_a_record_whose_checklist_knows_no_age_is_judged_without() -> None:
    text = re.sub("good_for = .*\n", "", shipped_text())
    earlier = load_checklist(text, "checklists/d1.toml", AnyAction())

    found = verify_record(aged(timedelta(days=3), checklist=earlier), earlier, KEYS)

    assert words(found) == ""


def test_an_apply_over_a_window_that_it_did_not_ask_again_is_invalid() -> None:
    ten, later = timedelta(minutes=10), timedelta(minutes=20)

    assert words(verified(aged(ten, later))) == ""
    assert words(verified(aged(ten, later, window=Status.WAIVED))) == ""
    found = verified(aged(ten, later, rechecked=("schema",)))
    assert "The migration was applied over a stale proof: “Now is a low-" in words(found)


def test_times_that_run_backwards_are_invalid() -> None:
    def swap(record: Record) -> Record:
        first, second, *rest = record.attempts
        return replace(record, attempts=(second, first, *rest))

    assert "before the one above it" in words(verified(resigned(swap)))


def test_a_lowered_class_is_invalid() -> None:
    def lower(record: Record) -> Record:
        attempts = tuple(
            replace(a, facts={"found": "destructive", "class": "additive"})
            if a.step == "class"
            else a
            for a in record.attempts
        )
        return replace(record, attempts=attempts)

    assert "lowers the class from destructive to additive" in words(verified(resigned(lower)))


def test_a_step_that_the_checklist_does_not_have_is_invalid() -> None:
    def invent(record: Record) -> Record:
        return replace(
            record, attempts=(replace(record.attempts[0], step="prayed"), *record.attempts[1:])
        )

    assert "does not have: “prayed”" in words(verified(resigned(invent)))


def test_another_checklist_leaves_completeness_open() -> None:
    found = verified(resigned(lambda record: replace(record, checklist="f" * 64)))

    assert "whether it is complete is unknown" in words(found)


def test_a_key_that_may_not_close_is_refused() -> None:
    only_go = FakeKeys({ANA: (GO,)})

    found = verify_record(CLOSED, CHECKLIST, only_go)

    assert f"{ANA} may not sign for {CLOSE}" in words(found)
    assert found.exit_code == 4


def test_signatures_without_allowed_signers_are_no_pass() -> None:
    found = verify_record(CLOSED, CHECKLIST, None)

    assert found.exit_code == 4
    assert "cannot be checked: no allowed_signers" in words(found)


def test_a_close_by_another_person_than_signed_is_told() -> None:
    keys = FakeKeys({ANA: (GO, CLOSE), BEN: (CLOSE,)})
    signature = keys.sign(CLOSED["record.toml"], CLOSE, BEN)

    found = verify_record(CLOSED | {"record.toml.sig": signature}, CHECKLIST, keys)

    assert f"is by {BEN}, but {ANA} closed the record" in words(found)


def test_a_destructive_go_waits_for_the_second_person_where_policy_asks() -> None:
    found = verified(dict(CLOSED), second_person=frozenset({Kind.DESTRUCTIVE}))

    assert "a second person has to approve a destructive migration's GO" in words(found)
    assert found.exit_code == 1


def test_damaged_toml_is_told_without_a_traceback() -> None:
    found = verified(CLOSED | {"record.toml": b"\xff\x00"})

    assert "record.toml:1: not UTF-8 text" in words(found)
    assert found.exit_code == 4


def test_hand_written_toml_with_the_same_values_is_not_the_record() -> None:
    edited = b"# a comment\n" + CLOSED["record.toml"]
    files = CLOSED | {"record.toml": edited, "record.toml.sig": KEYS.sign(edited, CLOSE, ANA)}

    assert "it was edited manually" in words(verified(files))


def test_a_go_that_was_never_applied_is_open() -> None:
    checklist = shipped_checklist()
    files: dict[str, bytes] = {}
    walk = Walk(checklist).through("classification", "local", "data", "rollback", "timing")
    signed_go(walk, files)

    found = verify_record(files | {"record.toml": dump_record(walk.record)}, checklist, KEYS)

    assert found.exit_code == 1
    pending = "Apply: “Only this migration is applied, and the result is checked” is pending"
    assert pending in words(found)


def test_a_class_that_there_is_not_is_told_without_a_traceback() -> None:
    edited = CLOSED["record.toml"].replace(b'class = "destructive"', b'class = "weird"')

    found = verified(CLOSED | {"record.toml": edited})

    assert "'weird'" in words(found)
    assert found.exit_code == 4


def test_a_plan_nested_too_deep_is_told_without_a_traceback() -> None:
    found = verified(CLOSED | {"go.toml": b"a = " + b"[" * 400 + b"]" * 400})

    assert "go.toml: tables are nested more than 40 deep" in words(found)
    assert found.exit_code == 4


def test_a_record_closed_by_another_checklist_than_its_gos_is_invalid() -> None:
    own = with_section("timing")
    files, _ = closed_files()
    document = dump_record(replace(load_record(files["record.toml"]), checklist=own.sha256))
    files |= {"record.toml": document, "record.toml.sig": KEYS.sign(document, CLOSE, ANA)}

    found = verify_record(files, own, KEYS)

    assert "invalid go.toml: was signed with another checklist" in words(found)
    assert found.exit_code == 4


def test_a_checklist_that_changed_before_the_apply_leaves_another_go_open() -> None:
    files: dict[str, bytes] = {}
    walk = Walk(CHECKLIST).through(*BEFORE_GO)
    signed_go(walk, files)
    files["record.toml"] = dump_record(replace(walk.record, checklist="f" * 64))

    found = verified(files)

    assert "open go.toml: was signed with another checklist" in words(found)
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("step", "facts", "told"),
    [
        ("class", {"found": "additive", "class": "additive"}, "says class = 'destructive'"),
        ("rehearsed", {"tables": ({"table": "teams", "lost": 7},)}, "says rows_at_risk = 0"),
    ],
)
def test_a_plan_that_tells_less_than_the_record_is_invalid(
    step: str, facts: Facts, told: str
) -> None:
    def rewrite(record: Record) -> Record:
        attempts = (replace(a, facts=facts) if a.step == step else a for a in record.attempts)
        return replace(record, attempts=tuple(attempts))

    found = verified(resigned(rewrite))

    assert f"go.toml: {told}" in words(found)
    assert found.exit_code == 4
