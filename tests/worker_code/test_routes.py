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


HANDLE = "(c) => c.env.DB.prepare('SELECT name FROM users'))"
LOAD = "env.DB.prepare('SELECT name FROM users').all()"
SUB = f"const sub = new Hono();\nsub.get('/users', {HANDLE};\nexport default sub;"


def fetching(body: str) -> dict[str, str]:
    """A Worker without a router."""
    return {"a.ts": f"export default {{ async fetch(request, env) {{\n{body}\n}} }};"}


@pytest.mark.parametrize(
    ("files", "routes"),
    [
        pytest.param(
            fetching("const { pathname } = new URL(request.url);\nswitch (pathname) {\n"
                     f"case '/a': return new Response('');\ncase '/b':\ncase '/c':\n {LOAD};\n"
                     "break;\ndefault: return new Response('');\n}"),
            ("ANY /b", "ANY /c"), id="a switch by path",
        ),
        pytest.param(
            fetching("const url = new URL(request.url);\nswitch (`${request.method} "
                     f"${{url.pathname}}`) {{\ncase 'GET /b': {{\n {LOAD};\n}}\n"
                     "case 'POST /b': {\n}\n}"),
            ("GET /b",), id="a switch by method and path",
        ),
        pytest.param(
            fetching(f"switch (true) {{\ncase url.pathname.startsWith('/b/'):\n {LOAD};\n}}"),
            ("ANY /b/*",), id="a switch by conditions",
        ),
        pytest.param(
            fetching("if (request.method === 'POST' && url.pathname === '/b') {\n"
                     f" return {LOAD};\n}} else if ('/c' == url.pathname) {{\n list(env);\n}}\n"
                     "if (url.pathname !== '/d') return null;")
            | {"b.ts": f"export const list = (env) => {LOAD};"},
            ("POST /b",), id="a condition by path; the other is imported by none",
        ),
        pytest.param(
            fetching("if (path.startsWith('/api')) {\n if (path === '/api/b') {\n"
                     f" return {LOAD};\n}}\n}}"),
            ("ANY /api/b",), id="the innermost of two conditions",
        ),
        pytest.param(
            {"a.ts": f"import sub from './sub';\n{APP}app.route('/api', sub);", "sub.ts": SUB},
            ("GET /api/users",), id="below a prefix, of another file",
        ),
        pytest.param(
            {"a.ts": f"import {{ one as two }} from './sub';\n{APP}app.route('/api', two);",
             "sub.ts": SUB.replace("export default sub", "export { sub as one }")},
            ("GET /api/users",), id="by another name",
        ),
        pytest.param(
            {"a.ts": "import mid from './mid';\nconst app = new Hono().basePath('/v1');\n"
                     "app.route('/api', mid);",
             "mid.ts": "import sub from './sub';\n"
                       "const mid = new Hono();\nmid.route('/deep', sub);\nexport default mid;",
             "sub.ts": SUB},
            ("GET /v1/api/deep/users",), id="below three prefixes",
        ),
        pytest.param(
            {"a.ts": f"const app = new Hono().basePath('/api/');\napp.get('users', x);\n"
                     f"app.get('/users', {HANDLE};"},
            ("GET /api/users",), id="a base path",
        ),
        pytest.param(
            {"a.ts": f"{APP}const v2 = app.basePath('/v2');\nv2.get('/', {HANDLE};"},
            ("GET /v2",), id="a base path of another router",
        ),
        pytest.param(
            {"a.ts": f"const router = AutoRouter({{ base: '/api' }});\nrouter.get('/a', y)\n"
                     f"  .get('/users', {HANDLE};"},
            ("GET /api/users",), id="itty's base, and a chain",
        ),
        pytest.param(
            {"a.ts": f"const sub = express.Router();\nsub.get('/users', {HANDLE};\n"
                     "app.use('/api/*', sub);\napp.use('/old', sub);"},
            ("GET /api/users", "GET /old/users"), id="mounted twice",
        ),
        pytest.param(
            {"a.ts": f"{APP}app.route('/api', makeUsers());\nfunction makeUsers() {{\n"
                     f"const sub = new Hono();\nsub.get('/users', {HANDLE};\nreturn sub;\n}}"},
            ("GET /api/users",), id="made by a function",
        ),
        pytest.param(
            {"a.ts": f"import b from './b';\nconst a = new Hono();\na.route('/a', b);\n"
                     f"a.get('/users', {HANDLE};\nexport default a;",
             "b.ts": "import a from './a';\nconst b = new Hono();\nb.route('/b', a);\n"
                     "export default b;"},
            ("GET /b/users",), id="routers in a circle",
        ),
    ],
)  # fmt: skip
def test_routes_are_told_with_the_prefixes_of_their_routers(
    files: dict[str, str], routes: tuple[str, ...]
) -> None:
    assert verdict_of(files, ADD, before=BEFORE).routes == routes
