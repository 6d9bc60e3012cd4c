"""Every remedy has its cases; what is offered loses no row, is said, and changes nothing twice."""

import tomllib
from functools import cache
from pathlib import Path

import apsw
import pytest
from _pytest.mark import ParameterSet
from hypothesis import given, settings

from d1_preflight.core.analysis import schema_after
from d1_preflight.core.errors import NotJudged
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.remedies.fix import REMEDIES, Fix, fix
from d1_preflight.core.remedies.proof import prove
from d1_preflight.core.remedies.remedy import Reading
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.tokenizer import statements
from law_size import examples
from sampling import sampled
from test_differential import World, lost_and_changed, rebuilds, run, worlds

FOLDER = Path(__file__).parent / "remedies"
NAME = "0002_change_it_all.sql"
TEAMS = "CREATE TABLE teams(id TEXT PRIMARY KEY NOT NULL, name TEXT, old TEXT);"
MEMBERS = "CREATE TABLE members(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id)"
REBUILD = (
    "CREATE TABLE teams_new(id TEXT PRIMARY KEY NOT NULL, name TEXT);\n"
    "INSERT INTO teams_new(id, name) SELECT id, name FROM teams;\n"
    "DROP TABLE teams;\n"
    "ALTER TABLE teams_new RENAME TO teams;\n"
)


def cases() -> list[tuple[str, dict[str, str]]]:
    """The cases of all remedies, by their rule."""
    return [
        (path.stem, case)
        for path in sorted(FOLDER.glob("*.toml"))
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    ]


def each_kind() -> list[ParameterSet]:
    """The suite tries a rule's first case with a rewrite and its first without; the matrix all."""
    kinds = set[tuple[str, bool]]()
    found = []
    for rule, case in cases():
        kind = rule, "after" in case
        found.append(pytest.param(rule, case, marks=pytest.mark.matrix if kind in kinds else ()))
        kinds.add(kind)
    return found


@cache
def prior_of(sql: str) -> Schema:
    return schema_after([Migration.from_text("0001_prior_state.sql", sql)])


def fixed(prior: str, sql: str, *rules: str, name: str = NAME) -> Fix:
    migration = Migration.from_text(name, sql)
    return fix(migration, prior_of(prior), (migration,), rules=rules)


def reading(prior: str, sql: str) -> Reading:
    return Reading.of(Migration.from_text(NAME, sql), prior_of(prior))


def test_every_remedy_has_a_case_with_its_result() -> None:
    assert {rule for rule, case in cases() if "after" in case} == set(REMEDIES)


@pytest.mark.parametrize(("rule", "case"), each_kind())
def test_a_case_comes_out_to_the_letter(rule: str, case: dict[str, str]) -> None:
    found = fixed(case["prior"], case["before"], rule, name=case.get("name", NAME))
    assert found.after == case.get("after", case["before"])
    if "reason" in case:
        assert [answer.reason for answer in found.left] == [case["reason"]]
    else:
        assert {answer.finding.rule for answer in found.done} == {rule}


def test_a_rewrite_that_loses_a_row_is_no_proof() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE);"
    author = reading(prior, REBUILD)
    hidden = "DROP TABLE teams; -- preflight: loses members — nobody asked"
    other = author.with_text(REBUILD.replace("DROP TABLE teams;", hidden))
    assert prove(author, other).reason == "it loses a row of members"


