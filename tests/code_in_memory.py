"""A project in memory: files by path, and what the code analysis makes of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from hashlib import sha256
from typing import Any

from d1_preflight.code.comparison import Step, compare_codes
from d1_preflight.code.forms import forms_of
from d1_preflight.code.holes import plain_text
from d1_preflight.code.project_code import ProjectCode, read_code
from d1_preflight.code.source import Scope
from d1_preflight.code.verdict import Verdict
from d1_preflight.core.analysis import schema_after
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Schema

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class MemoryTree:
    """Files by path."""

    files: Files
    name: str = "memory"
    notes: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    @cached_property
    def blobs(self) -> Mapping[str, str]:
        return {path: sha256(_bytes(text)).hexdigest() for path, text in self.files.items()}

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        found = list(paths)
        self.asked.extend(found)
        return {path: _bytes(self.files[path]) for path in found if path in self.files}


class NoCache:
    """Keeps nothing."""

    def get(self, key: str) -> Any:  # noqa: ARG002 - as the cache has it
        """Nothing."""
        return None

    def put(self, key: str, value: Any) -> None:
        """Nothing is kept."""


def code_of(files: Files, scope: Scope | None = None) -> ProjectCode:
    return read_code(MemoryTree(files), scope or Scope(), NoCache())


def texts_of(code: ProjectCode) -> list[str]:
    """The texts of all forms of all queries."""
    return [plain_text(f) for query in code.queries for f in forms_of(query.sql)]


def queries_in(source: str, path: str = "src/index.ts") -> list[str]:
    """The texts of all forms of the queries of one file."""
    return texts_of(code_of({path: source}))


def verdict_of(
    deployed: Files,
    migration: str,
    *,
    before: str,
    new: Files | None = None,
    scope: Scope | None = None,
) -> Verdict:
    """The verdict on a migration; without new code, the deployed one stays."""
    old_schema = _schema_of(before)
    change = Migration.from_text("0002_change.sql", migration)
    step = Step(old_schema, schema_after([change], old_schema), {change.name: change.text})
    old = _code_of(tuple(deployed.items()), scope)
    return compare_codes(old, old if new is None else code_of(new, scope), step)


@lru_cache(maxsize=2)
def _code_of(files: tuple[tuple[str, str | bytes], ...], scope: Scope | None) -> ProjectCode:
    """Several migrations are held against the same code."""
    return code_of(dict(files), scope)


@cache
def _schema_of(text: str) -> Schema:
    """Many migrations are held against the same few schemas."""
    return schema_after([Migration.from_text("0001_base.sql", text)])


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
