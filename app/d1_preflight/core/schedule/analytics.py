"""The two questions put to Cloudflare's GraphQL analytics, and how to read their answers.

`workersInvocationsAdaptive` gives requests and errors of a Worker by minute,
`d1AnalyticsAdaptiveGroups` the queries of a database by hour (Cloudflare docs: Analytics,
GraphQL datasets). Rates are decimal strings: a float would not sign the same everywhere.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from d1_preflight.lazy_dataclass import dataclass

ERRORS_QUERY = """query Errors($account: string!, $script: string!, $since: Time!, $until: Time!) {
  viewer { accounts(filter: {accountTag: $account}) {
    workersInvocationsAdaptive(limit: 1000, orderBy: [datetimeMinute_ASC],
      filter: {scriptName: $script, datetime_geq: $since, datetime_leq: $until}) {
      sum { requests errors } dimensions { datetimeMinute }
    } } } }"""

TRAFFIC_QUERY = """query Traffic(
  $account: string!, $database: string!, $since: Time!, $until: Time!) {
  viewer { accounts(filter: {accountTag: $account}) {
    d1AnalyticsAdaptiveGroups(limit: 10000, orderBy: [datetimeHour_ASC],
      filter: {databaseId: $database, datetime_geq: $since, datetime_leq: $until}) {
      sum { readQueries writeQueries } dimensions { datetimeHour }
    } } } }"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Requests and errors of one minute or hour, which began at `at`."""

    at: datetime
    requests: int
    errors: int = 0


def error_samples(answer: Mapping[str, object]) -> tuple[Sample, ...]:
    """The samples of `ERRORS_QUERY`'s answer; raises ValueError if it is not one."""
    return tuple(
        Sample(_when(d["datetimeMinute"]), _count(s["requests"]), _count(s["errors"]))
        for s, d in _groups(answer, "workersInvocationsAdaptive")
    )


def traffic_samples(answer: Mapping[str, object]) -> tuple[Sample, ...]:
    """The samples of `TRAFFIC_QUERY`'s answer, reads and writes together."""
    return tuple(
        Sample(_when(d["datetimeHour"]), _count(s["readQueries"]) + _count(s["writeQueries"]))
        for s, d in _groups(answer, "d1AnalyticsAdaptiveGroups")
    )


def error_rate(samples: Sequence[Sample]) -> Decimal | None:
    """Errors per hundred requests, two places; None where nothing was requested."""
    requests = sum(sample.requests for sample in samples)
    if not requests:
        return None
    errors = sum(sample.errors for sample in samples)
    return (Decimal(100 * errors) / requests).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _groups(
    answer: Mapping[str, object], name: str
) -> list[tuple[Mapping[str, object], Mapping[str, object]]]:
    data = answer.get("data", answer)
    try:
        accounts = data["viewer"]["accounts"]  # type: ignore[index]  # checked by the except
        groups = accounts[0][name] if accounts else []
        return [(group["sum"], group["dimensions"]) for group in groups]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"the analytics answer has no {name}") from error


def _when(value: object) -> datetime:
    return datetime.fromisoformat(str(value))


def _count(value: object) -> int:
    if isinstance(value, (int, float)):
        return int(value)
    raise ValueError(f"{value!r} is not a count")
