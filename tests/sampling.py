"""Which of many cases the suite tries; the others run with `-m "matrix or not matrix"`."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], each: int, ids: Iterable[str] | None = None) -> list[Any]:
    """Every so-manieth case as it is, the others marked as too many for the suite.

    A case that is a tuple gives a value for each of several parameters.
    """
    all_of_them = list(cases)
    names = list(ids) if ids is not None else [None] * len(all_of_them)
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            id=name,
            marks=() if number % each == 0 else pytest.mark.matrix,
        )
        for number, (case, name) in enumerate(zip(all_of_them, names, strict=True))
    ]
