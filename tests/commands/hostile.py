"""Checkouts of a stranger's pull request: each brings one thing that a careless git would run.

The pull request adds a migration that deletes the rows of another table by cascade. Whatever a
checkout brings besides, it must neither run nor hide that.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from example_record import EXAMPLE

EVIL = "0002_drop_teams.sql"
CONFIG = """{"name": "shop", "main": "src/index.ts", "d1_databases": [
  {"binding": "DB", "database_name": "shop", "database_id": "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"}
]}
"""
TABLES = (
    "CREATE TABLE teams (id INTEGER PRIMARY KEY);\n"
    "CREATE TABLE members (id INTEGER PRIMARY KEY,\n"
    "  team INTEGER REFERENCES teams(id) ON DELETE CASCADE);\n"
)
DROP = "DROP TABLE teams;\n"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout as CI has it: where the Worker lies in it, and the file that shows a run."""

    root: Path
    worker: Path
    marker: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    base: str = "origin/main"
    naive: tuple[str, ...] = ()
    """What git is asked where it is not guarded; it runs the command, which proves the trap."""
    naive_in: str = "migrations"

    @property
    def command(self) -> str:
        """The stranger's command."""
        return f"touch {self.marker}; false"

    @property
    def program(self) -> Path:
        """The stranger's command as a program."""
        path = self.marker.parent / "evil"
        path.write_text(f"#!/bin/sh\ntouch {self.marker}\nexit 1\n")
        path.chmod(0o755)
        return path


def git(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> str:
    """Ask git as a person does, without a guard."""
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "gc.auto=0")
    lean = ("-c", "init.templateDir=", "-c", "core.fsync=none")
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ("git", *identity, *lean, "-c", "protocol.file.allow=always", *words),
        cwd=folder, env={**env, **(environ or {})}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if environ is None and done.returncode:
        raise AssertionError(f"git {words}: {done.stderr}")
    return done.stdout.strip()


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def check_out(scratch: Path, below: str = ".", **more: str) -> Checkout:
    """The pull request, cloned as CI clones it; `more` are further files of the base."""
    made = _checked_out_once(below, tuple(more.items()))
    shutil.copytree(made, scratch, symlinks=True)
    root = scratch / "ci"
    config = root / ".git" / "config"
    config.write_text(config.read_text().replace(str(made), str(scratch)))
    return Checkout(root, root / below, scratch / "RAN")


