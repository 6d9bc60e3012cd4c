"""Reads what stands on the screen, as a person would."""

from textual.app import App


def screen_text(app: App[None]) -> str:
    """The characters of the present screen, line by line."""
    width, height = app.size
    filters, app._filters = app._filters, []  # they change colours alone
    try:
        strips = app.screen._compositor.render_strips()[:height]
    finally:
        app._filters = filters
    lines = (strip.text[:width].rstrip() for strip in strips)
    return "\n".join(lines).replace("\u00a0", " ")
