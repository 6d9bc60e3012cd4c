"""Nothing of the source document's reference material is lost."""

import pytest

from d1_preflight.core.checklist.definitions import checklists_dir
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.tui.help_text import TOPICS, topic_for

WHOLE = "\n".join(topic.text for topic in TOPICS)


@pytest.mark.parametrize(
    "words",
    [
        "DROP COLUMN", "RENAME COLUMN", "change a column's type", "add or drop a constraint",
        "additive", "transformative", "destructive", "-- Migration: 0057_add_team_billing_columns",
        "## 1 Add a column", "## 2 Create a table", "## 3 Rename a column", "## 4 Rebuild a table",
        "## 5 Move data", "1. database, 2. Worker", "roll the code back first",
        "migrations create", "migrations apply", "migrations list", "d1 export",
        "PRAGMA table_info", "PRAGMA index_list", "sqlite_schema", "curl https://",
        "0.1 % for 5 to 10 minutes", "skip the local test", "code before migration",
        "downtime that users see", "without losing data", "help the engineer",
        "serve the outcome", "it is not ready",
    ],
)  # fmt: skip
def test_the_document_lives_on_in_help(words: str) -> None:
    assert words in WHOLE


@pytest.mark.parametrize("wrong", ["d1 create marketplace-production --local", 'command=".schema',
                                   "rollback --name workway-api --version"])  # fmt: skip
def test_what_runs_showed_to_be_wrong_is_not_repeated(wrong: str) -> None:
    assert wrong not in WHOLE


def test_every_section_opens_help_at_a_topic_of_its_own() -> None:
    text = (checklists_dir() / "d1.toml").read_text()
    numbered = [s.id for s in load_checklist(text, "d1.toml").sections if s.number]

    topics = {section: topic_for(section).id for section in numbered}

    assert len(set(topics.values())) == len(numbered)
    assert "keys" not in topics.values()
