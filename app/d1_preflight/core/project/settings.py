"""The team's settings, `preflight.toml` beside the wrangler configuration; each is optional.

What a key means stands once, beside its default: the loader, the file that `preflight init`
writes and the README's table (made by its test) follow it. A key that nobody reads is refused.
Secrets never stand here: only the names of the environment variables that hold them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from d1_preflight.core.project import setting_readers as readers
from d1_preflight.core.project.naming import HeaderPlace, Names
from d1_preflight.core.project.setting_readers import Read
from d1_preflight.core.project.setting_types import (
    Busy,
    Endpoint,
    Freeze,
    Plan,
    SecondPerson,
    WranglerUse,
    plain,
)
from d1_preflight.core.toml.strict import SourceText
from d1_preflight.lazy_dataclass import Field, dataclass, field, fields

SETTINGS_NAME = "preflight.toml"

_T = TypeVar("_T")


def _key(default: _T, read: Read[_T], words: str, name: str = "") -> _T:
    """A setting: its default, how its value is read, and what it is for."""
    about = {"read": read, "words": words, "name": name}
    found: _T = field(default=default, metadata=about)
    return found


@dataclass(frozen=True, slots=True)
class Team:
    """The operator."""

    name: str = _key("", readers.text, "The team's name, for the notification.")
    timezone: str = _key(
        "", readers.zone, "The zone in which times are shown; this machine's if empty."
    )


@dataclass(frozen=True, slots=True)
class Users:
    """When the people on the other side are busy."""

    timezones: tuple[str, ...] = _key(
        (), readers.zones, "The users' time zones; the team's if none is named."
    )
    busy: Busy = _key(
        Busy(), readers.busy, "Their working hours, in their own time: no migration then."
    )
    freeze: tuple[Freeze, ...] = _key(
        (), readers.freezes, "Days on which nothing is migrated, both ends included."
    )


@dataclass(frozen=True, slots=True)
class Verification:
    """What shows that all is well after the apply."""

    endpoints: tuple[Endpoint, ...] = _key(
        (),
        readers.endpoints,
        "Addresses asked after the apply, and the status each must answer with. Where one needs "
        "a token, `bearer_env` names the environment variable that holds it.",
    )
    error_rate_percent: Decimal = _key(
        Decimal("0.1"),
        readers.percent,
        "The error rate of the Worker above which the migration is aborted.",
    )
    watch_minutes: int = _key(
        5, readers.whole(1, 10), "How long the error rate is watched, 1 to 10 minutes."
    )
    worker: str = _key("", readers.text, "The Worker's script; the configuration's if empty.")
    maintenance_command: str = _key(
        "",
        readers.text,
        "What stops the application's writes, such as the deploy of a maintenance Worker: the "
        "emergency card shows it and never runs it.",
    )
    statement_seconds: int = _key(
        30, readers.whole(1, 300), "D1 stops a query after this time; the rehearsal is held to it."
    )


@dataclass(frozen=True, slots=True)
class Data:
    """What must not be lost."""

    critical_tables: tuple[str, ...] = _key(
        (), readers.texts, "Tables that are always backed up, changed or not."
    )
    copy_limit_mb: int = _key(
        500, readers.whole(1, 10_000), "The largest database that is copied for the rehearsal."
    )
    time_travel_days: int = _key(
        7,
        readers.whole(1, 30),
        "How far back Time Travel reaches: 7 days on the free plan, 30 on the paid one.",
    )


@dataclass(frozen=True, slots=True)
class Notify:
    """Whom to tell beforehand."""

    channel: str = _key("#engineering", readers.text, "The channel, as people call it.")
    webhook_env: str = _key(
        "", readers.variable, "The environment variable that holds the webhook's address."
    )


@dataclass(frozen=True, slots=True)
class Account:
    """The account that pays for what is read."""

    plan: Plan = _key(
        Plan.UNKNOWN,
        readers.one_of(Plan),
        "free or paid. On free, a walk that reads more than a tenth of the day's 5,000,000 rows "
        "asks first, and above half it does not begin.",
    )


@dataclass(frozen=True, slots=True)
class Signing:
    """Whose signatures count."""

    key: str = _key("", readers.text, "The SSH key to sign with; git's signing key if empty.")
    allowed_signers: str = _key(
        "checklists/allowed_signers",
        readers.text,
        "The file that names who may sign, in the repository.",
    )
    second_person: SecondPerson = _key(
        SecondPerson.NEVER,
        readers.one_of(SecondPerson),
        "When GO needs a second person's signature: never, destructive or always.",
    )


@dataclass(frozen=True, slots=True)
class LintSettings:
    """What the files are judged on."""

    baseline: str = _key(
        "",
        readers.inner_path,
        "An SQL file with the schema before the first migration, if that was created outside of "
        "the migrations. What neither it nor a migration creates then counts as missing.",
    )
    names: Names = _key(
        Names.INFERRED,
        readers.one_of(Names),
        "How migrations are named: numbers, hyphens, timestamps, folders, drizzle or prisma; as "
        "most of the folder's files are if empty.",
    )


@dataclass(frozen=True, slots=True)
class ChecklistSettings:
    """What the checklist asks for."""

    header: HeaderPlace = _key(
        HeaderPlace.BY_TOOL,
        readers.one_of(HeaderPlace),
        "Where the header is kept: in the `file` or in the `record`, which leaves generated files "
        "unchanged. If empty: in the record for files of drizzle and Prisma.",
    )


@dataclass(frozen=True, slots=True)
class Migrations:
    """Where the migrations lie if wrangler's configuration does not say so."""

    folder: str = _key(
        "",
        readers.folder,
        "The migrations' folder, from this file's folder; it may lie in another package. Only "
        "where the configuration has no `migrations_dir`.",
    )
    pattern: str = _key("", readers.text, "Which files below it are migrations: `*.sql` if empty.")
    ignore_ledgers: tuple[str, ...] = _key(
        (),
        readers.texts,
        "Ledgers of tools that no longer migrate this database; they block nothing.",
    )


