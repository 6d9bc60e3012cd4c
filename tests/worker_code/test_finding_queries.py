"""The queries of source code are found in the ways in which Workers write them."""

import pytest

from code_in_memory import code_of, queries_in, texts_of
from d1_preflight.code.source import Scope

WRITTEN = {
    "string": ("db.prepare('SELECT 1').first()", ["SELECT 1"]),
    "double quotes": ('env.DB.prepare("SELECT 1")', ["SELECT 1"]),
    "escapes": (r"db.prepare('SELECT \'a\'\n, \x41\u{42}')", ["SELECT 'a'\n, AB"]),
    "template": ("db.prepare(`SELECT\n 1`)", ["SELECT\n 1"]),
    "concatenation": (
        "db.prepare('SELECT a ' + 'FROM t ' + `WHERE 1`)",
        ["SELECT a FROM t WHERE 1"],
    ),
    "type argument": ("db.prepare<Row>('SELECT 1')", ["SELECT 1"]),
    "constant": ("const Q = 'SELECT 1'; db.prepare(Q)", ["SELECT 1"]),
    "constant below": ("function f() { db.prepare(Q) }\nconst Q = 'SELECT 1';", ["SELECT 1"]),
    "inner constant": (
        "const Q = 'SELECT 1'; function f() { const Q = 'SELECT 2'; db.prepare(Q) }",
        ["SELECT 2"],
    ),
    "object": ("const Q = { one: 'SELECT 1' } as const; db.prepare(Q.one)", ["SELECT 1"]),
    "static field": (
        "class S { static readonly COLS = 'a, b'; f() { db.prepare(`SELECT ${S.COLS} FROM t`) } }",
        ["SELECT a, b FROM t"],
    ),
    "private field": (
        "class S { private table = 't'; f() { db.prepare(`SELECT 1 FROM ${this.table}`) } }",
        ["SELECT 1 FROM t"],
    ),
    "ternary": (
        "db.prepare(up ? 'SELECT a FROM t' : 'SELECT b FROM t')",
        ["SELECT a FROM t", "SELECT b FROM t"],
    ),
    "let and branches": (
        "let q; if (a) { q = 'SELECT 1' } else { q = 'SELECT 2' } db.prepare(q)",
        ["SELECT 1", "SELECT 2"],
    ),
    "added in a branch": (
        "let q = 'SELECT a FROM t'; if (x) { q += ' WHERE b = ?' } q += ' LIMIT 1'; db.prepare(q)",
        ["SELECT a FROM t WHERE b = ? LIMIT 1", "SELECT a FROM t LIMIT 1"],
    ),
    "added to itself": (
        "let q = 'SELECT a FROM t'; if (x) q = q + ' LIMIT 1'; db.prepare(q)",
        ["SELECT a FROM t LIMIT 1", "SELECT a FROM t"],
    ),
    "pushed": (
        (
            "const w: string[] = ['a = ?']; if (x) { w.push('b = ?') }\n"
            "db.prepare(`SELECT 1 FROM t WHERE ${w.join(' AND ')}`)"
        ),
        ["SELECT 1 FROM t WHERE a = ? AND b = ?", "SELECT 1 FROM t WHERE a = ?"],
    ),
    "marks": (
        "const m = ids.map(() => '?').join(','); db.prepare(`SELECT 1 FROM t WHERE a IN (${m})`)",
        ["SELECT 1 FROM t WHERE a IN (?)"],
    ),
    "for of": (
        "for (const t of ['a', 'b']) { await db.prepare(`DELETE FROM ${t}`).run() }",
        ["DELETE FROM a", "DELETE FROM b"],
    ),
    "list callback": (
        "db.batch(['a', 'b'].map((t) => db.prepare(`DELETE FROM ${t}`)))",
        ["DELETE FROM a", "DELETE FROM b"],
    ),
    "mapped columns": (
        "const C = ['a', 'b']; db.prepare(`UPDATE t SET ${C.map((c) => `${c} = ?`).join(', ')}`)",
        ["UPDATE t SET a = ?, b = ?"],
    ),
    "chosen of a table of texts": (
        "const O = { up: 'a ASC', down: 'a DESC' }; db.prepare(`SELECT a FROM t ORDER BY ${O[k]}`)",
        ["SELECT a FROM t ORDER BY a ASC", "SELECT a FROM t ORDER BY a DESC"],
    ),
    "exec": ("env.DB.exec('DELETE FROM t')", ["DELETE FROM t"]),
    "a Durable Object's own": ("this.ctx.storage.sql.exec('SELECT 1'); sql.exec('SELECT 2')", []),
    "exec of a pattern": ("const m = /a/.exec(text); re.exec('other')", []),
    "tag": ("const r = await sql`SELECT ${id} FROM t`", ["SELECT ${id} FROM t"]),
    "hole": ("db.prepare(`SELECT 1 FROM ${table}`)", ["SELECT 1 FROM ${table}"]),
    "wrapper": (
        (
            "async function all(q: string, ...a: any[]) { return db.prepare(q).bind(...a).all() }\n"
            "all('SELECT 1'); all(`SELECT 2`, 3)"
        ),
        ["SELECT 1", "SELECT 2"],
    ),
    "wrapper of a wrapper": (
        (
            "const a = (q: string) => db.prepare(q); const b = (q: string) => a(q + ' LIMIT 1');\n"
            "b('SELECT 1')"
        ),
        ["SELECT 1 LIMIT 1"],
    ),
    "method": (
        "class S { q(sql: string) { return this.db.prepare(sql) } f() { this.q('SELECT 1') } }",
        ["SELECT 1"],
    ),
    "table by parameter": (
        "const l = (table: string) => db.prepare(`SELECT a FROM ${table}`); l('x'); l('y')",
        ["SELECT a FROM x", "SELECT a FROM y"],
    ),
    "named arguments": (
        "function q({ sql, args }: Q) { db.prepare(sql) } q({ sql: 'SELECT 1', args: [] })",
        ["SELECT 1"],
    ),
    "made by a function": (
        "const w = (c: string) => `WHERE ${c} = ?`; db.prepare(`SELECT 1 FROM t ${w('a')}`)",
        ["SELECT 1 FROM t WHERE a = ?"],
    ),
    "taken apart": (
        (
            "function make() { return { sql: 'SELECT 1', n: 2 } }\n"
            "const { sql } = make(); db.prepare(sql)"
        ),
        ["SELECT 1"],
    ),
    "own database": ("class D { prepare(q: string) { return this.inner.prepare(q) } }", []),
    "comment": ("// db.prepare('SELECT 1')\n/* db.prepare('SELECT 2') */", []),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_query_is_found_as_it_is_written(kind: str) -> None:
    source, expected = WRITTEN[kind]

    assert queries_in(source) == expected


@pytest.mark.parametrize("ending", ["ts", "tsx", "js", "jsx", "mts", "cts", "mjs", "cjs"])
def test_every_kind_of_script_is_read(ending: str) -> None:
    assert queries_in("db.prepare('SELECT 1')", f"src/a.{ending}") == ["SELECT 1"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("a.vue", "<template>\n<p>it's</p></template>\n<script setup lang='ts'>\n{}\n</script>"),
        ("a.svelte", "<script lang='ts'>\n{}\n</script>\n<p>don't</p>"),
        ("a.astro", "---\nconst a: string = 'b';\n{}\n---\n<p>it's</p>"),
        ("a.tsx", "const a = <p>it's</p>;\n\n{}"),
    ],
)
def test_script_blocks_keep_their_lines(path: str, source: str) -> None:
    text = source.replace("{}", "db.prepare('SELECT 1')")

    (query,) = code_of({path: text}).queries

    assert text.split("\n")[query.line - 1] == "db.prepare('SELECT 1')"


