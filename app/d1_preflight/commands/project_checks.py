"""What `preflight doctor` looks at in a project: its files, its tools, git, who signs, settings."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from d1_preflight.commands.checks import Check, Look, Surroundings, failed, good, unknown
from d1_preflight.commands.target_checks import d1_access, target_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from d1_preflight.core.project.project import Project


def _wrangler(around: Surroundings) -> Iterator[Check]:
    """Its version is read from package.json; a program of the checkout is not run for it."""
    from d1_preflight.adapters.wrangler.packages import Package
    from d1_preflight.adapters.wrangler.toolchain import PINNED_WRANGLER, look_for_wrangler
    from d1_preflight.core.project.setting_types import WranglerUse

    project = around.opened
    settings = project.settings.wrangler
    own = settings.use is WranglerUse.OWN
    source, found = look_for_wrangler(
        project=project.root, setting=settings.command, own=own, environ=around.environ
    )
    if not isinstance(found, Package):
        words = f"{found} ({source}); the version is unknown, because it was not run"
        yield unknown("wrangler", words, f"If you trust it, run: {found} --version")
        return
    pinned = "" if found.version == PINNED_WRANGLER else f"; tried with {PINNED_WRANGLER}"
    yield good("wrangler", f"{found.version} ({source}){pinned}")


def _database(around: Surroundings) -> Iterator[Check]:
    project = around.opened
    yield from _removed_keys(project)
    if project.database.has_placeholder_id:
        words = f"{project.database.name}: {project.database.id} is a placeholder, not an id"
        fix = (
            f"Write the uuid from wrangler d1 list into {project.config.path.name}, or name the "
            "file that your deploy fills in: --config FILE"
        )
        yield failed("database", words, fix)
    elif project.database.id:
        yield good("database", f"{project.database.name} {project.database.id}")
    else:
        names = " or ".join(project.config.names_of(project.database))
        yield good("database", f"{names}: no database_id, so it is found by its name")
    yield from _doubts(project)
    yield from _target(around)


def _doubts(project: "Project") -> Iterator[Check]:
    """What could be taken for another database, or another configuration, than is meant."""
    from d1_preflight.adapters.configuration import deployed_config, other_configs, read_config

    fix = "Give each its own database_id, or continue deliberately: GO names the uuid."
    for remark in project.config.remarks(project.database):
        yield unknown("same database", remark, fix)
    if others := other_configs(project.config.path):
        names = ", ".join(path.name for path in others)
        yield good("configuration", f"{project.config.path.name} is used; also found: {names}")
    deployed = deployed_config(project.root)
    if deployed is not None and deployed != project.config.path:
        ids = {found.id for found in read_config(deployed).databases}
        words = f"wrangler deploy uses {deployed}; D1 commands use {project.config.path.name}"
        if project.database.id in ids:
            yield good("deploy", words)
        else:
            fix = f"Build again, or name it: --config {deployed}"
            yield unknown("deploy", f"{words}, which has another database", fix)
    if project.config.is_pages:
        words = "a Pages project: its D1 commands are those of a Worker"
        yield good("Pages", words)


def _removed_keys(project: "Project") -> Iterator[Check]:
    """A key that wrangler 4 took away stops each of its commands."""
    from d1_preflight.adapters.configuration import keys_of
    from d1_preflight.core.project.wrangler_config import REMOVED_KEYS

    held = keys_of(project.config.path, project.environment)
    found = [key for key in held if key in REMOVED_KEYS]
    where = f"{project.config.words} in {project.root}"
    if found:
        words = f"{where}: wrangler 4 has removed {', '.join(found)} and refuses the file"
        yield failed("project", words, " ".join(REMOVED_KEYS[key] for key in found))
    else:
        yield good("project", where)


def _target(around: Surroundings) -> Iterator[Check]:
    """What chose the environment, and what will answer as Cloudflare's API."""
    from d1_preflight.adapters.wrangler.dotenv import ENVIRONMENT
    from d1_preflight.core.target.api_place import (
        API_BASE_NAMES,
        PRACTICE,
        REMOTE,
        api_place,
        first_set,
    )

    project = around.opened
    here = around.of_wrangler
    chosen = f'"{project.environment}"' if project.environment else "the top level"
    if project.chosen_by:
        yield good("environment", f"{chosen}, chosen by {project.chosen_by}")
    elif here.source(ENVIRONMENT):
        words = f"{ENVIRONMENT} in {here.source(ENVIRONMENT)} is not read by this wrangler"
        yield unknown("environment", f"{chosen}; {words}", "Say which one you mean with --env.")
    place = api_place(here.variables)
    if place != REMOTE:
        named = first_set(here.variables, API_BASE_NAMES)
        words = f"{place} answers as Cloudflare's API ({named} in {here.source(named)})"
        fix = f"Unset {named} if you mean your real account."
        if place == PRACTICE:
            fix = f"It answers while preflight practice is open. {fix}"
        yield unknown("API", words, fix)