@cache
def _checked_out_once(below: str, more: tuple[tuple[str, str], ...]) -> Path:
    """The upstream repository and its clone: ten runs of git, the same for most variants."""
    scratch = Path(tempfile.mkdtemp(prefix="hostile-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    up = scratch / "up"
    up.mkdir()
    git(up, "init", "-q", "-b", "main")
    write(up / below, {"wrangler.jsonc": CONFIG, "migrations/0001_teams.sql": TABLES, **dict(more)})
    shutil.copytree(EXAMPLE, up / below / "checklists" / "shop" / "0061_rebuild_teams")
    commit(up, "base")
    git(up, "checkout", "-q", "-b", "evil")
    write(up / below, {f"migrations/{EVIL}": DROP})
    commit(up, "evil")
    git(up, "checkout", "-q", "main")
    git(scratch, "clone", "-q", "up", "ci")
    git(scratch / "ci", "checkout", "-q", "--detach", "origin/evil")
    return scratch


def commit(root: Path, message: str) -> None:
    """Commit everything."""
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", message)


def plant(ci: Checkout, at: str = "migrations", config: str = "", **files: str) -> Path:
    """Files of a pull request that look like a bare repository, where the base has it all."""
    folder, made = ci.worker / at, ci.marker.parent / "made"
    shutil.copytree(folder, made, ignore=shutil.ignore_patterns(".git"))
    git(made, "init", "-q", "-b", "main")
    commit(made, "all was here")
    git(made, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(made, "pack-refs", "--all")
    for name in ("HEAD", "objects", "packed-refs", "index"):
        held = made / ".git" / name
        (shutil.copytree if held.is_dir() else shutil.copy)(held, folder / name)
    core = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
    write(folder, {"refs/keep": "", "refs/heads/keep": "", "config": core + config, **files})
    return folder


def fsmonitor(ci: Checkout) -> str:
    """The setting of a command that git runs whenever it looks at files."""
    return f'[core]\n\tfsmonitor = "{ci.command}"\n'


def _bare(at: str, below: str = ".") -> Callable[[Path], Checkout]:
    def make(scratch: Path) -> Checkout:
        ci = check_out(scratch, below)
        plant(ci, at, fsmonitor(ci))
        return replace(ci, naive=("status",), naive_in=at)

    return make


def _bare_include(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    plant(ci, config="[include]\n\tpath = more\n", more=fsmonitor(ci))
    return replace(ci, naive=("status",))


def _bare_hides(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    plant(ci)
    return ci


def _bare_alternates(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    folder = plant(ci)
    shutil.rmtree(folder / "objects")
    objects = str(ci.root / ".git" / "objects")
    write(folder, {"objects/info/alternates": f"{objects}\n{scratch / 'made/.git/objects'}\n"})
    return ci


def _bare_elsewhere(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    config = f"[core]\n\tworktree = {scratch / 'made'}\n{fsmonitor(ci)}"
    plant(ci, config=config)
    return replace(ci, naive=("status",))


def _bare_filter(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    config = f'[filter "x"]\n\tclean = "{ci.command}"\n'
    plant(ci, config=config, **{".gitattributes": "*.sql filter=x\n"})
    return replace(ci, naive=("add", "-A", "."))


def _bare_hooks(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    folder = plant(ci, config="[core]\n\thooksPath = hooks\n")
    (folder / "hooks").mkdir()
    shutil.copy(ci.program, folder / "hooks" / "post-index-change")
    return replace(ci, naive=("add", "-A", "."))


def _bare_textconv(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    config = f'[diff "x"]\n\ttextconv = {ci.program}\n\tcommand = {ci.program}\n'
    config += f"[diff]\n\texternal = {ci.program}\n[core]\n\tpager = {ci.program}\n"
    folder = plant(ci, config=config, **{".gitattributes": "*.sql diff=x\n"})
    (folder / EVIL).write_text(f"{DROP}-- more\n")
    return replace(ci, naive=("diff",))


def _lazy(url: str, more: str) -> Callable[[Path], Checkout]:
    def make(scratch: Path) -> Checkout:
        ci = check_out(scratch)
        program = ci.program
        config = (
            '[extensions]\n\tpartialClone = origin\n[remote "origin"]\n\tpromisor = true\n'
            f'\turl = "{url.format(program=program)}"\n\tfetch = +refs/heads/*:refs/remotes/x/*\n'
            f"\tuploadpack = {program}\n" + more.format(program=program)
        )
        path = ci.root / ".git" / "config"
        text = path.read_text().replace("version = 0", "version = 1")
        kept = text.partition('[remote "origin"]')[0]
        path.write_text(kept + config)
        tree = git(ci.root, "rev-parse", "origin/main:migrations")
        for pack in (ci.root / ".git/objects/pack").glob("*.pack"):
            data = pack.read_bytes()
            pack.with_suffix(".idx").unlink()
            pack.unlink()
            subprocess.run(("git", "unpack-objects", "-q"), cwd=ci.root, input=data, check=True)
        (ci.root / ".git/objects" / tree[:2] / tree[2:]).unlink()
        return replace(ci, naive=("ls-tree", "-r", "origin/main"), naive_in=".")

    return make


def _real_config(scratch: Path) -> Checkout:
    """A whole folder that was handed over, `.git` and all."""
    ci = check_out(scratch)
    program = ci.program
    write(
        ci.root / ".git",
        {
            "more": f"{fsmonitor(ci)}\thooksPath = {scratch}\n\tpager = {program}\n"
            f"\teditor = {program}\n\tsshCommand = {program}\n\taskPass = {program}\n"
            f'[filter "x"]\n\tclean = {program}\n\tprocess = {program}\n\trequired\n'
            f'[alias]\n\tstatus = "!{ci.command}"\n\tls-tree = "!{ci.command}"\n'
            f"[gpg]\n\tprogram = {program}\n\tformat = ssh\n[user]\n\tsigningkey = -oX\n"
            f'[gpg "ssh"]\n\tprogram = {program}\n\tdefaultKeyCommand = {program}\n'
            f"[credential]\n\thelper = !{program}\n[status]\n\tsubmoduleSummary = true\n",
            "info/attributes": "* filter=x\n",
        },
    )
    with (ci.root / ".git" / "config").open("a") as file:
        file.write("[include]\n\tpath = more\n")
    shutil.copy(program, scratch / "post-index-change")
    os.utime(ci.root / "wrangler.jsonc")
    return replace(ci, naive=("status",), naive_in=".")


def _filter_of_the_person(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    write(ci.root, {".gitattributes": "* filter=x\n"})
    home = scratch / "gitconfig"
    home.write_text(f'[filter "x"]\n\tclean = {ci.program}\n\tsmudge = {ci.program}\n')
    (ci.root / "wrangler.jsonc").write_text(f"{CONFIG}\n")
    return replace(ci, environ={"GIT_CONFIG_GLOBAL": str(home)}, naive=("status",), naive_in=".")


def _worktree(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    other = scratch / "other"
    git(ci.root, "worktree", "add", "-q", "--detach", str(other), "origin/evil")
    moved = replace(ci, root=other, worker=other, naive=("status",))
    plant(moved, config=fsmonitor(moved))
    return moved


def _linked_mark(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    shutil.move(ci.root / ".git", scratch / "kept.git")
    (ci.root / ".git").symlink_to(scratch / "kept.git")
    plant(ci, config=fsmonitor(ci))
    return replace(ci, naive=("status",))


def _submodule(scratch: Path) -> Checkout:
    """The migrations become a submodule, whose main branch has had the migration for long."""
    ci = check_out(scratch)
    other = scratch / "theirs"
    write(other, {"0001_teams.sql": TABLES, EVIL: DROP})
    git(other, "init", "-q", "-b", "main")
    commit(other, "all was here")
    git(ci.root, "rm", "-rq", "migrations")
    git(ci.root, "submodule", "--quiet", "add", str(other), "migrations")
    commit(ci.root, "a submodule")
    path = ci.root / ".git/modules/migrations/config"
    path.write_text(path.read_text() + fsmonitor(ci))
    return replace(ci, naive=("status",))


def _in_the_environment(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    folder = plant(ci, config=fsmonitor(ci))
    program = str(ci.program)
    environ = {
        "GIT_DIR": str(folder), "GIT_WORK_TREE": str(ci.root), "GIT_INDEX_FILE": "/nowhere",
        "GIT_OBJECT_DIRECTORY": str(folder / "objects"), "GIT_COMMON_DIR": str(folder),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(folder / "objects"), "GIT_NAMESPACE": "x",
        "GIT_EXTERNAL_DIFF": program, "GIT_SSH_COMMAND": program, "GIT_PAGER": program,
        "GIT_ASKPASS": program, "GIT_PROXY_COMMAND": program, "GIT_EXEC_PATH": str(scratch),
        "GIT_REPLACE_REF_BASE": "refs/heads/", "GIT_TRACE2_EVENT": str(ci.marker),
    }  # fmt: skip
    return replace(ci, environ=environ)


def _config_in_the_environment(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    environ = {
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": ci.command, "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={ci.program}'",
    }  # fmt: skip
    return replace(ci, environ=environ, naive=("status",), naive_in=".")


def _config_of_the_checkout(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    write(ci.root, {"gitconfig": f"{fsmonitor(ci)}[user]\n\temail = stranger@example.com\n"})
    environ = {"GIT_CONFIG_GLOBAL": str(ci.root / "gitconfig")}
    return replace(ci, environ=environ, naive=("status",), naive_in=".")


def _replaced(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    git(ci.root, "replace", "origin/main", "origin/evil")
    return ci


def _grafted(scratch: Path) -> Checkout:
    """Nothing was before the pull request but itself."""
    ci = check_out(scratch)
    head, base = (git(ci.root, "rev-parse", name) for name in ("HEAD", "origin/main"))
    tree = git(ci.root, "rev-parse", "HEAD^{tree}")
    forged = git(ci.root, "commit-tree", "-m", "x", "-p", base, tree)
    write(ci.root / ".git", {"info/grafts": f"{head} {forged}\n"})
    return replace(ci, base="HEAD~1")


def _branch_like_the_base(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    git(ci.root, "update-ref", "refs/heads/origin/main", "HEAD")
    return ci


def _branch_like_an_option(scratch: Path) -> Checkout:
    ci = check_out(scratch)
    name = f"--output={ci.marker}"
    git(ci.root, "update-ref", f"refs/heads/{name}", "HEAD")
    return replace(ci, base=name)


def _programs(scratch: Path) -> Checkout:
    """What `npm run` puts first on PATH; and what a version manager would look into."""
    ci = check_out(scratch)
    folder = ci.root / "node_modules" / ".bin"
    folder.mkdir(parents=True)
    for name in ("git", "node", "npx", "npm", "ssh-keygen", "ssh-add", "wrangler", "sh", "false"):
        shutil.copy(ci.program, folder / name)
    write(ci.root, {"preflight.toml": '[wrangler]\ncommand = "node_modules/.bin/wrangler"\n'})
    path = f"{folder}:node_modules/.bin::.:{os.environ['PATH']}"
    return replace(ci, environ={"PATH": path}, naive=("status",), naive_in=".")


def _shim(scratch: Path) -> Checkout:
    """A wrangler in the checkout without a package: its version can only be had by running it."""
    ci = check_out(scratch)
    shutil.copy(ci.program, ci.root / "wrangler")
    write(ci.root, {"preflight.toml": '[wrangler]\ncommand = "./wrangler"\n'})
    return ci


def _moved_folder(scratch: Path) -> Checkout:
    """The configuration of the pull request names a folder that lay there for other purposes."""
    ci = check_out(scratch, **{f"tests/{EVIL}": DROP, "tests/0001_teams.sql": TABLES})
    moved = CONFIG.replace('"binding"', '"migrations_dir": "tests", "binding"')
    write(ci.root, {"wrangler.jsonc": moved})
    commit(ci.root, "moved")
    return ci


def _linked_folder(scratch: Path) -> Checkout:
    ci = check_out(scratch, **{f"tests/{EVIL}": DROP, "tests/0001_teams.sql": TABLES})
    shutil.rmtree(ci.root / "migrations")
    (ci.root / "migrations").symlink_to("tests")
    commit(ci.root, "linked")
    return ci


def _edited_unseen(scratch: Path) -> Checkout:
    """A merged file reads differently, and the index says not to look."""
    ci = check_out(scratch)
    git(ci.root, "checkout", "-q", "--detach", "origin/main")
    path = ci.root / "migrations" / "0001_teams.sql"
    git(ci.root, "update-index", "--skip-worktree", "--assume-unchanged", str(path))
    path.write_text(TABLES + DROP)
    return ci


def _link_at_the_base(scratch: Path) -> Checkout:
    """The base held the name as a link, whose target spells the same bytes."""
    ci = check_out(scratch)
    up = scratch / "up"
    (up / "migrations" / EVIL).symlink_to(DROP)
    commit(up, "a link")
    git(ci.root, "fetch", "-q", "origin")
    return ci


VARIANTS: dict[str, Callable[[Path], Checkout]] = {
    "bare repository in migrations": _bare("migrations"),
    "bare repository in the Worker's folder": _bare(".", "apps/api"),
    "bare repository in the folder above": _bare("..", "apps/api"),
    "bare repository in a folder beside": _bare("checklists"),
    "bare repository that says all was here": _bare_hides,
    "bare repository, include.path": _bare_include,
    "bare repository, alternates": _bare_alternates,
    "bare repository, core.worktree elsewhere": _bare_elsewhere,
    "bare repository, filter by attributes": _bare_filter,
    "bare repository, hooks": _bare_hooks,
    "bare repository, textconv, diff, pager": _bare_textconv,
    "lazy fetch by ext::": _lazy(
        "ext::{program}", '[protocol]\n\tallow = always\n[protocol "ext"]\n\tallow = always\n'
    ),
    "lazy fetch by ssh": _lazy("ssh://x/y", "[core]\n\tsshCommand = {program}\n"),
    "lazy fetch by upload-pack": _lazy("/", ""),
    "hostile .git/config": _real_config,
    "filter of the person's own": _filter_of_the_person,
    "worktree": _worktree,
    "symbolic link .git": _linked_mark,
    "submodule": _submodule,
    "GIT_DIR and others in the environment": _in_the_environment,
    "GIT_CONFIG_COUNT in the environment": _config_in_the_environment,
    "GIT_CONFIG_GLOBAL in the checkout": _config_of_the_checkout,
    "refs/replace": _replaced,
    "info/grafts": _grafted,
    "branch named like the base": _branch_like_the_base,
    "branch named like an option": _branch_like_an_option,
    "programs in node_modules/.bin": _programs,
    "wrangler.command": _shim,
    "migrations_dir moved": _moved_folder,
    "migrations folder becomes a link": _linked_folder,
    "edited, skip-worktree": _edited_unseen,
    "a link at the base": _link_at_the_base,
}