MERGED = (
    "CREATE TABLE person(id TEXT PRIMARY KEY);\n"
    "CREATE TABLE channel(id TEXT PRIMARY KEY, data_json TEXT);\n"
    "CREATE TABLE dm(id TEXT PRIMARY KEY, one TEXT REFERENCES person(id), "
    "two TEXT REFERENCES person(id), org TEXT);\n"
)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO channel(id) SELECT id FROM dm;",
        (
            "CREATE TABLE m(dm TEXT, who TEXT, UNIQUE(dm, who));\n"
            "INSERT INTO m SELECT id, one FROM dm;\nINSERT INTO m SELECT id, two FROM dm;"
        ),
        "UPDATE channel SET data_json = json_set(data_json, '$.a', 1) WHERE id > '';",
        (
            "CREATE TABLE dm2(id TEXT PRIMARY KEY, one TEXT REFERENCES person(id), "
            "two TEXT REFERENCES person(id), org TEXT REFERENCES channel(id));\n"
            "INSERT INTO dm2(id, one, two, org) SELECT id, one, two, org FROM dm;\n"
            "DROP TABLE dm;\nALTER TABLE dm2 RENAME TO dm;"
        ),
    ],
)
def test_invented_rows_are_such_as_a_sensible_file_takes(sql: str) -> None:
    assert fixed(MERGED, sql, "header-missing").is_offered


def test_what_the_rewrite_of_another_finding_answered_is_not_left() -> None:
    prior = (
        "CREATE TABLE org(id TEXT PRIMARY KEY, note TEXT);\n"
        "CREATE TABLE person(id TEXT PRIMARY KEY, note TEXT);\n"
        "CREATE TABLE job(id TEXT PRIMARY KEY, org TEXT NOT NULL REFERENCES org(id)"
        " ON DELETE CASCADE, who TEXT REFERENCES person(id) ON DELETE SET NULL);\n"
    )
    sql = "".join(
        f"CREATE TABLE {t}_new(id TEXT PRIMARY KEY, note TEXT CHECK (note > ''));\n"
        f"INSERT INTO {t}_new(id, note) SELECT id, note FROM {t};\n"
        f"DROP TABLE {t};\nALTER TABLE {t}_new RENAME TO {t};\n"
        for t in ("person", "org")
    )
    found = fixed(prior, sql)
    assert found.is_offered
    assert not [a for a in found.left if a.finding.blocks]


def test_rows_put_back_after_our_own_delete_are_lost_by_the_later_statement_alone() -> None:
    prior = (
        "CREATE TABLE org(id TEXT PRIMARY KEY, note TEXT);\n"
        "CREATE TABLE claim(id TEXT PRIMARY KEY, org TEXT REFERENCES org(id)"
        " ON DELETE CASCADE);\n"
    )
    sql = (
        "CREATE TABLE org_new(id TEXT PRIMARY KEY, note TEXT CHECK (note > ''));\n"
        "INSERT INTO org_new(id, note) SELECT id, note FROM org;\n"
        "DROP TABLE org;\nALTER TABLE org_new RENAME TO org;\n"
        "DELETE FROM claim WHERE id = 'x';\n"
    )
    found = fixed(prior, sql)
    assert "cascade-delete" in {a.finding.rule for a in found.done}
    assert "delete-rows" in {a.finding.rule for a in found.left}


def test_a_trigger_of_the_rebuilt_table_does_not_hold_the_parked_rows_back() -> None:
    prior = (
        "CREATE TABLE place(id TEXT PRIMARY KEY, note TEXT, photo TEXT REFERENCES media(id)"
        " ON DELETE SET NULL);\n"
        "CREATE TABLE media(id TEXT PRIMARY KEY, place TEXT REFERENCES place(id)"
        " ON DELETE SET NULL, site TEXT REFERENCES site(id) ON DELETE CASCADE);\n"
        "CREATE TABLE site(id TEXT PRIMARY KEY, logo TEXT REFERENCES media(id)"
        " ON DELETE SET NULL);\n"
        "CREATE TRIGGER place_photo BEFORE UPDATE OF photo ON place WHEN NEW.photo = ''\n"
        "BEGIN SELECT RAISE(ABORT, 'no photo'); END;\n"
    )
    sql = (
        "CREATE TABLE place_new(id TEXT PRIMARY KEY, note TEXT CHECK (note > ''),"
        " photo TEXT REFERENCES media(id) ON DELETE SET NULL);\n"
        "INSERT INTO place_new(id, note, photo) SELECT id, note, photo FROM place;\n"
        "DROP TABLE place;\nALTER TABLE place_new RENAME TO place;\n"
    )
    assert not [a for a in fixed(prior, sql).left if a.finding.blocks]


