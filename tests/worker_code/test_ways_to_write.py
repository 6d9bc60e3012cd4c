"""However a query is written: what a rename breaks is found exactly, or is said to be not read."""

import pytest

from code_in_memory import Files, queries_in, verdict_of
from sampling import sampled

BASE = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);
CREATE TABLE logs (id INTEGER PRIMARY KEY, at TEXT);
"""
RENAME = "ALTER TABLE users RENAME COLUMN name TO title"
SQL = "SELECT name FROM users"
RUN = "export const run = (db: D1Database, sql: string) => db.prepare(sql).all()\n"
OTHERS: Files = {
    "src/run.ts": RUN,
    "src/other.ts": "import { run } from './run'; run(env.DB, 'SELECT id FROM logs')",
    "src/direct.ts": "db.prepare('SELECT id FROM users')",
}
FOUND: dict[str, str] = {
    "nested tag": "sql`SELECT id FROM users ${sql`WHERE name = ${x}`} LIMIT 1`",
    "nested tag of a constant": "const f = sql`WHERE name = ${x}`; sql`SELECT id FROM users ${f}`",
    "deeper tag": "sql`SELECT 1 WHERE 1 IN (${sql`SELECT id FROM users WHERE ${sql`name = 1`}`})`",
    "joined list": "db.prepare(['SELECT name', 'FROM users'].join(' '))",
    "joined with conditions": "db.prepare(['SELECT id FROM users', x && 'WHERE name = 1']"
    ".filter(Boolean).join(' '))",
    "raw": f"db.prepare(String.raw`{SQL}`)",
    "concat": "db.prepare('SELECT name '.concat('FROM users', ' LIMIT 1'))",
    "enum": f"enum Q {{ A = '{SQL}', B = 'SELECT 1' }} db.prepare(Q.A)",
    "static field": f"class Q {{ static readonly A = '{SQL}' }} db.prepare(Q.A)",
    "static getter": f"class Q {{ static get A() {{ return '{SQL}' }} }} db.prepare(Q.A)",
    "field of a constructor": f"class R {{ constructor() {{ this.q = '{SQL}' }} "
    "f() { db.prepare(this.q) } }",
    "object that is spread": f"const A = {{ a: '{SQL}' }}; const B = {{ ...A }}; db.prepare(B.a)",
    "map": f"const M = new Map([['a', '{SQL}'], ['b', 'SELECT 1']]); db.prepare(M.get(k)!)",
    "replaced placeholder": "db.prepare('SELECT {c} FROM users'.replace('{c}', 'name'))",
    "replaced pattern": "db.prepare('SELECT :c FROM users'.replace(/:c/g, 'name'))",
    "replaced unknown": "db.prepare('SELECT name FROM users $w'.replace('$w', where))",
    "default of a parameter": f"const f = (q = '{SQL}') => db.prepare(q); f()",
    "default of a field": f"function f({{ q = '{SQL}' }}) {{ db.prepare(q) }} f({{}})",
    "ternary": f"db.prepare(x ? '{SQL}' : 'SELECT 1')",
    "switch": f"function q(k) {{ switch (k) {{ case 1: return '{SQL}'; default: return 'SELECT 1' "
    "} } db.prepare(q(k))",
    "called at once": f"db.prepare((() => '{SQL}')())",
    "comma": f"db.prepare((0, '{SQL}'))",
    "entries of an object": "const F = { name: 1, age: 2 }; db.prepare(`UPDATE users SET "
    "${Object.entries(F).map(([k]) => `${k} = ?`).join(', ')}`)",
    "loop over entries": "const F = { name: 1 }; for (const [k] of Object.entries(F)) "
    "db.prepare(`SELECT ${k} FROM users`)",
    "bound method": f"const p = db.prepare.bind(db); p('{SQL}')",
    "method taken out": f"const {{ prepare }} = db; prepare('{SQL}')",
    "method by bracket": f"db['prepare']('{SQL}')",
    "import under another name": f"import {{ run as q }} from './run'; q(env.DB, '{SQL}')",
    "namespace": f"import * as d from './run'; d.run(env.DB, '{SQL}')",
    "required": f"const {{ run }} = require('./run'); run(env.DB, '{SQL}')",
    "imported late": f"const {{ run: q }} = await import('./run'); q(env.DB, '{SQL}')",
    "call over a list": "import { run } from './run'; "
    f"['{SQL}'].map((s) => run(env.DB, s))",
}  # fmt: skip
SAID: dict[str, str] = {
    "reduced list": "db.prepare(['SELECT name', 'FROM users'].reduce((a, b) => a + b))",
    "namespace of TypeScript": f"namespace Q {{ export const A = '{SQL}' }} db.prepare(Q.A)",
    "tag of its own": "const q = (s, ...v) => db.prepare(s.join('?')); q`SELECT name FROM users`",
    "spread arguments": f"import {{ run }} from './run'; const a = [env.DB, '{SQL}']; run(...a)",
    "made by a function": f"const make = (d) => (s) => d.prepare(s); make(db)('{SQL}')",
}
HOMES: dict[str, Files] = {
    "workspace package": {
        "src/a.ts": f"import {{ query }} from '@acme/db'; query(env.DB, '{SQL}')",
        "packages/db/package.json": '{"name": "@acme/db", "main": "dist/index.js"}',
        "packages/db/src/index.ts": "export * from './query'",
        "packages/db/src/query.ts": "export function query(db, sql) { return db.prepare(sql) }",
    },
    "exported under another name": {
        "src/a.ts": f"import {{ query }} from './all'; query(env.DB, '{SQL}')",
        "src/all.ts": "export { run as query } from './run'",
    },
    "renamed twice": {
        "src/a.ts": f"import {{ query as q }} from './all'; q(env.DB, '{SQL}')",
        "src/all.ts": "export { run as query } from './run'",
    },
    "default": {
        "src/a.ts": f"import q from './run'; q(env.DB, '{SQL}')",
        "src/run.ts": f"{RUN}export default run",
    },
    "default of a function": {
        "src/a.ts": f"import q from './run'; q(env.DB, '{SQL}')",
        "src/run.ts": "export default function run(db, sql) { db.prepare(sql) }\nexport { run }",
    },
    "static method": {
        "src/a.ts": f"import {{ Db }} from './db'; Db.query(env.DB, '{SQL}')",
        "src/db.ts": "export class Db { static query(d, sql) { return d.prepare(sql) } }",
    },
    "enum of another file": {
        "src/a.ts": "import { Q } from './q'; db.prepare(Q.A)",
        "src/q.ts": f"export enum Q {{ A = '{SQL}' }}",
    },
    "static field of another file": {
        "src/a.ts": "import { Q } from './q'; db.prepare(Q.A)",
        "src/q.ts": f"export class Q {{ static A = '{SQL}' }}",
    },
}


@pytest.mark.parametrize("kind", sampled([*FOUND, *HOMES], 2))
def test_the_renamed_column_is_found(kind: str) -> None:
    files = HOMES[kind] if kind in HOMES else {"src/a.ts": FOUND[kind]}

    deployed = verdict_of({**OTHERS, **files}, RENAME, before=BASE).deployed

    assert [(query.path, query.line) for query in deployed.harmed] == [("src/a.ts", 1)]
    assert "no such column: name" in deployed.harmed[0].words


@pytest.mark.parametrize("kind", SAID)
def test_what_is_not_read_is_said(kind: str) -> None:
    deployed = verdict_of({**OTHERS, "src/a.ts": SAID[kind]}, RENAME, before=BASE).deployed

    assert deployed.harmed == ()
    assert deployed.unread


def test_the_first_is_replaced_unless_all_are_meant() -> None:
    once = "db.prepare('SELECT $c, $c FROM users'.replace('$c', 'age'))"

    assert queries_in(once) == ["SELECT age, $c FROM users"]
    assert queries_in(once.replace("'$c',", "/[$]c/,")) != ["SELECT age, age FROM users"]
    for every in ("replaceAll('$c'", r"replace(/\$c/g"):
        assert queries_in(once.replace("replace('$c'", every)) == ["SELECT age, age FROM users"]
