"""Reads a wrangler configuration's text, as far as it decides about D1 databases.

An environment does not inherit `d1_databases`; the Worker's name and the account it does.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.project.migrations_pattern import Glob, normal_path
from d1_preflight.core.project.wrangler_config import (
    DEFAULT_LEDGER,
    DEFAULT_MIGRATIONS_DIR,
    Database,
    WranglerConfig,
    inside,
)
from d1_preflight.core.toml.strict import SourceText

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
    main = chosen.get("main", document.get("main"))
    return WranglerConfig(
        path=path,
        name=_worker_name(located, document, chosen, environment),
        account_id=_inherited(located, document, chosen, "account_id"),
        compliance_region=_inherited(located, document, chosen, "compliance_region"),
        main=main if isinstance(main, str) else "",  # no database hangs on it
        environment=environment,
        environments=tuple(environments),
        databases=tuple(_database(located, raw, n + offset) for n, raw in enumerate(entries)),
        elsewhere=tuple(_elsewhere(located, document, environments, environment)),
        is_pages="pages_build_output_dir" in document,
    )


def _elsewhere(
    located: SourceText,
    document: Mapping[str, object],
    environments: Mapping[str, object],
    environment: str,
) -> Iterator[tuple[str, Database]]:
    """The other environments' databases, as far as they can be read."""
    for name, table in {"": document, **environments}.items():
        entries = table.get("d1_databases") if isinstance(table, dict) else None
        if name == environment or not isinstance(entries, list):
            continue
        for raw in entries:
            with suppress(ProjectError):
                yield name, _database(located, raw, 0)


_HINTS = {
    "d1_databases": "Write [[d1_databases]] in TOML, or a list of objects in JSON.",
    "binding": 'Give it a binding, for example "DB".',
    "syntax": "Fix that place; wrangler cannot read the file either.",
    "string": "Write it as a string in quotes.",
    "folder": "It names folders on disk: use letters, digits, - and _, as Cloudflare does.",
    "control": "Remove them: a terminal that shows them would act on them.",
    "pattern": "Set migrations_dir too, and start migrations_pattern with it and a slash.",
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


def _inherited(
    located: SourceText, document: Mapping[str, object], chosen: Mapping[str, object], key: str
) -> str:
    return _text(located, chosen, key, "the configuration") or _text(
        located, document, key, "the configuration"
    )


def _worker_name(
    located: SourceText,
    document: Mapping[str, object],
    chosen: Mapping[str, object],
    environment: str,
) -> str:
    """The script's name; an environment without its own is named `<top>-<environment>`."""
    own = _text(located, chosen, "name", "the configuration")
    if own or not environment:
        return own
    top = _text(located, document, "name", "the configuration")
    return f"{top}-{environment}" if top else ""


def _database(located: SourceText, raw: object, nth: int) -> Database:
    where = f"d1_databases entry {nth + 1}"
    if not isinstance(raw, dict):
        raise located.error(
            "d1_databases", f"{where} must be a table.", hint=_HINTS["d1_databases"]
        )
    binding = _text(located, raw, "binding", where, nth)
    if not binding:
        raise located.error(
            "d1_databases", f"{where} has no binding.", hint=_HINTS["binding"], nth=nth
        )
    folder, pattern = _migrations(located, raw, where, nth)
    return Database(
        binding=binding,
        name=_database_name(located, raw, where, nth),
        id=_text(located, raw, "database_id", where, nth),
        preview_id=_text(located, raw, "preview_database_id", where, nth),
        migrations_dir=folder,
        migrations_table=_text(located, raw, "migrations_table", where, nth) or DEFAULT_LEDGER,
        migrations_pattern=pattern,
        is_remote_in_dev=raw.get("remote") is True,
        names_folder="migrations_dir" in raw,
    )


def _database_name(located: SourceText, raw: Mapping[str, object], where: str, nth: int) -> str:
    """The name, else the binding; refused where it cannot name one folder, and only that one."""
    key = "binding" if raw.get("database_name") is None else "database_name"
    name = _text(located, raw, key, where, nth)
    if name in ("", ".", "..") or not name.isprintable() or any(c in name for c in "/\\"):
        what = f"{key} {name!r} of {where} cannot name a database."
        raise located.error(key, what, hint=_HINTS["folder"], nth=nth)
    return name


def _migrations(
    located: SourceText, raw: Mapping[str, object], where: str, nth: int
) -> tuple[str, str]:
    """Folder and pattern, by wrangler's rule that the second starts with the first."""
    default = "." if "migrations_dir" in raw else DEFAULT_MIGRATIONS_DIR
    folder = normal_path(_text(located, raw, "migrations_dir", where, nth) or default)
    written = _text(located, raw, "migrations_pattern", where, nth)
    pattern = normal_path(written or f"{folder}/*.sql")
    fits = folder == "." or pattern.startswith(f"{folder}/")
    if "migrations_pattern" in raw and ("migrations_dir" not in raw or not fits):
        what = f'migrations_pattern "{written}" of {where} does not start with its migrations_dir.'
        raise located.error("migrations_pattern", what, hint=_HINTS["pattern"], nth=nth)
    try:
        Glob.parse(inside(folder, pattern))
    except ValueError as error:
        what = f'migrations_pattern "{written}" of {where}: {error}.'
        hint = "Write it with *, **, ? and {a,b} only, so that both programs mean the same files."
        raise located.error("migrations_pattern", what, hint=hint, nth=nth) from error
    return folder, pattern


def _text(
    located: SourceText, raw: Mapping[str, object], key: str, where: str, nth: int = 0
) -> str:
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        what = f"{key} of {where} must be a string."
        raise located.error(key, what, hint=_HINTS["string"], nth=nth)
    if any(unicodedata.category(char) == "Cc" for char in value):
        what = f"{key} of {where} contains control characters: {value!r}."
        raise located.error(key, what, hint=_HINTS["control"], nth=nth)
    return value


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
