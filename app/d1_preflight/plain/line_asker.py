"""Asks line by line, with no cursor movement at all: for TERM=dumb, editors' shells and logs."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import assert_never

from d1_preflight.core.checklist.checklist import Prompt, PromptKind

ReadLine = Callable[[str], Awaitable[str | None]]
BACK = object()
"""In place of an answer: ask the last question of the step again."""
BACK_LINE = "<"
_LINE = 4096
_YES, _NO = frozenset({"y", "yes"}), frozenset({"", "n", "no"})


class LineAsker:
    """Prints a question with numbered choices and reads one line; None at the end of input.

    An empty line keeps what is offered. Where it `goes_back`, `<` alone is BACK.
    """

    def __init__(
        self, read: ReadLine, say: Callable[[str], None], *, goes_back: bool = False
    ) -> None:
        self._read = read
        self._say = say
        self._goes_back = goes_back

    async def ask(self, prompt: Prompt) -> object:
        """The raw answer, asked for until it can be one; None where the input ends."""
        for said in (*prompt.label.splitlines(), *prompt.help.splitlines()):
            self._say(f"  {said}")
        for number, choice in enumerate(prompt.choices, start=1):
            self._say(f"  {number}) {prompt.label_of(choice)}")
        while (line := await self._read(_wanted(prompt))) is not None:
            if self._goes_back and line.strip() == BACK_LINE:
                return BACK
            answer = _answer(prompt, line.strip())
            if answer is not None:
                return answer
            self._say(f"  ✗ {line.strip()!r} is not a valid answer.")
        return None


async def read_line(label: str) -> str | None:
    """One line from this terminal, without its end; None where the input ends."""
    print(f"  {label}: ", end="", flush=True)
    loop, here = asyncio.get_running_loop(), sys.stdin.fileno()
    ready = asyncio.Event()
    loop.add_reader(here, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(here)
    data = os.read(here, _LINE)
    return data.decode(errors="replace").rstrip("\r\n") if data else None


def _wanted(prompt: Prompt) -> str:
    """What to type, in words."""
    numbers = f"1–{len(prompt.choices)}"
    match prompt.kind:
        case PromptKind.CONFIRM:
            return "y or n"
        case PromptKind.TEXT if prompt.offered:
            return f"Your answer; empty for “{prompt.offered}”"
        case PromptKind.TEXT:
            return "Your answer"
        case PromptKind.CHOOSE:
            return f"A number, {numbers}"
        case PromptKind.CHOOSE_MANY:
            return f"Numbers, {numbers}, with commas; empty for none"
        case _:
            assert_never(prompt.kind)


def _answer(prompt: Prompt, line: str) -> object:
    """The raw answer that a line means; None where it means none."""
    match prompt.kind:
        case PromptKind.CONFIRM:
            word = line.lower()
            return (word in _YES) if word in _YES | _NO else None
        case PromptKind.TEXT:
            return line or prompt.offered
        case PromptKind.CHOOSE:
            chosen = _chosen(prompt.choices, line)
            return chosen[0] if chosen and len(chosen) == 1 else None
        case PromptKind.CHOOSE_MANY:
            return _chosen(prompt.choices, line)
        case _:
            assert_never(prompt.kind)


def _chosen(choices: Sequence[str], line: str) -> list[str] | None:
    """The choices by their numbers, in the order of the list; None where a word is no number."""
    words = line.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() for word in words):
        return None
    numbers = {int(word) for word in words if len(word) <= len(str(len(choices)))}
    if len(numbers) != len(set(words)) or not numbers <= set(range(1, len(choices) + 1)):
        return None
    return [choices[number - 1] for number in sorted(numbers)]
