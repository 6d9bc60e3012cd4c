"""A text of the frame that is drawn again only where it changed."""

from textual.content import Content
from textual.css.styles import RulesMap
from textual.widgets import Static


class StillText(Static):
    """Drawn again when the text changes, laid out when its height does."""

    def show(self, text: Content) -> None:
        """Show a text."""
        before, width = self.content, self.size.width
        if not isinstance(before, Content) or not width:
            self.update(text)
        elif not text.is_same(before):
            rules = RulesMap(text_wrap=self.styles.text_wrap)
            heights = {one.get_height(rules, width) for one in (before, text)}
            self.update(text, layout=len(heights) > 1)
