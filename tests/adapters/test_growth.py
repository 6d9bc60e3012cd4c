"""What is said while npm installs: how much lies there, how fast, how long it still takes."""

from pathlib import Path

import pytest

from d1_preflight.adapters.wrangler.npm import bytes_in, growth_words


@pytest.mark.parametrize(
    ("done", "seconds", "expected"),
    [
        (0, 5.0, "░░░░░░░░░░░░░░░░ 0 B of about 230 MB"),
        (18, 5.0, "░░░░░░░░░░░░░░░░ 18 B of about 230 MB"),
        (
            115_000_000,
            10.0,
            "████████░░░░░░░░ 115 MB of about 230 MB · 11.5 MB/s · about 10 s left",
        ),
        (240_000_000, 20.0, "████████████████ 240 MB of about 230 MB · 12.0 MB/s · almost done"),
    ],
)
def test_the_growth_is_said_with_rate_and_time_left(
    done: int, seconds: float, expected: str
) -> None:
    assert growth_words(done, 230_000_000, seconds) == expected


def test_what_lies_below_a_folder_is_added_up_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"12345")
    (tmp_path / "leads-nowhere").symlink_to(tmp_path / "gone")

    assert bytes_in(tmp_path) >= 5
    assert bytes_in(tmp_path / "gone") == 0
