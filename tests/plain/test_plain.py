"""The plain face: it shows before it acts, asks in turn, refuses in words, and resumes."""

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from core.record_values import BEN, Walk, shipped_checklist
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.findings import Finding, Severity
from d1_preflight.core.record.record import Record, Status
from d1_preflight.core.remedies.fix import Answer, Fix
from d1_preflight.core.remedies.proof import Proof
from d1_preflight.plain import text
from d1_preflight.plain.asker import TerminalAsker, let_back, question_for
from d1_preflight.plain.line_asker import BACK
from d1_preflight.plain.walkthrough import Choice, Walkthrough
from d1_preflight.session import Session
from plain.fakes import NAME, TARGET, MemoryStore, Script, TextFiles, open_session

HEADED = """-- Migration: 0057_add_billing_email
-- Description: Adds a table
-- Type: Additive (low risk)
-- Rollback: Not required
CREATE TABLE audit_logs (id TEXT PRIMARY KEY);
"""
DO, QUIT = ("next", Choice.DO), ("next", Choice.QUIT)


async def sit(
    store: MemoryStore, *answers: tuple[str, object], text: str = HEADED
) -> tuple[int, str, Script]:
    said: list[str] = []
    script = Script(list(answers))
    session = open_session(store, TextFiles(text))
    code = await Walkthrough(session, script, said.append, TARGET).run()
    return code, "\n".join(said), script


def saved(store: MemoryStore) -> Record:
    record = store.load()
    assert record is not None
    return record


async def test_a_step_is_shown_performed_and_told_by_mark_and_word() -> None:
    store = MemoryStore()

    code, said, _ = await sit(store, DO, QUIT)

    assert code == 1
    assert "on marketplace-production · PRACTICE" in said
    assert "=== 1 Classification ===" in said
    assert said.index("The file is well named") < said.index("✓ proved: ")
    assert saved(store).attempts[0].status is Status.PROVED
    assert "preflight run 0057_add_billing_email.sql --plain" in said


async def test_what_was_answered_is_not_asked_again_on_return() -> None:
    store = MemoryStore()
    await sit(store, DO, QUIT)

    _, said, script = await sit(store, DO, DO, ("purpose", "Faster bills"), QUIT)

    assert "Resuming: 1 of 4 steps answered." in said
    assert "The file is well named" not in said
    assert [p.key for p in script.asked] == ["next", "next", "purpose", "next"]
    assert saved(store).attempts[-1].answers == {"purpose": "Faster bills"}


async def test_a_refused_answer_is_asked_again_in_the_steps_own_words() -> None:
    store = MemoryStore()

    _, said, _ = await sit(store, DO, DO, DO, ("purpose", " "), ("purpose", "Bills"), QUIT)

    assert "Write an answer." in said
    assert saved(store).attempts[-1].status is Status.ATTESTED


async def test_a_question_that_is_left_begins_nothing() -> None:
    store = MemoryStore()

    await sit(store, DO, DO, DO, ("purpose", None), QUIT)

    assert len(saved(store).attempts) == 2


async def test_a_failed_step_stays_and_says_why_until_it_is_waived() -> None:
    store = MemoryStore()

    _, said, _ = await sit(
        store, DO, DO, ("next", Choice.WAIVE), ("reason", "agreed with ben"), QUIT,
        text="CREATE TABLE audit_logs (id TEXT PRIMARY KEY);\n",
    )  # fmt: skip

    assert "✗ failed: The header lacks" in said
    assert "⊘ waived: agreed with ben" in said
    assert saved(store).attempts[-1].status is Status.WAIVED


async def test_a_step_left_open_keeps_go_shut_and_is_told_at_the_end() -> None:
    code, said, script = await sit(MemoryStore(), DO, ("next", Choice.LATER), DO, ("purpose", "x"))

    assert code == 1
    assert "· pending     The header is complete" in said
    assert "GO / NO-GO" not in said.split("Open: ")[0]
    assert not script.answers


async def walked_to_go(store: MemoryStore) -> None:
    await sit(store, DO, DO, DO, ("purpose", "Bills"), QUIT)


