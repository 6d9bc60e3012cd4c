"""Judges a project's code beside its schema: which code and which migrations, and what they say.

The deployed code is a git revision, the new one the files here or another revision. Nothing of
either is checked out, executed or imported.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from d1_preflight.adapters.beside import Processes
from d1_preflight.adapters.code_cache import CodeCache
from d1_preflight.adapters.configuration import find_config, read_config
from d1_preflight.adapters.git.door import Git, git_around
from d1_preflight.adapters.git.proposed_revisions import proposed_revisions
from d1_preflight.adapters.git.revision_tree import (
    RevisionTree,
    merge_base,
    revision_tree,
    tree_of_commit,
)
from d1_preflight.adapters.lint_sources import Ledger, Place, Sources
from d1_preflight.adapters.project_files import read_settings
from d1_preflight.adapters.working_tree import (
    WorkingTree,
    fingerprint,
    paths_around,
    repository_root,
    working_tree,
)
from d1_preflight.code.kept import from_json, to_json
from d1_preflight.code.record_facts import facts_of
from d1_preflight.code.scripts import is_source, is_wanted
from d1_preflight.code.source import MANY, Scope
from d1_preflight.code.verdict import Verdict
from d1_preflight.core.checklist.answers import FILES_HERE, NOT_KNOWN
from d1_preflight.core.errors import ProjectError, UsageError
from d1_preflight.core.project.migration import Migration, names_meant, one_name
from d1_preflight.core.project.settings import CodeSettings
from d1_preflight.core.project.wrangler_config import WranglerConfig
from d1_preflight.core.project.wrangler_config_file import parse_config
from d1_preflight.core.record.safety_facts import DeployOrderFacts, RevisionProposal
from d1_preflight.core.schema.schema import Schema
from d1_preflight.lazy_dataclass import dataclass, field

_KEY = "verdict"
_READER = "d1_preflight.code.file_job"
LIMIT_S = 120.0
"""How long source files are parsed; later ones are left out, which is said."""

Tree = RevisionTree | WorkingTree

if TYPE_CHECKING:
    from d1_preflight.code.comparison import Step


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be judged; without `deployed` the merge-base counts, without `new` the files here.

    Without `name` all migrations count that the deployed revision does not have, else the last.
    """

    sources: Sources
    name: str = ""
    deployed: str = ""
    new: str = ""


def judge(request: Request, cache: CodeCache | None = None) -> Verdict:
    """The verdict; raises UsageError or ProjectError where there is nothing to judge."""
    sources = request.sources
    config = read_config(find_config(sources.start, sources.config), sources.environment)
    settings = read_settings(config.folder).code
    ledger = _ledger(request)
    git = git_around(config.folder)
    kept = cache or CodeCache(repository_root(config.folder))
    judging = WorkerSource(config, settings, sources.environment, kept)
    with judging.beside:
        new = _new(git, request, judging)
        deployed, problem = _deployed(git, config.folder, request, new)
        chosen, earlier = _chosen(request, ledger, deployed, config)
        key = [[migration.name, migration.sha256] for migration in (*earlier, *chosen)]
        found = judging.verdict(
            (deployed, new), [*key, len(chosen)], lambda: _step(earlier, chosen), problem
        )
    names = (replace(found.deployed, name=deployed.name), replace(found.new, name=new.name))
    return replace(found, deployed=names[0], new=names[1])


