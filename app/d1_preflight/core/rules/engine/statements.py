"""Statements that D1 accepts and that do not do what they seem to."""

from collections.abc import Iterator

import apsw

from d1_preflight.core import d1
from d1_preflight.core.engine.trace import Act
from d1_preflight.core.findings import Severity
from d1_preflight.core.rules.context import Case, Find, Hit, at, listed, target_token, word_token
from d1_preflight.core.schema.table import Table, read_table


def foreign_keys_off(case: Case) -> Iterator[Hit]:
    """PRAGMA foreign_keys = OFF, which D1 accepts and ignores."""
    for act in _pragmas(case, "foreign_keys"):
        if _value(act) in _OFF:
            yield at(act)


def defer_off(case: Case) -> Iterator[Hit]:
    """PRAGMA defer_foreign_keys = OFF after ON: violations held back are never looked at."""
    switched_on = False
    for act in _pragmas(case, "defer_foreign_keys"):
        if _value(act) in _OFF and switched_on:
            yield at(act)
        switched_on = switched_on or _value(act) in _ON


def pragma_leaks(case: Case) -> Iterator[Hit]:
    """A PRAGMA that stays on for the connection after the file."""
    for name in ("legacy_alter_table", "ignore_check_constraints", "recursive_triggers"):
        acts = list(_pragmas(case, name))
        if acts and _value(acts[-1]) in _ON:
            yield at(acts[-1], pragma=name)


def foreign_key_check_only_reports(case: Case) -> Iterator[Hit]:
    """PRAGMA foreign_key_check inside a file: its rows go nowhere."""
    for act in _pragmas(case, "foreign_key_check"):
        yield at(act)


def ledger_touched(case: Case) -> Iterator[Hit]:
    """A statement that drops or writes wrangler's ledger."""
    for act in case.done:
        touched = (*act.heard.deletes, *act.heard.inserts, *(t for t, _ in act.heard.updates))
        own = act.verb.startswith(("DROP TABLE", "ALTER TABLE")) and act.target == d1.LEDGER
        if own or d1.LEDGER in touched:
            yield at(act, target_token(act), table=d1.LEDGER)


def if_not_exists_ignored(case: Case) -> Iterator[Hit]:
    """CREATE TABLE IF NOT EXISTS of a table that is there: nothing happens, even if it differs."""
    for act in case.acts_of("CREATE TABLE"):
        known = case.old.table(act.target)
        if act.phrase.lenient and known and not act.made("table") and not act.phrase.copy:
            wanted = _shape_of(act)
            same = wanted is not None and _same(wanted, known)
            missing = [
                name for name in (wanted.column_names if wanted else ()) if not known.column(name)
            ]
            what = f'column "{missing[0]}" is not made' if missing else "its shape stays as it is"
            what = "it is the same" if same else what
            severity = Severity.NOTE if same else None
            yield at(act, target_token(act), severity=severity, table=act.target, what=what)


def stale_new_table(case: Case) -> Iterator[Hit]:
    """A rebuild that starts from CREATE TABLE IF NOT EXISTS: rows of an old attempt stay in it."""
    renamed = {act.target.lower() for act in case.acts_of("ALTER TABLE RENAME")}
    for act in case.acts_of("CREATE TABLE"):
        if act.phrase.lenient and act.target.lower() in renamed:
            yield at(act, word_token(act, "IF"), table=act.target)


def foreign_key_twice(case: Case) -> Iterator[Hit]:
    """The same foreign key declared twice."""
    for act, table in _made(case):
        keys = [(key.columns, key.parent.lower()) for key in table.foreign_keys]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice:
            values = {"columns": ", ".join(twice[0]), "parent": twice[1]}
            yield at(act, target_token(act), table=table.name, values=values)


def primary_key_nullable(case: Case) -> Iterator[Hit]:
    """Primary keys that accept NULL: TEXT, INT and the like without NOT NULL; told once a file."""
    found = [(act, name) for act, table in _made(case) for name in _nullable_keys(table)]
    if found:
        yield at(found[0][0], target_token(found[0][0]), columns=listed(name for _, name in found))


