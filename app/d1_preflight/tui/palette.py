"""The command palette: every act of the screen with its key, every step, every theme."""

from collections.abc import Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from d1_preflight.lazy_dataclass import dataclass
from d1_preflight.tui import theme

Run = Callable[[], object]

_MOVES = ("move(", "app.focus_", "screen.copy_text")
"""What only moves about or needs a selection: a key does it, no list has to."""


@dataclass(frozen=True)
class Act:
    """What can be chosen: its words, the key that does the same, and what it does."""

    words: str
    key: str
    run: Run

    @property
    def text(self) -> str:
        """As the palette lists it."""
        return f"{self.words}   {self.key}" if self.key else self.words


class Acts(Provider):
    """Offers what the screen below the palette can do now."""

    async def discover(self) -> Hits:
        """Everything, before anything is typed."""
        for act in self._acts():
            yield DiscoveryHit(act.text, act.run)

    async def search(self, query: str) -> Hits:
        """What matches, the best first."""
        matcher = self.matcher(query)
        for act in self._acts():
            if (score := matcher.match(act.words)) > 0:
                yield Hit(score, matcher.highlight(act.text), act.run)

    def _acts(self) -> Iterator[Act]:
        from d1_preflight.tui.widgets.rail import Rail

        yield from self._bound()
        for rail in self.screen.query(Rail):
            for section, step in rail.steps:
                go = partial(rail.post_message, Rail.Chosen(step))
                yield Act(f"Go to {section.title}: {step.title}", "", go)
        for name, words in theme.NAMES.items():
            yield Act(f"Theme: {words}", "", partial(setattr, self.app, "theme", name))

    def _bound(self) -> Iterator[Act]:
        """One act for each action that a key does here, under its first key."""
        keys: dict[str, Act] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            is_move = binding.action.startswith(_MOVES)
            if is_move or not active.enabled or not binding.description:
                continue
            words = binding.description[:1].upper() + binding.description[1:]
            run = partial(self.app.run_action, binding.action, active.node)
            keys.setdefault(binding.action, Act(words, self.app.get_key_display(binding), run))
        yield from keys.values()
