"""Asks a person one prompt at a time; the only place that knows questionary."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, assert_never

from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import UsageError
from d1_preflight.plain.line_asker import BACK, LineAsker, read_line

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyPressEvent
    from questionary import Question

_NUMBERED = 9
_SHORT = 64
_COLOURLESS = ("NO_COLOR", "PREFLIGHT_PLAIN_NO_COLOR")


class Asker(Protocol):
    """Puts one question to a person and brings back the raw answer."""

    async def ask(self, prompt: Prompt) -> object:
        """The raw answer; None where the person leaves the question, BACK for the last one."""


class TerminalAsker:
    """Asks at the terminal, by arrows or by numbers; in one colour where that is wanted.

    Where it `goes_back`, Shift+Tab is BACK.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, goes_back: bool = False
    ) -> None:
        self._goes_back = goes_back
        env = os.environ if environ is None else environ
        self.in_colour = env.get("TERM") != "dumb" and not any(env.get(n) for n in _COLOURLESS)

    async def ask(self, prompt: Prompt) -> object:
        """Say what the question is about, line by line, then ask it in one line and wait."""
        label = prompt.label.splitlines()
        said = label if _asked_in(prompt) not in label else label[:-1]
        for line in (*said, *prompt.help.splitlines()):
            print(f"  {line}")
        question = question_for(prompt, in_colour=self.in_colour)
        if self._goes_back:
            let_back(question)
        answer: object = await question.ask_async(kbi_msg="")
        return answer


def open_asker(environ: Mapping[str, str] | None = None, *, goes_back: bool = False) -> Asker:
    """The asker at this terminal; raises UsageError where nobody can answer."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "The wizard asks questions, and there is no terminal to answer them.",
            hint="Run it in a terminal. For scripts: preflight lint, preflight verify.",
        )
    env = os.environ if environ is None else environ
    if env.get("TERM", "dumb") in ("", "dumb"):
        return LineAsker(read_line, print, goes_back=goes_back)
    return TerminalAsker(env, goes_back=goes_back)


def _selected(question: "Question") -> "Question":
    """The question with what it offers selected: typing writes over it, Enter keeps it."""
    buffer = question.application.current_buffer
    if end := len(buffer.text):
        buffer.cursor_position = 0
        buffer.start_selection()
        if buffer.selection_state is not None:
            buffer.selection_state.enter_shift_mode()
        buffer.cursor_position = end
    return question


def let_back(question: "Question") -> None:
    """Let Shift+Tab end a question with BACK."""
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

    keys = KeyBindings()

    @keys.add("s-tab", eager=True)
    def _back(event: "KeyPressEvent") -> None:
        event.app.exit(result=BACK)

    known = question.application.key_bindings
    question.application.key_bindings = merge_key_bindings([known, keys] if known else [keys])


def question_for(prompt: Prompt, *, in_colour: bool = True) -> "Question":
    """The questionary question that asks this prompt; only what it offers is filled in.

    One short line: what is redrawn at each key is read aloud again by a screen reader.
    """
    import questionary
    from prompt_toolkit.output import ColorDepth

    depth = None if in_colour else ColorDepth.DEPTH_1_BIT
    label = _asked_in(prompt)
    choices = [questionary.Choice(prompt.label_of(choice), choice) for choice in prompt.choices]
    if prompt.deliberate:
        none = questionary.Choice("(nothing chosen yet)", "", shortcut_key="0")
        choices.insert(0, none)  # the digits stay those of the choices
    match prompt.kind:
        case PromptKind.CONFIRM:
            return questionary.confirm(label, default=False, color_depth=depth)
        case PromptKind.TEXT:
            return _selected(questionary.text(label, default=prompt.offered, color_depth=depth))
        case PromptKind.CHOOSE if len(choices) <= _NUMBERED:
            return questionary.rawselect(label, choices, color_depth=depth)
        case PromptKind.CHOOSE:
            return questionary.select(label, choices, color_depth=depth)
        case PromptKind.CHOOSE_MANY:
            return questionary.checkbox(label, choices, color_depth=depth)
        case _:
            assert_never(prompt.kind)


def _asked_in(prompt: Prompt) -> str:
    """The question in one line; its longer text was printed before."""
    last = (prompt.label.splitlines() or [""])[-1]
    return last if len(last) <= _SHORT else "Your answer"
