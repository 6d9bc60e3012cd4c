"""Two codes on two schemas: prepares every query on both, and reports what only one accepts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from d1_preflight.code.affected import affected
from d1_preflight.code.checks import differences
from d1_preflight.code.expression import begins_like_sql
from d1_preflight.code.forms import MOST_FORMS, OTHERS, Form, forms_of
from d1_preflight.code.holes import (
    error_of,
    has_holes,
    is_unread,
    plain_text,
    prepared_text,
    texts,
)
from d1_preflight.code.literals import (
    Literal,
    Rewriting,
    literals_of,
    rewritten,
    texts_in,
    with_bound,
)
from d1_preflight.code.project_code import ProjectCode
from d1_preflight.code.verdict import (
    BrokenQuery,
    CodeState,
    Coverage,
    Harm,
    UnreadQuery,
    Verdict,
)
from d1_preflight.code.wrappers import Query
from d1_preflight.core.engine.preparation import PreparedSchema
from d1_preflight.core.schema.schema import Change, Schema, Structure, compare
from d1_preflight.core.sql.statement import read_statement
from d1_preflight.core.sql.tokenizer import statements, tokens

_ORDER = list(Harm)
_FEW = 4  # so many forms with holes are all tried for how a query was read
_MOVES_ROWS = re.compile(r"\b(?:UPDATE|INSERT|REPLACE|SELECT)\b", re.IGNORECASE)
_CREATES = re.compile(r"\bCREATE\b", re.IGNORECASE)
_READS = re.compile(r"\s*(?:SELECT|WITH|INSERT|REPLACE|UPDATE|DELETE)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """The schemas on both sides of migrations, and their texts by name."""

    before: Schema
    after: Schema
    scripts: Mapping[str, str] = field(default_factory=dict)


def compare_codes(deployed: ProjectCode, new: ProjectCode, step: Step) -> Verdict:
    """The deployed and the new code on the schemas before and after."""
    old_side = _Side(deployed, step)
    is_same = new.queries is deployed.queries
    new_side = old_side if is_same else _Side(new, step, old_side.forms)
    try:
        rewriting = _rewriting(step, old_side, new_side)
        mapping = rewriting.values
        known = {found for _, _, found in old_side.literals} if mapping else set()
        fresh = {(t, c, old): v for (t, c, old), v in mapping.items() if (t, c, v) not in known}
        changes = compare(old_side.before.structure, old_side.after.structure)
        return Verdict(
            tuple(step.scripts),
            old_side.state(deployed, (mapping, mapping), forward=True),
            new_side.state(new, (mapping, fresh), forward=False),
            any(map(_can_harm, changes)) or rewriting != Rewriting(),
            tuple(f"{c.object} {c.name}" for c in changes if c.kind == "removed"),
            tuple(f"{c.object} {c.name}" for c in changes if c.kind == "added"),
            tuple(
                dict.fromkeys(
                    (*old_side.before.problems, *old_side.after.problems, *rewriting.problems)
                )
            ),
            new.routes(new_side.touching(_changed_tables(changes, step.scripts))),
        )
    finally:
        old_side.close()
        new_side.close()


QueryForms = tuple[Query, tuple[Form, ...]]


class _Side:
    """One code with both schemas, to which the tables that it makes itself are added."""

    def __init__(self, code: ProjectCode, step: Step, known: Sequence[QueryForms] = ()) -> None:
        self.before = PreparedSchema(step.before)
        self.after = PreparedSchema(step.after)
        self._files = code.files
        of_others = {id(query): forms for query, forms in known}
        self.forms = [(q, of_others.get(id(q)) or forms_of(q.sql)) for q in code.queries]
        tables = {name.lower() for s in (step.before, step.after) for name in s.tables}
        for body in self._definitions(tables):
            self.before.define(body)
            self.after.define(body)
        self._known: dict[tuple[int, Form], str] = {}
        self._affected = affected(self.before.schema, self.after.schema)
        self._touched = tuple(self._that_may_differ())

    def close(self) -> None:
        self.before.close()
        self.after.close()

    def state(
        self,
        code: ProjectCode,
        mappings: tuple[Mapping[Literal, str], Mapping[Literal, str]],
        *,
        forward: bool,
    ) -> CodeState:
        """What of the code breaks on the schema that it does not know: the later one if `forward`.

        The rewritten literals come twice: all, and those whose new value is new to the code.
        """
        home, other = (self.before, self.after) if forward else (self.after, self.before)
        breaks = self._broken(home, other, mappings[1], forward=forward)
        at_home = () if forward else self._broken(other, home, mappings[0], forward=True)
        coverage, unread = self._coverage
        return CodeState(
            code.name, coverage, breaks, at_home, unread, code.orms, code.notes, code.left_out
        )

    @cached_property
    def literals(self) -> tuple[tuple[Query, str, Literal], ...]:
        """The literals of all queries that prepare on one of the schemas."""
        return tuple(self._literals())

    def _literals(self) -> Iterator[tuple[Query, str, Literal]]:
        for query, forms in self.forms:
            for form in _known(forms):
                for schema in (self.before, self.after):
                    text = self._text(form, schema)
                    written = with_bound(text, query.bound)
                    if "'" in written:
                        for found in literals_of(written, schema.prepared(text)):
                            yield query, text, found

    def touching(self, tables: frozenset[str]) -> Iterator[tuple[str, int]]:
        """The places of the queries that touch one of these tables."""
        for query, forms in self.forms:
            for form in _known(forms):
                if not has_holes(form) and not _names_any(plain_text(form), tables):
                    continue
                for schema in (self.after, self.before):
                    text = self._text(form, schema)
                    if _names_any(text, tables) and schema.touched(text) & tables:
                        yield query.path, query.line

    def _definitions(self, known: set[str]) -> Iterator[str]:
        """The CREATE statements of the code, but for tables that the migrations know."""
        for _, forms in self.forms:
            for form in forms:
                if has_holes(form) or not _CREATES.search(plain_text(form), 0, 4000):
                    continue
                for statement in statements(plain_text(form)):
                    parsed = read_statement(statement.body)
                    is_known = parsed.verb == "CREATE TABLE" and parsed.target.lower() in known
                    if parsed.verb.startswith("CREATE") and not is_known:
                        yield statement.body

    def _broken(
        self,
        base: PreparedSchema,
        other: PreparedSchema,
        mapping: Mapping[Literal, str],
        *,
        forward: bool,
    ) -> tuple[BrokenQuery, ...]:
        found: dict[tuple[str, int, str], BrokenQuery] = {}
        for query, forms in self._touched:
            one = self._worst(query, forms, base, other)
            if one is not None:
                found.setdefault((one.path, one.line, one.words), one)
        for one in self._stale(mapping, forward=forward):
            found.setdefault((one.path, one.line, one.words), one)
        return tuple(sorted(found.values(), key=lambda b: (_ORDER.index(b.harm), b.path, b.line)))

    def _that_may_differ(self) -> Iterator[QueryForms]:
        """The queries with those forms that could do otherwise on the other schema."""
        for query, forms in self.forms:
            found = tuple(
                form
                for form in forms
                if not is_unread(form) and (has_holes(form) or not self._is_same(plain_text(form)))
            )
            if found:
                yield query, found

    def _worst(
        self, query: Query, forms: Sequence[Form], base: PreparedSchema, other: PreparedSchema
    ) -> BrokenQuery | None:
        found: list[tuple[Harm, str, str]] = []
        for form in forms:
            text = self._text(form, base)
            if text and self._is_same(text):
                continue
            if not text:
                found += _by_names(form, base, other)
            elif (error := error_of(text, other)) and not self._text(form, other):
                found.append((Harm.FAILS, error, plain_text(form)))
            elif not error:
                shown = plain_text(form)
                found += [(harm, words, shown) for harm, words in differences(text, base, other)]
        if not found:
            return None
        harm, words, text = min(found, key=lambda one: _ORDER.index(one[0]))
        return BrokenQuery(query.path, query.line, " ".join(text.split()), words, harm)

    def _is_same(self, text: str) -> bool:
        """Whether a text does the same on both schemas: it names nothing that they differ in."""
        return self._affected.search(text.lower()) is None

    def _stale(self, mapping: Mapping[Literal, str], *, forward: bool) -> Iterator[BrokenQuery]:
        """Queries whose literals the rows do not hold: no longer, or not yet."""
        if not mapping:
            return
        of_query: dict[tuple[str, int, str], set[Literal]] = {}
        queries: dict[tuple[str, int, str], Query] = {}
        for query, text, literal in self.literals:
            key = (query.path, query.line, text)
            of_query.setdefault(key, set()).add(literal)
            queries[key] = query
        for (path, line, text), literals in of_query.items():
            for (table, column, old), value in mapping.items():
                gone, there = (old, value) if forward else (value, old)
                if (table, column, gone) in literals and (table, column, there) not in literals:
                    state = "no longer" if forward else "not yet"
                    became = f"the migration changes '{old}' to '{value}'"
                    words = f"{table}.{column} is {state} '{gone}': {became}"
                    yield BrokenQuery(path, line, " ".join(text.split()), words, Harm.WRONG)

    def _text(self, form: Form, schema: PreparedSchema) -> str:
        key = (id(schema), form)
        if key not in self._known:
            self._known[key] = prepared_text(form, schema)
        return self._known[key]

    @cached_property
    def _coverage(self) -> tuple[Coverage, tuple[UnreadQuery, ...]]:
        counts = {"whole": 0, "filled": 0, "partly": 0, "unread": 0}
        unread: list[UnreadQuery] = []
        for query, forms in self.forms:
            kind = self._kind(query, forms)
            if kind:
                counts[kind] += 1
            if kind in ("partly", "unread"):
                unread.append(self._unread(query, forms, kind))
        total = sum(counts.values())
        at = {(one.path, one.line): one for one in reversed(unread)}
        return Coverage(self._files, total, **counts), tuple(at[key] for key in sorted(at))

    def _kind(self, query: Query, forms: Sequence[Form]) -> str:
        """How a query was read; "" for what is none (a fragment, another's `exec`)."""
        known = _known(forms)
        if query.method != "prepare" and not any(begins_like_sql(plain_text(f)) for f in known):
            return ""
        if not known:
            return "unread"
        if len(known) < len(forms):
            return "partly"
        if not any(map(has_holes, forms)):
            return "whole"
        # Of many forms some are combinations that the code never makes: the fullest counts.
        holed = [form for form in known if has_holes(form)]
        fills = list(map(self._is_filled, holed[:_FEW]))
        is_read = all(fills) if len(holed) <= _FEW else fills[0] or sum(fills) * 2 >= len(fills)
        return "filled" if is_read else "partly"

    def _is_filled(self, form: Form) -> bool:
        """Whether texts that its holes can take make a statement of it."""
        return bool(self._text(form, self.before) or self._text(form, self.after))

    def _unread(self, query: Query, forms: Sequence[Form], kind: str) -> UnreadQuery:
        known = _known(forms)
        form = next(iter((*known, *forms)), ())
        if kind == "unread":
            why = "is built elsewhere"
        elif OTHERS in forms:
            why = f"can be more than {MOST_FORMS} texts, and so many are tried"
        elif len(known) < len(forms):
            why = "has a text that is built elsewhere, beside"
        else:
            why = "its variable parts could not be resolved"
            form = next((one for one in known[:_FEW] if not self._is_filled(one)), form)
        shown = " ".join(plain_text(form).split())[:120]
        return UnreadQuery(query.path, query.line, f"{why}: {shown}")


def _rewriting(step: Step, old_side: _Side, new_side: _Side) -> Rewriting:
    """What the migrations make of values that queries or they themselves name."""
    scripts = tuple(step.scripts.values())
    if not any(_MOVES_ROWS.search(script) for script in scripts):
        return Rewriting()
    used = {found for side in (old_side, new_side) for _, _, found in side.literals}
    written = {text for script in scripts for text in texts_in(script)}
    places = {(table, column) for table, column, _ in used}
    places |= set(_updated(scripts, old_side.before.structure))
    asked = used | {(table, column, text) for table, column in places for text in written}
    for table, column, text in used:
        asked |= {(table, column, text.lower()), (table, column, text.upper())}
    return rewritten(step.before, scripts, asked)


def _updated(scripts: Sequence[str], before: Structure) -> Iterator[tuple[str, str]]:
    """The columns that UPDATEs of the migrations write."""
    for script in scripts:
        for statement in statements(script):
            parsed = read_statement(statement.body)
            table = before.table(parsed.target) if parsed.verb == "UPDATE" else None
            for column in parsed.columns if table else ():
                yield parsed.target.lower(), column.lower()


def _by_names(
    form: Form, base: PreparedSchema, other: PreparedSchema
) -> Iterator[tuple[Harm, str, str]]:
    """What a form that no text completes surely names and the other schema does not have."""
    gone = base.structure.tables.keys() - other.structure.tables.keys()
    if not gone or not _READS.match(plain_text(form)):
        return
    for table in _tables_named(form, base):
        if table.lower() in gone:
            yield Harm.FAILS, f"no such table: {table}", plain_text(form)


def _tables_named(form: Form, schema: PreparedSchema) -> tuple[str, ...]:
    """The tables that sqlglot reads in a form, whatever its holes hold."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    text = next(iter(texts(form, schema)), "")
    try:
        tree = parse_one(text, dialect="sqlite")
        named = {table.name for table in tree.find_all(exp.Table)}
    except (SqlglotError, RecursionError, AttributeError, ValueError, TypeError):
        named = set()
    written = {token.name for part in form if isinstance(part, str) for token in tokens(part)}
    return tuple(sorted(named & written))


def _known(forms: Sequence[Form]) -> list[Form]:
    """The forms that say anything."""
    return [form for form in forms if not is_unread(form)]


def _changed_tables(changes: Sequence[Change], scripts: Mapping[str, str]) -> frozenset[str]:
    """The tables whose columns or rows are others afterwards."""
    found = {change.name.partition(".")[0] for change in changes
             if change.object in ("table", "column")}  # fmt: skip
    for script in scripts.values():
        for statement in statements(script):
            if _MOVES_ROWS.match(statement.body):
                found.add(read_statement(statement.body).target)
    return frozenset(name.lower() for name in found if name)


def _names_any(text: str, names: frozenset[str]) -> bool:
    lower = text.lower()
    return any(name in lower for name in names)


def _can_harm(change: Change) -> bool:
    """Whether a change could break a query: a table or an index that is new cannot."""
    is_new = change.kind == "added" and change.object in ("table", "index", "view")
    return not is_new or "UNIQUE" in change.after.upper().split(" ON ")[0]
