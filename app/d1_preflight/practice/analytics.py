"""The metrics of the practice account: invented traffic, and errors that really happen.

Traffic follows the hours and weekdays of people in New York. The failing part of it is what the
Worker's own queries showed after each write and each deployment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, floor
from zoneinfo import ZoneInfo

from d1_preflight.practice.graphql import Field, QueryUnreadable, parse, select
from d1_preflight.practice.state import ACCOUNT_ID, DATABASE_ID, Cloud, Health
from d1_preflight.practice.worker import SCRIPT

_ZONE = ZoneInfo("America/New_York")
_PEAK_PER_MINUTE = 2_400
_USUAL_ERRORS = 0.0002
_QUIET = 1_200  # one error among fewer would be over that limit by itself
_GOLDEN = 0.6180339887498949
_SATURDAY = 5
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_WIDTHS = {
    "datetimeMinute": _MINUTE,
    "datetimeFiveMinutes": 5 * _MINUTE,
    "datetimeFifteenMinutes": 15 * _MINUTE,
    "datetimeHour": _HOUR,
    "date": _DAY,
}
_MAX_SPAN = timedelta(days=32)
Row = dict[str, object]


def answer(cloud: Cloud, query: str, variables: Mapping[str, object]) -> Row:
    """The GraphQL answer: data, or the reason why there is none."""
    try:
        fields = parse(query, variables)
        accounts = [_account(cloud, field) for field in _accounts(fields)]
        data = select({"viewer": {"accounts": accounts}}, fields)
    except (QueryUnreadable, ValueError) as error:
        return {"data": None, "errors": [{"message": str(error), "path": None}]}
    return {"data": data, "errors": None}


def requests_in_minute(at: datetime) -> int:
    """How many requests reach the Worker in the minute that begins at a moment."""
    local = at.astimezone(_ZONE)
    hour = local.hour + local.minute / 60
    daily = 0.06 + 0.94 * exp(-(((hour - 13.2) / 3.9) ** 2))
    weekly = 0.22 if local.weekday() >= _SATURDAY else 1.0
    minute = int(at.timestamp()) // _MINUTE
    uneven = 0.94 + 0.12 * ((minute * 2_654_435_761 % 2**32) / 2**32)
    return round(_PEAK_PER_MINUTE * daily * weekly * uneven)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The traffic of one group of the answer."""

    begins: datetime
    requests: int
    errors: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a dataset's arguments and dimensions ask for."""

    since: datetime
    until: datetime
    limit: int
    newest_first: bool
    width: int | None  # None: all in one group
    by_status: bool
    names: Mapping[str, object]


def _accounts(fields: Sequence[Field]) -> list[Field]:
    viewers = [field for field in fields if field.name == "viewer"]
    return [field for viewer in viewers for field in viewer.fields if field.name == "accounts"]


def _account(cloud: Cloud, asked: Field) -> Row:
    tag = dict(_conditions(asked.arguments.get("filter"))).get("accountTag")
    if tag != ACCOUNT_ID:
        raise QueryUnreadable("not authorized for that account")
    account: Row = {}
    for field in asked.fields:
        match field.name:
            case "workersInvocationsAdaptive":
                account[field.name] = _invocations(cloud, _asked(cloud, field))
            case "d1AnalyticsAdaptiveGroups":
                account[field.name] = _queries(cloud, _asked(cloud, field))
            case "d1QueriesAdaptiveGroups":
                account[field.name] = _insights(cloud, _asked(cloud, field))
    return account


def _invocations(cloud: Cloud, asked: _Asked) -> list[Row]:
    if asked.names.get("scriptName", SCRIPT) != SCRIPT:
        return []
    rows: list[Row] = []
    for bucket in _buckets(cloud, asked):
        parts = {"success": bucket.requests - bucket.errors, "scriptThrewException": bucket.errors}
        for status, requests in parts.items() if asked.by_status else ((None, bucket.requests),):
            errors = 0 if status == "success" else bucket.errors
            row: Row = {"requests": requests, "errors": errors, "subrequests": requests * 3}
            dimensions = _dimensions(bucket) | {"scriptName": SCRIPT, "status": status}
            rows.append({"sum": row, "dimensions": dimensions})
    return rows[: asked.limit]


def _queries(cloud: Cloud, asked: _Asked) -> list[Row]:
    if asked.names.get("databaseId", DATABASE_ID) != DATABASE_ID:
        return []
    rows: list[Row] = []
    for bucket in _buckets(cloud, asked):
        reads, writes = round(bucket.requests * 2.4), round(bucket.requests * 0.15)
        total: Row = {"readQueries": reads, "writeQueries": writes}
        total |= {"rowsRead": reads * 9, "rowsWritten": writes * 2}
        dimensions = _dimensions(bucket) | {"databaseId": DATABASE_ID}
        rows.append({"sum": total, "count": reads + writes, "dimensions": dimensions})
    return rows[: asked.limit]


