"""The few inks of the screen, by meaning; the colours are defined in themes.toml."""

from d1_preflight.core.record.record import MARKS, Status

ACCENT = "bold $accent"
DANGER = "bold $error"
QUIET = "$quiet"
STRONG = "bold"
RULE = "$rule"
GOOD = "$success"
WAIVED = "bold $warning"

WORDS = {
    Status.PENDING: "pending",
    Status.RUNNING: "running",
    Status.PROVED: "proved",
    Status.ATTESTED: "attested",
    Status.WAIVED: "waived",
    Status.FAILED: "failed",
    Status.INTERRUPTED: "interrupted",
    Status.UNKNOWN: "unknown",
}


def ink_of(status: Status) -> str:
    """The ink of a state: green for what is answered, amber for a waiver, red for what failed."""
    match status:
        case Status.FAILED:
            return DANGER
        case Status.RUNNING:
            return ACCENT
        case Status.UNKNOWN | Status.INTERRUPTED:
            return STRONG
        case Status.WAIVED:
            return WAIVED
        case Status.PENDING:
            return QUIET
        case Status.PROVED | Status.ATTESTED:
            return GOOD


def marked(status: Status) -> str:
    """Mark and word, never one alone: "✓ proved"."""
    return f"{MARKS[status]} {WORDS[status]}"
