"""Reading a wrangler configuration by wrangler's rules."""

from json import dumps
from pathlib import Path

import pytest

from d1_preflight.core.errors import PreflightError, ProjectError, UsageError
from d1_preflight.core.project.wrangler_config import WranglerConfig
from d1_preflight.core.project.wrangler_config_file import parse_config

TOML = """\
name = "api"
account_id = "acc"

[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "id-1"

[env.staging]
[[env.staging.d1_databases]]
binding = "DB"
database_name = "shop-staging"
database_id = "id-2"
migrations_dir = "./db/migrations/"
migrations_table = "ledger"

[env.empty]
name = "other"
"""
HEAD = TOML.partition("[env")[0]
JSONC = """\
{
  // the API
  "name": "api", /* "not": "this" */
  "d1_databases": [
    {
      "binding": "DB",
      "database_name": "shop & no comment, ]",
      "database_id": "id-1",
      "preview_database_id": "preview // no comment, ]",
    },
  ],
}
"""
TWO = """\
[[d1_databases]]
binding = "A"
database_name = "one"
database_id = "1"
[[d1_databases]]
binding = "B"
database_name = "two"
database_id = "2"
"""


def toml(text: str, environment: str = "") -> WranglerConfig:
    return parse_config(Path("/p/wrangler.toml"), text, environment)


def json(text: str, name: str = "wrangler.jsonc") -> WranglerConfig:
    return parse_config(Path("/p") / name, text)


def refusal(text: str, name: str = "wrangler.toml", environment: str = "") -> PreflightError:
    with pytest.raises(PreflightError) as caught:
        parse_config(Path("/p") / name, text, environment).database()
    assert caught.value.hint
    return caught.value


def test_toml_gives_the_worker_the_account_and_the_database() -> None:
    config = toml(TOML)
    database = config.database()
    assert (config.name, config.account_id, config.folder) == ("api", "acc", Path("/p"))
    assert config.environments == ("staging", "empty")
    assert (database.name, database.binding, database.id) == ("shop", "DB", "id-1")
    assert (database.migrations_dir, database.migrations_table) == ("migrations", "d1_migrations")
    assert database.migrations_pattern == "migrations/*.sql"


@pytest.mark.parametrize("name", ["wrangler.json", "wrangler.jsonc"])
def test_comments_and_trailing_commas_are_read_and_strings_are_left_alone(name: str) -> None:
    database = json(JSONC, name).database()
    assert database.name == "shop & no comment, ]"
    assert database.preview_id == "preview // no comment, ]"


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert toml("\ufeff" + TOML).name == "api"
    assert json("\ufeff" + JSONC).name == "api"


def test_an_environment_sees_its_own_databases_only() -> None:
    config = toml(TOML, "staging")
    database = config.database()
    assert (database.name, database.migrations_table) == ("shop-staging", "ledger")
    assert database.migrations_dir == "db/migrations"
    assert (config.name, config.account_id) == ("api-staging", "acc")


def test_an_environment_without_databases_inherits_none() -> None:
    error = refusal(TOML, environment="empty")
    assert 'environment "empty" of wrangler.toml has no d1_databases' in error.message
    assert "do not inherit" in error.message


def test_an_environment_with_its_own_name_keeps_it() -> None:
    assert toml(TOML, "empty").name == "other"


def test_an_unknown_environment_lists_those_there_are() -> None:
    error = refusal(TOML, environment="prod")
    assert isinstance(error, ProjectError)
    assert '"prod"' in error.message
    assert "staging, empty" in error.hint


def test_an_unknown_environment_of_a_file_without_any_is_refused_too() -> None:
    assert "none" in refusal(TWO, environment="prod").hint


@pytest.mark.parametrize("reference", ["two", "B"])
def test_a_database_is_found_by_name_or_binding(reference: str) -> None:
    assert toml(TWO).database(reference).id == "2"


def test_several_databases_must_be_chosen_from() -> None:
    error = refusal(TWO)
    assert isinstance(error, UsageError)
    assert "one (binding A), two (binding B)" in error.message


def test_an_unknown_database_lists_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        toml(TWO).database("three")
    assert '"three"' in caught.value.message
    assert "one (binding A)" in caught.value.hint


def test_a_name_that_means_two_databases_is_refused() -> None:
    text = TWO.replace('"two"', '"one"')
    with pytest.raises(ProjectError, match="two different databases"):
        toml(text).database("one")
    with pytest.raises(ProjectError, match="two different databases"):
        toml(text).database("B")


def test_a_database_without_an_id_is_taken_and_its_names_are_known() -> None:
    named = toml('[[d1_databases]]\nbinding = "DB"\ndatabase_name = "shop"\n')
    bound = toml('name = "api"\n[[d1_databases]]\nbinding = "MY_DB"\n')

    assert named.database().id == ""
    assert named.names_of(named.database()) == ("shop",)
    assert bound.names_of(bound.database()) == ("api-my-db", "MY_DB")


