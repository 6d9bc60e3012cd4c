"""What is sent to the target and shown of it: arguments, names, paths, and the first answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from actions.fake_target import UUID, replied
from core.record_values import START
from d1_preflight.actions.context import Environment, Meter
from d1_preflight.actions.target import (
    execute_args,
    failure_words,
    first_object,
    info_args,
    observe,
    own_command,
    read_batch,
    relative,
    shown,
)
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig

ROOT = Path("/project")
CONFIG = f"/project/.preflight/targets/{UUID}.json"


@dataclass
class Replies:
    """Answers every statement with an empty result; notes what was kept and where it ran."""

    short: int = 0
    kept: list[str | None] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    async def run(
        self, args: Sequence[str], *, keep: str | None, cwd: Path, **_: object
    ) -> Evidence:
        self.kept.append(keep)
        self.folders.append(cwd)
        if args[1] == "info":
            return replied(args, {"uuid": UUID.upper()})
        number = args[-1].count(";")
        self.sizes.append(number)
        answer = {"results": [], "success": True, "meta": {"rows_read": 3, "rows_written": 2}}
        return replied(args, [answer] * (number - self.short))


def environment(wrangler: Replies | None = None, *, several: bool = False) -> Environment:
    shop = Database("DB", "shop db", UUID)
    config = WranglerConfig(
        ROOT / "wrangler.jsonc",
        environments=("prod",) if several else (),
        databases=(shop, shop) if several else (shop,),
    )
    project = Project(ROOT, config, shop, environment="prod" if several else "")
    found = SimpleNamespace(
        project=project,
        target="remote",
        files=SimpleNamespace(target_config=lambda: Path(CONFIG)),
        wrangler=wrangler or Replies(),
        cache=TargetCache(),
        meter=Meter(),
        clock=SimpleNamespace(now=lambda: START),
    )
    return cast("Environment", found)


def test_every_read_names_the_targets_configuration_and_is_remote() -> None:
    assert execute_args(environment(), "SELECT 1;") == (
        "d1", "execute", "shop db", "--config", CONFIG, "--remote", "--json", "--command=SELECT 1;",
    )  # fmt: skip
    assert info_args(environment()) == ("d1", "info", "shop db", "--config", CONFIG, "--json")


LONG = [f"SELECT '{number}{'x' * 60_000}'" for number in range(3)]


@pytest.mark.parametrize(
    ("keep", "kept"), [("01-x", ["01-x", "01-x-2", "01-x-3"]), (None, [None, None, None])]
)
async def test_evidence_of_several_calls_is_numbered_and_kept_only_if_asked(
    keep: str | None, kept: list[str | None]
) -> None:
    target = environment(wrangler := Replies())

    results, evidence = await read_batch(target, LONG, keep=keep)

    assert (len(results), len(evidence)) == (3, 3)
    assert wrangler.kept == kept
    assert set(wrangler.folders) == {Path(CONFIG).parent}
    assert target.meter.rows_read == 9
    assert target.meter.rows_written == 6


async def test_an_answer_that_lacks_a_result_is_none() -> None:
    target = environment(Replies(short=1))

    with pytest.raises(RemoteFailed, match="2 answers, got 1") as refused:
        await read_batch(target, ["SELECT 1", "SELECT 2"])

    assert refused.value.hint.startswith("Nothing was changed.")
    assert target.meter.rows_read == 0


async def test_what_cannot_be_read_is_remembered_by_nobody() -> None:
    target = environment()

    with pytest.raises(RemoteFailed, match="could not be read"):
        await observe(target, tables=("t",))

    assert target.cache.observation is None


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("plain", "plain"),
        ("--file=/project/migrations/down/1.sql", "--file=migrations/down/1.sql"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", "'it'\\''s'"),
        *((f"a{sign}b", f"'a{sign}b'") for sign in '"$;|&<>()*'),
        ("a b" + "x" * 196, "'a b" + "x" * 196 + "'"),
        ("a b" + "x" * 197, "'a b" + "x" * 177 + " …'"),
        ("y" * 300, "y" * 300),
    ],
)
def test_a_command_is_shown_as_a_shell_takes_it(word: str, quoted: str) -> None:
    assert shown(environment(), ("d1", word)) == f"wrangler d1 {quoted}"


def test_a_command_of_ours_chooses_the_same_database_everywhere() -> None:
    assert own_command(environment(), "restore", "0061 x") == "preflight restore '0061 x'"
    assert own_command(environment(several=True), "restore", "0061_x") == (
        "preflight restore 0061_x --env=prod --database 'shop db'"
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [("/project/a/b.sql", "a/b.sql"), ("/elsewhere/a/b.sql", "b.sql"), ("/project", ".")],
)
def test_a_record_names_no_path_of_this_machine(path: str, name: str) -> None:
    assert relative(environment(), Path(path)) == name


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('[{"a": 1}, {"b": 2}]', {"a": 1}),
        ('⛅️ wrangler\n[WARNING] old {\n{"a": 1}\nbye', {"a": 1}),
        ('said {"a": 1}', {}),
        ("[]", {}),
        ("[1]", {}),
        ('[1]\n{"a": 1}', {"a": 1}),
        ("{broken", {}),
        ("", {}),
    ],
)
def test_the_first_object_is_read_from_the_beginning_of_a_line(
    printed: str, found: dict[str, object]
) -> None:
    assert first_object(printed) == found


def test_a_failure_is_one_line_with_its_hint_where_it_has_one() -> None:
    assert failure_words(RemoteFailed("No answer.", hint="Try again.")) == "No answer. Try again."
    assert failure_words(RemoteFailed("No answer.")) == "No answer."


async def test_another_database_of_the_account_is_not_believed() -> None:
    class Other(Replies):
        async def run(
            self, args: Sequence[str], *, keep: str | None, cwd: Path, **more: object
        ) -> Evidence:
            ran = await super().run(args, keep=keep, cwd=cwd, **more)
            return replace(ran, stdout=json.dumps({"uuid": "b" * 36})) if args[1] == "info" else ran

    target = environment(Other())

    with pytest.raises(RemoteFailed, match=f"asked {UUID} and got the database b+"):
        await observe(target)

    assert (target.cache.uuid, target.cache.observation) == ("", None)
