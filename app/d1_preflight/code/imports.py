"""Which file a specifier means: relative paths, aliases of tsconfig, workspace packages."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from d1_preflight.code.scripts import PLAIN, SOURCE
from d1_preflight.core.project.wrangler_config_file import JsoncError, load_jsonc

_QUOTED = rb"""\s*(?:\(\s*)?["']([^"'\n]{1,300})["']"""
_SPECIFIERS = tuple(
    re.compile(word + _QUOTED)  # each begins with its letters, which are looked for at once
    for word in (rb"from(?<=\bfrom)", rb"import(?<=\bimport)", rb"require(?<=\brequire)\s*\(")
)
_FROM = rb"""(?:\s*from\s*["']([^"'\n]{1,300})["'])?"""
_CLAUSES = tuple(
    re.compile(begin + rb"\{([^{}]{1,4000})\}" + _FROM)
    for begin in (rb"import\b[^{}()=;'\"]{0,300}", rb"export\s*(?:type\s*)?")
)
_AS = re.compile(rb"([\w$]+)\s+as\s+([\w$]+)")
_TAKEN_APART = re.compile(rb"\{([^{}]{1,2000})\}\s*=\s*(?:await\s+)?(?:import|require)\s*\(")
_PAIR = re.compile(rb"([\w$]+)\s*:\s*([\w$]+)")
_WHOLE = re.compile(rb"import\s*\*\s*as\s+([\w$]+)\s*from\s*[\"']([^\"'\n]{1,300})[\"']")
_REQUIRED = re.compile(rb"=\s*(?:await\s+)?(?:import|require)" + _QUOTED)
_BEFORE = re.compile(rb"([\w$]+)\s*$")
_LONGEST = 100
_DEFAULT = re.compile(rb"import\s+([\w$]+)\s*(?:,[^;'\"()=]{0,4000})?" + _FROM)
Rename = tuple[str, str, str]
"""A name of another file, the name that it has here, and the specifier; "" for this file."""
_WHOLE_FOLDER = (b"import.meta.glob", b'"virtual:', b"'virtual:")
_ENDINGS = ("", *SOURCE, ".sql", *(f"/index{ending}" for ending in PLAIN))
_DECLARED = (".d.ts", ".d.mts", ".d.cts", "/index.d.ts")
_TYPES = re.compile(r"(?:^|/)(?:\+types/|\$types$)|\.d$|\.d\.[mc]?ts$|/$|^\.+$")
_SCRIPT = re.compile(r"\.[mc]?jsx?$")


def specifiers(data: bytes) -> tuple[str, ...]:
    """What a file imports, found by its words: one too many in a comment does no harm."""
    found = sorted((m.start(), m[1]) for pattern in _SPECIFIERS for m in pattern.finditer(data))
    return tuple(dict.fromkeys(text.decode("utf-8", "replace") for _, text in found))


def renames(data: bytes) -> tuple[Rename, ...]:
    """What a file imports or exports under another name; a default export has none of its own.

    The whole of another file has the name "*".
    """
    found: dict[tuple[bytes, bytes, bytes], None] = {}
    for clause in (match for pattern in _CLAUSES for match in pattern.finditer(data)):
        for name, local in _AS.findall(clause[1]):
            found[name, local, clause[2] or b""] = None
    for taken in _TAKEN_APART.findall(data) if b"import(" in data or b"require(" in data else ():
        for name, local in _PAIR.findall(taken):
            found[name, local, b""] = None
    for local, of in (*_WHOLE.findall(data), *_required(data)):
        found[b"*", local, of] = None
    for match in _DEFAULT.finditer(data):
        if match[2]:
            found[b"default", match[1], match[2]] = None
    return tuple(
        (
            name.decode("utf-8", "replace"),
            local.decode("utf-8", "replace"),
            of.decode("utf-8", "replace"),
        )
        for name, local, of in found
        if name != local
    )


def _required(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The names of whole files that are required, or imported late."""
    if b"import(" not in data and b"require(" not in data:
        return
    for match in _REQUIRED.finditer(data):
        named = _BEFORE.search(data[max(0, match.start() - _LONGEST) : match.start()])
        if named:
            yield named[1], match[1]


def takes_whole_folder(data: bytes) -> bool:
    """Whether a bundler decides which files come along."""
    return any(word in data for word in _WHOLE_FOLDER)


@dataclass(slots=True)
class Specifiers:
    """Finds files by specifier in one tree."""

    paths: frozenset[str]
    packages: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    aliases: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: frozenset[str], configs: Mapping[str, bytes]) -> "Specifiers":
        """Read the packages and aliases of a tree."""
        packages: dict[str, tuple[str, Mapping[str, Any]]] = {}
        aliases: list[tuple[str, str, tuple[str, ...]]] = []
        for path, data in sorted(configs.items(), key=lambda pair: len(pair[0])):
            folder = posixpath.dirname(path)
            document = _document(data)
            if posixpath.basename(path) == "package.json":
                name = document.get("name")
                if isinstance(name, str) and name:
                    packages.setdefault(name, (folder, document))
                aliases += _package_imports(folder, document)
            else:
                aliases += _typescript_paths(folder, document)
        aliases.sort(key=lambda alias: (-len(alias[0]), -len(alias[1])))
        return cls(paths, packages, tuple(aliases))

    def find(self, importer: str, specifier: str) -> str:
        """The file that a specifier means in another file; "" where it is none of the tree."""
        key = (importer.rpartition("/")[0], specifier)
        if key not in self._known:
            self._known[key] = next(self._candidates(*key), "")
        return self._known[key]

    def is_missing(self, importer: str, specifier: str) -> bool:
        """Whether a relative specifier that leads nowhere should lead to code.

        It may be behind a link, ignored by git, or not made yet; what names types alone is no code.
        """
        bare = specifier.partition("?")[0]
        if posixpath.splitext(bare)[1] not in ("", *SOURCE, ".sql") or _TYPES.search(bare):
            return False
        path = posixpath.normpath(posixpath.join(posixpath.dirname(importer), bare))
        return not any(_SCRIPT.sub("", path) + ending in self.paths for ending in _DECLARED)

    def package_folder(self, specifier: str) -> str | None:
        """The folder of the workspace package that a specifier names."""
        parts = specifier.split("/")
        name = "/".join(parts[: 2 if specifier.startswith("@") else 1])
        return self.packages[name][0] if name in self.packages else None

    def _candidates(self, folder: str, specifier: str) -> Iterator[str]:
        bare = specifier.partition("?")[0]
        if bare.startswith("."):
            yield from self._file(posixpath.normpath(posixpath.join(folder, bare)))
            return
        for where, pattern, targets in self.aliases:
            rest = _matched(pattern, bare)
            if rest is not None and (not where or f"{folder}/".startswith(f"{where}/")):
                for target in targets:
                    path = posixpath.join(where, target.replace("*", rest))
                    yield from self._file(posixpath.normpath(path))
        yield from self._packaged(bare)
        if bare[:2] in ("@/", "~/", "$l") or bare.startswith("src/"):
            rest = bare.removeprefix("$lib/").removeprefix("@/").removeprefix("~/")
            yield from self._nearest(folder, rest)

    def _packaged(self, specifier: str) -> Iterator[str]:
        folder = self.package_folder(specifier)
        if folder is None:
            return
        parts = specifier.split("/")
        rest = "/".join(parts[2 if specifier.startswith("@") else 1 :])
        document = next(d for f, d in self.packages.values() if f == folder)
        for target in _entries(document, f"./{rest}" if rest else "."):
            yield from self._file(posixpath.normpath(posixpath.join(folder, target)))
        for inner in ("src", "", "lib"):
            yield from self._file(
                posixpath.normpath(posixpath.join(folder, inner, rest or "index"))
            )

    def _nearest(self, folder: str, rest: str) -> Iterator[str]:
        """A path below the nearest folder that has it, as bundlers' plain aliases mean it."""
        while True:
            for inner in ("", "src", "app", "src/lib"):
                yield from self._file(posixpath.normpath(posixpath.join(folder, inner, rest)))
            if not folder:
                return
            folder = posixpath.dirname(folder)

    def _file(self, path: str) -> Iterator[str]:
        for ending in _ENDINGS:
            if path + ending in self.paths:
                yield path + ending
        stem = _SCRIPT.sub("", path)
        if stem != path:
            yield from (stem + ending for ending in PLAIN if stem + ending in self.paths)


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        found = load_jsonc(data.decode("utf-8", "replace").removeprefix("\ufeff"))
    except JsoncError:
        return {}
    return found if isinstance(found, dict) else {}


