"""What disappears when a migration runs over rows must be in its effects; safe forms pass.

Schemas, rows and migrations are put together by chance, run in D1's engine with foreign keys on
and D1's limits, and judged. Every row carries a tag by which it is known again.
"""

from dataclasses import dataclass

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from as_d1 import run_as_d1
from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.findings import Analysis, Kind
from d1_preflight.core.project.migration import Migration
from law_size import examples

ACTIONS = ("CASCADE", "SET NULL", "NO ACTION", "RESTRICT", "SET DEFAULT")
Rows = dict[str, list[dict[str, object]]]
TAILS = (
    "", "", "", " WHERE 1=1", " WHERE TRUE", " WHERE 1 AND n = 2", " WHERE id > 1", " LIMIT 1",
    " ORDER BY id LIMIT 1", " GROUP BY n", " EXCEPT SELECT * FROM p WHERE id = 1",
    " UNION SELECT * FROM p", " JOIN q ON q.id = p.id", " LEFT JOIN q ON q.id = p.id + 100",
)  # fmt: skip
SELECTS = (
    "id, tag, a, n", "id, tag, a, n", "p.id, p.tag, p.a AS a, p.n", "id, tag, NULLIF(a, 'a1'), n",
    "id, tag, COALESCE(a, 'z'), n", "id, tag, CAST(a AS INTEGER), n", "id, tag, n, a",
    "id, tag, NULL, n", "id, tag, 'x', n", 'id, tag, "aa", n', "max(id), tag, a, n",
    "DISTINCT id, tag, a, n", "rowid, tag, a, n", "id, tag, a, (SELECT count(*) FROM q)",
)  # fmt: skip
COLUMNS = ("(id, tag, a, n)", "(id, tag, a, n)", "")
SHAPES = (
    "id INTEGER PRIMARY KEY, tag TEXT, a TEXT, n INTEGER",
    "id INTEGER PRIMARY KEY, tag TEXT, a TEXT, n INTEGER",
    "id INTEGER PRIMARY KEY, tag TEXT, a TEXT, n INTEGER UNIQUE ON CONFLICT REPLACE",
    "id INTEGER PRIMARY KEY, tag TEXT, a TEXT NOT NULL ON CONFLICT IGNORE, n INTEGER",
    "id INTEGER PRIMARY KEY, tag TEXT, a TEXT UNIQUE, n INTEGER",
)
NAMES = ("p", "P", '"p"', "`p`", "[p]", "main.p", 'main . "P"', "/* q */ p")
SINGLE = (
    "DELETE FROM {p};", "DELETE FROM {p} WHERE id = 1 RETURNING id;", "DROP TABLE {p};",
    "DROP TABLE IF EXISTS {p};", "WITH x AS (SELECT 1 AS i) DELETE FROM {p} WHERE id IN x;",
    "UPDATE {p} SET a = q.tag FROM q WHERE q.id = p.id;", "UPDATE OR REPLACE {p} SET id = 2;",
    "UPDATE {p} SET a = 'k' || id;", "UPDATE OR IGNORE {p} SET id = 9 WHERE id = 2;",
    "INSERT OR REPLACE INTO {p}(id, tag, a, n) VALUES (9, 'fresh', 'a1', 7);",
    "REPLACE INTO {p}(id, tag) VALUES (1, 'p1');", "INSERT INTO {p}(id, tag) VALUES (9, 'fresh');",
    "INSERT INTO {p}(id, tag) VALUES (1, 'p1') ON CONFLICT(id) DO UPDATE SET a = NULL;",
    "CREATE UNIQUE INDEX pa ON p(a);", "ALTER TABLE {p} ADD COLUMN z TEXT DEFAULT 'z';",
    "ALTER TABLE {p} DROP COLUMN a;", "ALTER TABLE {p} RENAME COLUMN a TO b;",
    "ALTER TABLE {p} RENAME TO p_old;", "DROP TABLE p_old;", "ALTER TABLE p_old RENAME TO p;",
    ("ALTER TABLE p ADD COLUMN a2 TEXT; UPDATE p SET a2 = a; ALTER TABLE p DROP COLUMN a;"
    " ALTER TABLE p RENAME COLUMN a2 TO a;"),
    ("ALTER TABLE p ADD COLUMN a2 TEXT; UPDATE p SET a2 = a WHERE id = 1;"
    " ALTER TABLE p DROP COLUMN a; ALTER TABLE p RENAME COLUMN a2 TO a;"),
    "PRAGMA defer_foreign_keys = on;", "PRAGMA defer_foreign_keys = off;",
    "PRAGMA foreign_keys = OFF;", "PRAGMA recursive_triggers = ON;", "EXPLAIN DELETE FROM p;",
    "CREATE TABLE _k AS SELECT * FROM kid;", "CREATE TABLE _k AS SELECT * FROM kid WHERE id = 1;",
    "CREATE TABLE _k AS SELECT id, tag FROM kid;", "INSERT INTO kid SELECT * FROM _k;",
    "INSERT INTO kid(id, tag) SELECT id, tag FROM _k;",
    "INSERT OR IGNORE INTO kid SELECT * FROM _k;",
    "INSERT INTO q(tag) SELECT tag FROM _k;", "DELETE FROM _k;", "DELETE FROM kid;",
    "UPDATE kid SET p = (SELECT _k.p FROM _k WHERE _k.id = kid.id);", "UPDATE kid SET p = NULL;",
    "CREATE TRIGGER g BEFORE DELETE ON kid BEGIN SELECT RAISE(ABORT, 'kid'); END;",
    "CREATE TRIGGER g BEFORE DELETE ON kid BEGIN SELECT RAISE(ABORT, 'kid') WHERE 0; END;",
    "CREATE TRIGGER h AFTER UPDATE ON p BEGIN DELETE FROM q WHERE id = OLD.id; END;",
    ("CREATE TRIGGER h AFTER INSERT ON p BEGIN INSERT OR REPLACE INTO u(k, tag, v)"
    " VALUES ('k9', 'fresh', 'v1'); END;"),
    "CREATE TRIGGER h AFTER INSERT ON q BEGIN INSERT INTO u VALUES ('k9', 'fresh', 'v1'); END;",
    "INSERT OR REPLACE INTO q(id, tag) VALUES (9, 'fresh');", "DROP TRIGGER g;",
    "REPLACE INTO u VALUES ('k9', 'fresh', 'v1');", "DELETE FROM tree WHERE id = 1;",
    ("CREATE VIEW v AS SELECT * FROM q; CREATE TRIGGER vd INSTEAD OF DELETE ON v"
    " BEGIN DELETE FROM q WHERE id = OLD.id; END; DELETE FROM v WHERE id = 1;"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """A schema and the rows in it."""

    prior: str
    rows: str


@st.composite
def worlds(draw: st.DrawFn) -> World:
    actions = [draw(st.sampled_from(ACTIONS)) for _ in range(3)]
    updated = draw(st.sampled_from(("NO ACTION", "CASCADE", "SET NULL")))
    unique = draw(st.sampled_from(("", " UNIQUE", " UNIQUE ON CONFLICT REPLACE")))
    tree = draw(st.sampled_from(("CASCADE", "SET NULL")))
    prior = f"""
    CREATE TABLE p(id INTEGER PRIMARY KEY, tag TEXT, a TEXT{unique}, n INTEGER);
    CREATE TABLE kid(id INTEGER PRIMARY KEY, tag TEXT,
      p INTEGER DEFAULT 1 REFERENCES p(id) ON DELETE {actions[0]} ON UPDATE {updated});
    CREATE TABLE grand(id INTEGER PRIMARY KEY, tag TEXT,
      kid INTEGER DEFAULT 1 REFERENCES kid(id) ON DELETE {actions[1]});
    CREATE TABLE q(id INTEGER PRIMARY KEY, tag TEXT, p INTEGER DEFAULT 1);
    CREATE TABLE u(k TEXT PRIMARY KEY, tag TEXT, v TEXT UNIQUE) WITHOUT ROWID;
    CREATE TABLE tree(id INTEGER PRIMARY KEY, tag TEXT,
      up INTEGER REFERENCES tree(id) ON DELETE {tree});
    """
    child = draw(st.sampled_from((2, None)))
    value = "NULL" if child is None else str(child)
    rows = f"""
    INSERT INTO p VALUES (1, 'p1', 'a1', 1), (2, 'p2', 'a2', 2), (3, 'p3', NULL, 2);
    INSERT INTO kid VALUES (1, 'kid1', {value}), (2, 'kid2', 3);
    INSERT INTO grand VALUES (1, 'grand1', 1), (2, 'grand2', 2);
    INSERT INTO q VALUES (1, 'q1', 1), (2, 'q2', 2);
    INSERT INTO u VALUES ('k1', 'u1', 'v1'), ('k2', 'u2', 'v2');
    INSERT INTO tree VALUES (1, 'tree1', NULL), (2, 'tree2', 1), (3, 'tree3', 2);
    """
    return World(prior, rows)


@st.composite
def rebuilds(draw: st.DrawFn) -> str:
    shape, columns = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(COLUMNS))
    select, tail = draw(st.sampled_from(SELECTS)), draw(st.sampled_from(TAILS))
    verb = draw(st.sampled_from(("INSERT", "INSERT", "INSERT OR IGNORE", "INSERT OR REPLACE")))
    name = draw(st.sampled_from(NAMES))
    if draw(st.booleans()):
        return (
            f"CREATE TABLE p2({shape}); {verb} INTO p2{columns} SELECT {select} FROM p{tail};"
            f" DROP TABLE {name}; ALTER TABLE p2 RENAME TO p;"
        )
    return (
        f"ALTER TABLE {name} RENAME TO p_was; CREATE TABLE p({shape});"
        f" {verb} INTO p{columns} SELECT {select.replace('p.', 'p_was.')} FROM p_was;"
        " DROP TABLE p_was;"
    )


def singles() -> st.SearchStrategy[str]:
    return st.builds(
        lambda text, name: text.replace("{p}", name),
        st.sampled_from(SINGLE),
        st.sampled_from(NAMES),
    )


def migrations() -> st.SearchStrategy[str]:
    return st.lists(singles() | rebuilds(), min_size=1, max_size=6).map("\n".join)


def read(connection: apsw.Connection) -> Rows:
    found: Rows = {}
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (name,) in connection.execute(query).fetchall():
        columns = [str(row[1]) for row in connection.execute(f'PRAGMA table_xinfo("{name}")')]
        rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
        found[str(name).lower()] = [dict(zip(columns, row, strict=True)) for row in rows]
    return found


def run(world: World, sql: str) -> tuple[Rows, Rows | None]:
    """The rows before, and after; None where D1 refuses the file and rolls it back."""
    connection = apsw.Connection(":memory:")
    connection.execute(world.prior + world.rows)
    before = read(connection)
    if not run_as_d1(connection, sql):
        return before, None
    return before, read(connection)


def judge(world: World, sql: str) -> Analysis:
    prior = schema_after([Migration.from_text("0001_prior_state.sql", world.prior)])
    return analyse(Migration.from_text("0002_a_b.sql", sql), prior)


def lost_and_changed(before: Rows, after: Rows) -> tuple[set[str], set[tuple[str, str]]]:
    """The tables with rows that are gone, and the cells that hold another value."""
    lost, changed = set[str](), set[tuple[str, str]]()
    for table, rows in before.items():
        now = {row.get("tag"): row for row in after.get(table, [])}
        for row in rows:
            there = now.get(row["tag"])
            if there is None:
                lost.add(table)
                continue
            for column, value in row.items():
                if column not in there or str(there[column]) != str(value):
                    changed.add((table, column))
    return lost, changed


def is_told(analysis: Analysis, table: str, column: str) -> bool:
    effects = analysis.effects
    name = f"{table}.{column}"
    cells = (*effects.columns_dropped, *effects.columns_renamed, *effects.references_nulled_in)
    tables = (*effects.rows_updated_in, *effects.rows_deleted_in, *effects.tables_dropped)
    return name in cells or table in tables


@settings(deadline=None, max_examples=examples(400))
@given(worlds(), migrations())
def test_whatever_disappears_is_in_the_effects(world: World, sql: str) -> None:
    before, after = run(world, sql)
    if after is None:
        return
    analysis = judge(world, sql)
    effects = analysis.effects
    lost, changed = lost_and_changed(before, after)
    renamed = {table for table in before if table not in after} - set(effects.tables_dropped)
    gone = {*effects.rows_deleted_in, *effects.tables_dropped, *renamed}
    overwritten = {"p", "u"} & set(effects.rows_updated_in)  # REPLACE puts another in its place
    overwritten |= {name.split(".")[0] for name in effects.columns_dropped if "tag" in name}
    assert lost <= gone | overwritten
    for table, column in changed:
        assert table in renamed or is_told(analysis, table, column), (table, column)
    if analysis.kind in (Kind.ADDITIVE, Kind.NONE):
        assert (lost, changed) == (set(), set())


@settings(deadline=None, max_examples=examples(200))
@given(worlds(), migrations())
def test_rows_of_tables_that_no_statement_names_never_go_without_a_blocking_finding(
    world: World, sql: str
) -> None:
    before, after = run(world, sql)
    if after is None or "FROM kid" in sql or "kid " in sql:
        return
    lost, _ = lost_and_changed(before, after)
    if lost & {"kid", "grand"}:
        analysis = judge(world, sql)
        assert any(finding.rows_at_risk and finding.blocks for finding in analysis.findings)


PLAIN = World(
    """
    CREATE TABLE p(id INTEGER PRIMARY KEY, tag TEXT, a TEXT, n INTEGER);
    CREATE TABLE kid(id INTEGER PRIMARY KEY, tag TEXT, p INTEGER REFERENCES p(id)
      ON DELETE CASCADE);
    CREATE TABLE pin(id INTEGER PRIMARY KEY, tag TEXT, p INTEGER REFERENCES p(id)
      ON DELETE SET NULL);
    CREATE TABLE tree(id INTEGER PRIMARY KEY, tag TEXT, up INTEGER REFERENCES tree(id)
      ON DELETE CASCADE);
    CREATE TABLE solo(id INTEGER PRIMARY KEY, tag TEXT, n INTEGER);
    CREATE TABLE safe(id INTEGER PRIMARY KEY, tag TEXT, n INTEGER);
    CREATE TABLE ward(id INTEGER PRIMARY KEY, tag TEXT, safe INTEGER REFERENCES safe(id));
    """,
    """
    INSERT INTO p VALUES (1, 'p1', 'a1', 1), (2, 'p2', 'a2', 2);
    INSERT INTO kid VALUES (1, 'kid1', 1), (2, 'kid2', 2);
    INSERT INTO pin VALUES (1, 'pin1', 1), (2, 'pin2', 2);
    INSERT INTO tree VALUES (1, 'tree1', NULL), (2, 'tree2', 1);
    INSERT INTO solo VALUES (1, 'solo1', 1), (2, 'solo2', 2);
    INSERT INTO safe VALUES (1, 'safe1', 1), (2, 'safe2', 2);
    INSERT INTO ward VALUES (1, 'ward1', 1), (2, 'ward2', 2);
    """,
)
SAFE = {
    "in place": "ALTER TABLE p ADD COLUMN n2 TEXT; UPDATE p SET n2 = n;"
    " ALTER TABLE p DROP COLUMN n; ALTER TABLE p RENAME COLUMN n2 TO n;",
    "unique by index": "CREATE UNIQUE INDEX p_a ON p(a);",
    "a rebuild without children": "CREATE TABLE s2(id INTEGER PRIMARY KEY, tag TEXT, n INTEGER);"
    " INSERT INTO s2(id, tag, n) SELECT id, tag, n FROM solo; DROP TABLE solo;"
    " ALTER TABLE s2 RENAME TO solo;",
    "a rebuild that refers to itself by its new name": "CREATE TABLE tree2(id INTEGER PRIMARY KEY,"
    " tag TEXT, up INTEGER REFERENCES tree2(id) ON DELETE CASCADE);"
    " INSERT INTO tree2(id, tag, up) SELECT id, tag, up FROM tree; DROP TABLE tree;"
    " ALTER TABLE tree2 RENAME TO tree;",
    "the whole tree": "PRAGMA defer_foreign_keys = on;"
    " CREATE TABLE p2(id INTEGER PRIMARY KEY, tag TEXT, a TEXT, n INTEGER);"
    " CREATE TABLE kid2(id INTEGER PRIMARY KEY, tag TEXT,"
    " p INTEGER REFERENCES p2(id) ON DELETE CASCADE);"
    " CREATE TABLE pin2(id INTEGER PRIMARY KEY, tag TEXT,"
    " p INTEGER REFERENCES p2(id) ON DELETE SET NULL);"
    " INSERT INTO p2(id, tag, a, n) SELECT id, tag, a, n FROM p;"
    " INSERT INTO kid2(id, tag, p) SELECT id, tag, p FROM kid;"
    " INSERT INTO pin2(id, tag, p) SELECT id, tag, p FROM pin;"
    " DROP TABLE pin; DROP TABLE kid; DROP TABLE p; ALTER TABLE p2 RENAME TO p;"
    " ALTER TABLE kid2 RENAME TO kid; ALTER TABLE pin2 RENAME TO pin;",
    "rows parked": "PRAGMA defer_foreign_keys = on; CREATE TABLE _kid AS SELECT * FROM kid;"
    " CREATE TABLE _pin AS SELECT id, p FROM pin;"
    " CREATE TABLE p2(id INTEGER PRIMARY KEY, tag TEXT, a TEXT, n INTEGER);"
    " INSERT INTO p2(id, tag, a, n) SELECT id, tag, a, n FROM p; DROP TABLE p;"
    " ALTER TABLE p2 RENAME TO p; INSERT INTO kid SELECT * FROM _kid;"
    " UPDATE pin SET p = (SELECT _pin.p FROM _pin WHERE _pin.id = pin.id);"
    " DROP TABLE _kid; DROP TABLE _pin;",
    "a backup under NO ACTION": "PRAGMA defer_foreign_keys = on;"
    " CREATE TABLE _bak AS SELECT * FROM safe; DROP TABLE safe;"
    " CREATE TABLE safe(id INTEGER PRIMARY KEY, tag TEXT, n INTEGER);"
    " INSERT INTO safe(id, tag, n) SELECT id, tag, n FROM _bak; DROP TABLE _bak;",
    "an assert table": "CREATE TABLE s2(id INTEGER PRIMARY KEY, tag TEXT, n INTEGER);"
    " INSERT INTO s2(id, tag, n) SELECT id, tag, n FROM solo; CREATE TABLE _a(ok CHECK(ok = 1));"
    " INSERT INTO _a SELECT (SELECT count(*) FROM solo) = (SELECT count(*) FROM s2);"
    " DROP TABLE _a; DROP TABLE solo; ALTER TABLE s2 RENAME TO solo;",
}


@pytest.mark.parametrize("form", SAFE)
def test_a_safe_form_keeps_every_row_and_is_not_blocked(form: str) -> None:
    before, after = run(PLAIN, SAFE[form])
    assert after is not None
    assert lost_and_changed(before, after) == (set(), set())
    analysis = judge(PLAIN, SAFE[form])
    assert [f.rule for f in analysis.findings if f.rows_at_risk and f.blocks] == []
    assert analysis.effects.rows_deleted_in == ()
    assert analysis.effects.references_nulled_in == ()


GUARDED = (
    "CREATE TRIGGER g BEFORE DELETE ON kid BEGIN SELECT RAISE(ABORT, 'cascade'); END;"
    " CREATE TRIGGER h BEFORE UPDATE OF p ON pin BEGIN SELECT RAISE(ABORT, 'null'); END;"
    " CREATE TABLE p2(id INTEGER PRIMARY KEY, tag TEXT, a TEXT, n INTEGER);"
    " INSERT INTO p2(id, tag, a, n) SELECT id, tag, a, n FROM p; DROP TABLE p;"
    " ALTER TABLE p2 RENAME TO p; DROP TRIGGER g; DROP TRIGGER h;"
)


def test_a_guard_turns_the_loss_into_a_rollback_and_is_believed() -> None:
    assert run(PLAIN, GUARDED)[1] is None
    assert [f.rule for f in judge(PLAIN, GUARDED).findings if f.rows_at_risk and f.blocks] == []


@pytest.mark.parametrize("half", [" WHERE OLD.id > 9", " FROM p LIMIT 0"])
def test_a_guard_that_lets_some_rows_go_is_not_believed(half: str) -> None:
    weak = GUARDED.replace("'cascade')", f"'cascade'){half}")
    assert "kid" in judge(PLAIN, weak).effects.rows_deleted_in
