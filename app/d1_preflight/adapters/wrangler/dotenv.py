"""Reads a project's `.env` files as wrangler does, so that both mean the same login and database.

Shown by runs with 4.0.0, 4.50.0, 4.90.0, 4.120.0 and 4.164.0 (tests/adapters/test_dotenv.py): the
files count where wrangler is started, later files win over earlier ones, and a variable of the
shell wins over all of them. Nothing in them is ever run.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from d1_preflight.adapters.regular_file import read_regular
from d1_preflight.adapters.wrangler.redaction import secret_values
from d1_preflight.lazy_dataclass import dataclass

Version = tuple[int, int, int]
_Files = Mapping[str, Mapping[str, str]]
"""The variables of each file, by its name."""
SHELL = "the shell"
ENVIRONMENT = "CLOUDFLARE_ENV"
_READS_LOCAL: Version = (4, 27, 0)
"""From here on wrangler reads `.env.local`, and expands `$NAME`; earlier it took one file."""
_READS_ENVIRONMENT: Version = (4, 51, 0)
"""From here on `CLOUDFLARE_ENV` chooses the environment."""
_WORKER_SECRETS = ".dev.vars"
_MAX_BYTES = 250_000
_MAX_FILES = 50
_MAX_EXPANSIONS = 100
_HANDED_OVER = re.compile(r"(?:CLOUDFLARE|CF|WRANGLER)_\w+|(?i:https?_proxy|no_proxy|all_proxy)")
# The grammar of the npm package dotenv 16, which wrangler bundles.
_SPACE = r"[\s\ufeff\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"  # JavaScript's \s
_LINE = re.compile(
    r"(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)"
    r"(\s*'(?:\\'|[^'])*'|\s*\"(?:\\\"|[^\"])*\"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?"
    r"\s*(?:#.*)?(?:$|$)".replace(r"\s", _SPACE),
    re.MULTILINE | re.ASCII,
)
_WORD = re.compile(_SPACE.replace("[", "[^", 1))
_QUOTED = re.compile(r"^(['\"`])([\s\S]*)\1$", re.MULTILINE)
_REFERENCE = re.compile(r"(?<!\\)\$\{([^{}]+)\}|(?<!\\)\$([A-Za-z_][A-Za-z0-9_]*)")
_OPERATOR = re.compile(r":\+|\+|:-|-")


@dataclass(frozen=True, slots=True)
class CommandEnvironment:
    """What wrangler would find in its environment in this folder.

    `variables` is the shell's environment and, of the files, what the login and the connection
    need; `CLOUDFLARE_ENV` is never among them, for the environment is chosen once, by us.
    `sources` names for each variable of Cloudflare or wrangler where it came from: the shell, or a
    file's name. `chosen` is the environment that `CLOUDFLARE_ENV` chooses ("" for none). `secrets`
    are the secret values of every `.env` and `.dev.vars` file, to be masked wherever they appear.
    `depends_on_version`: another version of wrangler may find something else here.
    """

    variables: Mapping[str, str] = field(repr=False)
    sources: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    depends_on_version: bool = False

    def source(self, name: str) -> str:
        """Where a variable was found: the shell, a file's name, or "" where it is not set."""
        return self.sources.get(name, "")


def read_environment(
    folder: Path,
    environ: Mapping[str, str],
    *,
    wrangler: Version | None = None,
    environment: str | None = None,
) -> CommandEnvironment:
    """The environment of a wrangler of this version (None: the newest) started in `folder`.

    `environment` is what `--env` says, None where it was not given.
    """
    files = {name: parse(text) for name, text in _texts(folder).items()}
    names = _files_read(files, wrangler, environment)
    found, origins = _merged(files, names)
    if wrangler is None or wrangler >= _READS_LOCAL:
        values = _expanded(found, environ)
        won = {name for name in values if not environ.get(name)}
    else:
        values, won = found, {name for name in found if name not in environ}
    sources = {name: SHELL for name in environ if _HANDED_OVER.fullmatch(name)}
    sources |= {name: origins[name] for name in won if _HANDED_OVER.fullmatch(name)}
    variables = dict(environ)
    variables |= {name: values[name] for name in won if _HANDED_OVER.fullmatch(name)}
    asked = variables.pop(ENVIRONMENT, "")
    reads = wrangler is None or wrangler >= _READS_ENVIRONMENT
    return CommandEnvironment(
        variables,
        {name: source for name, source in sources.items() if variables.get(name) or asked},
        asked if reads else "",
        _secrets(files),
        depends_on_version=bool(asked) or any(name.startswith(".env") for name in files),
    )


