"""A wrapper that is used as a value: what comes through it is read, or is said to be not seen.

It has another caller elsewhere, so that nothing of its own says that a query is missing.
"""

from functools import cache

import pytest

from code_in_memory import Files, verdict_of
from d1_preflight.code.verdict import CodeState
from sampling import sampled

BASE = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);
CREATE TABLE logs (id INTEGER PRIMARY KEY, at TEXT);
"""
RENAME = "ALTER TABLE users RENAME COLUMN name TO title"
SQL = "SELECT name FROM users"
RUN = "export const run = (sql: string) => env.DB.prepare(sql).all();\n"
ON = "export const on = (db: D1Database, sql: string) => db.prepare(sql).all();\n"
OTHERS: Files = {
    "src/run.ts": RUN,
    "src/on.ts": ON,
    "src/repo.ts": "export class Repo { run(sql) { return this.db.prepare(sql) } }",
    "src/helpers.ts": "import { run } from './run'; export const h = { run }",
    "src/tools.ts": "export const tools = (db) => ({ query(s) { return db.prepare(s) } })",
    "src/uses.ts": "import { tools } from './tools'; tools(db).query('SELECT id FROM logs')",
    "src/other.ts": "import { run } from './run'; run('SELECT id FROM logs');\n"
    "import { on } from './on'; on(env.DB, 'SELECT id FROM logs');\n"
    "import { Repo } from './repo'; (r: Repo) => r.run('SELECT id FROM logs')",
}
FROM = "import { run } from './run'; "
FROM_ON = "import { on } from './on'; "
FROM_TOOLS = "import { tools } from './tools'; "
FROM_REPO = "import { Repo } from './repo'; const repo = new Repo(); "
READ: dict[str, str] = {
    "constant": f"{FROM}const q = run; q('{SQL}')",
    "variable": f"{FROM}let q; q = run; q('{SQL}')",
    "constant of a constant": f"{FROM}const p = run; const q = p as Q; q('{SQL}')",
    "in its own file": f"{RUN.strip()}; run('SELECT id FROM logs'); const q = run; q('{SQL}')",
    "declared below": f"const q = run; q('{SQL}'); run('SELECT 1'); "
    "function run(s) { db.prepare(s) }",
    "taken out of a namespace": f"import * as d from './run'; const {{ run: q }} = d; q('{SQL}')",
    "of a namespace": f"import * as d from './run'; const q = d.run; q('{SQL}')",
    "a namespace by another name": f"import * as d from './run'; const e = d; e.run('{SQL}')",
    "taken with a default": f"{FROM}const {{ q = run }} = options; q('{SQL}')",
    "taken out of what is imported": "import { h } from './helpers'; const { run: q } = h; "
    f"q('{SQL}')",
    "member of what is imported": f"import {{ h }} from './helpers'; const q = h.run; q('{SQL}')",
    "one of two": f"{FROM}const q = cond ? run : other; q('{SQL}')",
    "either": f"{FROM}const q = given ?? run; q('{SQL}')",
    "bound": f"{FROM_ON}const q = on.bind(null, env.DB); q('{SQL}')",
    "bound and called at once": f"{FROM_ON}on.bind(null, env.DB)('{SQL}')",
    "bound method": f"{FROM_REPO}const q = repo.run.bind(repo); q('{SQL}')",
    "call": f"{FROM_ON}on.call(this, env.DB, '{SQL}')",
    "apply": f"{FROM_ON}on.apply(null, [env.DB, '{SQL}'])",
    "apply of a method": f"{FROM_REPO}repo.run.apply(repo, ['{SQL}'])",
    "in parentheses": f"{FROM}(run)('{SQL}'); (0, run)('{SQL}')",
    "by brackets": f"import * as d from './run'; const q = d['run']; q('{SQL}')",
    "in an object": f"{FROM}const api = {{ q: run }}; api.q('{SQL}')",
    "in an object by its name": f"{FROM}const api = {{ run }}; api.run('{SQL}')",
    "deep in an object": f"{FROM}const api = {{ db: {{ q: run }} }}; api.db.q('{SQL}')",
    "spread": f"{FROM}const a = {{ q: run }}; const b = {{ ...a, x: 1 }}; b.q('{SQL}')",
    "taken out of an object": f"{FROM}const a = {{ q: run }}; const {{ q: r }} = a; r('{SQL}')",
    "frozen": f"{FROM}const api = Object.freeze({{ q: run }}); api.q('{SQL}')",
    "field": f"{FROM}class A {{ q = run; f() {{ this.q('{SQL}') }} }}",
    "static field": f"{FROM}class A {{ static q = run }} A.q('{SQL}')",
    "set field": f"{FROM}class A {{ constructor() {{ this.q = run }} f() {{ this.q('{SQL}') }} }}",
    "set on an object": f"{FROM}const api = {{}}; api.q = run; api.q('{SQL}')",
    "default of a parameter": f"{FROM}const f = (q = run) => q('{SQL}'); f()",
    "default of a field": f"{FROM}function f({{ q = run }}) {{ q('{SQL}') }} f({{}})",
    "map": f"{FROM}Promise.all(['{SQL}', 'SELECT 1'].map(run))",
    "each": f"{FROM}const all = ['{SQL}', 'SELECT 1']; all.forEach(run)",
    "callback": f"{FROM}['{SQL}'].map((s) => run(s))",
    "handed to a function as a callback": f"{FROM}withRetry(() => run('{SQL}'))",
    "required": f"const d = require('./run'); const q = d.run; q('{SQL}')",
    "made by a factory": f"function make(db) {{ const run = (s) => db.prepare(s).all(); "
    f"run('SELECT 1'); return {{ run }} }} make(env.DB).run('{SQL}')",
    "async": f"async function go(s) {{ return db.prepare(s) }} go('SELECT 1'); "
    f"const q = go; await q('{SQL}')",
    "generator": f"function* go(s) {{ yield db.prepare(s) }} go('SELECT 1'); "
    f"const q = go; q('{SQL}')",
    "handed to a function of the file": f"{FROM}const f = (q) => q('{SQL}'); f(run)",
    "handed on with what it is given": f"{FROM}const f = (l, q) => l.forEach(q); "
    f"f(['{SQL}'], run)",
    "handed to a function of the file in an object": f"{FROM}function f({{ q }}) {{ q('{SQL}') }} "
    "f({ q: run })",
    "loop": f"{FROM}const q = run; for (const s of ['{SQL}']) q(s)",
    "inner block": f"{FROM}if (x) {{ const q = run; {{ q('{SQL}') }} }}",
}  # fmt: skip
HOMES: dict[str, Files] = {
    "exported constant": {
        "src/a.ts": f"import {{ q }} from './q'; q('{SQL}')",
        "src/q.ts": f"{FROM}export const q = run",
    },
    "exported under its own name": {
        "src/a.ts": f"import {{ q as r }} from './q'; r('{SQL}')",
        "src/q.ts": f"{FROM}const q = run; export {{ q }}",
    },
    "bound and exported": {
        "src/a.ts": f"import {{ q }} from './q'; q('{SQL}')",
        "src/q.ts": f"{FROM_ON}export const q = on.bind(null, env.DB)",
    },
    "one of two, exported": {
        "src/a.ts": f"import {{ q }} from './q'; q('{SQL}')",
        "src/q.ts": f"{FROM}export const q = cond ? run : other",
    },
    "exported in an object": {
        "src/a.ts": f"import {{ api }} from './q'; api.q('{SQL}')",
        "src/q.ts": f"{FROM}export const api = {{ q: run }}",
    },
    "exported in an object as default": {
        "src/a.ts": f"import d from './q'; d.q('{SQL}')",
        "src/q.ts": f"{FROM}export default {{ q: run }}",
    },
    "exported in an object of its own file": {
        "src/a.ts": f"import {{ api }} from './q'; api.r('{SQL}')",
        "src/q.ts": "const go = (s) => db.prepare(s); go('SELECT 1'); export const api = { r: go }",
    },
    "taken out of an exported object": {
        "src/a.ts": f"import {{ api }} from './q'; const {{ q: r }} = api; r('{SQL}')",
        "src/q.ts": f"{FROM}export const api = {{ q: run }}",
    },
    "exported on and on": {
        "src/a.ts": f"import {{ q }} from './q3'; q('{SQL}')",
        "src/q3.ts": "export * from './q2'",
        "src/q2.ts": "export { p as q } from './q1'",
        "src/q1.ts": f"{FROM}export const p = run",
    },
    "kept as a method for others": {
        "src/a.ts": f"import type {{ A }} from './q'; (a: A) => a.q('{SQL}')",
        "src/q.ts": f"{FROM}export class A {{ q = run }}",
    },
    "injected": {
        "src/a.ts": f"export const f = (deps) => deps.run('{SQL}')",
        "src/q.ts": f"{FROM}import {{ f }} from './a'; f({{ run }})",
    },
    "injected and taken apart": {
        "src/a.ts": f"export const f = ({{ run }}: Deps) => run('{SQL}')",
        "src/q.ts": f"{FROM}import {{ f }} from './a'; f({{ run }})",
    },
}
UNSEEN: dict[str, str] = {
    "handed to a function": f"{FROM}each(list, run)",
    "handed to a function in an object": f"{FROM}start({{ run }})",
    "handed to a function by another name": f"{FROM}const q = run; each(list, q)",
    "handed to a function as an object": f"{FROM}const api = {{ q: run }}; start(api)",
    "map over what is not known": f"{FROM}list.map(run)",
    "bound and handed on": f"{FROM_ON}each(list, on.bind(null, env.DB))",
    "a method handed on": f"{FROM_REPO}each(list, repo.run.bind(repo))",
    "a namespace handed on": "import * as d from './run'; start(d)",
    "in a list": f"{FROM}const l = [run]; l[0](text())",
    "by a key that is not known": f"{FROM}const api = {{ q: run }}; api[key](text())",
    "under a key that is not known": f"{FROM}const api = {{ [key]: run }}; api.q(text())",
    "assigned": f"{FROM}Object.assign(api, {{ run }})",
    "proxy": f"{FROM}const q = new Proxy(run, {{}}); q(text())",
    "context": f"{FROM}const x = <C value={{run}}>{{y}}</C>",
    "context of an object": f"{FROM}const x = <C value={{{{ run }}}}>{{y}}</C>",
    "returned": f"{FROM}export const use = () => run",
    "returned by a statement": f"{FROM}export function use() {{ return run }}",
    "CommonJS": f"{FROM}module.exports = {{ q: run }}",
    "CommonJS by name": f"{FROM}exports.q = run",
    "called with what is not known": f"{FROM}const q = run; q(text())",
    "apply of what is not known": f"{FROM_ON}on.apply(null, list)",
    "handed to a function of the file that hands it on": f"{FROM}const f = (q) => start(q); f(run)",
    "beyond the parameters": f"{FROM}function f() {{ arguments[0](text()) }} f(run)",
    "behind a spread": f"{FROM}const f = (a, q) => a; f(...list, run)",
    "a method handed on with its object": f"{FROM_REPO}each(list, repo.run, repo)",
    "a field of any type": f"{FROM_TOOLS}(o: {{ query: unknown }}) => start(o.query)",
    "a field of a type elsewhere": f"{FROM_TOOLS}(o: Options) => start(o.query)",
    "a field of a function's type": f"{FROM_TOOLS}(o: {{ query: string | (() => X) }}) => "
    "start(o.query)",
    "a method of a declared type": f"{FROM_TOOLS}interface O {{ query(s: string): X }} "
    "(o: O) => start(o.query)",
    "yielded": f"{FROM}function* f() {{ yield run }}",
    "thrown": f"{FROM}throw run",
    "map of functions": f"{FROM}const m = new Map([['q', run]]); m.get(k)(text())",
    "reassigned": f"{FROM}let q = other; if (x) q = run; start(q)",
}
BOTH: dict[str, str] = {
    "handed to a function that gives it back": f"{FROM}const q = memo(run); q('{SQL}')",
    "handed to a function and called": f"{FROM}withRetry(run)('{SQL}')",
}
HARMLESS: dict[str, str] = {
    "called": f"{FROM}run('SELECT 1 FROM logs')",
    "exported on": f"{FROM}export {{ run }}",
    "exported on under another name": f"{FROM}export {{ run as q }}",
    "exported on as default": f"{FROM}export default run",
    "looked at": f"{FROM}if (run && typeof run === 'function') {{ console.log(`${{run}}`) }}",
    "its type": f"{FROM}type Q = typeof run; const f: Parameters<typeof run> = []",
    "its name": f"{FROM}const n = run.name",
    "another's": "const run = other; start(run)",
    "a parameter of that name": f"{FROM}const f = (run) => start(run)",
    "a field of that name": f"{FROM_REPO}start(row.run.id); const {{ id }} = row.run",
    "another field of the object": f"{FROM}const api = {{ q: run, x: 1 }}; start(api.x)",
    "never called": f"{FROM}const q = run",
    "a text": f"{FROM}start('run', {{ run: 1 }})",
    "a comment": f"{FROM}// start(run)\n/* start(run) */",
    "a method without its object": f"{FROM_REPO}start(row.run); const {{ run }} = row; start(run)",
    "shown": f"{FROM}console.log(run, JSON.stringify({{ run }}))",
    "handed to a function that does nothing": f"{FROM}const f = (q) => q.name; f(run)",
    "a field of a plain type": f"{FROM_TOOLS}(o: {{ query: string | null }}) => start(o.query)",
    "a field of a declared type": f"{FROM_TOOLS}export interface O {{ query?: string[] }} "
    "const f = (o: O) => start(o.query); const o: O = make(); start(o.query)",
    "a field that is taken out": f"{FROM_TOOLS}({{ query }}: {{ query: Record<string, A> }}) => "
    "start(query)",
    "a field that is cast": f"{FROM_TOOLS}start(o.query as string | undefined, o['query'] as A[])",
    "a class of that wrapper": f"{FROM_REPO}start(new Repo(), Repo)",
}


@cache
def read(kind: str) -> CodeState:
    """The verdict on the deployed code, with the query of this kind."""
    files = HOMES[kind] if kind in HOMES else {"src/a.ts": READ[kind]}
    return verdict_of({**OTHERS, **files}, RENAME, before=BASE).deployed


@pytest.mark.parametrize("kind", sampled([*READ, *HOMES], 2))
def test_the_query_is_read(kind: str) -> None:
    deployed = read(kind)

    assert [(query.path, query.line) for query in deployed.harmed] == [("src/a.ts", 1)]
    assert "no such column: name" in deployed.harmed[0].words


@pytest.mark.parametrize(
    "kind", sampled([kind for kind in (*READ, *HOMES) if "injected" not in kind], 2)
)
def test_what_is_read_is_not_said_to_be_unseen(kind: str) -> None:
    assert read(kind).unread == ()


@pytest.mark.parametrize("kind", sampled(UNSEEN, 2))
def test_what_goes_out_of_sight_is_said_where_it_does(kind: str) -> None:
    path = "src/a.tsx" if "context" in kind else "src/a.ts"

    deployed = verdict_of({**OTHERS, path: UNSEEN[kind]}, RENAME, before=BASE).deployed

    assert deployed.harmed == ()
    assert {(one.path, one.line) for one in deployed.unread} == {(path, 1)}


@pytest.mark.parametrize("kind", BOTH)
def test_what_a_function_gives_back_is_read_and_not_trusted(kind: str) -> None:
    deployed = verdict_of({**OTHERS, "src/a.ts": BOTH[kind]}, RENAME, before=BASE).deployed

    assert [query.path for query in deployed.harmed] == ["src/a.ts"]
    assert [one.path for one in deployed.unread] == ["src/a.ts"]


@pytest.mark.parametrize("kind", sampled(HARMLESS, 2))
def test_what_hands_nothing_on_is_not_said(kind: str) -> None:
    deployed = verdict_of({**OTHERS, "src/a.ts": HARMLESS[kind]}, RENAME, before=BASE).deployed

    assert deployed.harmed == ()
    assert deployed.unread == ()
