"""Section 5: the time window, the notice to the team and the dashboard."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.target import (
    READ_TIMEOUT_S,
    call_target,
    config_flags,
    first_object,
    info_args,
)
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NoAnalytics, NotAllowed, PreflightError
from d1_preflight.core.format import capital, count, plural
from d1_preflight.core.record.apply_facts import (
    DashboardFacts,
    NoticeFacts,
    WindowFacts,
    ZoneTime,
)
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.facts import NO_TEXT, instant
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.schedule.analytics import TRAFFIC_QUERY, traffic_samples
from d1_preflight.core.schedule.traffic import WeekTraffic, soon_words, week_traffic
from d1_preflight.core.schedule.window import Timing, calendar_of, timing
from d1_preflight.core.target.wrangler_output import listed_queries

_WEEKS = 4
_LATELY_H, _WEEK_H = 2, 168
_INSIGHTS = 1000  # different queries: with more of them the sum would lack some
_SET_ZONES = "Set timezones under [users] in preflight.toml to have it checked."
_SEEN = ("it is there", "it is not there: send it")
WINDOW = "check_window"
_WORKER = "https://dash.cloudflare.com/{account}/workers/services/view/{worker}/production/metrics"
DASHBOARD = "https://dash.cloudflare.com/{account}/workers/d1/databases/{id}/metrics"
_ANY_ACCOUNT = "?to=/:account"


def window_prompts(context: StepContext) -> Sequence[Prompt]:
    """Where the users are, where no setting says it: this machine's clock is not theirs."""
    project = context.environment.project
    if not project.assumed_zone or project.settings.users.timezones:
        return ()
    label = "No users' time zone is set. Where are your users, and is it quiet there now?"
    help_text = f"Only this machine's zone, {project.assumed_zone}, can be checked. {_SET_ZONES}"
    return (Prompt("users", PromptKind.TEXT, label, help=help_text),)


async def check_window(context: StepContext) -> Outcome:
    """Whether now is a low-traffic hour where the users are; with analytics, the quietest hours."""
    now = timing_now(context)
    checked = WindowFacts(
        now=instant(now.now),
        quiet=now.is_quiet,
        words=now.words,
        fits=now.fits,
        fits_words=now.fits_words,
        zones=tuple(
            ZoneTime(zone=z.zone, local=f"{z.local:%a %H:%M %Z}", busy=z.is_busy) for z in now.zones
        ),
        next=tuple(span.words(now.calendar.team) for span in now.coming),
    )
    facts = await _with_traffic(context, now, checked)
    if not now.is_quiet:
        return Outcome(Status.FAILED, f"{now.words}. {capital(now.fits_words)}.", facts)
    if not now.fits:
        return Outcome(Status.FAILED, f"{now.words}, but {now.fits_words}.", facts)
    words = f"{now.words}; {now.fits_words}."
    if not window_prompts(context):
        return Outcome(Status.PROVED, words, facts)
    where = context.answer("users")
    if not where:
        return Outcome(Status.UNKNOWN, f"{words} The users' time zones are not known. {_SET_ZONES}")
    return Outcome(Status.ATTESTED, f"{words} Users: {where}", facts)


def timing_now(context: StepContext) -> Timing:
    """The window's verdict on this moment, for the predicted duration and the watch."""
    environment = context.environment
    predicted = context.facts(RehearsalFacts).predicted_ms or 0
    watch = timedelta(minutes=environment.settings.verification.watch_minutes)
    return timing(
        calendar_of(environment.settings),
        environment.clock.now(),
        watch + timedelta(milliseconds=predicted),
    )


def require_window(context: StepContext) -> None:
    """Require that a window that was answered still holds; a waived one is GO's to judge.

    GO and the apply ask it again: a window is over while the record still shows it. NotAllowed.
    """
    for step in context.checklist.before("applied"):
        attempt = context.record.standing(step)
        if step.action != WINDOW or attempt is None or attempt.status is Status.WAIVED:
            continue
        now = timing_now(context)
        if not now.fits:
            words = now.words if not now.is_quiet else f"{now.words}, but {now.fits_words}"
            raise NotAllowed(
                f"{words}.",
                hint="Nothing was sent. Wait for the next window, or waive the step and sign GO.",
            )


