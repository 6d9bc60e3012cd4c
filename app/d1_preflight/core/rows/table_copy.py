"""A table's rows in one file of their own, exact, checked by two hashes.

The digest is over the values alone: sha256 over the column names and the sorted sha256 of every
row, so the order of the rows and the file's layout do not matter.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import apsw

from d1_preflight.core.rows.codec import row_text
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

_HASH = "preflight_row_hash"


@dataclass(frozen=True, slots=True)
class RowCopy:
    """One table's rows on disk: `sha256` is the file's, `digest` the content's.

    `sequence` is the table's AUTOINCREMENT mark, None where it has none.
    """

    path: Path
    table: str
    columns: tuple[str, ...]
    rowid: str
    rows: int
    digest: str
    sha256: str
    bytes: int
    sequence: int | None = None


def content_digest(
    connection: apsw.Connection, place: str, columns: Sequence[str]
) -> tuple[int, str]:
    """Count and digest the rows of `place` (a quoted table, with its database)."""
    connection.create_scalar_function(_HASH, _row_hash, 1)
    text = row_text(quote_name(name) for name in columns)
    whole = sha256(json.dumps(list(columns)).encode())
    rows = 0
    # SQLite sorts in files once they are many: a list of them here would grow with the table.
    for (one,) in connection.execute(f"SELECT {_HASH}({text}) AS h FROM {place} ORDER BY h"):
        whole.update(bytes.fromhex(str(one)))
        rows += 1
    return rows, whole.hexdigest()


def _row_hash(*cells: object) -> str:
    return sha256(str(cells[0]).encode()).hexdigest()