def parse(text: str) -> dict[str, str]:
    """The variables of one file's text, by the rules of the npm package dotenv 16."""
    found: dict[str, str] = {}
    for match in _lines(text.replace("\r\n", "\n").replace("\r", "\n")):
        value = (match[2] or "").strip()
        is_double = value.startswith('"')
        value = _QUOTED.sub(r"\2", value)
        if is_double:
            value = value.replace("\\n", "\n").replace("\\r", "\r")
        found[match[1]] = value
    return found


def _lines(text: str) -> Iterator[re.Match[str]]:
    """Each line that sets a variable, found in linear time: the package's own search is not."""
    at = 0
    while (word := _WORD.search(text, at)) is not None:  # the first of its line
        match = _LINE.match(text, word.start())
        if match is not None:
            yield match
        following = text.find("\n", match.end() if match else word.start())
        if following < 0:
            return
        at = following


def _files_read(
    files: _Files, wrangler: Version | None, environment: str | None
) -> tuple[str, ...]:
    """The files that this wrangler reads, in the order in which the later one wins."""
    named = () if environment is None else (f".env.{environment}",)
    if wrangler is not None and wrangler < _READS_LOCAL:
        return next(((name,) for name in (*named, ".env") if name in files), ())
    return (".env", ".env.local", *named, *(f"{name}.local" for name in named))


def _merged(files: _Files, names: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name in names:
        for variable, value in files.get(name, {}).items():
            values[variable], origins[variable] = value, name
    return values, origins


def _expanded(parsed: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """References are replaced as the npm package dotenv-expand 12 does it."""
    running: dict[str, str] = {}
    for name, value in parsed.items():
        own = environ.get(name, "")
        running[name] = own if own and own != value else _expand(value, environ, running)
    return {name: value.replace("\\$", "$") for name, value in running.items()}


def _expand(value: str, environ: Mapping[str, str], running: Mapping[str, str]) -> str:
    known = {**running, **environ}
    result, seen, start = value, set[str](), 0
    for _ in range(_MAX_EXPANSIONS):
        match = _REFERENCE.search(result, start)
        if match is None or len(result) > _MAX_BYTES:
            break
        seen.add(result)
        expression = match[1] or match[2]
        operator = _OPERATOR.search(expression)
        splitter = operator[0] if operator else None
        name, *rest = expression.split(splitter) if splitter else (expression,)
        default = (splitter or "").join(rest)
        if splitter in (":+", "+"):
            found, default = "", default if known.get(name) else ""
        else:
            found = known.get(name, "")
        text = found if found and found not in seen else default
        result = result.replace(match[0], text, 1)
        if result == running.get(name):
            break
    return result


def _secrets(files: _Files) -> tuple[str, ...]:
    """The values with a secret's name, as written in the files and as expanded."""
    found: list[str] = []
    for parsed in files.values():
        found += secret_values(parsed)
        found += secret_values(_expanded(parsed, {}))
    return tuple(dict.fromkeys(found))


def _texts(folder: Path) -> dict[str, str]:
    """The text of every `.env` and `.dev.vars` file; one that cannot be read is as if not there."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _is_ours(entry.name))
    except OSError:
        return {}
    found = ((name, read_regular(folder / name, _MAX_BYTES)) for name in names[:_MAX_FILES])
    return {name: text for name, text in found if text is not None}


def _is_ours(name: str) -> bool:
    return any(name == base or name.startswith(f"{base}.") for base in (".env", _WORKER_SECRETS))
