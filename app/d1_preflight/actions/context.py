"""What an action is given: the project's facts, the ports to the world, and the record so far."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from d1_preflight.actions.ports import (
    Files,
    Local,
    Progress,
    Signer,
    Store,
    Web,
    WorkerSource,
    no_progress,
)
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.core.checklist.checklist import Answer, Checklist, Prompt, Step
from d1_preflight.core.errors import MigrationUnreadable, NotJudged, RemoteFailed
from d1_preflight.core.findings import Analysis, Kind
from d1_preflight.core.ports import Clock, Emit, Evidence, Wrangler, silent
from d1_preflight.core.project.migration import Migration, UnreadableMigration, ledger_key
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.record.facts import AnyStep
from d1_preflight.core.record.record import SCHEMA, Attempt, DatabaseRef, Outcome, Record
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.row_leaks import error_may_leak_row_values
from d1_preflight.core.target.wrangler_output import StatementResult, explain_failure
from d1_preflight.core.verify.chain import ClosedRecord
from d1_preflight.lazy_dataclass import dataclass, field, replace


@dataclass(slots=True)
class Meter:
    """The rows of one attempt, over all of D1's replies, as D1 counts and bills them."""

    rows_read: int = 0
    rows_written: int = 0

    def count(self, results: Iterable[StatementResult]) -> None:
        """Add the rows of a reply."""
        for result in results:
            self.rows_read += result.rows_read
            self.rows_written += result.rows_written


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The project, the migration and the ports; `workspace` is the private `.preflight` folder.

    `read` is the sha256 of the files that were read when the project was opened, by name;
    `closed_records` reads the closed records that lie beside this one.
    """

    project: Project
    name: str
    target: str  # remote, or practice
    workspace: Path
    operator: str
    versions: Mapping[str, str]
    files: Files
    store: Store
    signer: Signer
    clock: Clock
    wrangler: Wrangler
    local: Local
    web: Web
    source: WorkerSource
    cache: TargetCache = field(default_factory=TargetCache)
    meter: Meter = field(default_factory=Meter)
    read: Mapping[str, str] = field(default_factory=dict)
    closed_records: Callable[[], Sequence[ClosedRecord]] = tuple
    limit: Callable[[int], AbstractContextManager[None]] = lambda _files: nullcontext()
    """Bounds the judgement of so many files: raises NotJudged in its body."""

    def metered(self) -> "Environment":
        """The same with a meter of its own: attempts that run side by side pay for themselves."""
        return replace(self, meter=Meter())

    @property
    def settings(self) -> Settings:
        """The project's `preflight.toml`."""
        return self.project.settings

    def named_worker(self, otherwise: str) -> str:
        """The Worker that uses this database; raises RemoteFailed where none is named."""
        if not self.project.worker:
            hint = "Set worker under [verification] in preflight.toml."
            raise RemoteFailed(f"No Worker is named, so {otherwise}.", hint=hint)
        return self.project.worker

    @property
    def stem(self) -> str:
        """The migration's name without `.sql`."""
        return self.name.removesuffix(".sql")

    def migration(self) -> Migration:
        """The file as it is now; raises MigrationUnreadable if it is gone."""
        for file in self.files.files():
            if file.name == self.name and isinstance(file, UnreadableMigration):
                raise MigrationUnreadable(file.problem, hint=file.hint)
            if file.name == self.name and isinstance(file, Migration):
                return file
        raise MigrationUnreadable(
            f"{self.name} is no longer among the migrations.",
            hint="Bring the file back, or open another migration.",
        )

    def earlier(self) -> tuple[Migration, ...]:
        """The migrations before this one, in the ledger's order."""
        key = ledger_key(self.name)
        return tuple(m for m in self.files.migrations() if ledger_key(m.name) < key)

    @property
    def copy(self) -> Path:
        """The folder of the target's copy, a local D1 from before the migration."""
        return self.workspace / "copy/d1"

    @property
    def knows_target(self) -> bool:
        """Whether the target's schema was read, in this session or by the copy."""
        seen = self.cache.observation
        read_now = seen is not None and self.name not in seen.applied
        return read_now or self.local.file(self.copy).is_file()

    def prior_schema(self) -> Schema:
        """The schema that the migration meets: the target's, as it was before it is applied.

        Read in this session, else out of the copy that an earlier one made (the target may hold
        tables that no file makes); only without either, what the earlier files would make.
        """
        known = self._target_schema()
        return self._schema_of_files() if known is None else known

    def _target_schema(self) -> Schema | None:
        seen, copy = self.cache.observation, self.copy
        if seen is not None and self.name not in seen.applied:
            return seen.schema
        return self.local.schema(copy) if self.local.file(copy).is_file() else None

    def _schema_of_files(self) -> Schema:
        """What the earlier files make; they are run once for each of their texts."""
        from d1_preflight.core.analysis import schema_after

        earlier = self.earlier()
        key = tuple(migration.sha256 for migration in earlier)
        if self.cache.made is None or self.cache.made[0] != key:
            self.cache.made = (key, schema_after(earlier))
        return self.cache.made[1]

    def analysis(self) -> Analysis:
        """The judgement of the present text on the present schema, worked out once for both."""
        from d1_preflight.core.analysis import not_judged

        migration, known = self.migration(), self._target_schema()
        whole = known is not None
        try:
            with self.limit(len(self.files.files())):
                prior = self._schema_of_files() if known is None else known
        except NotJudged as error:
            return not_judged(f"The earlier files: {error.message}")
        key = (migration.sha256, prior, whole)
        if self.cache.analysis is None or self.cache.analysis[0] != key:
            self.cache.analysis = (key, self._judged(migration, prior, whole=whole))
        return self.cache.analysis[1]

    def _judged(self, migration: Migration, prior: Schema, *, whole: bool) -> Analysis:
        from d1_preflight.core.analysis import analyse, not_judged

        siblings = tuple(self.files.migrations())
        try:
            with self.limit(1):
                return analyse(migration, prior, siblings, whole=whole)
        except NotJudged as error:
            return not_judged(error.message)

    def subjects(self) -> Mapping[str, str]:
        """The sha256 of the files that attempts are about, as they are now."""
        down = self.files.down(self.stem)
        found = {"migration": self.migration().sha256, "config": self.files.config_sha256()}
        return found | ({"down": down.sha256} if down else {})

    def new_record(self, checklist: str) -> Record:
        """An empty record for this migration on this database."""
        database = self.project.database
        reference = DatabaseRef(
            database.name, database.id, self.project.environment or "", self.target
        )
        return Record(
            self.name, reference, checklist, self.subjects(), self.versions, schema=SCHEMA
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """One running attempt, as its action sees it."""

    environment: Environment
    record: Record
    checklist: Checklist
    kind: Kind
    step: Step
    answers: Mapping[str, Answer]
    emit: Emit = silent
    progress: Progress = no_progress
    terminal: AbstractContextManager[object] = field(default_factory=nullcontext)

    def facts(self, kind: type[AnyStep]) -> AnyStep:
        """The facts of another step's current attempt; empty facts where it has none."""
        if not self.checklist.has(kind.step):
            return kind()
        return kind.from_attempt(self.record.standing(self.checklist.step(kind.step)))

    @property
    def before(self) -> Attempt | None:
        """The last attempt at this step that is over, invalidated or not."""
        return self.record.last_ended(self.step.id)

    @property
    def must_observe_first(self) -> bool:
        """Whether nobody saw how the last attempt ended: it is never repeated blindly."""
        return self.before is not None and self.before.status.is_unobserved

    @property
    def evidence_name(self) -> str:
        """The name under which this attempt's command output is kept: `NN-step`."""
        return f"{len(self.record.attempts):03d}-{self.step.id}"

    def own_reason(self, ran: Evidence, script: Migration | None = None) -> str:
        """Why the migration, or its down `script`, failed; never a message that may quote a row."""
        if self.quotes_rows(script):
            return "its own message is not kept, because it may quote a row; run it in a shell."
        return explain_failure(ran).message

    def quotes_rows(self, script: Migration | None = None) -> bool:
        """Whether an error of the migration (or of its down `script`) may quote a row's value."""
        migration = script or self.environment.migration()
        schema = (found.sql for found in self.environment.prior_schema().objects)
        return error_may_leak_row_values(migration.text, *schema)

    def answer(self, key: str) -> str:
        """A text answer, "" where it was not asked."""
        value = self.answers.get(key, "")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class StepAction:
    """What one action of the checklist does.

    `prompts` follow from the facts and are asked before those of the checklist; `plan` gives the
    commands, shown before they run; after an action that `seals`, the record is signed and final.
    `offers` are texts to be kept or written over, by the prompt's key; `remarks` what is said above
    its help. `spares` are questions of one key, by the key of the text that the first choice
    spares; `keeps` says which answers count again where the question it names is answered.
    `held` says why only a person may start it, beyond what the checklist says; "" where it may
    start by itself. Where it `asks_nothing`, the checklist's own prompts are left out too.
    What is `rechecked` asks nobody and takes a moment: where it is stale, GO proves it again, and
    the apply asks it again. Nothing runs beside what goes `alone`. What `settles` gives are
    answers of earlier steps that its success settles without asking anybody.
    """

    run: Callable[[StepContext], Awaitable[Outcome]]
    prompts: Callable[[StepContext], Sequence[Prompt]] | None = None
    plan: Callable[[StepContext], Sequence[str]] | None = None
    asks_nothing: Callable[[StepContext], bool] | None = None
    held: Callable[[StepContext], str] | None = None
    offers: Callable[[StepContext], Mapping[str, str]] | None = None
    remarks: Callable[[StepContext], Mapping[str, str]] | None = None
    spares: Mapping[str, Prompt] = field(default_factory=dict)
    keeps: Callable[[StepContext], tuple[str, Mapping[str, str]]] | None = None
    seals: bool = False
    rechecked: bool = False
    alone: bool = False
    settles: Callable[[StepContext], Mapping[str, Outcome]] | None = None

    def settled(self, context: StepContext, performed: Attempt) -> Iterator[tuple[Step, Outcome]]:
        """The earlier steps that an attempt settles, if it succeeded."""
        if self.settles is not None and performed.status.is_answered:
            for step_id, outcome in self.settles(context).items():
                yield context.checklist.step(step_id), outcome

    def asked(self, context: StepContext) -> tuple[Prompt, ...]:
        """The prompts that the facts give rise to, then those of the checklist."""
        if self.asks_nothing and self.asks_nothing(context):
            return ()
        offered = self.offers(context) if self.offers else {}
        asked = (*(self.prompts(context) if self.prompts else ()), *context.step.prompts)
        said = self.remarks(context) if self.remarks else {}
        after, kept = self.keeps(context) if self.keeps else ("", {})
        asked = tuple(
            replace(
                one,
                offered=offered.get(one.key, one.offered),
                help="\n".join(filter(None, (said.get(one.key), one.help))),
            )
            for one in asked
        )
        return tuple(self._sparing(_keeping(one, after, kept) for one in asked))

    def _sparing(self, asked: Iterable[Prompt]) -> Iterator[Prompt]:
        """The prompts, each text behind the question that may spare it."""
        for one in asked:
            brief = self.spares.get(one.key)
            if brief is None:
                yield one
            else:
                yield brief
                yield replace(one, after=brief.key, only=brief.choices[0], otherwise=True)


def _keeping(prompt: Prompt, after: str, kept: Mapping[str, str]) -> Prompt:
    """The prompt, asked again only where the question before it is left empty."""
    if prompt.key not in kept or prompt.after:
        return prompt
    return replace(prompt, after=after, otherwise=True, kept=kept[prompt.key])
