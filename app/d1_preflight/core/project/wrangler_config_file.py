"""Reads a wrangler configuration's text, as far as it decides about D1 databases.

An environment does not inherit `d1_databases`; the Worker's name and the account it does.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from d1_preflight.core.errors import PreflightError, ProjectError
from d1_preflight.core.project.migrations_pattern import Glob, normal_path
from d1_preflight.core.project.wrangler_config import (
    DEFAULT_LEDGER,
    DEFAULT_MIGRATIONS_DIR,
    Database,
    WranglerConfig,
    inside,
)
from d1_preflight.core.toml.strict import SourceText
from d1_preflight.lazy_dataclass import dataclass

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])')
JsoncError = ValueError
"""What `load_jsonc` raises: a JSONDecodeError, whose module a start does not import."""


def parse_config(path: Path, text: str, environment: str = "") -> WranglerConfig:
    """Read the text of a wrangler configuration; raises ProjectError with file, line and key."""
    located = SourceText(path.name, text)
    document = _document(path, located)
    environments = _table(located, document, "env")
    chosen = _chosen(located, document, environments, environment)
    entries = chosen.get("d1_databases", [])
    if not isinstance(entries, list):
        raise located.error(
            "d1_databases", "d1_databases must be a list of tables.", hint=_HINTS["d1_databases"]
        )
    offset = _entries_before(document, environments, environment)
    top, own = _Table(located, document), _Table(located, chosen)
    main = chosen.get("main", document.get("main"))
    return WranglerConfig(
        path=path,
        name=_worker_name(top, own, environment),
        account_id=own.text("account_id") or top.text("account_id"),
        compliance_region=own.text("compliance_region") or top.text("compliance_region"),
        main=main if isinstance(main, str) else "",  # no database hangs on it
        environment=environment,
        environments=tuple(environments),
        databases=tuple(_database(located, raw, n + offset) for n, raw in enumerate(entries)),
        elsewhere=tuple(_elsewhere(top, environments, environment)),
        is_pages="pages_build_output_dir" in document,
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the configuration; `nth` is its place in its list, from 0."""

    located: SourceText
    raw: Mapping[str, object]
    where: str = "the configuration"
    nth: int = 0

    def text(self, key: str) -> str:
        value = self.raw.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.error(key, f"{key} of {self.where} must be a string.", "string")
        if any(unicodedata.category(char) == "Cc" for char in value):
            what = f"{key} of {self.where} contains control characters: {value!r}."
            raise self.error(key, what, "control")
        return value

    def error(self, key: str, what: str, hint: str) -> PreflightError:
        return self.located.error(key, what, hint=_HINTS[hint], nth=self.nth)


def _elsewhere(
    top: _Table, environments: Mapping[str, object], environment: str
) -> Iterator[tuple[str, Database]]:
    """The other environments' databases, as far as they can be read."""
    for name, table in {"": top.raw, **environments}.items():
        entries = table.get("d1_databases") if isinstance(table, dict) else None
        if name == environment or not isinstance(entries, list):
            continue
        for raw in entries:
            with suppress(ProjectError):
                yield name, _database(top.located, raw, 0)


_HINTS = {
    "d1_databases": "Write [[d1_databases]] in TOML, or a list of objects in JSON.",
    "binding": 'Give it a binding, for example "DB".',
    "syntax": "Fix that place; wrangler cannot read the file either.",
    "string": "Write it as a string in quotes.",
    "folder": "It names folders on disk: use letters, digits, - and _, as Cloudflare does.",
    "control": "Remove them: a terminal that shows them would act on them.",
    "pattern": "Set migrations_dir too, and start migrations_pattern with it and a slash.",
    "signs": "Write it with *, **, ? and {a,b} only, so that both programs mean the same files.",
}


def config_keys(path: Path, text: str, environment: str = "") -> tuple[str, ...]:
    """The keys at the top of a configuration and in its environment; raises ProjectError."""
    document = _document(path, SourceText(path.name, text))
    named = document.get("env")
    own = named.get(environment) if environment and isinstance(named, dict) else None
    return tuple(dict.fromkeys((*document, *(own if isinstance(own, dict) else ()))))


def _document(path: Path, located: SourceText) -> Mapping[str, object]:
    if path.suffix == ".toml":
        return located.toml()
    from json import JSONDecodeError

    try:
        document = load_jsonc(located.text.removeprefix("\ufeff"))
    except JSONDecodeError as error:
        what = f"{error.msg} (column {error.colno})."
        raise located.at(error.lineno, what, hint=_HINTS["syntax"]) from error
    if not isinstance(document, dict):
        raise ProjectError(f"{located.source} holds no object.", hint=_HINTS["syntax"])
    return document


