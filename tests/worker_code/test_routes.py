"""The routes whose queries touch the change, where they can be told."""

import pytest

from code_in_memory import verdict_of

BEFORE = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE logs (at TEXT);"
ADD = "ALTER TABLE users ADD COLUMN age INTEGER;"
APP = "const app = new Hono();\n"


@pytest.mark.parametrize(
    ("files", "routes"),
    [
        pytest.param(
            {"a.ts": APP + "app.get('/users/:id', async (c) =>\n"
             "  c.env.DB.prepare('SELECT name FROM users').first());\n"
             "app.post('/logs', (c) => c.env.DB.prepare('SELECT at FROM logs').first());"},
            ("GET /users/:id",), id="in the handler",
        ),
        pytest.param(
            {"a.ts": APP + "async function load(db) {\n return db.prepare('SELECT * FROM users');"
             "\n}\nasync function list(c) { return load(c.env.DB); }\n"
             "app.get('/users', list);\napp.all('/x', (c) => c.text(''));"},
            ("GET /users",), id="through functions, handed by name",
        ),
        pytest.param(
            {"src/a.ts": "import { load } from './db';\n" + APP + "app.put('/u', (c) => load(c));",
             "src/db.ts": "export const load = (c) => c.env.DB.prepare('SELECT * FROM users');"},
            ("PUT /u",), id="of another file",
        ),
        pytest.param(
            {"a.ts": "cache.get('/users');\nexport const f = (db) => db.prepare("
             "'SELECT * FROM users');"},
            (), id="none that can be told",
        ),
    ],
)  # fmt: skip
def test_routes_are_those_whose_queries_touch_a_changed_table(
    files: dict[str, str], routes: tuple[str, ...]
) -> None:
    assert verdict_of(files, ADD, before=BEFORE).routes == routes


def test_rows_that_the_migration_rewrites_count_as_a_change() -> None:
    files = {"a.ts": APP + "app.get('/l', (c) => c.env.DB.prepare('SELECT at FROM logs'));"}

    found = verdict_of(files, "UPDATE logs SET at = upper(at);", before=BEFORE)

    assert found.routes == ("GET /l",)