@dataclass(frozen=True, slots=True)
class WorkerSource:
    """The source of a project's Worker: its revisions, each read once, and the proof by queries."""

    config: WranglerConfig
    settings: CodeSettings
    environment: str = ""
    cache: CodeCache | None = None
    beside: Processes = field(default_factory=lambda: Processes(_READER))

    def verdict(
        self,
        trees: tuple[Tree, Tree],
        about: Sequence[object],
        step: "Callable[[], Step]",
        problem: str = "",
    ) -> Verdict:
        """The deployed and the new tree on the schemas of a step; `about` identifies that step."""
        kept = self.cache or CodeCache(repository_root(self.config.folder))
        scopes = [_scope(tree, self.config, self.settings, self.environment) for tree in trees]
        key = _key(trees, scopes, about)
        found = _kept(kept, key)
        if found is None:
            found = _compared(trees, scopes, step(), kept, self.beside)
            kept.save()
            if not (found.deployed.left_out or found.new.left_out):  # another time it may be read
                kept.keep_result(key, {_KEY: to_json(Verdict, found)})
        return replace(found, problems=(*found.problems, problem)) if problem else found

    def proposals(self, notes: Mapping[str, str]) -> tuple[RevisionProposal, ...]:
        """What may run now: the commits that a version's notes name, the merge-base, these files.

        None where there is no source here.
        """
        folder = self.config.folder
        scope = _scope(WorkingTree("", folder), self.config, self.settings, self.environment)
        if not any(is_source(path) and not scope.excludes(path) for path in paths_around(folder)):
            return ()
        here = RevisionProposal(commit=FILES_HERE, why="as they are now")
        return (*proposed_revisions(folder, notes), here)

    def proof(
        self, deployed: str, before: Schema, after: Schema, scripts: Mapping[str, str]
    ) -> DeployOrderFacts:
        """Both codes on the schemas before and after; raises UsageError for no such revision."""
        from d1_preflight.code.comparison import Step

        kept = self.cache or CodeCache(repository_root(self.config.folder))
        new, problem = _here(git_around(self.config.folder), self.config, kept), ""
        old: Tree = new
        if deployed == NOT_KNOWN:
            problem = "which code is deployed is not known"
        elif deployed != FILES_HERE:
            old = revision_tree(self.config.folder, deployed, is_wanted)
        judging = replace(self, cache=kept, beside=Processes(_READER))
        about = [before.fingerprint, after.fingerprint, *sorted(scripts.items())]
        verdict = judging.verdict((old, new), about, lambda: Step(before, after, scripts), problem)
        name = deployed if deployed in (FILES_HERE, NOT_KNOWN) else old.name
        folder = _below(self.config.folder, repository_root(self.config.folder))
        return replace(facts_of(verdict, folder), deployed=name)


