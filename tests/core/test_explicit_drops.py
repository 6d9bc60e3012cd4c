"""An index, trigger or view that a DROP names is declared by it, whatever else the file does."""

import pytest

from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.project.migration import Migration

PRIOR = """CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE u(id INTEGER PRIMARY KEY);
CREATE INDEX t_a ON t(a); CREATE VIEW v AS SELECT a FROM t;
CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; END;"""


@pytest.mark.parametrize("beside", ["", "DROP TABLE u;", "DELETE FROM u;"])
@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("DROP INDEX t_a; DROP VIEW V; DROP TRIGGER IF EXISTS g;", ("t_a", "v", "g")),
        ("DROP VIEW IF EXISTS other;", ()),
        ("DROP VIEW v; CREATE VIEW v AS SELECT id FROM t;", ("v",)),
    ],
)
def test_the_objects_that_a_drop_names(sql: str, names: tuple[str, ...], beside: str) -> None:
    schema = schema_after([Migration.from_text("0001_a_b.sql", PRIOR)])
    found = analyse(Migration.from_text("0002_a_b.sql", sql + beside), schema, whole=True)
    assert found.effects.objects_dropped == names
