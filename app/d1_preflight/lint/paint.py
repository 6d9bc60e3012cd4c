"""Colours for a terminal: they repeat what the words already say."""

from collections.abc import Mapping

from d1_preflight.core.findings import Severity
from d1_preflight.lazy_dataclass import dataclass

_BOLD, _DIM = "1", "2"
_WEIGHTS = {Severity.BLOCKING: "1;31", Severity.WARNING: "1;33", Severity.NOTE: "1;36"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Wraps words in colours where `on`, and leaves them alone where not."""

    on: bool = False
    width: int = 100

    def strong(self, text: str) -> str:
        """A heading."""
        return self._in(_BOLD, text)

    def faint(self, text: str) -> str:
        """The frame around the reader's own lines."""
        return self._in(_DIM, text)

    def weight(self, severity: Severity, text: str) -> str:
        """Words that belong to a severity."""
        return self._in(_WEIGHTS[severity], text)

    def _in(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.on and text else text


def wants_colour(*, is_terminal: bool, environ: Mapping[str, str]) -> bool:
    """Whether to paint: only for a terminal that can, and never against NO_COLOR."""
    return is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
