"""The adoptions of a project: which is next, and the baseline that one leaves for lint."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d1_preflight.project_context import ProjectContext
    from d1_preflight.session import Session

ADOPTION = "adoption"
_BASELINE = "baseline.sql"
_HEAD = "-- Schema that no migration creates, as found on the target."


class Adoption:
    """What both faces need around the walk of an adoption."""

    def __init__(self, context: "ProjectContext") -> None:
        self._context = context

    def next(self, database: str) -> str:
        """The adoption of a database that is open, else the next one's name."""
        from d1_preflight.adapters.record_folder import read_record_folder
        from d1_preflight.core.verify.chain import read_closed

        here = self._context
        here = here if here.project.database.name == database else here.on(database)
        number, name = 1, ADOPTION
        while True:
            folder = here.store(name).folder
            if not folder.is_dir() or read_closed(read_record_folder(folder)) is None:
                return name
            number += 1
            name = f"{ADOPTION}-{number}"

    def finish(self, session: "Session") -> str:
        """Write after the close what no file makes as lint's baseline, and name it there.

        What is set stays. Returns what was written, in words; "" where nothing was.
        """
        from d1_preflight.adapters.configuration import remembering, text_of
        from d1_preflight.adapters.store import write_durably
        from d1_preflight.core.analysis import made_outside
        from d1_preflight.core.project.settings import SETTINGS_NAME, load_settings
        from d1_preflight.core.target.ledgers import foreign_ledgers

        project, seen = self._context.project, session.environment.cache.observation
        if seen is None or project.settings.lint.baseline:
            return ""
        others = [ledger.table for ledger in foreign_ledgers(seen.schema)]
        live = seen.schema.without(*others)
        outside = made_outside(tuple(session.environment.files.migrations()), live)
        path, settings = project.root / _BASELINE, project.root / SETTINGS_NAME
        if not outside.objects or path.exists():
            return ""
        text = remembering(
            text_of(settings) if settings.exists() else "", _BASELINE, table="lint", key="baseline"
        )
        load_settings(text)  # what is written can be read
        objects = "".join(f"{made.sql.rstrip().rstrip(';')};\n" for made in outside.objects)
        write_durably(path, f"{_HEAD}\n{objects}".encode())
        write_durably(settings, text.encode())
        return f"The base schema, which no migration creates: {path}, named by [lint] baseline."
