"""The SQL that the commands of a record ran: by its sha256 in the record, once in the evidence.

`evidence/queries.sql` holds each text below a comment that names its sha256 and its length, so
that no text can pass for the head of the next one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from d1_preflight.core.ports import Evidence

QUERIES = "evidence/queries.sql"
_FLAG, _BY_DIGEST = "--command=", "--command=sha256:"
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
    known = set(read_queries(file).texts)
    for text in texts:
        digest = sha256(text).hexdigest()
        if digest not in known:
            file += b"-- sha256 %s, %d bytes\n%s\n" % (digest.encode(), len(text), text)
            known.add(digest)
    return file


def read_queries(file: bytes) -> Queries:
    """The texts in a file, as far as they are what their comment says; never raises."""
    texts: dict[str, bytes] = {}
    place = 0
    while (head := _HEAD.match(file, place)) is not None:
        end = head.end() + int(head[2])
        text = file[head.end() : end]
        if sha256(text).hexdigest().encode() != head[1] or file[end : end + 1] != b"\n":
            break
        texts[head[1].decode()] = text
        place = end + 1
    return Queries(texts, place == len(file))


def digests_of(evidence: Iterable[Evidence]) -> Iterator[str]:
    """The digests that these commands name instead of their SQL."""
    for ran in evidence:
        for word in ran.argv:
            if word.startswith(_BY_DIGEST):
                yield word.removeprefix(_BY_DIGEST)
