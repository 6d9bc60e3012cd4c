"""The page on the record names every id of verify, and no other."""

import re
from pathlib import Path

from d1_preflight.core.verify.problem import Id

PAGE = Path(__file__).resolve().parents[2] / "checklists" / "record.md"


def test_the_page_on_the_record_names_each_id_once() -> None:
    table = PAGE.read_text("utf-8").partition("| id | meaning |")[2]
    rows = (line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|"))
    named = [name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)]

    assert sorted(named) == sorted(Id)


def test_an_id_is_its_name_in_kebab_case() -> None:
    assert all(one.value == one.name.lower().replace("_", "-") for one in Id)
