"""The question panel: a step's prompts one at a time, and the commands it will run."""

from collections.abc import Mapping, Sequence

from textual import on
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from d1_preflight.core.checklist import Prompt, PromptKind, Step
from d1_preflight.core.errors import Rejected
from d1_preflight.tui.messages import Submitted
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.fields import Answered, DeclareField, Refused, Withdrawn, field_for

_LOSSES = "losses"  # the one answer that gives rows away: it is asked for twice


class QuestionPanel(VerticalScroll, can_focus=False):
    """Asks; a refused answer is refused in the prompt's own words, at once."""

    def __init__(self) -> None:
        super().__init__(id="question")
        self._step: Step | None = None
        self._prompts: tuple[Prompt, ...] = ()
        self._raw: dict[str, object] = {}
        self._given: dict[str, object] = {}
        self._declaring: tuple[str, ...] = ()

    @property
    def asking(self) -> Prompt | None:
        """The prompt that is asked now."""
        left = [prompt for prompt in self._prompts if prompt.key not in self._raw]
        return left[0] if left else None

    @property
    def has_keys(self) -> bool:
        """Whether the keys go into a field."""
        return any(child.has_focus for child in self.children)

    def keys(self, verb: str) -> list[tuple[str, str]]:
        """What the keys do for the question; `verb` is what the last answer sets off."""
        prompt = self.asking
        if prompt is None:
            return []
        if self._declaring:
            return [("y", "declare the loss"), ("Esc", "back to the marks")]
        left = sum(other.key not in self._raw for other in self._prompts)
        found = [("Enter", "next question" if left > 1 else verb)]
        if prompt.kind in (PromptKind.CHOOSE_MANY, PromptKind.CONFIRM):
            found.append(("Space", "mark"))
        if prompt.kind is not PromptKind.TEXT:
            found.append(("↑↓", "choose"))
        return [*found, ("Esc", "other keys")]

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
        self._given, self._declaring = dict(given), ()
        await self._show()

    async def clear(self) -> None:
        """Ask nothing."""
        self._step, self._prompts, self._raw = None, (), {}
        self._declaring = ()
        if self.children or self.display:
            await self._show()

    def focus_field(self) -> None:
        """Put the keys into the field that is shown."""
        for child in self.children:
            if child.can_focus:
                child.focus()

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
        if prompt.key == _LOSSES and event.raw and not self._declaring:
            self._declaring = tuple(event.raw) if isinstance(event.raw, tuple) else ()
            await self._show()
            return
        self._declaring = ()
        self._raw[prompt.key] = event.raw
        if self.asking is None:
            self.post_message(Submitted(self._step, dict(self._raw)))
        await self._show()

    @on(Withdrawn)
    async def _back(self, event: Withdrawn) -> None:
        event.stop()
        prompt, self._declaring = self.asking, ()
        if prompt is not None:
            self._given[prompt.key] = event.raw
            await self._show()

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
        place = self._prompts.index(prompt) + 1
        many = f"question {place} of {len(self._prompts)}  " if len(self._prompts) > 1 else ""
        label = "" if prompt.kind is PromptKind.CONFIRM else prompt.label
        field = (
            DeclareField(self._declaring)
            if self._declaring
            else field_for(prompt, self._given.get(prompt.key))
        )
        await self.mount(
            Static(Content.assemble((many, QUIET), (label, STRONG)), id="label"),
            field,
            Static(Content.styled(prompt.help, QUIET), id="words"),
        )
        self.query_one("#label").display = bool(label or many)
        # A finding says its words at its line, in the SQL above.
        self.query_one("#words").display = bool(prompt.help) and "@" not in prompt.key
        self.focus_field()

    def _say(self, words: str, ink: str) -> None:
        said = self.query_one("#words", Static)
        said.update(Content.styled(words, ink))
        said.display = True
