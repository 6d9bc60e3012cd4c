"""`preflight code` and `lint --code` on real repositories: revisions, formats, exit codes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema.validators import validator_for

from lint.running import folder, preflight
from lint.test_since_a_revision import git
from sampling import sampled

CONFIG = (
    '{"name": "w", "main": "src/index.ts", "d1_databases": [{"binding": "DB",'
    ' "database_name": "app", "database_id": "1"}]}'
)
BASE = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, role TEXT);\n"
RENAME = "ALTER TABLE users RENAME COLUMN name TO full_name;\n"
INDEX = "import './users';\nexport default {};\n"
OLD = (
    "export const a = (db: D1Database) =>\n"
    "  db.prepare(`SELECT name FROM users WHERE role = 'x@y'`);\n"
)
NEW = OLD.replace("name", "full_name")
LINT = json.loads((Path(__file__).parents[2] / "checklists" / "lint.schema.json").read_text())
SARIF = json.loads((Path(__file__).parents[1] / "lint" / "sarif.schema.json").read_text())


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_WORKSPACE", "GITHUB_BASE_REF", "CLOUDFLARE_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Worker in a monorepo, as main has it."""
    root = folder(
        tmp_path_factory.mktemp("deployed"),
        {
            "worker/wrangler.jsonc": CONFIG,
            "worker/migrations/0001_create_users.sql": BASE,
            "worker/src/index.ts": INDEX,
            "worker/src/users.ts": OLD,
            ".gitignore": "worker/src/made/\n",
        },
    )
    git(root, "init", "--quiet", "--initial-branch=main", "--template=")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=deployed")
    git(root, "checkout", "--quiet", "-b", "rename")
    return root


