"""What a record and a session rest on: the files that decide what a step means, and the target."""

from d1_preflight.actions.context import Environment
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.record.record import Record


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


def require_same_target(saved: Record, fresh: Record) -> None:
    """Refuse a record of another migration, database or target; raises NotAllowed."""
    if saved.database.id != fresh.database.id:
        raise NotAllowed(
            f"This record is about another database ({saved.database.name} "
            f"{saved.database.id}), not {fresh.database.name} {fresh.database.id}.",
            hint="Move the record away, or choose the database it was made for.",
        )
    if saved.migration != fresh.migration:
        raise NotAllowed(
            f"This record is about {saved.migration}, not {fresh.migration}.",
            hint="It was copied here, or the migration was renamed: move the record away.",
        )
    if saved.database.target != fresh.database.target:
        raise NotAllowed(
            f"This record was made on {saved.database.target}, and this is "
            f"{fresh.database.target}.",
            hint="Move the record away: what was proved there proves nothing here.",
        )


def _changed(name: str) -> NotAllowed:
    return NotAllowed(
        f"{name} was changed since preflight read it.",
        hint="Quit and start again: your answers are kept.",
    )
