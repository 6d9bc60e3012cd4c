"""Times the splitter on scripts of one repeated piece: it must take time in proportion.

Run it as a program; it prints one line a piece and asserts nothing about time. The last figure is
how many times longer eight times the script takes: about 8 is linear, 64 is not.
"""

import time

from d1_preflight.core.sql.tokenizer import split

PIECES = ("INSERT INTO t VALUES (1, 'a;b');\n", "(1, 'a;b'),", "/*", "'", "--", "[", "-- x\n")
SMALL, LARGE = 20_000, 160_000


def seconds(piece: str, count: int) -> float:
    script = piece * count
    begun = time.perf_counter()
    split(script)
    return time.perf_counter() - begun


def main() -> None:
    for piece in PIECES:
        small = min(seconds(piece, SMALL) for _ in range(3))
        large = min(seconds(piece, LARGE) for _ in range(3))
        print(f"{piece!r:<40} {small:7.3f} s {large:7.3f} s  ×{large / max(small, 0.001):5.1f}")


if __name__ == "__main__":
    main()
