"""The editor opens at a line, in the way that each takes one."""

from pathlib import Path

import pytest

from d1_preflight.adapters.editor import edit


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("vim", "+12 FILE"),
        ("nano", "+12 FILE"),
        ("code", "--goto FILE:12"),
        ("hx", "FILE:12"),
        ("ed-that-nobody-knows", "FILE"),
    ],
)
def test_the_line_is_named_as_the_editor_takes_it(tmp_path: Path, program: str, words: str) -> None:
    noted, own = tmp_path / "noted", tmp_path / program
    own.write_text(f'#!/bin/sh\necho "$@" > {noted}\n')
    own.chmod(0o755)
    file = tmp_path / "a b.ts"

    edit(file, {"EDITOR": str(own)}, line=12)

    assert noted.read_text().strip() == words.replace("FILE", str(file))


def test_without_a_line_only_the_file_is_named(tmp_path: Path) -> None:
    noted, own = tmp_path / "noted", tmp_path / "vim"
    own.write_text(f'#!/bin/sh\necho "$@" > {noted}\n')
    own.chmod(0o755)

    edit(tmp_path / "a.ts", {"EDITOR": str(own)})

    assert noted.read_text().strip() == str(tmp_path / "a.ts")
