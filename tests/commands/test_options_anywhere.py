"""What says which project is meant counts before the command as it does behind it."""

from pathlib import Path

import pytest

from d1_preflight.cli import main

CONFIG = """
name = "shop"
[[d1_databases]]
binding = "A"
database_name = "one"
database_id = "11111111-1111-4111-8111-111111111111"
[[d1_databases]]
binding = "B"
database_name = "two"
database_id = "21111111-1111-4111-8111-111111111111"
[[env.staging.d1_databases]]
binding = "A"
database_name = "shop-staging"
database_id = "31111111-1111-4111-8111-111111111111"
"""


@pytest.mark.parametrize(
    ("options", "database"),
    [(["--env", "staging"], "shop-staging"), (["--database", "B"], "two")],
)
@pytest.mark.parametrize("before", [True, False])
def test_the_project_is_meant_wherever_it_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    database: str,
    *,
    before: bool,
) -> None:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    main([*options, "doctor"] if before else ["doctor", *options])

    assert f"{database} " in capsys.readouterr().out
