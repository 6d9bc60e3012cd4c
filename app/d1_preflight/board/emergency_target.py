"""What the emergency card of a project is about: its database, its Worker, its configuration."""

from typing import TYPE_CHECKING

from d1_preflight.core.errors import PreflightError
from d1_preflight.core.recovery.runbook import Target

if TYPE_CHECKING:
    from d1_preflight.project_context import ProjectContext


def target_of(context: "ProjectContext", name: str) -> Target:
    """The target of a migration, or of none."""
    project = context.project
    worker = project.settings.verification.worker or project.config.name
    config, environment = _target_config(context)
    return Target(
        database=project.database.name,
        migration=name,
        worker=worker,
        project_config=project.config.path.name,
        project_environment=project.environment,
        config=config,
        environment=environment,
        ledger=project.database.migrations_table,
        restore_file=context.restore_file(name) if name else "",
        maintenance=project.settings.verification.maintenance_command,
    )


def _target_config(context: "ProjectContext") -> tuple[str, str | None]:
    """By the uuid; in an emergency on a full disk, by the project's own configuration."""
    project = context.project
    try:
        path = context.target_config()
    except PreflightError:
        return project.config.path.name, project.environment
    return path.relative_to(project.root).as_posix(), None