def test_what_the_author_loses_under_a_finding_that_stays_speaks_against_no_other_fix() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE);"
    assert fixed(prior, REBUILD, "header-missing").is_offered


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("SELECT id, name FROM teams;", ""),
        ("SELECT id, name FROM teams WHERE id > 'teams id 1';", "it loses a row of teams"),
        ("SELECT id, 'x' FROM teams;", "it changes teams.name"),
        ("SELECT id, NULL FROM teams;", "it changes teams.name"),
        ("SELECT id, name FROM teams; INSERT INTO teams_new VALUES ('z', 'z');",
         "it adds a row to teams"),
        ("SELECT id, nme FROM teams;", "D1 would refuse it: no such column: nme"),
    ],
)  # fmt: skip
def test_what_a_rewrite_does_to_rows_is_seen(change: str, reason: str) -> None:
    author = reading(TEAMS, REBUILD)
    changed = REBUILD.replace("SELECT id, name FROM teams;", change)
    assert prove(author, author.with_text(changed)).reason == reason


def test_a_lost_autoincrement_mark_is_seen() -> None:
    prior = "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b TEXT);"
    keeps = "ALTER TABLE t DROP COLUMN b;"
    loses = (
        "CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT);"
        "INSERT INTO n SELECT id, a FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;"
    )
    author = reading(prior, keeps)
    assert "AUTOINCREMENT counter" in prove(author, author.with_text(loses)).reason


def test_every_difference_of_the_final_schema_is_said() -> None:
    prior = f"{TEAMS}CREATE INDEX teams_name ON teams(name);"
    found = fixed(prior, REBUILD)
    assert found.is_offered
    assert [words for words in found.proof.differences if "teams_name" in words] != []


def test_a_rebuild_whose_only_change_is_what_it_takes_away_is_left_alone() -> None:
    prior = "CREATE TABLE teams(id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL);"
    found = fixed(prior, REBUILD)
    assert "not-null-forgotten" not in {answer.finding.rule for answer in found.done}
    [left] = [a for a in found.left if a.finding.rule == "not-null-forgotten"]
    assert "--rule not-null-forgotten" in left.reason


def test_intended_losses_are_never_guessed() -> None:
    for sql in ("DELETE FROM teams;", "UPDATE teams SET name = 'x';", "DROP TABLE teams;"):
        found = fixed(TEAMS, f"{sql}\n", "delete-without-where", "update-without-where")
        assert not found.is_offered
        assert all(answer.reason for answer in found.left)


def test_a_declared_loss_is_left_to_its_author() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE);"
    declared = f"-- preflight: loses members — they go on purpose\n{REBUILD}"
    assert not fixed(prior, declared, "cascade-delete").is_offered


def test_what_was_there_stays_byte_by_byte_but_for_the_spans() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE);"
    shape = REBUILD.replace("name TEXT", "name TEXT COLLATE NOCASE")  # no ALTER does that
    text = "-- é, ünï\r\n" + shape.replace("\n", "  -- wörds\r\n")
    found = fixed(prior, text, "cascade-delete")
    assert found.is_offered
    left = found.after.split("\r\n")
    assert [line for line in left if line in text.split("\r\n")] == text.split("\r\n")
    assert "\n" not in found.after.replace("\r\n", "")


CLEAN = f"""-- Migration: 0002_change_it_all
-- Description: adds a column
-- Type: Additive (low risk)
-- Rollback: Not required
-- {"=" * 76}

ALTER TABLE teams ADD COLUMN motto TEXT;
"""


def test_a_clean_file_stays_as_it_is() -> None:
    found = fixed(TEAMS, CLEAN)
    assert (found.after, found.done, found.left) == (CLEAN, (), ())


