"""Somebody writes between backup, GO and apply: every table × every change × every moment.

What a migration touches must not have moved when it is sent; nothing else holds it. The suite
tries a part of them, `-m matrix` all; `-s` prints how many were tried and applied.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from actions.conftest import Walked
from actions.fake_target import NAME, Bench
from d1_preflight.core.record.record import Status
from sampling import sampled

WALKS: Mapping[str, tuple[str, str, frozenset[str]]] = {
    "destructive": ("destructive", "ALTER TABLE teams DROP COLUMN old;\n", frozenset({"teams"})),
    "additive": ("additive", "ALTER TABLE teams ADD COLUMN billing TEXT;\n", frozenset({"teams"})),
    "data": (
        "transformative",
        "UPDATE members SET role = lower(role);\n",
        frozenset({"members"}),
    ),
    "keyless": ("transformative", "UPDATE log SET what = upper(what);\n", frozenset({"log"})),
}
"""By name: class, SQL, and the tables that it touches."""

EVERYWHERE = "*"
CHANGES: Mapping[str, tuple[str, ...]] = {
    "teams": (
        "UPDATE teams SET name = 'other' WHERE id = 'a'",
        "UPDATE teams SET old = NULL WHERE id = 'a'",
        "UPDATE teams SET name = '' WHERE id = 'b'",
        "UPDATE teams SET name = CAST(name AS BLOB)",
        "UPDATE teams SET name = iif(id = 'a', 'B', 'A')",
        "INSERT INTO teams VALUES ('c', 'C', 'y')",
        "INSERT INTO teams VALUES ('c', NULL, NULL)",
        "PRAGMA foreign_keys = OFF; DELETE FROM teams WHERE id = 'b'",
        "PRAGMA foreign_keys = OFF; UPDATE teams SET id = 'z' WHERE id = 'b';",
        "UPDATE teams SET rowid = 77 WHERE id = 'b'",
    ),
    "members": (
        "UPDATE members SET role = 'guest' WHERE id = 2",
        "UPDATE members SET role = 'Owner' WHERE id = 1",
        "UPDATE members SET role = CAST(role AS BLOB) WHERE id = 1",
        "UPDATE members SET team = 'b' WHERE id = 1",
        "UPDATE members SET role = '' WHERE id = 3",
        "UPDATE members SET id = 12 WHERE id = 2",
        "DELETE FROM members WHERE id = 1",
        "UPDATE members SET role = iif(id = 1, 'member', 'OWNER') WHERE id < 3",
    ),
    "log": (
        "INSERT INTO log VALUES ('out')",
        "INSERT INTO log VALUES ('in')",
        "INSERT INTO log VALUES (NULL)",
        "UPDATE log SET what = 'x' WHERE rowid = 1",
        "UPDATE log SET what = 1 WHERE rowid = 1",
        "DELETE FROM log WHERE rowid = 1",
        "DELETE FROM log",
    ),
    EVERYWHERE: (
        "CREATE INDEX other ON members(role)",
        "DROP INDEX members_team",
        "ALTER TABLE log ADD COLUMN at TEXT",
        "DROP VIEW roles",
        "DROP TRIGGER logged",
        "CREATE TABLE more(id INTEGER PRIMARY KEY)",
        "INSERT INTO d1_migrations(name, applied_at) VALUES ('0009_other.sql', '2026-11-23')",
        f"INSERT INTO d1_migrations(name, applied_at) VALUES ('{NAME}', '2026-11-23')",
        "DELETE FROM d1_migrations",
    ),
}
EVERY = [(table, sql) for table, changes in CHANGES.items() for sql in changes]
MOMENTS = {
    "after the backup": "bookmark",
    "before GO": "go",
    "after GO": "applied",
    "while the apply reads": "applied",
}


@dataclass
class Tried:
    """How many were tried, and how many of them were applied."""

    moved: int = 0
    applied: int = 0
    elsewhere: int = 0
    went_on: int = 0
    wrong: list[str] = field(default_factory=list)

    def words(self, name: str, moments: int) -> str:
        return (
            f"{name}: {moments} moments × {len(EVERY)} changes; of {self.moved} that move what it "
            f"touches {self.applied} applied; of {self.elsewhere} elsewhere {self.went_on} applied"
        )


async def is_applied(bench: Bench, moment: str, sql: str) -> bool:
    """Whether it is sent although somebody wrote at that moment."""
    if moment != "while the apply reads":
        bench.target.connection.execute(sql)
    else:
        once = iter((sql,))
        bench.target.first["read"] = lambda: bench.target.connection.execute(next(once, ""))
    for step in bench.session.path:
        if step.id == "applied":
            break
        if bench.session.status_of(step).is_answered:
            continue
        attempt = await bench.step(step.id)
        if not attempt.status.is_answered:
            assert "apply" not in bench.target.commands
            if not step.waivable:
                return False
            bench.session.waive(step, "not in a test")
    attempt = await bench.step("applied")
    sent = "apply" in bench.target.commands
    assert sent or attempt.status is not Status.PROVED
    return sent


async def _matrix(walked: Walked, name: str, chosen: Callable[[int], bool]) -> str:
    kind, migration, touched = WALKS[name]
    tried, number = Tried(), 0
    for moment, step in MOMENTS.items():
        for table, sql in EVERY:
            number += 1
            if not chosen(number):
                continue
            sent = await is_applied(await walked(step, migration, kind), moment, sql)
            if table == EVERYWHERE or table in touched:
                tried.moved += 1
                tried.applied += sent
                tried.wrong += [f"{moment}: {sql}"] if sent else []
            else:
                tried.elsewhere += 1
                tried.went_on += sent
                tried.wrong += [] if sent else [f"{moment}: held by {sql}"]
    assert tried.wrong == []
    return tried.words(name, len(MOMENTS))


@pytest.mark.matrix
@pytest.mark.parametrize("name", sorted(WALKS))
async def test_what_moved_is_never_applied(walked: Walked, name: str) -> None:
    print(await _matrix(walked, name, lambda _: True))


@pytest.mark.parametrize("name", sampled(["additive", "keyless"], 2))
async def test_some_of_what_moved_is_never_applied(walked: Walked, name: str) -> None:
    print(await _matrix(walked, name, lambda n: n % 67 == 7))