def _folder(around: Surroundings) -> Iterator[Check]:
    """What the wizard writes can be written: the records, and the private workspace."""
    project = around.opened
    for folder in (project.records, project.workspace):
        there = next(p for p in (folder, *folder.parents) if p.exists())
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            fix = f"chmod u+rwx {there}. On a read-only disk, work in a clone elsewhere."
            yield failed("folder", f"{there} is not writable", fix)
            return
    yield good("folder", "writable")


def _checklist(around: Surroundings) -> Iterator[Check]:
    """The project's own checklist is one that the program can walk."""
    from d1_preflight.actions import STEPS
    from d1_preflight.adapters.checklists import checklist_path, read_checklist
    from d1_preflight.core.checklist.file import require_acts, shipped_checklist
    from d1_preflight.core.checklist.policy import advice
    from d1_preflight.core.project.project import RECORDS_NAME

    root = around.opened.root
    path = checklist_path(root)
    checklist = require_acts(read_checklist(path, STEPS))
    own = path.is_relative_to(root / RECORDS_NAME)
    yield good("checklist", f"{path}, the project's own" if own else "as shipped")
    for lacking in advice(checklist, shipped_checklist()):
        yield unknown("checklist", lacking.words, f"\n{lacking.lines}")


def _migrations(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.naming import journal_contradictions
    from d1_preflight.adapters.project_files import require_migrations
    from d1_preflight.core.project.migration import UnreadableMigration, looks_like_down
    from d1_preflight.core.project.pending import pending_set

    project = around.opened
    files = require_migrations(project.database, project.config)
    names = [file.name for file in files]
    wrong = [f"{f.name}: {f.problem}" for f in files if isinstance(f, UnreadableMigration)]
    wrong += [f"{n} would be applied as a migration" for n in names if looks_like_down(n)]
    if wrong:
        fix = "Fix these files; wrangler would apply them as they are."
        yield failed("migrations", "; ".join(wrong), fix)
    else:
        yield good("migrations", f"{len(names)}, the last is {names[-1]}")
    yield good("names", _naming_words(project, names))
    yield from _down_folders(project, names)
    if contradiction := journal_contradictions(project.migrations_folder, names):
        fix = "drizzle-kit check; restore what is gone, or remove it from the journal."
        yield unknown("journal", "; ".join(contradiction), fix)
    twins = "; ".join(", ".join(group) for group in pending_set(names, ()).duplicates)
    if twins:
        fix = (
            "Leave those that are applied: renamed, they would be applied again. Give the next "
            "free number to one that is applied nowhere."
        )
        yield unknown("numbers", f"same number: {twins}", fix)


def _down_folders(project: "Project", names: "Sequence[str]") -> Iterator[Check]:
    """Down files where Prisma looks for migrations: it stops at a folder that is none."""
    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.core.project.migration import DOWN_FOLDERS

    above = project.migrations_folder
    there = [name for name in DOWN_FOLDERS if (above / name).is_dir()]
    if there and ProjectFiles(project).naming(names).tool == "prisma":
        fix = "Move each file into its migration's folder, as down.sql: it is found there."
        yield unknown("down files", f"Prisma takes {there[0]}/ for a migration", fix)


def _naming_words(project: "Project", names: "Sequence[str]") -> str:
    """The convention of the folder's names, and where it comes from."""
    from d1_preflight.adapters.project_files import ProjectFiles

    naming = ProjectFiles(project).naming(names)
    shown = naming.convention(names).shown
    if naming.tool:
        return (
            f"{naming.tool} names these files and keeps its own list of them, so their names stay"
        )
    return f"{shown}, {'as [lint] names says' if naming.names else 'as the files are named'}"


def _git(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.git.facts import is_ignored, read_git

    project = around.opened
    facts = read_git(project.root)
    if facts.silence:
        fix = "Install or repair git: records belong in git, and git names the operator."
        yield failed("git", facts.silence, fix)
        return
    if not facts.commit:
        yield unknown("git", "no repository, or no commit", "Records belong in git: git init")
        return
    yield good("git", f"{facts.commit[:12]}{', with changes' if facts.is_dirty else ''}")
    made = project.workspace.is_dir()
    if made and is_ignored(project.workspace / "backups") is not True:
        fix = f"Add {project.workspace.name}/ to .gitignore: backups hold rows."
        yield failed(project.workspace.name, "git does not ignore it", fix)
    else:
        yield good(project.workspace.name, "ignored by git" if made else "created when needed")


def _key(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.git.facts import operator_identity
    from d1_preflight.adapters.ssh.signer import Operator

    project = around.opened
    signing = project.settings.signing
    identity = operator_identity(project.root)
    signers = project.root / signing.allowed_signers
    operator = Operator(identity, project.root, signers, around.environ, signing.key)
    missing = "; ".join(operator.missing)
    if missing:
        words = f"{identity} cannot sign yet"
        yield failed("signing key", words, f"The first signature, after asking: {missing}")
    else:
        yield good("signing key", f"{identity} {operator.fingerprint}")


def _zones(around: Surroundings) -> Iterator[Check]:
    from d1_preflight.adapters.system import machine_zone
    from d1_preflight.core.project.settings import SETTINGS_NAME

    project = around.opened
    settings = project.settings
    here = (project.root / SETTINGS_NAME).is_file()
    words = SETTINGS_NAME if here else f"no {SETTINGS_NAME}: every setting is at its default"
    yield good("settings", words)
    if settings.users.timezones:
        yield good("users' zones", ", ".join(settings.users.timezones))
    else:
        zone = settings.team.timezone or machine_zone()
        words = f"not set; {zone} is used"
        yield unknown("users' zones", words, "preflight init asks for them.")


def _secrets(around: Surroundings) -> Iterator[Check]:
    """The variables that the settings name are set; what they hold is never looked at."""
    settings = around.opened.settings
    names = [settings.notify.webhook_env]
    for endpoint in settings.verification.endpoints:
        names += [endpoint.bearer_env, *(name for _, name in endpoint.header_env)]
    missing = [name for name in dict.fromkeys(names) if name and not around.environ.get(name)]
    if missing:
        yield failed("variables", f"not set: {', '.join(missing)}", "Set them before you start.")
    elif any(names):
        yield good("variables", "all variables that the settings name are set")
    if not settings.verification.endpoints:
        fix = "preflight init asks for them; without endpoints, section 6 is attested, not proved."
        yield unknown("endpoints", "none configured", fix)


PROJECT: tuple[tuple[str, Look], ...] = (
    ("database", _database),
    ("D1 access", d1_access),
    ("folder", _folder),
    ("checklist", _checklist),
    ("wrangler", _wrangler),
    ("migrations", _migrations),
    ("ledger", target_ledger),
    ("git", _git),
    ("signing key", _key),
    ("settings", _zones),
    ("variables", _secrets),
)
