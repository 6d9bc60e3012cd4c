"""The shape of a table as SQLite itself reports it: columns, keys, constraints, options."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import apsw

from d1_preflight.core.sql.tokenizer import Token, quote_name, tokens


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `pk` is its place in the primary key (0: none), `generated` its expression."""

    name: str
    type: str
    notnull: bool
    default: str | None
    pk: int
    hidden: int
    collation: str
    generated: str

    @property
    def words(self) -> str:
        """The column as one would declare it."""
        parts = [self.type, "PRIMARY KEY" if self.pk else "", "NOT NULL" if self.notnull else ""]
        parts.append(f"DEFAULT {self.default}" if self.default is not None else "")
        parts.append(f"COLLATE {self.collation}" if self.collation != "BINARY" else "")
        parts.append(self.generated)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One foreign key; `parent_columns` is empty where it means the parent's primary key."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str

    @property
    def words(self) -> str:
        """The key as one would declare it."""
        target = f"({', '.join(self.parent_columns)})" if self.parent_columns else ""
        return (
            f"({', '.join(self.columns)}) REFERENCES {self.parent}{target}"
            f" ON DELETE {self.on_delete} ON UPDATE {self.on_update}"
        )


@dataclass(frozen=True, slots=True)
class TableShape:
    """Everything of a table that a rebuild could forget."""

    name: str
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    checks: tuple[str, ...] = ()
    strict: bool = False
    without_rowid: bool = False
    autoincrement: bool = False
    virtual: str = ""
    sql: str = field(default="", compare=False)
    parents: frozenset[str] = frozenset()  # the tables its keys refer to, in lower case

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column | None:
        """The column of that name, whatever its case."""
        wanted = name.lower()
        return next((c for c in self.columns if c.name.lower() == wanted), None)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns in key order."""
        keyed = sorted((c for c in self.columns if c.pk), key=lambda c: c.pk)
        return tuple(c.name for c in keyed)


def read_table(connection: apsw.Connection, name: str, sql: str) -> TableShape:
    """The shape of one table of a connection (the authorizer must be off)."""
    quoted = quote_name(name)
    parts = _parts(sql)
    virtual = parts.module
    metadata = {} if virtual else _metadata(connection, name)
    columns = tuple(
        Column(
            name=str(row[1]),
            type=str(row[2] or ""),
            notnull=bool(row[3]),
            default=None if row[4] is None else str(row[4]),
            pk=int(str(row[5])),
            hidden=int(str(row[6])),
            collation=metadata.get(str(row[1]), "BINARY"),
            generated=parts.generated.get(str(row[1]).lower(), "") if row[6] else "",
        )
        for row in connection.execute(f"PRAGMA table_xinfo({quoted})")
    )
    words = parts.options
    keys = _foreign_keys(connection, quoted)
    return TableShape(
        name=name,
        columns=columns,
        foreign_keys=keys,
        parents=frozenset(key.parent.lower() for key in keys),
        unique=_unique(connection, quoted) if "UNIQUE" in parts.words else (),
        checks=parts.checks,
        strict="STRICT" in words,
        without_rowid="WITHOUT" in words and "ROWID" in words,
        autoincrement="AUTOINCREMENT" in parts.words,
        virtual=virtual,
        sql=sql,
    )


def _metadata(connection: apsw.Connection, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for (column,) in connection.execute("SELECT name FROM pragma_table_xinfo(?)", (name,)):
        found[str(column)] = str(connection.column_metadata(None, name, str(column))[1])
    return found


def _foreign_keys(connection: apsw.Connection, quoted: str) -> tuple[ForeignKey, ...]:
    keys: dict[int, list[tuple[object, ...]]] = {}
    for row in connection.execute(f"PRAGMA foreign_key_list({quoted})"):
        keys.setdefault(int(str(row[0])), []).append(row)
    return tuple(
        ForeignKey(
            columns=tuple(str(r[3]) for r in rows),
            parent=str(rows[0][2]),
            parent_columns=tuple(str(r[4]) for r in rows if r[4] is not None),
            on_delete=str(rows[0][6]),
            on_update=str(rows[0][5]),
        )
        for _, rows in sorted(keys.items(), reverse=True)
    )


def _unique(connection: apsw.Connection, quoted: str) -> tuple[tuple[str, ...], ...]:
    found = []
    for row in connection.execute(f"PRAGMA index_list({quoted})"):
        if row[3] == "u":
            info = connection.execute(f"PRAGMA index_info({quote_name(str(row[1]))})")
            found.append(tuple(str(part[2]) for part in info))
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What only the text of a CREATE TABLE tells."""

    checks: tuple[str, ...]
    generated: dict[str, str]
    options: frozenset[str]
    words: frozenset[str]
    module: str


@lru_cache(maxsize=4096)
def _parts(sql: str) -> _Parts:
    found = tokens(sql, limit=len(sql))
    words = frozenset(token.word for token in found if token.word)
    module = ""
    if len(found) > 1 and found[1].word == "VIRTUAL":
        using = next((n for n, t in enumerate(found) if t.word == "USING"), None)
        module = found[using + 1].name if using is not None and using + 1 < len(found) else ""
        return _Parts((), {}, frozenset(), words, module or "?")
    closing = max((n for n, token in enumerate(found) if token.text == ")"), default=len(found))
    options = frozenset(token.word for token in found[closing:])
    definitions = tuple(_definitions(found))
    checks = tuple(sorted(c for part in definitions for c in _after(part, "CHECK")))
    generated = {
        part[0].name.lower(): "AS " + next(_after(part, "AS"), "")
        for part in definitions
        if part and any(token.word == "AS" for token in part)
    }
    return _Parts(checks, generated, options, words, "")


def _definitions(found: tuple[Token, ...]) -> Iterator[tuple[Token, ...]]:
    depth, part = 0, list[Token]()
    for token in found:
        closing = token.text == ")"
        depth -= closing
        if depth == 0 and closing:
            yield tuple(part)
            return
        if depth == 1 and token.text == ",":
            yield tuple(part)
            part = []
        elif depth:
            part.append(token)
        depth += token.text == "("


def _after(part: tuple[Token, ...], word: str) -> Iterator[str]:
    """The parenthesised text after each `word` of a definition."""
    for n, token in enumerate(part):
        if token.word == word and n + 1 < len(part) and part[n + 1].text == "(":
            yield _group(part[n + 1 :])


def _group(part: tuple[Token, ...]) -> str:
    depth, texts = 0, list[str]()
    for token in part:
        depth += (token.text == "(") - (token.text == ")")
        texts.append(token.text.lower() if token.word else token.text)
        if depth == 0:
            break
    return " ".join(texts)
