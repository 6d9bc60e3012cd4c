"""Every shape of project gets in: each works, or is refused with the words that mend it.

The table is printed; `pytest -s` shows it.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from d1_preflight.board import Board
from d1_preflight.commands import doctor, lint, new
from d1_preflight.commands.doctor import examine
from d1_preflight.commands.faces import add_project_arguments
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.record import Status
from d1_preflight.project_context import open_context

UUID = "a1b2c3d4-0000-4000-8000-00000000000{0}"


def toml(*databases: str, more: str = "") -> str:
    return "\n".join([more, *(f"[[d1_databases]]\n{entry}" for entry in databases)]) + "\n"


def entry(number: int = 1, name: str = "shop", more: str = "", binding: str = "DB") -> str:
    id_ = f'database_id = "{UUID.format(number)}"\n'
    return f'binding = "{binding}"\ndatabase_name = "{name}"\n{id_}{more}'


def jsonc(**more: object) -> str:
    found = {"binding": "DB", "database_name": "shop", "database_id": UUID.format(1), **more}
    return f"// ours\n{json.dumps({'name': 'api', 'd1_databases': [found]})}"


NESTED = 'migrations_dir = "{0}"\nmigrations_pattern = "{0}/*/migration.sql"\n'
NAMELESS = 'binding = "DB"\ndatabase_name = "shop"\n'
SQL = "CREATE TABLE a(id INTEGER PRIMARY KEY);\n"
TWO = {"migrations/0001_create_a.sql": SQL, "migrations/0002_create_b.sql": SQL.replace("a(", "b(")}
DRIZZLE = {
    "drizzle/0000_dear_moon.sql": SQL,
    "drizzle/meta/_journal.json": '{"entries": [{"tag": "0000_dear_moon"}]}',
}
BY_TOOL = "makes the migrations of this folder"


@dataclass(frozen=True)
class Shape:
    """A project, where one stands in it, and what is rightly refused: by command, in words."""

    files: Mapping[str, str]
    at: str = "."
    refused: Mapping[str, str] = field(default_factory=dict)


ALL = ("doctor", "board", "lint", "new")


def everywhere(words: str, *but: str) -> dict[str, str]:
    return {command: words for command in ALL if command not in but}


SHAPES: dict[str, Shape] = {
    "plain toml": Shape({"wrangler.toml": toml(entry()), **TWO}),
    "jsonc with comments": Shape({"wrangler.jsonc": jsonc(), **TWO}),
    "from a folder below": Shape({"wrangler.toml": toml(entry()), **TWO}, at="src"),
    "no migrations folder": Shape(
        {"wrangler.toml": toml(entry())},
        refused={"doctor": "no migrations folder", "board": "no migrations folder",
                 "lint": "no migrations folder"},
    ),
    "monorepo, from its root": Shape(
        {"apps/api/wrangler.toml": toml(entry()), **{f"apps/api/{n}": t for n, t in TWO.items()}}
    ),
    "monorepo, from a sister": Shape(
        {"apps/api/wrangler.toml": toml(entry()), **{f"apps/api/{n}": t for n, t in TWO.items()}},
        at="packages/ui",
    ),
    "monorepo, two Workers": Shape(
        {"a/wrangler.toml": toml(entry()), "b/wrangler.toml": toml(entry(2))},
        refused=everywhere("a/wrangler.toml, b/wrangler.toml"),
    ),
    "monorepo, choice remembered": Shape(
        {"a/wrangler.toml": toml(entry()), "b/wrangler.toml": toml(entry(2)),
         "preflight.toml": '[wrangler]\nconfig = "b/wrangler.toml"\n',
         **{f"b/{n}": t for n, t in TWO.items()}},
    ),
    "migrations in another package": Shape(
        {"apps/api/wrangler.toml": toml(entry()),
         "apps/api/preflight.toml": '[migrations]\nfolder = "../../packages/db/migrations"\n',
         **{f"packages/db/{n}": t for n, t in TWO.items()}},
    ),
    "wrangler.production.jsonc": Shape({"wrangler.production.jsonc": jsonc(), **TWO}),
    "no database_id": Shape({"wrangler.toml": toml(NAMELESS), **TWO}),
    "binding alone": Shape({"wrangler.toml": toml('binding = "DB"\n'), **TWO}),
    "placeholder id": Shape(
        {"wrangler.toml": toml(entry().replace(UUID.format(1), "${D1_ID}")), **TWO},
        refused={"doctor": "${D1_ID} is a placeholder", "run": "${D1_ID} is a placeholder"},
    ),
    "two databases, one folder": Shape(
        {"wrangler.toml": toml(entry(), entry(2, "logs", binding="LOGS")), **TWO},
        refused={"doctor": "2 D1 databases", "board": "2 D1 databases"},
    ),
    "environments of one uuid": Shape(
        {"wrangler.toml": toml(entry(), more='name = "api"')
         + f"[[env.staging.d1_databases]]\n{entry(1, 'shop-staging')}", **TWO},
        refused={"doctor": 'The environment "staging" has the same database'},
    ),
    "preview is production": Shape(
        {"wrangler.toml": toml(entry(more=f'preview_database_id = "{UUID.format(1)}"\n')), **TWO},
        refused={"doctor": "The preview of shop is this very database"},
    ),
    "remote in dev": Shape(
        {"wrangler.toml": toml(entry(more="remote = true\n")), **TWO},
        refused={"doctor": "remote = true"},
    ),
    "Pages": Shape({"wrangler.toml": toml(entry(), more='pages_build_output_dir = "d"'), **TWO}),
    "bun": Shape(
        {"wrangler.toml": toml(entry()), **TWO, "bun.lock": "{}",
         "package.json": '{"devDependencies": {"wrangler": "4.120.0"}}'}
    ),
    "pnpm workspace": Shape(
        {"pnpm-workspace.yaml": "packages: [apps/*]", "pnpm-lock.yaml": "",
         "package.json": "{}", "apps/api/package.json": '{"devDependencies": {"wrangler": "4"}}',
         "apps/api/wrangler.toml": toml(entry()), **{f"apps/api/{n}": t for n, t in TWO.items()}},
    ),
    "yarn Plug'n'Play": Shape(
        {"wrangler.toml": toml(entry()), **TWO, ".pnp.cjs": "", "yarn.lock": "",
         "package.json": '{"devDependencies": {"wrangler": "4.120.0"}}'}
    ),
    "journal that contradicts": Shape(
        {"wrangler.toml": toml(entry(more='migrations_dir = "drizzle"\n')), **DRIZZLE,
         "drizzle/meta/_journal.json": '{"entries": [{"tag": "0009_gone"}]}'},
        refused={"doctor": "0009_gone.sql", "new": BY_TOOL, "run": "0009_gone.sql"},
    ),
    "redirected deploy": Shape(
        {"wrangler.toml": toml(entry()), **TWO, "dist/w.json": jsonc(database_id=UUID.format(2)),
         ".wrangler/deploy/config.json": '{"configPath": "../../dist/w.json"}'},
        refused={"doctor": "which has another database"},
    ),
    "drizzle": Shape(
        {"wrangler.toml": toml(entry(more='migrations_dir = "drizzle"\n')), **DRIZZLE},
        refused={"new": BY_TOOL},
    ),
    "drizzle v1": Shape(
        {"wrangler.toml": toml(entry(more=NESTED.format("drizzle"))),
         "drizzle/20260101120000_dear_moon/migration.sql": SQL,
         "drizzle/20260101120000_dear_moon/snapshot.json": "{}"},
        refused={"new": BY_TOOL},
    ),
    "Prisma": Shape(
        {"wrangler.toml": toml(entry(more=NESTED.format("prisma/migrations"))),
         "prisma/migrations/20260101120000_init/migration.sql": SQL,
         "prisma/migrations/migration_lock.toml": 'provider = "sqlite"\n'},
        refused={"new": BY_TOOL},
    ),
    "timestamps": Shape(
        {"wrangler.toml": toml(entry()), "migrations/20260101120000_create_a.sql": SQL}
    ),
    "hyphens": Shape(
        {"wrangler.toml": toml(entry()), "migrations/0001-create-a.sql": SQL,
         "migrations/0002-create-b.sql": SQL.replace("a(", "b(")},
    ),
    "same number twice": Shape(
        {"wrangler.toml": toml(entry()), **TWO, "migrations/0002_create_c.sql": "SELECT 1;\n"},
        refused={"doctor": "same number"},
    ),
    "cf tool": Shape(
        {"cloudflare.config.ts": "export default {}", **TWO},
        refused=everywhere("cf tool", "lint", "new"),
    ),
    "files without wrangler": Shape(TWO, refused=everywhere("No wrangler", "lint", "new")),
    "no D1 in the configuration": Shape(
        {"wrangler.toml": 'name = "web"\n', **TWO},
        refused=everywhere("has no d1_databases", "lint", "new"),
    ),
    "broken configuration": Shape(
        {"wrangler.toml": "[[d1_databases\n", **TWO}, refused=everywhere("wrangler.toml:1")
    ),
}  # fmt: skip


@cache
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    add_project_arguments(made, first=True)
    commands = made.add_subparsers()
    for command in (new, doctor, lint):
        command.add_parser(commands)
    return made


def arguments(*words: str) -> argparse.Namespace:
    return parser().parse_args(words)


_MACHINES = {"Python", "Node", "ssh-keygen", "credentials", "wrangler", "signing key", "git"}
_SETTINGS = {"users' zones", "endpoints", ".preflight"}


def looked() -> str:
    """What doctor finds wrong with the project itself, for the machine is not the shape's."""
    env = {"HOME": str(Path.cwd() / "home"), "PATH": ""}  # nor are the machine's programs
    wrong = [
        f"{check.words} {check.fix}"
        for check in examine(arguments("doctor"), Path.cwd(), env)
        if not check.status.is_answered and check.title not in _MACHINES | _SETTINGS
    ]
    return " ".join(wrong)


