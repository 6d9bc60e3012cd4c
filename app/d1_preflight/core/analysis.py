"""The judgement of migrations: what each does, its class, and what the rules find in it."""

from collections.abc import Collection, Container, Iterator, Sequence

from d1_preflight.core.effects.classify import classify
from d1_preflight.core.engine.sandbox import Scratch
from d1_preflight.core.engine.trace import Run
from d1_preflight.core.findings import Analysis, EngineVerdict, Finding, Refusal
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rules import findings_of
from d1_preflight.core.rules.context import Case
from d1_preflight.core.schema.schema import Schema


def analyse(
    migration: Migration,
    prior: Schema,
    siblings: Sequence[Migration] = (),
    known: Collection[str] = (),
) -> Analysis:
    """Judge one migration on the schema it will meet; `siblings` are the folder's files.

    `known` names those that were there before this one was written, where that is known.
    """
    scratch = Scratch(prior)
    try:
        return _judged(scratch, migration, siblings, known=known)[0]
    finally:
        scratch.close()


def analyse_ledger(
    migrations: Sequence[Migration], prior: Schema | None = None
) -> tuple[Analysis, ...]:
    """Judge files in the given order, each on the schema that the earlier ones leave."""
    return tuple(judge_in_order(migrations, prior))


def judge_in_order(
    migrations: Sequence[Migration], prior: Schema | None = None
) -> Iterator[Analysis]:
    """The same, one by one, so that a caller may stop."""
    return (analysis for analysis, _ in _in_order(migrations, prior))


def judge_some(
    migrations: Sequence[Migration],
    wanted: Container[str],
    prior: Schema | None = None,
    known: Collection[str] = (),
) -> Iterator[tuple[Migration, Analysis]]:
    """Judge those whose names are wanted, in the given order; the others only build the schema."""
    scratch = Scratch(prior)
    last = max((n for n, m in enumerate(migrations) if m.name in wanted), default=-1)
    try:
        for migration in migrations[: last + 1]:
            if migration.name in wanted:
                judged, _ = _judged(scratch, migration, migrations, keep=True, known=known)
                yield migration, judged
            else:
                scratch.run(migration.text, keep=True)
    finally:
        scratch.close()


def schema_after(migrations: Sequence[Migration], prior: Schema | None = None) -> Schema:
    """The schema that a list of migrations leaves, in the given order."""
    scratch = Scratch(prior)
    try:
        for migration in migrations:
            scratch.run(migration.text, keep=True)
        return scratch.schema
    finally:
        scratch.close()


def _in_order(
    migrations: Sequence[Migration], prior: Schema | None
) -> Iterator[tuple[Analysis, Schema]]:
    scratch = Scratch(prior)
    try:
        for migration in migrations:
            yield _judged(scratch, migration, migrations, keep=True)[0], scratch.schema
    finally:
        scratch.close()


def _judged(
    scratch: Scratch,
    migration: Migration,
    siblings: Sequence[Migration],
    *,
    keep: bool = False,
    known: Collection[str] = (),
) -> tuple[Analysis, Case]:
    run = scratch.run(migration.text, keep=keep, name=migration.name)
    verdict = classify(run)
    done = tuple(act for act in run.acts if not act.error)
    case = Case(migration, tuple(siblings), run, verdict, scratch.problems, done, tuple(known))
    findings = findings_of(case)
    analysis = Analysis(
        kind=verdict.kind,
        risk=verdict.risk,
        rollback=verdict.rollback,
        reasons=verdict.reasons,
        effects=verdict.effects,
        findings=findings,
        engine=_engine_verdict(run, findings, scratch.problems),
    )
    return analysis, case


def _engine_verdict(
    run: Run, findings: Sequence[Finding], problems: Sequence[str]
) -> EngineVerdict:
    """What the sandbox answered, in the words of the findings where they tell more."""
    refused = {act.line: Refusal(act.line, act.error) for act in run.acts if act.error}
    told = reversed([finding for finding in findings if finding.refusal])
    refused |= {finding.line: Refusal(finding.line, finding.message) for finding in told}
    last = run.acts[-1].line if run.acts else 1
    if run.unrecorded and not refused:
        refused[last] = Refusal(last, f"D1 answers: {run.unrecorded}.")
    undecided = [Refusal(1, problem) for problem in problems]
    undecided += [Refusal(act.line, act.depends) for act in run.acts if act.depends]
    if run.commit_error:
        undecided.append(Refusal(last, run.commit_error))
    return EngineVerdict(tuple(refused[line] for line in sorted(refused)), tuple(undecided))