def _chosen(
    located: SourceText,
    document: Mapping[str, object],
    environments: Mapping[str, object],
    environment: str,
) -> Mapping[str, object]:
    """The part of the document that decides: the top level, or the environment's own table."""
    if not environment:
        return document
    if environment not in environments:
        names = ", ".join(environments) or "none"
        raise ProjectError(
            f'{located.source} has no environment "{environment}".',
            hint=f"Environments there: {names}. Correct --env (or CLOUDFLARE_ENV).",
        )
    return _table(located, environments, environment)


def _entries_before(
    document: Mapping[str, object], environments: Mapping[str, object], environment: str
) -> int:
    """How many entries precede the chosen environment's, so that a line can be named."""
    before: list[object] = []
    if environment:
        names = list(environments)
        tables = [document, *(environments[n] for n in names[: names.index(environment)])]
        lists = [t.get("d1_databases") for t in tables if isinstance(t, dict)]
        before = [entry for found in lists if isinstance(found, list) for entry in found]
    return len(before)


def _table(located: SourceText, raw: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = raw.get(key, {})
    if not isinstance(value, dict):
        raise located.error(key, f"{key} must be a table.", hint="See wrangler's configuration.")
    return value


def _worker_name(top: _Table, own: _Table, environment: str) -> str:
    """The script's name; an environment without its own is named `<top>-<environment>`."""
    if own.text("name") or not environment:
        return own.text("name")
    return f"{top.text('name')}-{environment}" if top.text("name") else ""


def _database(located: SourceText, raw: object, nth: int) -> Database:
    where = f"d1_databases entry {nth + 1}"
    if not isinstance(raw, dict):
        raise located.error(
            "d1_databases", f"{where} must be a table.", hint=_HINTS["d1_databases"]
        )
    entry = _Table(located, raw, where, nth)
    if not entry.text("binding"):
        raise entry.error("d1_databases", f"{where} has no binding.", "binding")
    folder, pattern = _migrations(entry)
    return Database(
        binding=entry.text("binding"),
        name=_database_name(entry),
        id=entry.text("database_id"),
        preview_id=entry.text("preview_database_id"),
        migrations_dir=folder,
        migrations_table=entry.text("migrations_table") or DEFAULT_LEDGER,
        migrations_pattern=pattern,
        is_remote_in_dev=raw.get("remote") is True,
        names_folder="migrations_dir" in raw,
    )


def _database_name(entry: _Table) -> str:
    """The name, else the binding; refused where it cannot name one folder, and only that one."""
    key = "binding" if entry.raw.get("database_name") is None else "database_name"
    name = entry.text(key)
    if name in ("", ".", "..") or not name.isprintable() or any(c in name for c in "/\\"):
        raise entry.error(key, f"{key} {name!r} of {entry.where} cannot name a database.", "folder")
    return name


def _migrations(entry: _Table) -> tuple[str, str]:
    """Folder and pattern, by wrangler's rule that the second starts with the first."""
    default = "." if "migrations_dir" in entry.raw else DEFAULT_MIGRATIONS_DIR
    folder = normal_path(entry.text("migrations_dir") or default)
    written = entry.text("migrations_pattern")
    pattern = normal_path(written or f"{folder}/*.sql")
    fits = folder == "." or pattern.startswith(f"{folder}/")
    named = f'migrations_pattern "{written}" of {entry.where}'
    if "migrations_pattern" in entry.raw and ("migrations_dir" not in entry.raw or not fits):
        what = f"{named} does not start with its migrations_dir."
        raise entry.error("migrations_pattern", what, "pattern")
    try:
        Glob.parse(inside(folder, pattern))
    except ValueError as error:
        raise entry.error("migrations_pattern", f"{named}: {error}.", "signs") from error
    return folder, pattern


def load_jsonc(text: str) -> object:
    """Parse JSON with comments and trailing commas, as wrangler does; raises JSONDecodeError.

    Comments and trailing commas become blanks, so the standard parser's line and column are those
    of the file. Nothing else of JSON5 is taken: what wrangler would refuse is refused here.
    """
    import json  # a start without a configuration in JSON pays 2 ms less

    def refuse_constant(name: str) -> object:
        raise json.JSONDecodeError(f"{name} is not JSON", text, 0)

    def blank_comment(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith('"'):
            return found
        if found.startswith("/*") and not (found.endswith("*/") and len(found) > 3):  # noqa: PLR2004 - "/*/"
            raise json.JSONDecodeError("a comment is not closed", text, match.start())
        return re.sub(r"[^\n]", " ", found)

    plain = _TRAILING_COMMA.sub(lambda match: match[1] or " ", _TOKEN.sub(blank_comment, text))
    try:
        return json.loads(plain, parse_constant=refuse_constant)
    except json.JSONDecodeError:
        raise
    except (RecursionError, ValueError) as error:
        is_deep = isinstance(error, RecursionError)
        reason = "nested too deeply" if is_deep else "a number is too long"
        raise json.JSONDecodeError(reason, text, 0) from error