@pytest.fixture
def repository(deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy: main has the old code and schema, the files here are renamed."""
    root = tmp_path / "mono repo"
    shutil.copytree(deployed, root)
    folder(
        root,
        {"worker/migrations/0002_rename_name.sql": RENAME, "worker/src/users.ts": NEW},
    )
    monkeypatch.chdir(root / "worker")
    return root


def test_the_deployed_code_breaks_and_the_files_here_need_the_migration(repository: Path) -> None:
    ran = preflight("code")

    assert ran.code == 1
    assert "0002_rename_name.sql  no safe order: split it" in ran.out
    places = [line for line in ran.out.splitlines() if line.startswith("../worker/src/users.ts:2:")]
    assert "deployed code fails on the new schema: no such column: name" in places[0]
    assert "new code fails on the old schema: no such column: full_name" in places[1]
    assert "Expand" in ran.out
    assert "merge-base" in ran.out
    assert "split it" in ran.err
    assert str(repository) not in ran.out


@pytest.mark.parametrize(
    ("words", "code", "order"),
    [
        pytest.param((), 1, "no safe order: split it", marks=pytest.mark.matrix),  # as above
        (("0002",), 1, "no safe order: split it"),
        pytest.param(  # as the next
            ("--deployed", "main"), 1, "no safe order: split it", marks=pytest.mark.matrix
        ),
        (("--deployed", "rename~0", "--new", "main"), 1, "no safe order: split it"),
        (("0001", "--deployed", "main", "--new", "main"), 0, "database first, then code"),
    ],
)
@pytest.mark.usefixtures("repository")
def test_revisions_and_migrations_are_chosen(words: tuple[str, ...], code: int, order: str) -> None:
    ran = preflight("code", *words, "--format", "json")

    found = json.loads(ran.out)
    assert (ran.code, found["order"]) == (code, order)


@pytest.mark.usefixtures("repository")
def test_json_masks_literals_and_names_a_query_by_its_digest() -> None:
    found = json.loads(preflight("code", "--format=json").out)

    [query] = found["deployed"]["breaks"]
    assert query["path"] == "../worker/src/users.ts"
    assert query["line"] == 2
    assert query["query"] == "SELECT name FROM users WHERE role = '…'"
    assert len(query["sha256"]) == 64
    assert found["schema"] == 1
    assert found["proved"] is True


@pytest.mark.parametrize("words", [("code",), ("lint", "--code")])
def test_sarif_fits_its_schema(
    words: tuple[str, ...], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(repository))

    ran = preflight(*words, "--format", "sarif")

    document = json.loads(ran.out)
    validator_for(SARIF)(SARIF).validate(document)
    results = document["runs"][-1]["results"]
    assert [r["ruleId"] for r in results] == ["deployed-code-breaks", "new-code-needs-migration"]
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "worker/src/users.ts"
    assert ran.code == 1


def test_github_draws_the_queries(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(repository))

    out = preflight("code", "--format", "github").out

    assert "::error file=worker/src/users.ts,line=2,title=deployed code fails" in out
    assert "::warning file=worker/src/users.ts,line=2,title=new code fails" in out


@pytest.mark.usefixtures("repository")
def test_lint_judges_the_code_only_where_it_is_asked() -> None:
    plain, both = preflight("lint", "--format=json"), preflight("lint", "--code", "--format=json")

    assert "code" not in json.loads(plain.out)
    validator_for(LINT)(LINT).validate(json.loads(both.out))
    assert json.loads(both.out)["code"]["order"] == "no safe order: split it"
    assert json.loads(both.out)["migrations"] == json.loads(plain.out)["migrations"]
    assert both.code == 1
    assert "no safe order" in preflight("lint", "--code").out


def test_the_same_question_is_answered_from_the_cache(repository: Path) -> None:
    first = preflight("code")
    again = preflight("code")
    folder(repository, {"worker/src/users.ts": OLD})
    other = preflight("code")

    assert again == first
    assert "The new code breaks on the new schema too" in other.out


@pytest.mark.parametrize(
    "content",
    [
        "{",
        *(
            pytest.param(more, marks=pytest.mark.matrix)
            for more in ("\udcff", '{"migrations": 1}', "", "[]")
        ),
    ],
)
def test_a_damaged_cache_is_read_anew(repository: Path, content: str) -> None:
    first = preflight("code")
    for path in (repository.parent / "home").rglob("*.json"):
        path.write_bytes(content.encode(errors="surrogateescape"))

    assert preflight("code") == first


def test_nothing_is_kept_in_the_project(repository: Path) -> None:
    preflight("code")

    assert git(repository, "status", "--porcelain", "--ignored").splitlines() == [
        "M worker/src/users.ts",
        "?? worker/migrations/0002_rename_name.sql",
    ]


def test_ignored_files_and_links_out_of_the_repository_are_no_code(
    repository: Path, tmp_path: Path
) -> None:
    outside = folder(tmp_path / "outside", {"a.ts": OLD, "b/c.ts": OLD})
    folder(repository, {"worker/src/made/a.ts": OLD})
    (repository / "worker/src/link.ts").symlink_to(outside / "a.ts")
    (repository / "worker/src/linked").symlink_to(outside / "b")
    os.mkfifo(repository / "worker/src/pipe.ts")
    imports = "import './made/a'; import './link'; import './linked/c'; import './pipe';"
    folder(repository, {"worker/src/index.ts": f"{INDEX}{imports}"})

    found = json.loads(preflight("code", "--format=json").out)

    assert found["new"]["queries"] == 1


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("words", "message"),
    sampled(
        [
            (("--deployed", "absent"), "git knows no revision 'absent' here."),
            (("--deployed", "--help"), "expected one argument"),
            (("--deployed=-x",), "'-x' is not a git revision."),
            (("--new", "absent"), "git knows no revision 'absent' here."),
            (("0009",), "There is no migration '0009'"),
            (("000",), "may mean"),
        ],
        2,
    ),
)
def test_what_is_not_there_is_said_in_one_line(words: tuple[str, ...], message: str) -> None:
    ran = preflight("code", *words)

    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_without_git_the_files_here_are_judged_and_the_rest_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"wrangler.jsonc": CONFIG, "src/index.ts": INDEX, "src/users.ts": NEW}
    files |= {"migrations/0001_a_b.sql": BASE, "migrations/0002_rename_name.sql": RENAME}
    files["node_modules/x.ts"] = OLD
    monkeypatch.chdir(folder(tmp_path / "plain", files))

    ran = preflight("code")

    assert ran.code == 2
    assert "which code is deployed is unknown" in ran.out
    assert ".gitignore was not read" in ran.out


def test_a_shallow_clone_names_what_to_fetch(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = git(repository, "rev-parse", "main")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=rename")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")
    monkeypatch.chdir(tmp_path / "shallow" / "worker")

    ran = preflight("code", "--deployed", first)

    assert ran.code == 2
    assert "git fetch --unshallow" in ran.err


def test_the_settings_choose_roots_and_leave_files_out(repository: Path) -> None:
    folder(repository, {"worker/preflight.toml": '[code]\nexclude = ["src/users.ts"]\n'})
    left_out = json.loads(preflight("code", "--format=json").out)
    folder(repository, {"worker/preflight.toml": '[code]\nroots = ["src/users.ts"]\n'})
    alone = json.loads(preflight("code", "--format=json").out)
    folder(repository, {"worker/preflight.toml": '[code]\nexclude = ["[a-z]"]\n'})

    assert left_out["new"]["queries"] == 0
    assert left_out["proved"] is False
    assert (alone["new"]["queries"], alone["new"]["files"]) == (1, 1)
    refused = preflight("code")
    assert refused.code == 2
    assert "preflight.toml:2: exclude" in refused.err


@pytest.mark.parametrize(
    ("words", "is_loaded"),
    [
        pytest.param(("lint",), False, marks=pytest.mark.matrix),  # as commands/test_start
        (("code",), False),
        # the suite has it read: test_revisions_and_migrations_are_chosen
        pytest.param(("code", "0002"), True, marks=pytest.mark.matrix),
    ],
)
def test_the_grammars_are_loaded_only_where_source_is_read(
    words: tuple[str, ...], is_loaded: bool, repository: Path
) -> None:
    """`code` asks a question that was answered before; `code 0002` asks another one."""
    preflight("code")
    if is_loaded:
        folder(repository, {"worker/src/users.ts": f"{NEW}// edited\n"})
    source = (
        f"import sys; from d1_preflight.cli import main; main({list(words)!r});"
        "print('tree_sitter' in sys.modules, file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )

    assert done.stderr.splitlines()[-1] == str(is_loaded)


@pytest.mark.parametrize("kind", sampled(["file", "folder", "pipe"], 2))
def test_what_lies_behind_a_link_is_not_followed_and_said(
    repository: Path, tmp_path: Path, kind: str
) -> None:
    (outside := tmp_path / "outside").mkdir()
    (outside / "x.ts").write_text(OLD)
    source = repository / "worker" / "src"
    if kind == "pipe":
        os.mkfifo(source / "out.ts")
    else:
        (source / "out.ts").symlink_to(outside / "x.ts")
    (source / "dir").symlink_to(outside)
    name = "./dir/x" if kind == "folder" else "./out"
    (source / "index.ts").write_text(f"import './users'; import '{name}'; export default {{}};")

    ran = preflight("code", "--deployed", "main")

    assert "1 file of the working tree not read" in ran.out
    assert f"worker/src/index.ts imports {name}, no file here: left out" in ran.out