def length_not_enforced(case: Case) -> Iterator[Hit]:
    """VARCHAR(n): the length means nothing to SQLite."""
    for act, table in _made(case):
        for column in table.columns:
            if "CHAR" in column.type.upper() and "(" in column.type:
                values = {"table": table.name, "column": column.name, "type": column.type}
                yield at(act, target_token(act), values=values)
                break


def auto_number_ignored(case: Case) -> Iterator[Hit]:
    """SERIAL or AUTO_INCREMENT: accepted as a type name, numbers nothing."""
    for act, table in _made(case):
        for column in table.columns:
            if any(
                word in column.type.upper() for word in ("SERIAL", "AUTO_INCREMENT", "IDENTITY")
            ):
                values = {"table": table.name, "column": column.name, "type": column.type}
                yield at(
                    act, word_token(act, "AUTO_INCREMENT", "SERIAL", "BIGSERIAL"), values=values
                )


def table_unwritable(case: Case) -> Iterator[Hit]:
    """A table that no INSERT, UPDATE or DELETE can be prepared for any more."""
    for name, error in case.run.broken.items():
        if name in case.new.tables:
            act = _culprit(case, name, error)
            if act:
                table = case.new.tables[name].name
                yield at(act, target_token(act), tables=(table,), table=table, error=error)


def view_broken(case: Case) -> Iterator[Hit]:
    """A view that cannot be read any more."""
    for name, error in case.run.broken.items():
        if name in case.new.views:
            act = _culprit(case, name, error)
            if act:
                view = case.new.views[name].name
                yield at(act, target_token(act), view=view, error=error)


RULES: tuple[Find, ...] = (
    foreign_keys_off,
    defer_off,
    pragma_leaks,
    foreign_key_check_only_reports,
    ledger_touched,
    if_not_exists_ignored,
    stale_new_table,
    foreign_key_twice,
    primary_key_nullable,
    length_not_enforced,
    auto_number_ignored,
    table_unwritable,
    view_broken,
)
_OFF = frozenset({"OFF", "0", "FALSE", "NO"})
_ON = frozenset({"ON", "1", "TRUE", "YES"})


def _pragmas(case: Case, name: str) -> Iterator[Act]:
    return (act for act in case.acts_of("PRAGMA") if act.target == name)


def _value(act: Act) -> str:
    values = [t.text.strip("'\"").upper() for t in act.phrase.tokens[2:]]
    return next((value for value in values if value in _OFF | _ON), "")


def _made(case: Case) -> Iterator[tuple[Act, Table]]:
    """The tables that the file makes, by the name they end up with."""
    names = {a.target.lower(): a.phrase.new_name for a in case.acts_of("ALTER TABLE RENAME")}
    for act in case.acts_of("CREATE TABLE"):
        table = case.new.table(names.get(act.target.lower(), act.target))
        if table and act.made("table") and not act.phrase.copy:
            yield act, table


def _nullable_keys(table: Table) -> Iterator[str]:
    if table.strict or table.without_rowid:
        return
    for column in table.columns:
        alias = column.type.upper() == "INTEGER" and len(table.primary_key) == 1
        if column.pk and not column.notnull and not alias:
            yield f"{table.name}.{column.name}"


def _shape_of(act: Act) -> Table | None:
    connection = apsw.Connection(":memory:")
    try:
        connection.execute(act.statement.body)
        return read_table(connection, act.target, act.statement.body)
    except apsw.Error:
        return None
    finally:
        connection.close()


def _same(wanted: Table, known: Table) -> bool:
    names = [name.lower() for name in wanted.column_names]
    return names == [name.lower() for name in known.column_names]


def _culprit(case: Case, name: str, error: str) -> Act | None:
    """The statement to point at: the one whose target the error or the table names."""
    changing = [a for a in case.done if a.verb.startswith(("DROP", "ALTER", "CREATE"))]
    for act in changing:
        if act.target and act.target.lower() in error.lower():
            return act
    return next(
        (a for a in changing if a.target.lower() == name), changing[0] if changing else None
    )
