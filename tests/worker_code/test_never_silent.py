"""However a wrapper is handed on, the query that comes through it is read or said to be unseen."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from code_in_memory import verdict_of

BASE = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE logs (id INTEGER PRIMARY KEY);
"""
RENAME = "ALTER TABLE users RENAME COLUMN name TO title"
SQL = "'SELECT name FROM users'"
LOCAL = {
    "constant": ("const {v} = {e};", "{v}"),
    "variable": ("let {v}; {v} = {e};", "{v}"),
    "object": ("const {v} = {{ k: {e} }};", "{v}.k"),
    "deep object": ("const {v} = {{ a: {{ b: {e} }} }}; const {{ a: {v}a }} = {v};", "{v}a.b"),
    "taken apart": ("const {{ k: {v} }} = {{ k: {e} }};", "{v}"),
    "rest": ("const {{ x, ...{v} }} = {{ x: 1, k: {e} }};", "{v}.k"),
    "spread": ("const {v} = {{ ...{{ k: {e} }} }};", "{v}.k"),
    "default": ("const {{ {v} = {e} }} = options;", "{v}"),
    "choice": ("", "(c ? {e} : other)"),
    "either": ("", "({e} ?? other)"),
    "bound": ("const {v} = {e}.bind(null);", "{v}"),
    "list": ("const {v} = [{e}];", "{v}[0]"),
    "list taken apart": ("const [{v}] = [{e}];", "{v}"),
    "map": ("const {v} = new Map([['k', {e}]]);", "{v}.get('k')"),
    "closure": ("const {v} = () => {e};", "{v}()"),
    "returned": ("function {v}() {{ return {e} }}", "{v}()"),
    "returned in an object": ("function {v}() {{ return {{ k: {e} }} }}", "{v}().k"),
    "wrapped": ("const {v} = (s) => {e}(s);", "{v}"),
    "rest arguments": ("const {v} = (...a) => {e}(...a);", "{v}"),
    "identity": ("const {v} = (q) => q;", "{v}({e})"),
    "memo": ("import {{ memo as {v} }} from 'lib';", "{v}({e})"),
    "field": ("class {v} {{ q = {e} }}", "new {v}().q"),
    "static field": ("class {v} {{ static q = {e} }}", "{v}.q"),
    "set field": ("class {v} {{ constructor() {{ this.q = {e} }} }}", "new {v}().q"),
    "getter": ("const {v} = {{ get q() {{ return {e} }} }};", "{v}.q"),
    "set on an object": ("const {v} = {{}}; {v}.q = {e};", "{v}.q"),
    "assigned": ("const {v} = Object.assign({{}}, {{ k: {e} }});", "{v}.k"),
    "frozen": ("const {v} = Object.freeze({{ k: {e} }});", "{v}.k"),
    "proxy": ("const {v} = new Proxy({e}, {{}});", "{v}"),
    "awaited": ("const {v} = await Promise.resolve({e});", "{v}"),
    "key not known": ("const {v} = {{ [k]: {e} }};", "{v}[k]"),
    "parameter's default": ("const {v} = (q = {e}) => q;", "{v}()"),
    "comma": ("", "(0, {e})"),
    "type": ("const {v} = {e} as unknown as Q;", "{v}!"),
}
BEYOND = {
    "constant": ("export const {v} = {e};", "import {{ {v} }} from './{f}';", "{v}"),
    "list": ("const {v} = {e}; export {{ {v} }};", "import {{ {v} }} from './{f}';", "{v}"),
    "other name": ("const {v} = {e}; export {{ {v} as {v}x }};",
                   "import {{ {v}x as {v}y }} from './{f}';", "{v}y"),
    "default": ("export default {e};", "import {v} from './{f}';", "{v}"),
    "default object": ("export default {{ k: {e} }};", "import {v} from './{f}';", "{v}.k"),
    "object": ("export const {v} = {{ k: {e} }};", "import {{ {v} }} from './{f}';", "{v}.k"),
    "namespace": ("export const {v} = {e};", "import * as {v}n from './{f}';", "{v}n.{v}"),
    "required": ("module.exports = {{ {v}: {e} }};", "const {{ {v} }} = require('./{f}');", "{v}"),
    "imported late": ("export const {v} = {e};", "const {v}m = await import('./{f}');", "{v}m.{v}"),
}  # fmt: skip
CALLS = (
    "{e}({sql});",
    "{e}.call(null, {sql});",
    "{e}.apply(null, [{sql}]);",
    "[{sql}].forEach({e});",
    "for (const s of [{sql}]) {e}(s);",
    "const last = {sql}; {e}(last);",
    "const go = (q) => q({sql}); go({e});",
    "import {{ start }} from 'lib'; start({e}, {sql});",
)
WRAPPERS = {
    "function": ("export function run(s) {{ return env.DB.prepare(s).all() }}", "run"),
    "arrow": ("export const run = async (s) => env.DB.prepare(s).all();", "run"),
    "in an object": ("export const run = {{ go: (s) => env.DB.prepare(s).all() }};", "run.go"),
    "static": ("export class run {{ static go(s) {{ return env.DB.prepare(s) }} }}", "run.go"),
}


@dataclass
class Project:
    """Files that hand a wrapper on; `by` is what names it in the last of them."""

    by: str
    files: dict[str, str] = field(default_factory=dict)
    number: int = 0
    lines: list[str] = field(default_factory=list)

    def hand_on(self, kind: str) -> None:
        self.number += 1
        known = {"v": f"v{self.number}", "e": self.by, "f": f"f{self.number}"}
        if kind in LOCAL:
            line, by = LOCAL[kind]
            self.lines.append(line.format(**known))
        else:
            line, brought, by = BEYOND[kind.removeprefix("beyond: ")]
            self.lines.append(line.format(**known))
            self.files[f"src/{known['f']}.ts"] = "\n".join(self.lines)
            self.lines = [brought.format(**known)]
        self.by = by.format(**known)

    def called(self, call: str) -> dict[str, str]:
        self.lines.append(call.format(e=self.by, sql=SQL))
        return {**self.files, "src/last.ts": "\n".join(self.lines)}


KINDS = [*LOCAL, *(f"beyond: {kind}" for kind in BEYOND)]


@given(st.sampled_from([*WRAPPERS]), st.lists(st.sampled_from(KINDS), max_size=3),
       st.sampled_from(CALLS))  # fmt: skip
def test_a_query_through_a_wrapper_is_never_lost(wrapper: str, kinds: list[str], call: str) -> None:
    home, by = WRAPPERS[wrapper]
    project = Project(by, lines=["import { run } from './run';"])
    for kind in kinds:
        project.hand_on(kind)
    others = {
        "src/run.ts": home.format(),
        "src/other.ts": f"import {{ run }} from './run'; {by}('SELECT id FROM logs')",
    }

    deployed = verdict_of({**others, **project.called(call)}, RENAME, before=BASE).deployed

    assert deployed.harmed or deployed.unread