def places_broken(
    config: WranglerConfig, environment: str, prior: Schema, migration: Migration
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The queries of the files here that a migration breaks, each as `path:line`.

    Beside them what was not seen and could break too, in words.
    """
    from d1_preflight.code.comparison import Step
    from d1_preflight.core.analysis import schema_after

    cache = CodeCache(repository_root(config.folder))
    here = _here(git_around(config.folder), config, cache)
    after = schema_after([migration], prior)
    judging = WorkerSource(config, read_settings(config.folder).code, environment, cache)
    about = [prior.fingerprint, migration.sha256]
    scripts = {migration.name: migration.text}
    verdict = judging.verdict((here, here), about, lambda: Step(prior, after, scripts))
    found = dict.fromkeys(f"{query.path}:{query.line}" for query in verdict.deployed.harmed)
    return tuple(found), () if verdict.is_proved else verdict.unseen


def _step(earlier: Sequence[Migration], chosen: Sequence[Migration]) -> "Step":
    """The schemas that the migrations' files make."""
    from d1_preflight.code.comparison import Step
    from d1_preflight.core.analysis import schema_after

    before = schema_after(earlier)
    scripts = {migration.name: migration.text for migration in chosen}
    return Step(before, schema_after(chosen, before), scripts)


def _compared(
    trees: tuple[Tree, Tree],
    scopes: Sequence[Scope],
    step: "Step",
    cache: CodeCache,
    beside: Processes,
) -> Verdict:
    """The verdict, made anew; what that needs is imported only now."""
    from d1_preflight.code.comparison import compare_codes
    from d1_preflight.code.project_code import read_code
    from d1_preflight.code.readings import Means

    end = monotonic() + LIMIT_S
    with beside:
        means = Means(lambda: monotonic() > end, beside=beside)
        deployed = new = read_code(trees[0], scopes[0], cache, means)
        if not _are_same(trees, scopes):
            new = read_code(trees[1], scopes[1], cache, means)
        return compare_codes(deployed, replace(new, name=trees[1].name), step)


def _are_same(trees: tuple[Tree, Tree], scopes: Sequence[Scope]) -> bool:
    """Whether two trees are the same code."""
    of_files = _wanted(trees[0]) == _wanted(trees[1])
    return of_files and scopes[0] == scopes[1] and [*trees[0].notes] == [*trees[1].notes]


def _here(git: Git, config: WranglerConfig, cache: CodeCache) -> WorkingTree:
    return working_tree(config.folder, is_wanted, cache, git)


def _new(git: Git, request: Request, judging: WorkerSource) -> Tree:
    """The tree of the new code; where many of its files are new, their readers start with it."""
    folder = judging.config.folder

    def listed(count: int) -> None:
        if count >= MANY:
            judging.beside.start()

    if request.new:
        return revision_tree(folder, request.new, is_wanted)
    return working_tree(folder, is_wanted, judging.cache, git, listed)


def _deployed(git: Git, folder: Path, request: Request, new: Tree) -> tuple[Tree, str]:
    """The tree of the code that runs, and what is not known of it."""
    if request.deployed:
        return revision_tree(folder, request.deployed, is_wanted), ""
    base = merge_base(git)
    if base:
        tree = tree_of_commit(git, base, base, is_wanted)
        return replace(tree, name=f"{base[:9]} (merge-base; name another with --deployed)"), ""
    return new, "which code is deployed is unknown: git names no revision here"


def _ledger(request: Request) -> Ledger:
    """The migrations of the chosen database."""
    ledgers = [ledger for ledger in request.sources.project() if ledger.wanted]
    if request.name:
        named = [ledger for ledger in ledgers if names_meant(_names(ledger), request.name)]
        ledgers = named or ledgers
    if len(ledgers) > 1:
        folders = ", ".join(str(ledger.place.folder) for ledger in ledgers)
        raise UsageError(
            f"There are migrations in {folders}.", hint="Choose one with --database NAME."
        )
    return ledgers[0]


def _chosen(
    request: Request, ledger: Ledger, deployed: Tree, config: WranglerConfig
) -> tuple[tuple[Migration, ...], tuple[Migration, ...]]:
    """The migrations to judge, and those before them."""
    ordered = ledger.migrations
    if request.name:
        at = _names(ledger).index(one_name(_names(ledger), request.name))
        return ordered[at : at + 1], ordered[:at]
    fresh: tuple[Migration, ...] = ()
    if isinstance(deployed, RevisionTree):
        known = _names_at(deployed, ledger.place, config)
        fresh = tuple(m for m in ordered if m.name not in known)
    chosen = fresh or ordered[-1:]
    return chosen, tuple(m for m in ordered if m not in chosen)


def _names(ledger: Ledger) -> list[str]:
    return [migration.name for migration in ledger.migrations]


def _names_at(tree: RevisionTree, place: Place, config: WranglerConfig) -> frozenset[str]:
    """The migrations that a revision has in a folder."""
    folder = _below(place.folder, repository_root(config.folder))
    start = f"{folder}/" if folder else ""
    names = (path.removeprefix(start) for path in tree.blobs if path.startswith(start))
    return frozenset(name for name in names if place.glob.matches(name))


def _scope(tree: Tree, config: WranglerConfig, settings: CodeSettings, environment: str) -> Scope:
    """Where the code lies, as the configuration of that tree itself says it."""
    root = repository_root(config.folder)
    folder = _below(config.folder, root)
    path = "/".join(filter(None, (folder, config.path.name)))
    main = config.main
    if isinstance(tree, RevisionTree):
        data = tree.read([path]).get(path)
        try:
            text = (data or b"").decode("utf-8-sig")
            main = parse_config(config.path, text, environment).main if data else main
        except (ProjectError, UnicodeDecodeError):
            pass  # that revision's configuration does not read: today's entry counts
    return Scope(folder, main, settings.roots, settings.exclude, settings.wrappers)


def _below(folder: Path, root: Path) -> str:
    real = Path(os.path.realpath(folder))
    found = real.relative_to(root).as_posix() if real.is_relative_to(root) else ""
    return "" if found == "." else found


def _key(trees: Sequence[Tree], scopes: Sequence[Scope], about: Sequence[object]) -> str:
    parts: list[object] = [fingerprint(_wanted(tree)) for tree in trees]
    parts += [asdict(scope) for scope in scopes]
    return sha256(json.dumps([*parts, *about]).encode()).hexdigest()


def _wanted(tree: Tree) -> Mapping[str, str]:
    if isinstance(tree, WorkingTree):  # it has no other files
        return tree.blobs
    return {path: blob for path, blob in tree.blobs.items() if is_wanted(path)}


def _kept(cache: CodeCache, key: str) -> Verdict | None:
    raw = cache.result(key)
    try:
        return from_json(Verdict, raw[_KEY]) if raw else None
    except (KeyError, TypeError, ValueError):
        return None
