"""The judgement of migrations: what each does, its class, and what the rules find in it."""

from collections.abc import Collection, Container, Iterator, Sequence
from contextlib import closing

from d1_preflight.core.d1 import LEDGER
from d1_preflight.core.effects.classify import classify, no_file_makes
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trace import ScriptTrace
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.findings import Analysis, EngineVerdict, Finding, Kind, Refusal, Risk
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rules import findings_of, project_wide
from d1_preflight.core.rules.context import RuleContext
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.tokenizer import quote_name

_TWICE, _EXISTS = "duplicate column name:", "already exists"


def analyse(
    migration: Migration,
    prior: Schema,
    siblings: Sequence[Migration] = (),
    *,
    whole: bool = False,
) -> Analysis:
    """Judge one migration on the schema it will meet; `siblings` are the folder's files.

    `prior` is `whole` where it is all that is there (the target's), not only what earlier files
    make.
    """
    with closing(Sandbox(prior, whole=whole)) as sandbox:
        return _judged(sandbox, migration, siblings)


def judge_in_order(migrations: Sequence[Migration]) -> Iterator[Analysis]:
    """Judge files in the given order, each on the schema that the earlier ones leave.

    They are judged one by one, so that a caller may stop.
    """
    names = {migration.name for migration in migrations}
    return (found for _, found in judge_some(migrations, names))


def judge_some(
    migrations: Sequence[Migration],
    wanted: Container[str],
    prior: Schema | None = None,
    known: Collection[str] = (),
    *,
    whole: bool = False,
) -> Iterator[tuple[Migration, Analysis]]:
    """Judge those whose names are wanted, in the given order; the others only build the schema.

    `known` names those that were there before these were written, where that is known. With
    `whole`, what neither `prior` has nor a file makes is not there.
    """
    with closing(Sandbox(prior, whole=whole)) as sandbox:
        noted = frozenset[str]()
        last = max((n for n, m in enumerate(migrations) if m.name in wanted), default=-1)
        for migration in migrations[: last + 1]:
            if migration.name in wanted:
                judged = _judged(
                    sandbox, migration, migrations, keep=True, known=known, noted=noted
                )
                noted |= project_wide(judged.findings)
                yield migration, judged
            else:
                sandbox.run(migration.text, keep=True)


def not_judged(why: str) -> Analysis:
    """The analysis of a file that could not be judged: unknown, and refused."""
    refused = EngineVerdict((Refusal(1, why),))
    return Analysis(Kind.UNKNOWN, Risk.UNKNOWN, "irreversible", engine=refused)


def schema_after(migrations: Sequence[Migration], prior: Schema | None = None) -> Schema:
    """The schema that a list of migrations leaves, in the given order."""
    with closing(Sandbox(prior)) as sandbox:
        for migration in migrations:
            sandbox.run(migration.text, keep=True)
        return sandbox.schema


def schemas_between(
    migrations: Sequence[Migration], prior: Schema
) -> tuple[tuple[Schema, ...], tuple[str, ...]]:
    """The schemas before the first file and after each, and why a file does not run ("")."""
    sandbox, refused = Sandbox(prior, whole=True), list[str]()
    found = [sandbox.schema]
    try:
        for migration in migrations:
            traces = sandbox.run(migration.text, keep=True).statements
            wrong = next((trace for trace in traces if trace.error), None)
            refused.append(f"line {wrong.line}: {wrong.error}" if wrong else "")
            found.append(sandbox.schema)
        return tuple(found), tuple(refused)
    finally:
        sandbox.close()


def made_outside(migrations: Sequence[Migration], live: Schema) -> Schema:
    """What of a schema no file makes, as it was before the first: the base schema.

    A column that a file adds to such a table is taken out again, so that the file can be run.
    """
    made, added = set[str](), set[tuple[str, str]]()
    with closing(Sandbox(live, whole=True)) as sandbox:
        for migration in migrations:
            for trace in sandbox.run(migration.text, keep=False).statements:
                made |= {name.lower() for _, name in trace.created}
                made |= {trace.target.lower()} if _EXISTS in trace.error else set()
                if trace.error.startswith(_TWICE):
                    column = trace.error.removeprefix(_TWICE).strip()
                    added.add((trace.target, column))
    outside = tuple(o for o in live.objects if not {o.name.lower(), o.table.lower()} & made)
    return _without_columns(Schema(outside), added)


def _without_columns(schema: Schema, columns: Collection[tuple[str, str]]) -> Schema:
    with closing(Sandbox(schema, whole=True)) as sandbox:
        for table, column in sorted(columns):
            drop = f"ALTER TABLE {quote_name(table)} DROP COLUMN {quote_name(column)};"
            sandbox.run(drop, keep=True)
        return sandbox.schema


def baseline_schema(baseline: Migration) -> Schema:
    """The schema that a baseline makes; raises ProjectError at a statement that makes nothing.

    D1's own tables and wrangler's ledger are passed over: an export holds them.
    """
    with closing(Sandbox()) as sandbox:
        for trace in sandbox.run(baseline.text, keep=True).statements:
            if trace.error and not trace.target.lower().startswith(("_cf_", "sqlite_", LEDGER)):
                raise ProjectError(
                    f"{baseline.name}, line {trace.line}: {trace.error}.",
                    hint="The baseline holds the schema as it was before the first migration.",
                )
        return sandbox.schema


def _judged(
    sandbox: Sandbox,
    migration: Migration,
    siblings: Sequence[Migration],
    *,
    keep: bool = False,
    known: Collection[str] = (),
    noted: frozenset[str] = frozenset(),
) -> Analysis:
    script = sandbox.run(migration.text, keep=keep, name=migration.name)
    verdict = classify(script)
    done = tuple(trace for trace in script.statements if not trace.error)
    context = RuleContext(
        migration, tuple(siblings), script, verdict, sandbox.problems, done, tuple(known), noted
    )
    findings = findings_of(context)
    return Analysis(
        kind=verdict.kind,
        risk=verdict.risk,
        rollback=verdict.rollback,
        reasons=verdict.reasons,
        effects=verdict.effects,
        findings=findings,
        engine=_engine_verdict(script, findings, sandbox.problems),
    )


def _engine_verdict(
    script: ScriptTrace, findings: Sequence[Finding], problems: Sequence[str]
) -> EngineVerdict:
    """What the sandbox answered, in the words of the findings where they tell more."""
    refused = dict[int, Refusal]()
    for trace in (trace for trace in script.statements if trace.error):
        missing = script.missing(trace)
        why = no_file_makes(missing) if missing else trace.error
        refused[trace.line] = Refusal(trace.line, why, outside=bool(missing))
    messages = reversed([finding for finding in findings if finding.refusal])
    refused |= {finding.line: Refusal(finding.line, finding.message) for finding in messages}
    last = script.statements[-1].line if script.statements else 1
    if script.unrecorded and not refused:
        refused[last] = Refusal(last, f"D1 answers: {script.unrecorded}.")
    undecided = [Refusal(1, problem) for problem in problems]
    undecided += [
        Refusal(trace.line, trace.data_dependent_error)
        for trace in script.statements
        if trace.data_dependent_error
    ]
    if script.commit_error:
        undecided.append(Refusal(last, script.commit_error))
    return EngineVerdict(tuple(refused[line] for line in sorted(refused)), tuple(undecided))
