"""A table whose keys are of every kind is walked to the close: no row is skipped, none doubled."""

from pathlib import Path

import apsw
import pytest

from actions.fake_target import EARLIER, ROWS, Bench
from d1_preflight.actions import copy_rows
from d1_preflight.core.record.change_facts import CopyFacts
from d1_preflight.core.rows import fingerprint, paging

ODD = (
    "CREATE TABLE odd(k, n TEXT COLLATE NOCASE, v TEXT, old TEXT, PRIMARY KEY(n, k))"
    " WITHOUT ROWID;\n"
)
KEYS = (
    "1", "-1", "9007199254740993", "-9223372036854775808", "1e300", "5e-324", "-0.5", "9e999",
    "''", "'a'", "'A '", "'a' || char(0) || 'b'", "CAST(X'FF' AS TEXT)", "CAST(X'C361' AS TEXT)",
    "X''", "X'00'", "X'FF'", "X'61'", "'it''s; -- x'", "printf('%300s', 'long')",
)  # fmt: skip
NAMES = ("'x'", "'Y'", "CAST(X'FE' AS TEXT)")
FILLED = ROWS + "".join(
    f"INSERT INTO odd VALUES ({key}, {name}, {key}, 'o');\n" for key in KEYS for name in NAMES
)


# The suite has it page by page (core/test_paging.py: the pages of any table are the table), stretch
# by stretch (core/test_broken_text.py), and walks of tables of every kind (test_odd_tables.py).
@pytest.mark.matrix
@pytest.mark.parametrize(
    "sql",
    ["UPDATE odd SET v = hex(v) WHERE n = 'y';\n", "ALTER TABLE odd DROP COLUMN old;\n"],
)
async def test_keys_of_every_kind_are_walked_to_the_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.setattr(copy_rows, "_SMALLEST_PAGE", 500)
    monkeypatch.setattr(copy_rows, "PAGE_BYTES", 2_000)
    monkeypatch.setattr(paging, "PAGE_BYTES", 2_000)
    monkeypatch.setattr(fingerprint, "_PIECES_PER_STATEMENT", 300)
    kind = "destructive" if "DROP" in sql else "transformative"
    bench = Bench(tmp_path, sql, kind, earlier=EARLIER + ODD, rows=FILLED)
    before = _hexed(bench.target.connection)

    await bench.walk("close")

    assert _hexed(bench.target.connection) == before
    copied = CopyFacts.from_attempt(bench.session.record.last("copied"))
    assert [t.rows for t in copied.tables if t.table == "odd"] == [len(KEYS) * len(NAMES)]
    assert bench.target.commands.count("read") > 15  # page by page


def _hexed(connection: apsw.Connection) -> list[tuple[object, ...]]:
    query = "SELECT typeof(k), hex(k), hex(n) FROM odd ORDER BY 1, 2, 3"
    return [tuple(row) for row in connection.execute(query)]