def _insights(cloud: Cloud, asked: _Asked) -> list[Row]:
    """The Worker's two queries, by what all of them were asked over the time."""
    found = _queries(cloud, asked)
    total: Row = {}
    for sums in (row["sum"] for row in found):
        if isinstance(sums, Mapping):
            total |= {name: _number(total, name) + _number(sums, name) for name in sums}
    shares = (("SELECT * FROM teams WHERE id = ?", "read"), ("UPDATE teams SET name = ?", "write"))
    rows: list[Row] = []
    for query, verb in shares if found else ():
        runs = _number(total, f"{verb}Queries")
        once: Row = {"rowsRead": 9, "rowsWritten": 2 if verb == "write" else 0}
        once |= {"rowsReturned": 1, "queryDurationMs": 1}
        all_runs: Row = {name: _number(once, name) * runs for name in once}
        dimensions: Row = {"query": query, "databaseId": DATABASE_ID}
        rows.append({"sum": all_runs, "avg": once, "count": runs, "dimensions": dimensions})
    return rows[: asked.limit]


def _number(row: Mapping[str, object], name: str) -> int:
    value = row.get(name, 0)
    return value if isinstance(value, int) else 0


def _asked(cloud: Cloud, field: Field) -> _Asked:
    conditions = _conditions(field.arguments.get("filter"))
    since, until = _span(conditions, cloud.now())
    wanted = {
        part.name for block in field.fields if block.name == "dimensions" for part in block.fields
    }
    widths = [width for name, width in _WIDTHS.items() if name in wanted]
    limit = field.arguments.get("limit", 10_000)
    return _Asked(
        since=since,
        until=until,
        limit=min(int(str(limit)), 10_000),
        newest_first="_DESC" in str(field.arguments.get("orderBy", "")),
        width=min(widths) if widths else None,
        by_status="status" in wanted,
        names=dict(conditions),
    )


def _conditions(asked: object) -> list[tuple[str, object]]:
    """All conditions of a filter, those inside AND and in lists, too."""
    if isinstance(asked, list):
        return [pair for item in asked for pair in _conditions(item)]
    if not isinstance(asked, Mapping):
        return []
    pairs: list[tuple[str, object]] = []
    for name, value in asked.items():
        pairs += _conditions(value) if name == "AND" else [(name, value)]
    return pairs


def _span(conditions: Sequence[tuple[str, object]], now: datetime) -> tuple[datetime, datetime]:
    since, until = now - timedelta(days=1), now
    for name, value in conditions:
        if name.startswith("date"):
            moment = datetime.fromisoformat(str(value))
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            if name.endswith(("_geq", "_gt")):
                since = moment
            elif name.endswith(("_leq", "_lt")):
                until = min(moment, now)
    if until - since > _MAX_SPAN:
        raise QueryUnreadable("query time range is too large")
    return since, until


def _buckets(cloud: Cloud, asked: _Asked) -> list[_Bucket]:
    step = _HOUR if asked.width in (_HOUR, _DAY) else _MINUTE
    groups: dict[int, _Bucket] = {}
    for counted in _counted(cloud, asked, step):
        second = int(counted.begins.timestamp())
        first = int(asked.since.timestamp()) if asked.width is None else second
        key = first - first % (asked.width or _MINUTE)
        known = groups.get(key, _Bucket(datetime.fromtimestamp(key, UTC), 0, 0))
        requests, errors = known.requests + counted.requests, known.errors + counted.errors
        groups[key] = _Bucket(known.begins, requests, errors)
    found = [groups[key] for key in sorted(groups, reverse=asked.newest_first)]
    return [bucket for bucket in found if bucket.requests]


def _counted(cloud: Cloud, asked: _Asked, step: int) -> Iterator[_Bucket]:
    """The traffic in even steps; the first and the last one count as far as they were asked for."""
    begin, end = asked.since.timestamp(), asked.until.timestamp()
    second = int(begin) - int(begin) % step
    while second < end:
        since, until = max(second, begin), min(second + step, end)
        middle = datetime.fromtimestamp(second + (step // 2 if step > _MINUTE else 0), UTC)
        full = requests_in_minute(middle) * (step // _MINUTE)
        requests = floor(full * (until - since) / step)
        usual = _usual_errors(requests, second // step) if until - since == step else 0
        caused = round(requests * _failing(cloud.health, since, until))
        yield _Bucket(datetime.fromtimestamp(second, UTC), requests, min(requests, usual + caused))
        second += step


def _usual_errors(requests: int, step: int) -> int:
    """Some errors there always are; so few that no minute is over a limit of 0.1 %."""
    if requests < _QUIET:
        return 0
    return floor(requests * _USUAL_ERRORS + step * _GOLDEN % 1)


def _failing(health: Sequence[Health], begin: float, end: float) -> float:
    """The failing part of the requests between two moments, weighed by time."""
    total = 0.0
    for place, known in enumerate(health):
        ends = health[place + 1].since if place + 1 < len(health) else end
        total += known.failing * max(0.0, min(ends, end) - max(known.since, begin))
    return total / (end - begin)


def _dimensions(bucket: _Bucket) -> Row:
    second = int(bucket.begins.timestamp())
    dimensions: Row = {"datetime": _zulu(second)}
    for name, width in _WIDTHS.items():
        moment = _zulu(second - second % width)
        dimensions[name] = moment[:10] if name == "date" else moment
    return dimensions


def _zulu(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