def notice(context: StepContext) -> str:
    """The notice that the channel receives."""
    environment = context.environment
    kind = context.kind.value.upper()
    place = environment.project.database.name
    if environment.target == "practice":
        place += " (PRACTICE)"
    minutes = environment.settings.verification.watch_minutes
    return (
        f"D1 migration {environment.stem} on {place}: {kind}, {environment.clock.now():%H:%M} UTC, "
        f"by {environment.operator}. Watching for {minutes} min afterwards."
    )


def notify_prompts(context: StepContext) -> Sequence[Prompt]:
    """The preview to send, or, without a webhook, how the team was notified."""
    channel = context.environment.settings.notify.channel
    if context.environment.web.has_webhook and context.must_observe_first:
        # A message cannot be revoked or looked up, so it is never sent twice unasked.
        label = f"An earlier notice may have been sent. Is it in {channel}?"
        return (Prompt("seen", PromptKind.CHOOSE, label, choices=_SEEN, help=notice(context)),)
    if context.environment.web.has_webhook:
        label = f"Send this to {channel}"
        return (Prompt("send", PromptKind.CONFIRM, label, help=notice(context)),)
    label = f"How was {channel} notified? (who, where; no webhook is set)"
    return (Prompt("told", PromptKind.TEXT, label, help=f"For example: “{notice(context)}”"),)


async def notify_team(context: StepContext) -> Outcome:
    """Send the notice; an answer other than 2xx is not a notice."""
    channel = context.environment.settings.notify.channel
    if not context.environment.web.has_webhook:
        told = context.answer("told")
        facts = NoticeFacts(channel=channel, text=told, sent=False)
        return Outcome(Status.ATTESTED, f"{channel}: {told}", facts)
    text = notice(context)
    if context.answer("seen") == _SEEN[0]:
        facts = NoticeFacts(channel=channel, sent=True, seen=True)
        return Outcome(Status.ATTESTED, f"The earlier notice was seen in {channel}.", facts)
    sent = await context.environment.web.notify(text)
    facts = NoticeFacts(channel=channel, text=text, sent=sent.ok)
    if sent.status is None:
        words = f"{sent.words}; it is unknown whether {channel} has the notice. Check there."
        return Outcome(Status.UNKNOWN, words, facts)
    if not sent.ok:
        words = (
            f"{channel} was not reached: {sent.words}. Notify them yourself, then waive this step."
        )
        return Outcome(Status.FAILED, words, facts)
    return Outcome(Status.PROVED, f"Sent to {channel}.", facts)


def dashboard_plan(context: StepContext) -> Sequence[str]:
    """The address that d opens, and the Worker's, for W."""
    if has_no_dashboard(context):
        return ()
    return (dashboard_url(context.environment), *worker_page(context.environment))


def dashboard_url(environment: Environment) -> str:
    """The database's metrics page."""
    return _page(environment, DASHBOARD)


def worker_page(environment: Environment) -> tuple[str, ...]:
    """The metrics page of the Worker, where one is known."""
    return (_page(environment, _WORKER),) if environment.project.worker else ()


def _page(environment: Environment, address: str) -> str:
    """A page of Cloudflare's dashboard, of this account where it is known."""
    project = environment.project
    account = environment.web.account(project.config.account_id) or ""
    page = address.format(account=account, id=project.database.id, worker=project.worker)
    return page.replace("//w", "/w")


def has_no_dashboard(context: StepContext) -> bool:
    """Whether there is none to see: Cloudflare knows nothing of a practice database."""
    step = context.step
    is_practice = context.environment.target == "practice"
    return is_practice and step.id == DashboardFacts.step and step.waivable


def held_by_sight(context: StepContext) -> str:
    """Why a person answers: what is seen, nobody else can say."""
    return "" if has_no_dashboard(context) else "A person says that they see it."


async def open_dashboard(context: StepContext) -> Outcome:
    """The operator says that they see it; the record, which is shared, names no account."""
    if has_no_dashboard(context):
        return Outcome(Status.WAIVED, "A practice database has no dashboard.")
    database = context.environment.project.database.id
    facts = DashboardFacts(url=DASHBOARD.format(account=_ANY_ACCOUNT, id=database))
    return Outcome(Status.ATTESTED, "Open, and seen.", facts)


