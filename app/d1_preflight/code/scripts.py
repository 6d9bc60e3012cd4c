"""Which files are source code, and the script of a file that also holds markup."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePosixPath

MOST_BYTES = 1_000_000
"""The longest file that is read; what is longer was made by a program."""

PLAIN = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
MARKUP = (".vue", ".svelte", ".astro")
SOURCE = (*PLAIN, *MARKUP)
_TYPED = (".ts", ".mts", ".cts")
_TESTS = re.compile(
    r"(?:^|/)(?:tests?|__tests__|__mocks__|__fixtures__|e2e|spec|cypress|playwright|fixtures)/"
    r"|(?:^|/)test[-_][^/]+$|\.(?:test|spec|e2e|stories|bench)\.[a-z]+$|\.d\.[mc]?ts$"
    r"|(?:^|/)(?:vite|vitest|playwright|jest|webpack|rollup|eslint|tailwind|drizzle|astro|svelte)"
    r"(?:\.[a-z-]+)*\.config\.[mc]?[jt]s$"
)
_MADE = re.compile(
    r"(?:^|/)(?:node_modules|\.git|\.wrangler|\.preflight|\.next|\.svelte-kit|\.astro|\.nuxt"
    r"|\.output|\.open-next|\.vercel|\.turbo|\.cache|bower_components|vendor)/|\.min\.[mc]?js$"
)
_SCRIPT = re.compile(rb"<script\b[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_FRONTMATTER = re.compile(rb"\A\s*---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_KEPT = re.compile(rb"[^\n]")
_CONFIG = re.compile(r"(?:^|/)(?:package|tsconfig(?:\.[\w-]+)*|jsconfig)\.json$")
_MOST_PACKAGES = 500
_LONG_LINE = 1000
_MINIFIED_BYTES = 5000
_MINIFIED_SHARE = 0.5


@lru_cache(maxsize=100_000)
def is_source(path: str) -> bool:
    """Whether a file is source code of the project that may run, by its name."""
    return path.endswith(SOURCE) and not _TESTS.search(path) and not _MADE.search(path)


def is_left_out(path: str) -> bool:
    """Whether a folder of others' or of made files holds it."""
    return _MADE.search(path) is not None


def config_paths(paths: Iterable[str]) -> list[str]:
    """The files that decide what specifiers mean."""
    return [p for p in paths if _CONFIG.search(p) and not is_left_out(p)][:_MOST_PACKAGES]


def is_wanted(path: str) -> bool:
    """Whether the analysis can want a file of a tree: source, SQL, or what names packages."""
    is_named = path.endswith((*SOURCE, ".sql")) or _CONFIG.search(path) is not None
    return is_named and not is_left_out(path)


def dialect(path: str) -> str:
    """The grammar that reads it: typescript (which alone knows `<T>x`), tsx or javascript."""
    suffix = PurePosixPath(path).suffix
    if suffix in (*_TYPED, *MARKUP):
        return "typescript"
    return "tsx" if suffix == ".tsx" else "javascript"


def script_of(path: str, data: bytes) -> bytes:
    """The bytes that are code; of markup, the rest is blank and lines stay where they are."""
    if not path.endswith(MARKUP):
        return data
    kept = [match.span(1) for match in _SCRIPT.finditer(data)]
    if path.endswith(".astro"):
        kept += [match.span(1) for match in _FRONTMATTER.finditer(data)]
    blank = bytearray(_KEPT.sub(b" ", data))
    for start, end in kept:
        blank[start:end] = data[start:end]
    return bytes(blank)


def is_minified(data: bytes) -> bool:
    """Whether most of a file lies in lines that nobody writes by hand."""
    if len(data) < _MINIFIED_BYTES:
        return False
    long = sum(len(line) for line in data.split(b"\n") if len(line) > _LONG_LINE)
    return long > len(data) * _MINIFIED_SHARE