def boarded() -> str:
    context = open_context(environ={"PATH": os.defpath, "HOME": str(Path.cwd())})
    rows = Board(context).rows()
    return "" if rows and all(row.mark != Status.FAILED for row in rows) else "no rows"


def linted() -> str:
    found = arguments("lint")
    return "" if found.run(found) in (0, 1) else "nothing judged"


def begun() -> str:
    found = arguments("new", "add users email")
    return "" if found.run(found) == 0 else "not written"


COMMANDS: dict[str, Callable[[], str]] = {
    "doctor": looked,
    "board": boarded,
    "lint": linted,
    "new": begun,
}


def outcome(command: str, refused: Mapping[str, str]) -> str:
    said = ""
    try:
        said = COMMANDS[command]()
    except PreflightError as error:
        said = f"{error.message} {error.hint}" if error.hint else ""
    meant = refused.get(command, "")
    if meant:
        return "refused rightly" if meant in said else f"WRONG: {said or 'it worked'}"
    return f"WRONG: {said}" if said else "works"


OF_EACH_KIND = (
    "plain toml", "from a folder below", "monorepo, from its root", "monorepo, two Workers",
    "migrations in another package", "no database_id", "two databases, one folder",
    "environments of one uuid", "pnpm workspace", "redirected deploy", "drizzle v1",
    "cf tool",
)  # fmt: skip
"""A configuration that is broken and a number that is there twice: e2e/test_bad_input."""


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(OF_EACH_KIND, id="one of each kind"),
        pytest.param(tuple(SHAPES), id="all", marks=pytest.mark.matrix),
    ],
)
def test_every_shape_works_or_is_refused_rightly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    lines = [f"{'shape':32}" + "".join(f"{command:18}" for command in ALL)]
    wrong: list[str] = []
    for number, name in enumerate(names):
        shape = SHAPES[name]
        root = tmp_path / str(number)
        (root / ".git").mkdir(parents=True)
        for file, text in shape.files.items():
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (root / shape.at).mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(root / shape.at)
        found = [outcome(command, shape.refused) for command in ALL]
        lines.append(f"{name:32}" + "".join(f"{one[:16]:18}" for one in found))
        wrong += [f"{name}, {c}: {f}" for c, f in zip(ALL, found, strict=True) if "WRONG" in f]
    print("\n".join([*lines, f"{len(names)} shapes, {len(wrong)} wrong"]))
    assert wrong == []