@settings(deadline=None, max_examples=examples(40))
@given(worlds(), rebuilds())
def test_a_fix_loses_nothing_that_the_author_keeps_and_changes_nothing_twice(
    world: World, sql: str
) -> None:
    found = fixed(world.prior, sql)
    if not found.is_offered:
        assert found.after == sql
        return
    assert not fixed(world.prior, found.after).is_offered
    before, meant = run(world, sql)
    _, now = run(world, found.after)
    if now is None or meant is None:
        return
    lost, _ = lost_and_changed(before, now)
    assert lost <= lost_and_changed(before, meant)[0]


def test_rows_that_were_taken_out_first_have_no_reference_to_lose() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE SET NULL);"
    parked = (
        "CREATE TABLE p AS SELECT * FROM members;\n{delete}\n"
        f"{REBUILD}INSERT INTO members SELECT * FROM p;\nDROP TABLE p;\n"
    )
    nulled = "references-nulled"
    whole = reading(prior, parked.format(delete="DELETE FROM members;"))
    some = reading(prior, parked.format(delete="DELETE FROM members WHERE id > 1;"))
    assert nulled not in {finding.rule for finding in whole.findings}
    assert nulled in {finding.rule for finding in some.findings}


PLAIN = [(rule, case) for rule, case in cases() if "-->" not in case["before"]]


@pytest.mark.parametrize(("rule", "case"), sampled(PLAIN, 14))
def test_between_drizzles_statements_its_comment_stays(rule: str, case: dict[str, str]) -> None:
    pieces = [piece.text for piece in statements(case["before"])]
    text = "\n--> statement-breakpoint".join(piece.rstrip() for piece in pieces)
    found = fixed(case["prior"], f"{text}\n", rule, name=case.get("name", NAME))
    if found.is_offered and len(pieces) > 1:
        parts = found.after.split("--> statement-breakpoint")
        assert [len(statements(part)) for part in parts if part.strip()] == [1] * len(parts)


def test_what_takes_too_long_in_the_wizard_is_given_up_in_words() -> None:
    migration = Migration.from_text(NAME, REBUILD)
    with pytest.raises(NotJudged, match="too long here"):
        fix(migration, prior_of(TEAMS), (migration,), is_late=lambda: True)


def test_like_inserts_that_the_trace_passes_over_are_upserted_too() -> None:
    insert = "INSERT OR REPLACE INTO teams(id, name) VALUES ('{}', 'x');\n"
    many = "".join(insert.format(n) for n in range(9))
    found = fixed(f"{TEAMS}{MEMBERS} ON DELETE CASCADE);", many, "replace-cascades")
    assert found.after.count("ON CONFLICT") == 9
    assert "REPLACE" not in found.after


def test_a_semicolon_is_put_in_before_the_rebuild_behind_it_is_made_safe() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE);"
    begun = f"CREATE TABLE more(x)\n{REBUILD}"

    found = fixed(prior, begun)

    assert found.is_offered
    assert "CREATE TABLE more(x);\n" in found.after
    assert {"syntax-error", "cascade-delete"} <= {answer.finding.rule for answer in found.done}
    assert 'ALTER TABLE "teams" DROP COLUMN "old";' in found.after


def test_what_stays_has_its_lines_in_the_authors_text() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE); CREATE TABLE notes(x);"
    sql = f"{REBUILD}DELETE FROM notes;\n"

    found = fixed(prior, sql)

    lines = {answer.finding.rule: answer.finding.line for answer in found.left}
    assert found.is_offered
    assert lines["delete-without-where"] == sql.count("\n")
    assert all(answer.finding.line <= sql.count("\n") for answer in found.done)


def test_a_table_whose_rename_is_refused_is_not_said_to_be_dropped_for_good() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE); CREATE VIEW bad AS SELECT x FROM nowhere;"

    found = fixed(prior, REBUILD)

    said = {answer.finding.rule: answer.reason for answer in found.left}
    assert not found.is_offered
    for rule in ("cascade-delete", "drop-table", "foreign-key-dangling"):
        assert 'recreates "teams": error in view bad' in said[rule]
        assert "for good" not in said[rule]