def test_constants_and_files_come_from_where_they_are_imported() -> None:
    code = code_of({
        "src/index.ts": "import { A as B } from './sql'; import all from './all.sql?raw';\n"
        "import * as q from '@app/queries'; import { t } from '~/names';\n"
        "db.prepare(B); db.prepare(all); db.prepare(q.C); db.prepare(`SELECT 1 FROM ${t}`)",
        "src/sql.ts": "export { A } from './deep'; ",
        "src/deep.ts": "export const A = 'SELECT 1';",
        "src/all.sql": "SELECT 2",
        "packages/queries/package.json": '{"name": "@app/queries", "main": "./dist/index.js"}',
        "packages/queries/src/index.ts": "export * from './c'",
        "packages/queries/src/c.ts": "export const C = 'SELECT 3'",
        "tsconfig.json": '{"compilerOptions": {"paths": {"~/*": ["./src/*"]}}} // as it is',
        "src/names.ts": "export const t = 'users'",
    })  # fmt: skip

    assert texts_of(code) == ["SELECT 1", "SELECT 2", "SELECT 3", "SELECT 1 FROM users"]


def test_a_wrapper_of_another_file_is_followed_by_import_and_by_method() -> None:
    code = code_of({
        "src/db.ts": "export const run = (e: Env, q: string) => e.DB.prepare(q);\n"
        "export class Store { find(q: string) { return this.d.prepare(q) } }",
        "src/a.ts": "import { run } from './db'; run(env, 'SELECT 1')",
        "src/b.ts": "import type { Store } from './db'; (s: Store) => s.find('SELECT 2')",
        "src/c.ts": "map.find('key'); run('other')",
    })  # fmt: skip

    assert sorted(texts_of(code)) == ["SELECT 1", "SELECT 2"]
    assert sorted(query.path for query in code.queries) == ["src/a.ts", "src/b.ts"]