def test_a_configuration_without_databases_says_which_environments_have_a_look() -> None:
    error = refusal('name = "api"\n[env.live]\n')
    assert "has no d1_databases" in error.message
    assert "live" in error.message
    assert "--env" in error.hint


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("wrangler.toml", 'name = "a"\nx = [1,\n', "wrangler.toml:"),
        ("wrangler.toml", 'name = "a"\nb = = 1\n', "wrangler.toml:2:"),
        ("wrangler.jsonc", '{\n "a": 1\n "b": 2\n}', "wrangler.jsonc:3:"),
        ("wrangler.jsonc", '{ "a": 1,\n /* open', "wrangler.jsonc:2:"),
        ("wrangler.jsonc", '{ "a": 1,, }', "wrangler.jsonc:1:"),
        ("wrangler.jsonc", "{ a: 1 }", "wrangler.jsonc:1:"),
        ("wrangler.jsonc", '{ "a": NaN }', "wrangler.jsonc:1:"),
        ("wrangler.jsonc", "[" * 100_000, "wrangler.jsonc:1:"),
        ("wrangler.json", "[1]", "wrangler.json "),
        ("wrangler.json", "", "wrangler.json:1:"),
    ],
)
def test_a_damaged_file_is_refused_at_its_line(name: str, text: str, place: str) -> None:
    error = refusal(text, name)
    assert isinstance(error, ProjectError)
    assert error.message.startswith(place)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("d1_databases = 1\n", "wrangler.toml:1: d1_databases must be a list"),
        ("d1_databases = [1]\n", "wrangler.toml:1: d1_databases entry 1 must be a table"),
        ('[[d1_databases]]\ndatabase_name = "x"\n', "wrangler.toml:1: d1_databases entry 1 has no"),
        (TWO.replace('"2"', "2"), "wrangler.toml:8: database_id of d1_databases entry 2 must be"),
        ("env = 1\n", "wrangler.toml:1: env must be a table"),
        ("name = 1\n", "wrangler.toml:1: name of the configuration must be a string"),
    ],
)
def test_a_wrong_value_is_refused_at_its_line_and_key(text: str, words: str) -> None:
    assert refusal(text).message.startswith(words)


def test_the_line_is_that_of_the_environments_entry() -> None:
    text = TOML.replace('"id-2"', "2")
    error = refusal(text, environment="staging")
    assert error.message.startswith("wrangler.toml:13: database_id")


@pytest.mark.parametrize(
    ("folder", "pattern", "inside"),
    [
        ("migrations", "migrations/*/migration.sql", "*/migration.sql"),
        ("./migrations", "./migrations/**/*.sql", "**/*.sql"),
        (".", "*.sql", "*.sql"),
        ("../db", "../db/*.sql", "*.sql"),
        ("src/[app]/m", "src/[app]/m/*.sql", "*.sql"),
    ],
)
def test_folder_and_pattern_are_normalised_as_wrangler_does(
    folder: str, pattern: str, inside: str
) -> None:
    text = f'{HEAD}migrations_dir = "{folder}"\nmigrations_pattern = "{pattern}"\n'
    assert toml(text).database().glob.pattern == inside


@pytest.mark.parametrize(
    "lines",
    [
        'migrations_pattern = "migrations/*.sql"',
        'migrations_dir = "db"\nmigrations_pattern = "migrations/*.sql"',
        'migrations_dir = "db"\nmigrations_pattern = "db/@(a|b).sql"',
        'migrations_dir = "db"\nmigrations_pattern = "db/[0-9]*.sql"',
    ],
)
def test_a_pattern_that_wrangler_or_we_would_misread_is_refused(lines: str) -> None:
    error = refusal(f"{HEAD}{lines}\n")
    assert "migrations_pattern" in error.message


def test_an_empty_table_name_means_the_default() -> None:
    text = f'{HEAD}migrations_table = ""\n'
    assert toml(text).database().migrations_table == "d1_migrations"


ODD_NAMES = ["", ".", "..", "a/b", "/etc", "a\\b", "../up", "a\x1b[31m", "a\nb", "\u202ebd", "\x9f"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_cannot_name_one_folder_is_refused_at_its_line(name: str) -> None:
    with pytest.raises(ProjectError) as raised:
        toml(TWO.replace('"two"', dumps(name)))

    assert raised.value.message.startswith("wrangler.toml:7: database_name ")
    assert raised.value.message.isprintable()
    assert raised.value.hint


@pytest.mark.parametrize("name", ODD_NAMES[1:])
def test_a_binding_that_stands_for_the_name_is_held_to_the_same(name: str) -> None:
    text = TWO.replace('binding = "B"\ndatabase_name = "two"', f"binding = {dumps(name)}")

    with pytest.raises(ProjectError, match=r"wrangler.toml:6: binding "):
        toml(text)


def test_control_characters_in_the_configuration_are_refused() -> None:
    with pytest.raises(ProjectError, match=r"wrangler.toml:1: name of .* control characters"):
        toml(TOML.replace('"api"', '"a\\u001b[2Jpi"'))
