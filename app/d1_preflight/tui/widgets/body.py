"""The body of a section, laid out for the width it really has."""

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from d1_preflight.tui import places
from d1_preflight.tui.bodies import body_of
from d1_preflight.tui.messages import BrowseAsked
from d1_preflight.tui.view import View


class BodyText(Widget):
    """Shows what the section's body makes of the view."""

    def __init__(self) -> None:
        super().__init__(id="body")
        self._view: View | None = None
        self._laid: tuple[int, Content] | None = None

    def show(self, view: View) -> None:
        """Lay the body out anew; what is as before is not drawn again."""
        before, self._view, self._laid = self._laid, view, None
        width = self.size.width
        if before is None or before[0] != width:
            self.refresh(layout=True)
        elif not (now := self._content(width)).is_same(before[1]):
            heights = {one.get_height({}, width) for one in (now, before[1])}
            self.refresh(layout=len(heights) > 1)

    def render(self) -> Content:
        """The body for the present width."""
        return self._content(self.size.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the body has at this width."""
        del container, viewport
        width = max(width, 1)  # a terminal may be made narrower than the rail
        return max(self._content(width).get_height({}, width), 1)

    @property
    def lines(self) -> list[str]:
        """The lines as they are shown."""
        return self._content(max(self.size.width, 1)).plain.split("\n")

    def on_click(self, event: events.Click) -> None:
        """A click on the address of a page opens it."""
        lines = self.lines
        if self._view is None or event.y >= len(lines):
            return
        page, words = places.address(self._view.session, self._view.step.section), lines[event.y]
        if page and words.strip() and words.strip() in page:
            self.post_message(BrowseAsked(page))

    def _content(self, width: int) -> Content:
        if self._view is None:
            return Content("")
        if self._laid is None or self._laid[0] != width:
            self._laid = (width, body_of(self._view)(self._view, width))
        return self._laid[1]