def test_the_settings_name_wrappers_that_are_not_the_projects() -> None:
    source = (
        "import { q } from 'a-package'; q(env, 'SELECT 1'); client.rows('SELECT 2'); x`SELECT 3`"
    )

    code = code_of({"a.ts": source}, Scope(wrappers=("q", "client.rows", "x")))

    assert sorted(texts_of(code)) == ["SELECT 1", "SELECT 2", "SELECT 3"]


FILES = {
    "worker/src/index.ts": "import { a } from './a'; import('./lazy'); import '@app/lib';",
    "worker/src/a.ts": "db.prepare('SELECT a')",
    "worker/src/lazy.ts": "db.prepare('SELECT lazy')",
    "worker/src/unused.ts": "db.prepare('SELECT unused')",
    "worker/test/a.test.ts": "db.prepare('SELECT test')",
    "worker/node_modules/x/index.js": "db.prepare('SELECT others')",
    "lib/package.json": '{"name": "@app/lib", "exports": {".": "./build/x.js"}}',
    "lib/src/index.ts": "db.prepare('SELECT lib')",
    "other/index.ts": "db.prepare('SELECT other')",
}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope("worker", "src/index.ts"), {"a", "lazy", "lib"}),
        (Scope("worker", "./src/index.ts"), {"a", "lazy", "lib"}),
        (Scope("worker", "dist/made.js"), {"a", "lazy", "unused", "lib"}),
        (Scope("worker"), {"a", "lazy", "unused", "lib"}),
        (Scope("worker", "src/index.ts", roots=("src/unused.ts", "../other")), {"unused", "other"}),
        (Scope("worker", "src/index.ts", exclude=("src/lazy.ts", "../lib")), {"a"}),
        (Scope("worker", exclude=("src/*.ts",)), set()),
    ],
)
def test_only_the_code_that_runs_is_read(scope: Scope, expected: set[str]) -> None:
    found = texts_of(code_of(FILES, scope))

    assert {text.removeprefix("SELECT ") for text in found} == expected
