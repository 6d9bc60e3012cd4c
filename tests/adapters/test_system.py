"""The time, and the browser of this machine."""

import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest

from adapters.fake_wrangler import until
from d1_preflight.adapters.system import SystemClock, machine_zone, open_in_browser


def test_the_clock_tells_utc_in_whole_seconds() -> None:
    now = SystemClock().now()
    assert (now.tzinfo, now.microsecond) == (UTC, 0)


def test_processes_of_one_boot_name_it_alike() -> None:
    code = "from d1_preflight.adapters.system import SystemClock as C; print(C().boot())"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    shares = Path("/proc/sys/kernel/random/boot_id").is_file()
    assert (other.stdout.strip() == SystemClock().boot()) is shares
    assert SystemClock().boot() == SystemClock().boot() != ""


async def test_the_browser_gets_the_address_as_one_word(tmp_path: Path) -> None:
    opener, seen = tmp_path / "xdg-open", tmp_path / "seen"
    opener.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > "{seen}.part"; mv "{seen}.part" "{seen}"\n')
    opener.chmod(0o755)
    environ = {"PATH": str(tmp_path), "DISPLAY": ":0"}
    assert open_in_browser("https://dash.test/?a=1&b=$(x)", environ)
    await until(seen.exists)
    assert seen.read_text() == "https://dash.test/?a=1&b=$(x)|"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:1", "--help", ""])
def test_only_web_pages_are_opened(tmp_path: Path, url: str) -> None:
    assert not open_in_browser(url, {"PATH": str(tmp_path), "DISPLAY": ":0"})


def test_a_machine_without_windows_says_so(tmp_path: Path) -> None:
    assert not open_in_browser("https://dash.test", {"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("environ", "link", "zone"),
    [
        ({"TZ": "Asia/Tokyo"}, "", "Asia/Tokyo"),
        ({"TZ": ":Europe/Berlin"}, "", "Europe/Berlin"),
        ({"TZ": "EST5EDT4,bad"}, "zoneinfo/America/Lima", "America/Lima"),
        ({"TZ": "../../etc/passwd"}, "zoneinfo/America/Lima", "America/Lima"),
        ({"TZ": "/etc/passwd"}, "elsewhere", "UTC"),
        ({}, "zoneinfo/America/Lima", "America/Lima"),
        ({}, "zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
        ({}, "elsewhere", "UTC"),
    ],
)
def test_the_machines_zone_has_a_name(
    tmp_path: Path, environ: dict[str, str], link: str, zone: str
) -> None:
    localtime = tmp_path / "localtime"
    localtime.symlink_to(tmp_path / link)
    assert machine_zone(environ, localtime) == zone
