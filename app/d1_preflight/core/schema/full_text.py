"""A full-text index as its CREATE VIRTUAL TABLE … USING fts5 declares it."""

from collections.abc import Sequence
from functools import lru_cache

from d1_preflight.core.sql.tokenizer import Token, closing, parted, tokens
from d1_preflight.lazy_dataclass import dataclass

_FORGETS = frozenset({"'delete'", "'delete-all'", '"delete"', '"delete-all"'})

_TREES = frozenset({"rtree", "rtree_i32"})
_TREE_SHADOWS = frozenset({"node", "rowid", "parent"})


@dataclass(frozen=True, slots=True)
class FullText:
    """Where an FTS5 table has its text: in itself (None), in no place (""), or in a table.

    `shadows` ends the names of the tables in which it keeps its entries.
    """

    content: str | None = None
    content_rowid: str = "rowid"
    shadows: frozenset[str] = frozenset({"data", "idx", "config", "docsize", "content"})

    @property
    def is_external(self) -> bool:
        """Whether another table or view holds the text, by its rowid."""
        return bool(self.content)


@lru_cache(maxsize=4096)
def full_text(sql: str) -> FullText | None:
    """The full-text index that a CREATE statement makes; None where it makes something else."""
    found = tokens(sql, limit=len(sql))
    words = [token.word for token in found]
    if module_of(sql) != "fts5":
        return None
    at = words.index("USING") + 2
    if at >= len(found) or found[at].text != "(":
        return FullText()
    options = {part[0].name.lower(): part for part in parted(found[at + 1 : closing(found, at)])}
    content = _option(options.get("content"))
    rowid = _option(options.get("content_rowid")) or "rowid"
    missing = set[str]()
    if content is not None and _option(options.get("contentless_unindexed")) in {None, "0"}:
        missing.add("content")
    if _option(options.get("columnsize")) == "0":
        missing.add("docsize")
    return FullText(content, rowid, FullText().shadows - missing)


def shadow_names(virtual: str, sql: str) -> frozenset[str]:
    """The tables, in lower case, that the module of a virtual table makes to keep its rows."""
    declared = full_text(sql)
    endings = declared.shadows if declared else _TREE_SHADOWS if module_of(sql) in _TREES else ()
    return frozenset(f"{virtual}_{ending}".lower() for ending in endings)


def is_derived(sql: str) -> bool:
    """Whether a virtual table shows what others hold: an external content, or a vocabulary."""
    declared = full_text(sql)
    return module_of(sql) == "fts5vocab" or bool(declared and declared.is_external)


def keeps_rows(sql: str) -> bool:
    """Whether a virtual table keeps rows that can be read back: its own text, or an R*Tree's."""
    declared = full_text(sql)
    return module_of(sql) in _TREES or bool(declared and declared.content is None)


def module_of(sql: str) -> str:
    """The module that a CREATE VIRTUAL TABLE names, in lower case; "" for any other table."""
    found = tokens(sql, limit=len(sql))
    words = [token.word for token in found]
    at = words.index("USING") + 1 if "USING" in words[:10] else len(found)
    return found[at].name.lower() if at < len(found) else ""


def removes_entries(index: str, found: Sequence[Token]) -> bool:
    """Whether statements give a contentless index the command to forget entries, and add none.

    SQLite reports the command as an INSERT: `INSERT INTO f(f, rowid, …) VALUES ('delete', …)`.
    """
    texts = [token.text.lower() for token in found]
    removed = sum(text in _FORGETS for text in texts)
    named = [token.name.lower() for token in found]
    inserts = sum(named[n : n + 2] == ["into", index.lower()] for n in range(len(named)))
    return removed > 0 and inserts <= removed


def _option(part: tuple[Token, ...] | None) -> str | None:
    """The value of `name = value`, None where the option is not there."""
    if not part or len(part) < len("x=y") or part[1].text != "=":
        return None
    return part[2].name