async def test_go_is_signed_only_after_its_question_was_confirmed() -> None:
    store = MemoryStore()
    await walked_to_go(store)

    await sit(store, DO, ("go", False), QUIT)
    assert "go.toml" not in store.held
    code, said, _ = await sit(store, DO, ("go", True))

    assert "go.toml.sig" in store.held
    assert f"apply   {NAME} (sha256 " in said
    assert "and nothing else" in said
    assert code == 1  # this small checklist has no close: nothing is final without one


async def test_at_go_enter_alone_leaves_it_open() -> None:
    store = MemoryStore()
    await walked_to_go(store)

    _, _, script = await sit(store, QUIT)

    assert script.asked[0].choices[0] == Choice.LATER


async def test_no_go_is_written_down_with_its_reason() -> None:
    store = MemoryStore()
    await walked_to_go(store)

    await sit(store, ("next", Choice.NO_GO), ("reason", "ben is on a train"))

    assert saved(store).attempts[-1].words == "NO-GO: ben is on a train"


async def test_the_emergency_card_names_the_real_database() -> None:
    _, said, _ = await sit(MemoryStore(), ("next", Choice.EMERGENCY), QUIT)

    assert "EMERGENCY: what happened?" in said
    assert "wrangler d1 time-travel restore marketplace-production" in said


async def test_an_edited_migration_is_walked_again() -> None:
    store = MemoryStore()
    await walked_to_go(store)

    _, said, _ = await sit(store, QUIT, text=HEADED + "-- changed\n")

    assert "Resuming: 0 of 4 steps answered." in said


async def test_the_record_says_who_answered() -> None:
    store = MemoryStore()
    await walked_to_go(store)

    assert BEN not in {attempt.by for attempt in saved(store).attempts}


@pytest.mark.parametrize("kind", PromptKind)
def test_every_kind_of_prompt_has_its_question(kind: PromptKind) -> None:
    prompt = Prompt("k", kind, "Why?", help="Because", choices=("a", "b"))

    question = question_for(prompt, in_colour=False)

    assert question.application is not None


@pytest.mark.parametrize("kind", PromptKind)
async def test_shift_tab_ends_every_kind_of_question_with_back(kind: PromptKind) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        question = question_for(Prompt("k", kind, "Why?", choices=("a", "b")))
        let_back(question)
        keys.send_text("\x1b[Z")

        assert await question.ask_async() is BACK


@pytest.mark.parametrize(
    ("pressed", "answer"),
    [("1", "a"), pytest.param("2", "b", marks=pytest.mark.matrix), ("", ""), ("j", "a")],
)
async def test_digits_and_j_choose_where_nothing_is_chosen_yet(pressed: str, answer: str) -> None:
    prompt = Prompt("k", PromptKind.CHOOSE, "Which?", choices=("a", "b"), deliberate=True)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        question = question_for(prompt)
        keys.send_text(f"{pressed}\r")

        assert await question.ask_async() == answer


@pytest.mark.parametrize(
    ("pressed", "answer"),
    [("", "Adds a table"), ("Bills", "Bills"), ("\x1b[C of bills", "Adds a table of bills")],
)
async def test_what_is_offered_is_selected(pressed: str, answer: str) -> None:
    prompt = Prompt("k", PromptKind.TEXT, "Why?", offered="Adds a table")
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        question = question_for(prompt)
        keys.send_text(f"{pressed}\r")

        assert await question.ask_async() == answer


async def test_back_before_the_first_question_leads_to_the_menu() -> None:
    store = MemoryStore()

    _, _, script = await sit(
        store, DO, DO, DO, ("purpose", BACK), ("next", BACK), DO, ("purpose", "Bills"), QUIT
    )

    assert script.answers == []
    assert saved(store).attempts[-1].answers == {"purpose": "Bills"}


def test_many_choices_are_asked_without_numbers() -> None:
    prompt = Prompt("k", PromptKind.CHOOSE, "Which?", choices=tuple(str(n) for n in range(40)))

    assert question_for(prompt).application is not None


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_are_left_out_where_nobody_wants_them(environ: dict[str, str]) -> None:
    assert not TerminalAsker(environ).in_colour
    assert TerminalAsker({"TERM": "xterm"}).in_colour