@dataclass(frozen=True, slots=True)
class WranglerSettings:
    """Which wrangler is used, and on which configuration."""

    config: str = _key(
        "", readers.folder, "The wrangler configuration, from this file's folder, among several."
    )
    command: str = _key(
        "", readers.text, "A path to wrangler; otherwise the project's, then the one on PATH."
    )
    use: WranglerUse = _key(
        WranglerUse.PROJECT,
        readers.one_of(WranglerUse),
        "own: the wrangler that preflight installs for itself, whatever the project has; else "
        "project.",
    )


@dataclass(frozen=True, slots=True)
class CodeSettings:
    """Where the Worker's queries stand."""

    roots: tuple[str, ...] = _key(
        (),
        readers.texts,
        "Files and folders of the code that runs, from this file's folder; the Worker's `main` "
        "and what "
        "it imports if empty.",
    )
    exclude: tuple[str, ...] = _key(
        (), readers.patterns, "Files and folders that are not code of the Worker, as patterns."
    )
    wrappers: tuple[str, ...] = _key(
        (),
        readers.texts,
        "Functions and template tags from outside the project that take SQL.",
    )


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """How the program talks to people."""

    plain: bool = _key(
        False,  # noqa: FBT003 - it is the default
        readers.flag,
        "Always ask one question after the other instead of opening the screen, as `--plain`, "
        "`PREFLIGHT_PLAIN=1` and `TERM=dumb` do.",
    )


@dataclass(frozen=True, slots=True)
class WalkSettings:
    """What of the walk needs no person."""

    by_itself: bool = _key(
        True,  # noqa: FBT003 - it is the default
        readers.flag,
        "Steps that need no person run by themselves once you have begun; `false`: each by a key.",
    )
    read_limit_rows: int = _key(
        1_000_000,
        readers.whole(0, 1_000_000_000),
        "A step that would read more rows of the target than this, by the database's size, waits "
        "for a key; on the free plan a day has 5,000,000.",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a team can decide."""

    go_minutes: int = _key(30, readers.whole(1, 240), "How long a signed GO is good for.")
    team: Team = field(default_factory=Team)
    users: Users = field(default_factory=Users)
    verification: Verification = field(default_factory=Verification)
    data: Data = field(default_factory=Data)
    notify: Notify = field(default_factory=Notify)
    account: Account = field(default_factory=Account)
    signing: Signing = field(default_factory=Signing)
    checklist: ChecklistSettings = field(default_factory=ChecklistSettings)
    migrations: Migrations = field(default_factory=Migrations)
    lint: LintSettings = field(default_factory=LintSettings)
    wrangler: WranglerSettings = field(default_factory=WranglerSettings)
    code: CodeSettings = field(default_factory=CodeSettings)
    face: FaceSettings = field(default_factory=FaceSettings)
    walk: WalkSettings = field(default_factory=WalkSettings)


def load_settings(text: str, source: str = SETTINGS_NAME) -> Settings:
    """Read the file's text; raises ProjectError naming file, line and key."""
    located = SourceText(source, text)
    return _load(Settings, located, located.toml(), "the top level")


def dump_settings(settings: Settings) -> str:
    """The file with these settings; defaults are left out."""
    import tomli_w

    return tomli_w.dumps(_dump(settings))


def _load(kind: type[_T], located: SourceText, raw: Mapping[str, object], where: str) -> _T:
    known = {spec.name: spec for spec in _specs(kind)}
    located.only(raw, known, where)
    found = {key: _value(known[key], located, value) for key, value in raw.items()}
    return kind(**found)


def _value(spec: Field[Any], located: SourceText, value: object) -> object:
    if not spec.metadata:
        if not isinstance(value, dict):
            raise located.error(spec.name, f"{spec.name} must be a table.", hint=f"[{spec.name}]")
        section: Any = spec.default_factory  # the class itself
        return _load(section, located, value, f"[{spec.name}]")
    try:
        return spec.metadata["read"](value)
    except readers.UnreadValue as error:
        outer = located.line_of(spec.name, error.nth)
        line = (error.key and located.line_of(error.key, after=outer)) or outer
        what = f"{spec.name}: {error}."
        raise located.at(line, what, hint=spec.metadata["words"]) from error


def _specs(kind: type[object]) -> tuple[Field[Any], ...]:
    return fields(kind)  # type: ignore[arg-type]  # every section is a dataclass


def _dump(section: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for spec in _specs(type(section)):
        value = getattr(section, spec.name)
        if not spec.metadata:
            found[spec.name] = _dump(value)
        elif value != spec.default:
            found[spec.name] = plain(value)
    return {key: value for key, value in found.items() if value != {}}
