"""What a request to the engine gives: rows as JSON, their cost, or D1's words for the failure."""

import math
from dataclasses import dataclass

import apsw

from d1_preflight.core.errors import PreflightError

Value = None | int | float | str | bytes
Json = dict[str, object]
_DOUBLE_EXACT = 2**53


class StatementRefused(PreflightError):
    """A statement failed or is not allowed; `message` reads as D1 words it."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What a statement cost and changed, in D1's `meta` form."""

    duration: float
    changes: int
    last_row_id: int
    rows_read: int
    rows_written: int
    size_after: int
    changed_db: bool

    def as_json(self) -> Json:
        """The object in an answer."""
        return {
            "served_by": "practice",
            "served_by_region": "PRACTICE",
            "served_by_primary": True,
            "timings": {"sql_duration_ms": self.duration},
            "duration": self.duration,
            "changes": self.changes,
            "last_row_id": self.last_row_id,
            "changed_db": self.changed_db,
            "size_after": self.size_after,
            "rows_read": self.rows_read,
            "rows_written": self.rows_written,
            "total_attempts": 1,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """One statement's rows (the last of same-named columns wins, as in D1) and its cost."""

    rows: tuple[Json, ...]
    meta: Meta

    def as_json(self) -> Json:
        """One item of the answer's `result`."""
        return {"results": list(self.rows), "success": True, "meta": self.meta.as_json()}


def wording(error: apsw.Error) -> str:
    """SQLite's error as workerd writes it, with place and codes."""
    result, extended = getattr(error, "result", 1), getattr(error, "extendedresult", 1)
    offset = getattr(error, "error_offset", -1)
    place = f" at offset {offset}" if offset >= 0 else ""
    code = apsw.mapping_result_codes.get(result & 0xFF, "SQLITE_ERROR")
    more = apsw.mapping_extended_result_codes.get(extended)
    return f"{error}{place}: {code}" + (f" (extended: {more})" if more else "")


def to_json(value: Value) -> object:
    """A value as D1 answers it: JavaScript numbers, blobs as lists of bytes, no infinities."""
    match value:
        case bytes():
            return list(value)
        case float():
            if not math.isfinite(value):
                return None
            return int(value) if value.is_integer() and abs(value) < _DOUBLE_EXACT else value
        case int():
            return value if abs(value) <= _DOUBLE_EXACT else float(value)
        case _:
            return value
