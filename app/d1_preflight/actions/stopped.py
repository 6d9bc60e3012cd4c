"""The outcome of a step that an error or the operator stopped."""

from d1_preflight.core.checklist.checklist import Effect, Step
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.record import Outcome, Status


def failed(error: PreflightError | OSError) -> Outcome:
    """The error that stopped the step; after one of this machine its state is unknown."""
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        reason = error.strerror or type(error).__name__
        words = f"The operating system reported an error ({reason}{place})."
        return Outcome(Status.UNKNOWN, f"{words} Fix that, then run the step again.")
    learnt = error.exit_code != 3  # noqa: PLR2004 - 3: wrangler or network
    words = f"{error.message} {error.hint}".strip()
    return Outcome(Status.FAILED if learnt else Status.UNKNOWN, words)


def broken_off(step: Step, error: BaseException) -> Outcome:
    """The operator quit, or this program failed in the step."""
    if isinstance(error, Exception):
        return Outcome(Status.UNKNOWN, "preflight failed here; nothing is proved.")
    look = "; look at the database first" if step.effect is Effect.REMOTE_WRITE else ""
    return Outcome(Status.INTERRUPTED, f"Quit while it ran{look}.")