def _typescript_paths(
    folder: str, document: Mapping[str, Any]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    options = document.get("compilerOptions")
    options = options if isinstance(options, dict) else {}
    base = options.get("baseUrl")
    paths = options.get("paths")
    for pattern, targets in paths.items() if isinstance(paths, dict) else ():
        if isinstance(targets, list):
            found = (str(t) for t in targets)
            inside = base if isinstance(base, str) else "."
            yield folder, pattern, tuple(posixpath.join(inside, target) for target in found)


def _package_imports(
    folder: str, document: Mapping[str, Any]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    imports = document.get("imports")
    for pattern, target in imports.items() if isinstance(imports, dict) else ():
        yield folder, pattern, tuple(_strings(target))


def _entries(document: Mapping[str, Any], wanted: str) -> Iterator[str]:
    """The files that a package gives under a name."""
    exports = document.get("exports")
    if isinstance(exports, str | list) or (
        isinstance(exports, dict) and not any(key.startswith(".") for key in exports)
    ):
        exports = {".": exports}
    for pattern, target in exports.items() if isinstance(exports, dict) else ():
        rest = _matched(pattern, wanted)
        if rest is not None:
            yield from (found.replace("*", rest) for found in _strings(target))
    if wanted == ".":
        named = (document.get(key) for key in ("source", "module", "main", "types"))
        yield from (found for found in named if isinstance(found, str))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def _matched(pattern: str, specifier: str) -> str | None:
    """What stands for the star of a pattern; "" where there is none; None where it differs."""
    head, star, tail = pattern.partition("*")
    if not star:
        return "" if specifier == pattern else None
    fits = specifier.startswith(head) and specifier.endswith(tail)
    long_enough = len(specifier) >= len(head) + len(tail)
    return specifier[len(head) : len(specifier) - len(tail)] if fits and long_enough else None
