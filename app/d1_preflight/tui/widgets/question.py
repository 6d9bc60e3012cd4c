"""The question panel: a step's prompts one at a time, and the commands it will run."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.actions import SkipAction
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static

from d1_preflight.core.checklist.checklist import Prompt, PromptKind, Step, still_asked
from d1_preflight.core.errors import Rejected
from d1_preflight.tui.messages import Submitted
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.fields import (
    Answered,
    Moved,
    OptionsField,
    Refused,
    TextField,
    field_for,
)

_ANEW = ("losses", "loss_reason")


class QuestionPanel(VerticalScroll, can_focus=False):
    """Asks; a refused answer is refused in the prompt's own words, at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("shift+tab", "back", "last question"),
        ("up", "stay(-1)", ""),
        ("down", "stay(1)", ""),
    ]

    def __init__(self) -> None:
        super().__init__(id="question")
        self._step: Step | None = None
        self._prompts: tuple[Prompt, ...] = ()
        self._raw: dict[str, object] = {}
        self._given: dict[str, object] = {}

    @property
    def asking(self) -> Prompt | None:
        """The prompt that is asked now."""
        return next(iter(self._left), None)

    @property
    def _left(self) -> list[Prompt]:
        raw = self._raw
        return [p for p in self._prompts if p.key not in raw and still_asked(p, raw)]

    @property
    def has_keys(self) -> bool:
        """Whether the keys go into a field."""
        return any(child.has_focus for child in self.children)

    @property
    def is_being_answered(self) -> bool:
        """Whether a person has begun to answer: what they wrote must stay before them."""
        changed = any(isinstance(c, TextField) and c.is_changed for c in self.children)
        return self.asking is not None and (bool(self._raw) or changed)

    def keys(self, verb: str) -> list[tuple[str, str]]:
        """What the keys do for the question; `verb` is what the last answer sets off."""
        prompt = self.asking
        if prompt is None:
            return []
        key = "y" if prompt.is_statement else "Enter"
        found = [(key, self._follows(prompt) or verb)]
        if prompt.kind in (PromptKind.CHOOSE_MANY, PromptKind.CONFIRM) and key == "Enter":
            found.append(("Space", "mark"))
        if prompt.kind is not PromptKind.TEXT and len(prompt.choices) > 1:
            found.append(("↑↓", "choose"))
        if self._raw:
            found.append(("⇧Tab", "last question"))
        return [*found, ("Esc", "other keys")]

    def _follows(self, prompt: Prompt) -> str:
        """What comes after the question; "" where its answer is the last."""
        rest = [other for other in self._left if other is not prompt]
        depends = [other for other in self._prompts if other.after == prompt.key]
        if any(not other.otherwise and not other.only for other in depends):
            return "next question"
        return (
            "next question"
            if any(map(self._is_certain, rest))
            else "answer"
            if rest or depends
            else ""
        )

    def _is_certain(self, prompt: Prompt) -> bool:
        """Whether no answer to come spares the question."""
        return prompt.key in self._raw or not (prompt.otherwise and prompt.after not in self._raw)

    async def ask(
        self,
        step: Step,
        prompts: Sequence[Prompt],
        given: Mapping[str, object],
        *,
        anew: bool = False,
    ) -> None:
        """Ask a step's prompts from the first, each holding what was `given` before.

        Asking the same again changes nothing.
        """
        asked = tuple({prompt.key: prompt for prompt in prompts}.values())
        if not anew and (step, asked) == (self._step, self._prompts):
            return
        self._step, self._prompts, self._raw = step, asked, {}
        # A loss is declared anew each time: it may have been meant of another text.
        self._given = {key: value for key, value in given.items() if key not in _ANEW}
        await self._show()

    async def clear(self) -> None:
        """Ask nothing."""
        self._step, self._prompts, self._raw = None, (), {}
        if self.children or self.display:
            await self._show()

    def focus_field(self) -> None:
        """Put the keys into the field that is shown."""
        for child in self.children:
            if child.can_focus:
                self.screen.set_focus(child)  # at once: a field may be gone by the next moment

    @on(Answered)
    async def _take(self, event: Answered) -> None:
        event.stop()
        prompt = self.asking
        if prompt is None or self._step is None:
            return
        try:
            prompt.read(event.raw)
        except Rejected as refusal:
            self._say(f"{refusal.message} {refusal.hint}".strip(), DANGER)
            return
        self._raw[prompt.key] = event.raw
        if self.asking is None:
            self.post_message(Submitted(self._step, dict(self._raw)))
        await self._show()

    def action_stay(self, by: int) -> None:
        """Scroll a long question; stay where answers are begun, which another step would forget."""
        if self.allow_vertical_scroll:
            self.scroll_relative(y=by, animate=False)
        elif not self.is_being_answered:
            raise SkipAction

    async def action_back(self) -> None:
        """Ask the last question again, holding what was answered to it."""
        if not self._raw:
            return
        key, answer = self._raw.popitem()
        self._given[key] = answer
        await self._show()

    @on(Moved)
    def _follow(self, event: Moved) -> None:
        event.stop()
        self._show_help()
        field = self.query_one(OptionsField)
        here = Region(0, field.virtual_region.y + event.line, 1, 1)
        self.scroll_to_region(here, animate=False, force=True)

    @on(Refused)
    def _refuse(self, event: Refused) -> None:
        event.stop()
        self._say(event.words, DANGER)

    async def _show(self) -> None:
        await self.remove_children()
        prompt = self.asking
        self.display = prompt is not None
        if prompt is None:
            return
        asked = [p for p in self._prompts if p.key in self._raw or still_asked(p, self._raw)]
        asked = [p for p in asked if p is prompt or self._is_certain(p)]
        place = f"question {asked.index(prompt) + 1} of {len(asked)}  "
        many = place if len(asked) > 1 else ""
        label = "" if prompt.kind is PromptKind.CONFIRM else prompt.label
        field = field_for(prompt, self._given.get(prompt.key))
        await self.mount(
            Static(Content.assemble((many, QUIET), (label, STRONG)), id="label"),
            field,
            Static(id="words"),
        )
        self.query_one("#label").display = bool(label or many)
        self._show_help()
        self.focus_field()
        # The question is above the field: it must be seen, however long the help is.
        self.call_after_refresh(self.scroll_home, animate=False)

    def _show_help(self) -> None:
        """Show the prompt's help alone; a refusal is over once the cursor moves."""
        said, prompt = self.query_one("#words", Static), self.asking
        if prompt:
            said.update(Content.styled(prompt.help, QUIET))
            # The finding is shown at its line, in the SQL above.
            beside = "@" in prompt.key and "\n" not in prompt.help
            said.display = bool(prompt.help) and not beside

    def _say(self, words: str, ink: str) -> None:
        """Say it above the help, which stays: it may be what is confirmed."""
        said, prompt = self.query_one("#words", Static), self.asking
        helped = f"\n{prompt.help}" if said.display and prompt and prompt.help else ""
        said.update(Content.assemble((words, ink), (helped, QUIET)))
        said.display = True