def test_what_a_command_prints_is_told_but_not_its_data() -> None:
    said: list[str] = []
    session = open_session(MemoryStore())
    walkthrough, step = Walkthrough(session, Script([]), said.append, TARGET), session.path[0]

    for line in ("[", '  {"id": 1},', "]", "", "Resource location: remote"):
        walkthrough._emit(step, line, "out")
    walkthrough._emit(step, '"quoted" on stderr', "err")

    assert said == [
        "  | (JSON, not shown)",
        "  | Resource location: remote",
        '  | "quoted" on stderr',
    ]


def test_a_question_offers_the_labels_and_hands_over_the_stored_answers() -> None:
    prompt = Prompt("end", PromptKind.CHOOSE, "End?", choices=("it stands",), labels=("kept",))

    control = question_for(prompt).application.layout.find_all_controls()
    choices = next(c.choices for c in control if hasattr(c, "choices"))

    assert [(choice.title, choice.value) for choice in choices] == [("kept", "it stands")]


class Offers:
    """A rewriter that offers one rewrite, and notes what is written."""

    def __init__(self, found: Fix) -> None:
        self.found, self.written = found, list[str]()

    async def rewrite(self, session: Session) -> Fix:
        assert session.record.migration == NAME
        return self.found

    def write_rewrite(self, session: Session, found: Fix) -> str:
        assert session.record.migration == NAME
        self.written.append(found.after)
        return ".preflight/before-fix/kept.sql"


async def test_the_split_of_several_changes_is_shown_and_written_too() -> None:
    finding = Finding("several-changes", Severity.WARNING, 1, 1, "title", "message")
    done = (Answer(finding, what="becomes 2 files"),)
    files = (("0002_delete_b.sql", "DROP TABLE b;\n"),)
    whole = Fix("a\nb\n", "a\n", done, proof=Proof(rows="rows in every table"), files=files)
    rewriter = Offers(Fix("a\nb\n", "a\nb\n", split=whole))
    said: list[str] = []
    script = Script([("next", Choice.FIX), ("rewrite", True), QUIT])
    session = open_session(MemoryStore(), TextFiles("CREATE TABLE a(id TEXT PRIMARY KEY);\n"))
    await Walkthrough(session, script, said.append, TARGET, rewriter).run()
    assert "  new file 0002_delete_b.sql" in said
    assert "  +DROP TABLE b;" in said
    assert rewriter.written == ["a\n"]


@pytest.mark.parametrize("agreed", [True, False])
async def test_the_safe_way_is_shown_and_written_after_a_yes_alone(agreed: bool) -> None:
    finding = Finding("cascade-delete", Severity.BLOCKING, 1, 1, "title", "message")
    done = (Answer(finding, what="sets the rows of members"),)
    rewriter = Offers(Fix("a\n", "a\nb\n", done, proof=Proof(rows="rows in every table")))
    said: list[str] = []
    script = Script([("next", Choice.FIX), ("rewrite", agreed), QUIT])
    session = open_session(MemoryStore(), TextFiles("CREATE TABLE a(id TEXT PRIMARY KEY);\n"))
    await Walkthrough(session, script, said.append, TARGET, rewriter).run()
    shown = "\n".join(said)
    assert "cascade-delete: it sets the rows of members" in shown
    assert "Proved on rows in every table" in shown
    assert "  +b" in said
    assert rewriter.written == (["a\nb\n"] if agreed else [])
    assert ("Written. The earlier text" in shown) == agreed


def test_figures_are_read_aloud_without_digests_and_with_their_time() -> None:
    walk = Walk(shipped_checklist()).answer(
        "copied",
        facts={
            "tables": ({"table": "teams", "rows": 112, "values": "112-c38c-1cf9aa40b9"},),
            "values_after": ({"table": "teams", "values": "112-c38c"},),
            "taken_at": "2026-11-26T17:42:17Z",
            "sql_ms": 6,
        },
    )

    said = "\n".join(text.outcome(walk.record.attempts[-1]))

    assert "112-c38c" not in said
    assert "values" not in said
    assert "  taken at: 2026-11-26 17:42:17 UTC" in said
    assert "  SQL took: 6 ms" in said
