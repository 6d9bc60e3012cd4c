"""What the commands of a closed record printed, in one archive: `evidence/outputs.tar.gz`.

An open record has a file for each output, which a reviewer of GO reads. At the close they become
one archive that any `tar` unpacks; the record goes on naming each output with its sha256.
"""

import re
from collections.abc import Mapping

from d1_preflight.core.target.query_texts import unzipped
from d1_preflight.lazy_dataclass import dataclass

OUTPUTS = "evidence/outputs.tar.gz"
_NAME = re.compile(r"evidence/[^/\0]{1,90}")
_BLOCK = 512
_NAME_END, _SIZE = 100, slice(124, 135)
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs by their names; `is_whole` says that the archive holds nothing else."""

    files: Mapping[str, bytes]
    is_whole: bool = True


def archived(files: Mapping[str, bytes]) -> bytes:
    """The archive of these outputs: the same files give the same content."""
    import gzip

    return gzip.compress(_tar(files), mtime=0)


def fits_archive(name: str) -> bool:
    """Whether an archive takes a file of this name."""
    return name.isascii() and _NAME.fullmatch(name) is not None


def read_outputs(archive: bytes) -> Outputs:
    """The outputs in an archive of this program; none of any other, and never raises."""
    content = unzipped(archive) if archive else None
    files: dict[str, bytes] = {}
    place = 0
    while content and content[place : place + 1].strip(b"\0"):
        name = content[place : place + _NAME_END].rstrip(b"\0").decode("ascii", "replace")
        size = content[place : place + _BLOCK][_SIZE]
        start = place + _BLOCK
        end = start + int(size, 8) if re.fullmatch(rb"[0-7]{11}", size) else start
        if not fits_archive(name) or name in files or end > len(content):
            return Outputs({}, is_whole=False)
        files[name] = content[start:end]
        place = end + -end % _BLOCK
    return Outputs(files) if content == _tar(files) else Outputs({}, is_whole=False)


def _tar(files: Mapping[str, bytes]) -> bytes:
    """The files in the form that POSIX calls ustar: no owner, no time."""
    pieces = (_head(name, len(files[name])) + _padded(files[name]) for name in sorted(files))
    return b"".join(pieces) + _END


def _head(name: str, size: int) -> bytes:
    before = name.encode().ljust(_NAME_END, b"\0") + b"0000644\0" + b"0000000\0" * 2
    before += b"%011o\0%011o\0" % (size, 0)
    after = b"0".ljust(101, b"\0") + b"ustar\x0000"
    total = sum(before) + sum(after) + 8 * ord(" ")
    return (before + b"%06o\0 " % total + after).ljust(_BLOCK, b"\0")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)