async def _with_traffic(context: StepContext, now: Timing, checked: WindowFacts) -> WindowFacts:
    """Requests per hour of the week, and the quietest hours; nothing where it cannot be read."""
    environment = context.environment
    try:
        traffic = await _traffic(environment, now)
    except NoAnalytics as error:
        return replace(checked, traffic=await _day_of_queries(environment, error))
    except (PreflightError, ValueError) as error:
        return replace(checked, traffic=f"not known: {error}")
    hours = tuple(
        " ".join(str(traffic.means.get((day, hour), -1)) for hour in range(24)) for day in range(7)
    )  # a line a day, Monday first: 168 lines would drown the rest of the record
    quietest = traffic.quietest(now.now, [s for s in (now.current, *now.coming) if s])
    words = soon_words(quietest, now.now, now.calendar.team) if quietest else NO_TEXT
    return replace(checked, hours=hours, quietest=words)


async def _day_of_queries(environment: Environment, why: PreflightError) -> str:
    """What `d1 info` counts of the last day, for a login that reads no analytics."""
    ran = await call_target(environment, info_args(environment), timeout=READ_TIMEOUT_S)
    told = first_object(ran.stdout) if ran.exit_code == 0 else {}
    reads, writes = told.get("read_queries_24h"), told.get("write_queries_24h")
    if not isinstance(reads, int) or not isinstance(writes, int):
        return f"not known: {why}"
    of_day = f"{plural(reads, 'read query', 'read queries')} and {count(writes)} that write"
    lately = await _lately(environment)
    return (
        f"in the last 24 h {of_day} (wrangler d1 info){lately}; "
        f"by the hour of the week not known: {why.message}"
    )


async def _lately(environment: Environment) -> str:
    """The queries an hour of late and of the week, as `d1 insights` counts them; "" if it cannot.

    Its replies hold the Worker's SQL: they are read, and never kept.
    """
    now, rates = environment.clock.now(), list[float]()
    for hours in (_LATELY_H, _WEEK_H):
        runs = await _runs(environment, hours)
        since = now - timedelta(hours=hours)
        hour = since.replace(minute=0, second=0, microsecond=0)  # it counts whole hours from there
        counted = now - (hour if hour == since else hour + timedelta(hours=1))
        if runs is None:
            return ""
        rates.append(runs / (counted / timedelta(hours=1)))
    late, week = (plural(round(rate), "query", "queries") for rate in rates)
    return f"; of late {late} an hour, over the week {week} an hour (wrangler d1 insights)"


async def _runs(environment: Environment, hours: int) -> int | None:
    """How often the database was queried; None where it is not said, or not of every query."""
    name = environment.project.database.name
    which = (f"--timePeriod={hours}h", "--sort-by=count", f"--limit={_INSIGHTS}", "--json")
    args = ("d1", "insights", name, *config_flags(environment), *which)
    ran = await call_target(environment, args, timeout=READ_TIMEOUT_S)
    told = listed_queries(ran.stdout) if ran.exit_code == 0 else None
    return None if told is None or len(told) >= _INSIGHTS else sum(told)


async def _traffic(environment: Environment, now: Timing) -> WeekTraffic:
    since = now.now - timedelta(weeks=_WEEKS)
    variables = {
        "account": environment.web.account(environment.project.config.account_id),
        "database": environment.project.database.id,
        "since": instant(since),
        "until": instant(now.now),
    }
    samples = traffic_samples(await environment.web.analytics(TRAFFIC_QUERY, variables))
    if not samples:
        raise ValueError("no queries in the last four weeks")
    return week_traffic(samples, since, now.now, now.calendar.team)


STEPS: Mapping[str, StepAction] = {
    WINDOW: StepAction(check_window, prompts=window_prompts, rechecked=True),
    "notify_team": StepAction(notify_team, prompts=notify_prompts),
    "open_dashboard": StepAction(
        open_dashboard, plan=dashboard_plan, held=held_by_sight, asks_nothing=has_no_dashboard
    ),
}
