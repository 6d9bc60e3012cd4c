"""Prints what a record costs: the example before and after, manipulations refused, verify's time.

Run: python tests/bench/bench_record.py [RECORDS], with 1000 records where none is named. The times
are those of whole processes: cold asks ssh-keygen about every signature, as CI always does. Of the
tampered lines a sample is tried; pytest -m matrix tests/core/test_tampering.py tries each.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from commands.real_records import CONFIG, person  # noqa: E402 - it runs as a script
from core.record_values import ANA, SQL, START, closed_in_chain  # noqa: E402
from d1_preflight.core.record.signing import CLOSE, GO  # noqa: E402
from d1_preflight.core.target.snapshot import LedgerRow  # noqa: E402
from example_record import EXAMPLE  # noqa: E402

BEFORE, AFTER = TESTS / "records" / "checklist_375097bf", EXAMPLE
MANIPULATIONS = ("test_manipulations.py", "test_signed_again.py", "test_tampering.py")
MOST = 1000


def size_of(folder: Path) -> str:
    """Lines of record and summary, bytes and files of a record's folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    lines = {n: (folder / n).read_bytes().count(b"\n") for n in ("record.toml", "SUMMARY.md")}
    told = ", ".join(f"{name} {number} lines" for name, number in lines.items())
    empty = sum(not path.stat().st_size for path in files)
    whole = sum(path.stat().st_size for path in files)
    return f"{told}, {whole:,} bytes in {len(files)} files, {empty} empty"


def lay(root: Path, keys: Path, number: int) -> None:
    """A project with a chain of closed records, signed with a real key."""
    signers = root / "checklists" / "allowed_signers"
    ana = person(keys, "ana", ANA, signers, (GO, CLOSE))
    (root / "wrangler.jsonc").write_text(CONFIG)
    (root / "migrations").mkdir()
    names = [f"{n:04}_m.sql" for n in range(1, number + 1)]
    ledger = [LedgerRow(n, name, "2026-11-23 14:00:00") for n, name in enumerate(names, 1)]
    before: list[dict[str, bytes]] = []
    for n, name in enumerate(names, 1):
        start = START + timedelta(hours=n)
        files = closed_in_chain(
            before, migration=name, hand=ana, start=start, ledger=ledger[: n + 1]
        )
        before = [files]
        (root / "migrations" / name).write_bytes(SQL)
        for path, data in files.items():
            file = root / "checklists" / "marketplace-production" / name[:-4] / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def timed(words: Sequence[str], folder: Path, cache: Path) -> str:
    """Seconds of the clock and of CPU, children included, of one `preflight verify`."""
    left_out = {"CI", "PREFLIGHT_NO_CACHE", "PYTHONDONTWRITEBYTECODE"}
    env = {key: value for key, value in os.environ.items() if key not in left_out}
    env["XDG_CACHE_HOME"] = str(cache)
    used, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = (sys.executable, "-m", "d1_preflight", "verify", *words)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)
    took, now = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return f"{took:.2f} s, {cpu:.2f} s of CPU, exit {done.returncode}"


def main() -> None:
    """The whole table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else MOST
    print(f"example before: {size_of(BEFORE)}\nexample after:  {size_of(AFTER)}")
    tests = [str(TESTS / "core" / name) for name in MANIPULATIONS]
    pytest = (sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:xdist", *tests)
    told = subprocess.run(pytest, capture_output=True, text=True, check=False, cwd=TESTS).stdout
    print(
        *(line.lstrip(".") for line in told.splitlines() if re.search(r": |tried", line)), sep="\n"
    )
    with tempfile.TemporaryDirectory() as place:
        root, keys, cache = (Path(place) / name for name in ("project", "keys", "cache"))
        for folder in (root, keys, cache):
            folder.mkdir()
        lay(root, keys, number)
        for what, words, folder in (("1 record", ["."], AFTER), (f"{number} records", [], root)):
            cold = timed(["--no-cache", *words], folder, cache)
            timed(words, folder, cache)
            print(f"verify {what}: cold {cold}; warm {timed(words, folder, cache)}")


if __name__ == "__main__":
    main()
