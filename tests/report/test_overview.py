"""What `show` says first: the loss, who agreed, where the backup is, how to undo it."""

import pytest

from core.record_values import Walk, shipped_checklist
from d1_preflight.core.record.facts import Facts
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Status
from d1_preflight.core.summary.form import PRESENT_FORM
from d1_preflight.report import Format, show
from d1_preflight.report.html import as_svg
from d1_preflight.report.overview import asked_first, headline, undoing
from d1_preflight.report.pictures import RowBar, RowBars
from example_record import EXAMPLE

CHECKLIST = shipped_checklist()
PEOPLE = [form for form in Format if form is not Format.JSON]
ANA = "ana@example.com"


def closed(end: str = "it stands", **more: object) -> Walk:
    """A walk whose rehearsal loses rows, an index and values, closed by Ana."""
    members: Facts = {"table": "members", "before": 9, "after": 4, "lost": 5}
    teams: Facts = {"table": "teams", "before": 7, "after": 7, "changed": 3, "nulled": 3}
    index: Facts = {"change": "removed", "object": "index", "name": "by_day", "words": "gone"}
    ways: tuple[Facts, ...] = (
        {"way": "down migration", "command": "down", "takes_ms": 10, "loses": "5 rows"},
        {"way": "table restore", "command": "preflight restore x", "loses": "later writes"},
    )
    walk = Walk(CHECKLIST)
    walk.answer("rehearsed", facts={"tables": (members, teams), "schema": (index,)})
    walk.answer("losses", Status.ATTESTED, {"loss_reason": "nobody reads it"})
    file = ".preflight/d/m/backup/001/rows/0001.rows"
    walk.answer("backed_up", facts={"rows": 9, "tables": ({"table": "members", "file": file},)})
    walk.answer("way_back", facts={"ways": ways, "chosen": "table restore"})
    walk.answer("go", Status.ATTESTED, {"decision": "go", "signer": ANA})
    walk.answer("applied")
    facts: Facts = {"end": end, "signer": ANA, **more}  # type: ignore[dict-item]
    return walk.answer("close", Status.ATTESTED, facts)


def test_the_loss_stands_first_with_its_reason() -> None:
    (name, words), *_ = asked_first(closed().record)

    assert name == "lost"
    assert words == (
        "5 rows of members · values changed or dropped in 3 rows of teams · index by_day."
        " Declared, because: nobody reads it"
    )


def test_without_a_rehearsal_nobody_says_that_nothing_is_lost() -> None:
    walk = Walk(CHECKLIST)
    walk.answer("counted", facts={"tables": ({"table": "members", "rows": 9},)})

    assert "lost" not in dict(asked_first(walk.record))


@pytest.mark.parametrize(
    ("reviews", "words"),
    [
        ((), f"{ANA} alone: nobody else approved GO before the close"),
        (({"by": "ben", "verdict": "approved"},), f"{ANA}, and approved by ben"),
        (
            ({"by": "ben", "verdict": "sent back"},),
            f"{ANA} alone: nobody else approved GO before the close",
        ),
    ],
)
def test_it_says_whether_one_person_agreed_alone(reviews: tuple[Facts, ...], words: str) -> None:
    assert dict(asked_first(closed(reviews=reviews).record))["agreed"] == words


def test_the_backup_is_named_with_its_folder() -> None:
    told = dict(asked_first(closed().record))["backup"]

    assert told.startswith(
        "9 rows of 1 table, not restored for a test; in .preflight/d/m/backup/001"
    )


def test_the_chosen_way_to_undo_it_is_first() -> None:
    assert [way.way for way in undoing(closed().record)] == ["table restore", "down migration"]


def test_what_was_rolled_back_offers_no_undo() -> None:
    rolled_back = closed("it was taken back").record

    assert headline(rolled_back) == "applied and rolled back"
    assert undoing(rolled_back) == ()


def test_a_record_that_knows_nothing_claims_nothing() -> None:
    assert asked_first(Walk(CHECKLIST).record) == ()


@pytest.mark.parametrize("form", PEOPLE)
def test_every_page_begins_with_it(form: Format) -> None:
    record = load_record((EXAMPLE / "record.toml").read_bytes())
    shown = show(record, CHECKLIST, None, form)

    told = ("applied and kept", "nobody else approved GO", "restored and compared", "To undo it,")
    places = [shown.index(words) for words in told]
    assert places == sorted(places)
    assert "can be undone by" not in shown


def test_a_bar_shows_rows_that_stay_with_other_values() -> None:
    drawn = as_svg(RowBars((RowBar("teams", 100, 90, 10, 45),)))

    assert 'class="changed" x="288.0"' in drawn
    assert "10 lost, values changed in 45" in drawn


@pytest.mark.parametrize("form", PEOPLE)
def test_what_needs_no_rollback_is_no_way_to_undo_it(form: Format) -> None:
    walk = Walk(CHECKLIST)
    ways: tuple[Facts, ...] = (
        {"way": "leave it", "takes_ms": 0, "loses": "nothing"},
        {"way": "time travel", "command": "wrangler d1 time-travel", "loses": "every write since"},
    )
    walk.answer("way_back", Status.ATTESTED, {"ways": ways, "chosen": "leave it"})
    walk.answer("go", Status.ATTESTED, {"decision": "go", "summary_form": PRESENT_FORM})

    text = " ".join(show(walk.record, CHECKLIST, None, form).replace("\\", "").split())

    assert [way.way for way in undoing(walk.record)] == ["time travel"]
    assert "o rollback: none needed, leaving it applied loses nothing" in text
