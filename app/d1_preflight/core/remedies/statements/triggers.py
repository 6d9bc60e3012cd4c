"""Remedies of triggers, and of views, that outlive what they name.

Only what can do nothing without a dropped table goes from a trigger: a guard on its rows, and a
write to it. Between the DROP TABLE of a rebuild and its RENAME, what names the table names one
that is not there, and D1 refuses the RENAME: it is dropped before and made again behind it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.edits import Edit, insert_after, insert_before
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Rewrite
from d1_preflight.core.schema.schema import SchemaObject, Structure
from d1_preflight.core.sql.tokenizer import Token, closing, quote_name, tokens

_NONE = NoRemedy("No trigger on a remaining table names a table that this file drops.")
_UNSURE = (
    'Only the author knows what trigger "{trigger}" should do without "{table}": it does more than '
    "read or write its rows."
)
_BEFORE_TABLE = ("FROM", "INTO", "UPDATE", "JOIN")
_IN = re.compile(r"error in (?:view|trigger) (.+?)(?: after \w+)?: ")
_MISSING = re.compile(r"no such (?:table|view): (?:main\.)?(.+)")
_NOT_HERE = NoRemedy(
    "This RENAME does not recreate what it names: only the author knows whether to drop the view "
    "or trigger too."
)


def without_dropped_table(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Write each trigger that names a dropped table again, without what asks for its rows."""
    edits, names = list[Edit](), list[str]()
    for trace in reading.context.statements_of("DROP TABLE"):
        table = trace.target.lower()
        for trigger in () if table in reading.context.new.tables else _naming(reading, table):
            if trigger.name in names:
                return NoRemedy(_UNSURE.format(trigger=trigger.name, table=trace.target))
            sql = _without(trigger.sql, table)
            if sql is None:
                return NoRemedy(_UNSURE.format(trigger=trigger.name, table=trace.target))
            lines = [f"DROP TRIGGER {quote_name(trigger.name)};", *([f"{sql};"] if sql else ())]
            edits.append(insert_before(reading.text, trace.statement, lines))
            names.append(trigger.name)
    if not edits:
        return _NONE
    what = f"removes the dropped table from {', '.join(names)}"
    return Rewrite(tuple(edits), what, tuple(("trigger", name.lower()) for name in names))


def _naming(reading: Reading, table: str) -> Iterator[SchemaObject]:
    """The triggers that are left and read or write the table."""
    for trigger in reading.context.new.triggers.values():
        if any(_is_table(pair, table) for pair in pairwise(_tokens(trigger.sql))):
            yield trigger


def _without(sql: str, table: str) -> str | None:
    """The trigger without the statements that need the table; "" if none stays, None if unsure."""
    found = _tokens(sql)
    begin = next((n for n, token in enumerate(found) if token.word == "BEGIN"), len(found))
    if any(_is_table(pair, table) for pair in pairwise(found[:begin])):
        return None
    made, at, stays = sql[: found[begin].start] + "BEGIN", found[begin].start + len("BEGIN"), False
    for statement in _statements(found[begin + 1 :]):
        end = statement[-1].start + 1
        if not any(_is_table(pair, table) for pair in pairwise(statement)):
            made, stays = made + sql[at:end], True
        elif not _does_nothing(statement, table):
            return None
        at = end
    return made + sql[at:] if stays else ""


def _statements(found: Sequence[Token]) -> Iterator[list[Token]]:
    """The statements of a trigger's body, each with its semicolon."""
    held = list[Token]()
    for token in found:
        held.append(token)
        if token.text == ";":
            yield held
            held = []


def _does_nothing(found: Sequence[Token], table: str) -> bool:
    """Whether a statement does nothing while the table has no row."""
    words = [token.word for token in found]
    if words[0] in ("INSERT", "UPDATE", "DELETE", "REPLACE"):
        first = next(n for n, word in enumerate(words) if word in ("INTO", "UPDATE", "FROM"))
        return found[first + 1].name.lower() == table
    asked = _asked_for(found)
    if words[0] != "SELECT" or words.count("FROM") != 1 or asked is None:
        return False
    place = next((n for n, token in enumerate(asked) if token.word == "FROM"), len(asked))
    chosen, source = asked[:place], asked[place:]
    counts = any(token.text == "(" for token in chosen)  # an aggregate is a row even of none
    others = {"JOIN", "UNION", "VALUES"} & {token.word for token in asked}
    return len(source) > 1 and source[1].name.lower() == table and not counts and not others


def _asked_for(found: Sequence[Token]) -> Sequence[Token] | None:
    """What the EXISTS asks that is all of a statement's condition; None where it has another."""
    where = next((n for n, token in enumerate(found) if token.word == "WHERE"), len(found))
    asks = [token.word or token.text for token in found[where + 1 : where + 4]]
    is_all = closing(found, where + 2) == len(found) - 2  # right before the semicolon
    if asks != ["EXISTS", "(", "SELECT"] or not is_all:
        return None
    return found[where + 4 : -2]


def _is_table(pair: tuple[Token, Token], table: str) -> bool:
    return pair[0].word in _BEFORE_TABLE and pair[1].name.lower() == table


def _tokens(sql: str) -> Sequence[Token]:
    return tokens(sql, limit=len(sql))


def recreated_after(reading: Reading, finding: Finding) -> Rewrite | NoRemedy:
    """Drop the view or trigger before the table, and make it again after the RENAME."""
    rename = reading.trace_of(finding)
    named = _IN.search(rename.error) if rename else None
    drop = _drop_before(reading, rename) if rename else None
    if rename is None or named is None or drop is None:
        return _NOT_HERE
    held = _held(reading.structure_at(drop.statement.start), named[1])
    if not held:
        return _NOT_HERE
    first = held[0]
    edits = (
        insert_before(
            reading.text, drop.statement, [f"DROP {first.kind.upper()} {quote_name(first.name)};"]
        ),
        insert_after(reading.text, rename.statement, [f"{one.sql};" for one in held]),
    )
    what = f"drops {first.kind} {first.name} before the rebuild and creates it again after it"
    return Rewrite(edits, what, repairs=True)


def _drop_before(reading: Reading, rename: StatementTrace) -> StatementTrace | None:
    """The statement of the rebuild after which the old name is not there."""
    wanted = rename.parsed.new_name.lower()
    missing = _MISSING.search(rename.error)
    made_later = {
        trace.target.lower()
        for trace in reading.context.statements_of("CREATE VIEW")
        if trace.statement.start > rename.statement.start
    }
    if missing is None or missing[1].lower() not in {wanted, *made_later}:
        return None
    drops = reading.context.statements_of("DROP TABLE")
    before = [t for t in drops if t.statement.start < rename.statement.start and not t.error]
    return next((t for t in reversed(before) if t.target.lower() == wanted), None)


def _held(now: Structure, name: str) -> tuple[SchemaObject, ...]:
    """The view or trigger of this name, and the triggers that go with a view."""
    lower = name.lower()
    found = now.views.get(lower) or now.triggers.get(lower)
    if found is None:
        return ()
    on_it = (t for t in now.triggers.values() if found.kind == "view" and t.table.lower() == lower)
    return (found, *on_it)
