"""What one session has learnt of the target: imported before all else that a walk needs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from d1_preflight.lazy_dataclass import dataclass, field

if TYPE_CHECKING:
    from d1_preflight.core.findings import Analysis
    from d1_preflight.core.rows.values import Values
    from d1_preflight.core.schema.schema import Schema
    from d1_preflight.core.target.reading_cost import WalkCost
    from d1_preflight.core.target.snapshot import Observation


@dataclass(slots=True)
class TargetCache:
    """What has been learnt of the target in this session; asked again when it matters.

    `uuid` is that of the database which answered, from `d1 info`; "" until it was asked.
    """

    uuid: str = ""
    observation: "Observation | None" = None
    values: "Values | None" = None
    size: int | None = None  # of the database, in bytes, as `d1 info` said
    made: "tuple[tuple[str, ...], Schema] | None" = None  # by the earlier files, and their hashes
    walk_cost: "WalkCost | None" = None  # estimated before the first read, on the free plan
    analysis: "tuple[tuple[str, Schema, bool], Analysis] | None" = None
    first_rows: int | None = None  # the most that a table's first page has; None: the usual number
    version_notes: dict[str, Mapping[str, str]] = field(default_factory=dict)  # they never change
