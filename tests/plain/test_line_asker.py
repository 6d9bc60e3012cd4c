"""Questions line by line: numbered, answered by one line, asked again for what is no answer."""

import pytest

from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.plain.line_asker import BACK, LineAsker

CHOICES = ("do it", "leave it", "quit")


def prompt(kind: PromptKind) -> Prompt:
    choices = CHOICES if kind in (PromptKind.CHOOSE, PromptKind.CHOOSE_MANY) else ()
    return Prompt("next", kind, "What now?", choices=choices, help="Enter alone does nothing.")


async def asked(kind: PromptKind, *lines: str | None) -> tuple[object, list[str]]:
    """The answer to these lines, and what was said."""
    left, said = list(lines), list[str]()

    async def read(label: str) -> str | None:
        said.append(label)
        return left.pop(0)

    return await LineAsker(read, said.append).ask(prompt(kind)), said


@pytest.mark.parametrize(
    ("kind", "line", "answer"),
    [
        (PromptKind.CHOOSE, "2", "leave it"),
        (PromptKind.CHOOSE, " 3 ", "quit"),
        (PromptKind.CHOOSE_MANY, "3, 1", ["do it", "quit"]),
        (PromptKind.CHOOSE_MANY, "", []),
        (PromptKind.CONFIRM, "Y", True),
        (PromptKind.CONFIRM, "", False),
        (PromptKind.CONFIRM, "no", False),
        (PromptKind.TEXT, "a reason", "a reason"),
        (PromptKind.TEXT, "", ""),
    ],
)
async def test_one_line_answers(kind: PromptKind, line: str, answer: object) -> None:
    assert (await asked(kind, line))[0] == answer


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (PromptKind.CHOOSE, ""),
        (PromptKind.CHOOSE, "0"),
        (PromptKind.CHOOSE, "4"),
        (PromptKind.CHOOSE, "1 2"),
        (PromptKind.CHOOSE, "do it"),
        (PromptKind.CHOOSE, "-1"),
        (PromptKind.CHOOSE, "9" * 5000),
        (PromptKind.CHOOSE_MANY, "1 7"),
        (PromptKind.CONFIRM, "yeah"),
    ],
)
async def test_what_is_no_answer_is_asked_again(kind: PromptKind, line: str) -> None:
    good = "y" if kind is PromptKind.CONFIRM else "1"

    answer, said = await asked(kind, line, good)

    assert answer in (True, "do it", ["do it"])
    assert any("is not a valid answer" in words for words in said)


async def test_the_end_of_input_leaves() -> None:
    assert (await asked(PromptKind.CHOOSE, None))[0] is None


async def test_every_choice_is_said_with_its_number() -> None:
    _, said = await asked(PromptKind.CHOOSE, "1")

    assert said == [
        "  What now?",
        "  Enter alone does nothing.",
        "  1) do it",
        "  2) leave it",
        "  3) quit",
        "A number, 1–3",
    ]


async def test_an_empty_line_keeps_what_is_offered() -> None:
    said = list[str]()

    async def read(label: str) -> str | None:
        said.append(label)
        return ""

    offers = Prompt("purpose", PromptKind.TEXT, "Why?", offered="Adds a table")

    assert await LineAsker(read, said.append).ask(offers) == "Adds a table"
    assert said[-1] == "Your answer; empty for “Adds a table”"


@pytest.mark.parametrize("kind", PromptKind)
@pytest.mark.parametrize("goes_back", [True, False])
async def test_less_than_alone_goes_back_where_it_may(kind: PromptKind, goes_back: bool) -> None:
    lines: list[str | None] = ["<", None]

    async def read(_label: str) -> str | None:
        return lines.pop(0)

    answer = await LineAsker(read, lambda _line: None, goes_back=goes_back).ask(prompt(kind))

    assert (answer is BACK) == goes_back
