"""The files that decide what a step means: a step waits where one of them was changed meanwhile."""

from d1_preflight.actions.context import Environment
from d1_preflight.core.errors import NotAllowed


def require_same_files(environment: Environment) -> None:
    """Require that configuration, settings and checklist are those that were read at the start.

    What is in memory was read from them: where they changed, limits and policy in memory are not
    the team's. Wrangler reads its configuration afresh at each call and could mean another
    database by it. Raises NotAllowed.
    """
    config = environment.project.config
    if config.sha256 and config.sha256 != environment.files.config_sha256():
        raise _changed(config.path.name)
    for name, sha256 in environment.read.items():
        if sha256 != environment.files.sha256(name):
            raise _changed(name)


def _changed(name: str) -> NotAllowed:
    return NotAllowed(
        f"{name} was changed since this program read it.",
        hint="Quit (q) and start again: your answers are kept.",
    )