HEADED = """-- Renames nothing

-- Step 1: make
CREATE TABLE teams_new(id TEXT PRIMARY KEY NOT NULL, name TEXT);{0}

-- Step 2: copy
INSERT INTO teams_new(id, name) SELECT id, name FROM teams;{0}

-- Step 3: drop
DROP TABLE teams;{0}

-- Step 4
ALTER TABLE teams_new RENAME TO teams;
"""


@pytest.mark.parametrize("between", ["", "\n--> statement-breakpoint"])
def test_no_heading_and_no_empty_part_is_left_of_what_goes(between: str) -> None:
    found = fixed(f"{TEAMS}{MEMBERS} ON DELETE CASCADE);", HEADED.format(between), "cascade-delete")

    assert found.after == (
        '-- Renames nothing\n\n-- Step 1: make\nALTER TABLE "teams" DROP COLUMN "old";\n'
    )


@pytest.mark.parametrize(
    ("more", "heading"),
    [
        ("", False),
        ("CREATE INDEX more ON teams(id);\n", True),
        ("\nCREATE TABLE more(x);\n", False),
    ],
)
def test_a_heading_goes_only_with_all_that_it_heads(more: str, *, heading: bool) -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE); CREATE INDEX teams_name ON teams(name);"
    indexes = f"\n-- Step 5: indexes\nCREATE INDEX teams_name ON teams(name);\n{more}"

    found = fixed(prior, HEADED.format("") + indexes, "cascade-delete")

    assert found.is_offered
    assert ("-- Step 5" in found.after) == heading


def test_a_part_of_comments_alone_joins_the_next() -> None:
    kept = "-- preflight: allow drop-table — nobody reads it\nDROP TABLE teams;"
    text = HEADED.format("\n--> statement-breakpoint").replace("DROP TABLE teams;", kept)
    more = f"{text}--> statement-breakpoint\nCREATE TABLE more(x);\n"

    found = fixed(f"{TEAMS}{MEMBERS} ON DELETE CASCADE);", more, "cascade-delete")

    parts = found.after.split("--> statement-breakpoint")
    assert found.is_offered
    assert all(list(statements(part)) for part in parts)
    assert "-- preflight: allow" in found.after


@pytest.mark.parametrize(
    "sql", ["", "\n\n", "-- Migration number: 0001\n", "PRAGMA foreign_keys=OFF;\n"]
)
def test_a_file_in_which_nothing_is_left_is_not_offered(sql: str) -> None:
    found = fixed("", sql)

    assert not found.is_offered
    assert any(
        "its type follows" in a.reason or "nothing would be left" in a.reason for a in found.left
    )


GUARDED = (
    "CREATE TABLE guard(x TEXT NOT NULL);\n"
    "INSERT INTO guard SELECT max(name) FROM teams WHERE name = 'the one row';\n"
    f"{REBUILD}"
)


def test_a_file_that_fits_no_invented_row_is_proved_on_a_copy_of_real_ones_alone() -> None:
    prior = f"{TEAMS}{MEMBERS} ON DELETE CASCADE);"
    connection = apsw.Connection(":memory:")
    connection.execute(f"{prior} INSERT INTO teams VALUES ('1', 'the one row', 'x')")
    connection.execute("INSERT INTO members VALUES (1, '1')")
    migration = Migration.from_text(NAME, GUARDED)

    invented = fix(migration, prior_of(prior))
    copied = fix(migration, prior_of(prior), copies=[("the copy", connection.serialize("main"))])

    assert not invented.is_offered
    assert any("wizard proves it on a copy" in answer.reason for answer in invented.left)
    assert copied.is_offered
    assert copied.proof.rows.startswith("the copy, but not on invented rows")
