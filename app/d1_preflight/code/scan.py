"""A quick look at one file's bytes: what it imports and calls, and whether it can hold SQL.

Most files of a project hold none; they are not parsed.
"""

import re

from d1_preflight.code.imports import Rename, renames, specifiers, takes_whole_folder
from d1_preflight.code.scripts import MOST_BYTES, is_minified
from d1_preflight.code.standing import handed
from d1_preflight.lazy_dataclass import dataclass

_WORDS = (b"sql`", b"sql<", b".exec(", b".batch(")
_PREPARE = re.compile(rb"\bprepare\b")
_BEGINNING = 1000
_VERBS = (b"select", b"insert", b"update", b"delete", b"replace into", b"with ", b"create ")
_SQL = re.compile(
    rb"[\"'`(\n]\s*(?:select\s|insert\s+(?:or|into)|update\s+[^\s;(]+\s+set\b|delete\s+from"
    rb"|replace\s+into|with\s+(?:recursive\s+)?[\w$]+\s+(?:as\b|\()"
    rb"|create\s+(?:table|index|unique|view|trigger))"
)
_BEGIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$")
_NAMES_ALONE = bytes(
    c if c in _BEGIN or c in b"0123456789" else ord("(") if c in b"(<" else ord(" ")
    for c in range(256)
)
"""Keeps the bytes of names; `(` and `<`, behind which a call is given something, become one."""
_ORMS = {
    "drizzle-orm": "drizzle",
    "@prisma": "Prisma",
    "kysely": "Kysely",
    "typeorm": "TypeORM",
    "@mikro-orm": "MikroORM",
    "sequelize": "Sequelize",
    "knex": "Knex",
    "workers-qb": "workers-qb",
}
_ORM = re.compile(
    rf"^(?:({'|'.join(_ORMS)})(?:/.*)?|(?:.*/)?(?:generated/prisma|\.prisma/client|prisma/client)(?:/.*)?)$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Scan:
    """One file: `sql` is whether it is worth parsing, `problem` why it is not read.

    `renames` are what it imports or exports under another name, `handed` what it uses as values.
    """

    imports: tuple[str, ...] = ()
    called: frozenset[str] = frozenset()
    sql: bool = False
    whole_folder: bool = False
    problem: str = ""
    renames: tuple[Rename, ...] = ()
    handed: frozenset[str] = frozenset()

    @property
    def orms(self) -> tuple[str, ...]:
        """The libraries it imports that make SQL out of sight."""
        found = _ORM.findall("\n".join(self.imports))
        return tuple(dict.fromkeys(_ORMS.get(name, "Prisma") for name in found))


def scan(data: bytes) -> Scan:
    """Look at a file."""
    if len(data) > MOST_BYTES:
        return Scan(problem=f"is larger than {MOST_BYTES:,} bytes: left out")
    if b"\0" in data[:_BEGINNING]:
        return Scan(problem="is no UTF-8 text: left out")
    if is_minified(data):
        return Scan(problem="is minified: left out")
    is_sql, whole = _can_hold_sql(data), takes_whole_folder(data)
    named = (renames(data), handed(data))
    return Scan(specifiers(data), _called(data), is_sql, whole, "", *named)


def _called(data: bytes) -> frozenset[str]:
    """The names before a parenthesis, split out: a pattern takes three times as long."""
    parts = data.translate(_NAMES_ALONE).split(b"(")
    names = {part[part.rfind(b" ") + 1 :] for part in parts[:-1]}
    return frozenset(name.decode() for name in names if name[:1] and name[0] in _BEGIN)


def _can_hold_sql(data: bytes) -> bool:
    lower = data.lower()
    if any(word in lower for word in _WORDS):
        return True
    if b"prepare" in lower and _PREPARE.search(lower):
        return True
    return any(verb in lower for verb in _VERBS) and _SQL.search(lower) is not None
