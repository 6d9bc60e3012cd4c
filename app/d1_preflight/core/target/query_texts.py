"""The SQL that the commands of a record ran: by its sha256 in the record, once in the evidence.

`evidence/queries.sql.gz` (read it with `zcat`: fingerprints of values are long and repeat
themselves) holds each text below a comment that names its sha256 and its length, so that no text
can pass for the head of the next one.
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from d1_preflight.core.ports import Evidence
from d1_preflight.lazy_dataclass import dataclass, replace

QUERIES = "evidence/queries.sql.gz"
_FLAG, _BY_DIGEST = "--command=", "--command=sha256:"
_LARGEST = 64 * 1024 * 1024
_HEAD = re.compile(rb"-- sha256 ([0-9a-f]{64}), (\d{1,9}) bytes\n")


@dataclass(frozen=True, slots=True)
class Queries:
    """The texts by their sha256; `is_whole` says that the file holds nothing else."""

    texts: Mapping[str, bytes]
    is_whole: bool = True


def by_digest(evidence: Iterable[Evidence]) -> tuple[tuple[Evidence, ...], tuple[bytes, ...]]:
    """The same commands with their SQL as a digest, and the texts that were taken out."""
    texts: dict[bytes, None] = {}
    found = []
    for ran in evidence:
        words = []
        for word in ran.argv:
            if word.startswith(_FLAG) and not word.startswith(_BY_DIGEST):
                text = word.removeprefix(_FLAG).encode("utf-8", "replace")
                texts[text] = None
                words.append(f"{_BY_DIGEST}{sha256(text).hexdigest()}")
            else:
                words.append(word)
        found.append(replace(ran, argv=tuple(words)))
    return tuple(found), tuple(texts)


def with_texts(file: bytes, texts: Iterable[bytes]) -> bytes:
    """The file with these texts, each only once."""
    known = dict(read_queries(file).texts)
    new = {sha256(text).hexdigest(): text for text in texts}
    if new.keys() <= known.keys():
        return file
    pieces = (
        b"-- sha256 %s, %d bytes\n%s\n" % (digest.encode(), len(text), text)
        for digest, text in {**known, **new}.items()
    )
    import gzip

    return gzip.compress(b"".join(pieces), mtime=0)


def read_queries(file: bytes) -> Queries:
    """The texts in a file, as far as they are what their comment says; never raises."""
    texts: dict[str, bytes] = {}
    place = 0
    content = unzipped(file)
    if content is None:
        return Queries({}, is_whole=False)
    while (head := _HEAD.match(content, place)) is not None:
        end = head.end() + int(head[2])
        text = content[head.end() : end]
        if sha256(text).hexdigest().encode() != head[1] or content[end : end + 1] != b"\n":
            break
        texts[head[1].decode()] = text
        place = end + 1
    return Queries(texts, place == len(content))


def unzipped(file: bytes) -> bytes | None:
    """What a file of one piece holds; None where it is damaged, or larger than any walk makes."""
    if not file:
        return b""
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS + 16)
    try:
        content = reader.decompress(file, _LARGEST)
    except zlib.error:
        return None
    return content if reader.eof and not reader.unused_data else None


def digests_of(evidence: Iterable[Evidence]) -> Iterator[str]:
    """The digests that these commands name instead of their SQL."""
    for ran in evidence:
        for word in ran.argv:
            if word.startswith(_BY_DIGEST):
                yield word.removeprefix(_BY_DIGEST)
