"""Where several things may be meant, a person chooses at the terminal; else they are listed."""

import argparse
from pathlib import Path

import pytest

from d1_preflight.commands import faces
from d1_preflight.core.errors import Undecided, UsageError
from d1_preflight.core.project.settings import load_settings

ENTRY = '[[d1_databases]]\nbinding = "{0}"\ndatabase_name = "{0}"\ndatabase_id = "{0}"\n'


class Answers:
    """An asker with these answers."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def ask(self, prompt: object) -> object:
        self.asked.append(prompt.label)  # type: ignore[attr-defined]
        return self.answers.pop(0) or None


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    for place, names in (("api", ("one", "two")), ("web", ("three",))):
        (tmp_path / place).mkdir()
        text = "".join(ENTRY.format(name) for name in names)
        (tmp_path / place / "wrangler.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


ARGUMENTS = argparse.Namespace(config=None, env=None, database="")


def test_a_chosen_configuration_is_remembered_and_a_database_asked_for(repository: Path) -> None:
    asker = Answers("api/wrangler.toml", "two")

    context = faces.open_chosen(ARGUMENTS, lambda: asker)

    assert context.project.root == repository / "api"
    assert context.project.database.name == "two"
    remembered = load_settings((repository / "preflight.toml").read_text())
    assert remembered.wrangler.config == "api/wrangler.toml"
    again = Answers("one")
    assert faces.open_chosen(ARGUMENTS, lambda: again).project.database.name == "one"
    assert len(again.asked) == 1


def test_who_chooses_nothing_gets_the_list_and_no_file(repository: Path) -> None:
    with pytest.raises(Undecided, match=r"api/wrangler\.toml, web/wrangler\.toml"):
        faces.open_chosen(ARGUMENTS, lambda: Answers(""))
    assert not (repository / "preflight.toml").exists()


@pytest.mark.usefixtures("repository")
def test_without_a_terminal_the_list_is_the_message() -> None:
    with pytest.raises(Undecided) as caught:
        faces.open_chosen(ARGUMENTS)
    assert "--config" in caught.value.hint


def test_a_migration_that_is_not_there_is_refused_before_anything_is_fetched(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project walks with preflight's own wrangler, and none is installed yet."""
    web = repository / "web"
    (web / "preflight.toml").write_text('[wrangler]\nuse = "own"\n')
    (web / "migrations").mkdir()
    (web / "migrations" / "0001_add_users.sql").write_text("CREATE TABLE users(id INTEGER);\n")
    monkeypatch.chdir(web)
    monkeypatch.setenv("XDG_CACHE_HOME", str(repository / "cache"))

    with pytest.raises(UsageError, match="There is no migration '9999'"):
        faces.open_chosen(ARGUMENTS, migration="9999")
    assert not (repository / "cache").exists()
