"""Reads what wrangler answers: the results of `d1 execute --json`, and why a command failed.

Standard output with `--json` is not pure JSON (spinner lines before, notices after), and an error
may be an object, prose, or one bare JSON string; the exit code is 1 for all of them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import field, replace
from typing import Any

from d1_preflight.core.errors import PreflightError, ProjectError, RemoteFailed
from d1_preflight.core.ports import Evidence
from d1_preflight.core.sql.refusal_words import constraint_words, error_words
from d1_preflight.lazy_dataclass import dataclass

Row = Mapping[str, object]
_LOGIN = "Set CLOUDFLARE_API_TOKEN to a token with D1 edit rights, or run: wrangler login"
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_AGAIN = "Run the step again. If it fails again, run: preflight doctor"
_STATEMENT_CODE = 7500
_CONSTRAINT = re.compile(r"SQLITE_CONSTRAINT\w*")
_ACCOUNT = re.compile(r"(accounts?/|\baccount (?:id )?[\"'(]?)[0-9a-f]{32}\b")
_INTERNAL = re.compile(r"(?i)^internal error|^D1_ERROR: internal")
_NO_DATABASE = 7404
_LOGIN_CODES = frozenset({9109, 10000, 10001})


@dataclass(frozen=True, slots=True)
class StatementResult:
    """The result of one statement: its rows and the engine's figures."""

    rows: tuple[Row, ...] = ()
    meta: Mapping[str, object] = field(default_factory=dict)

    @property
    def rows_read(self) -> int:
        """How many rows D1 says that it scanned; 0 where it does not say."""
        return self._told("rows_read")

    @property
    def rows_written(self) -> int:
        """How many rows D1 says that it wrote, indexes too; 0 where it does not say."""
        return self._told("rows_written")

    def _told(self, name: str) -> int:
        told = self.meta.get(name)
        return told if isinstance(told, int) and not isinstance(told, bool) else 0


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as wrangler prints it: the sentence, the reason under it, and their numbers."""

    text: str
    notes: tuple[str, ...] = ()
    code: int | None = None
    retry_seconds: int | None = None

    @property
    def reason(self) -> str:
        """The innermost sentence: of a remote SQL error the note, else the text itself."""
        return self.notes[0] if self.notes else self.text


def parse_execute(stdout: str, shown: str = "") -> tuple[StatementResult, ...]:
    """Read the results of `d1 execute --json`; RemoteFailed with the reason when it failed.

    `shown` is the same with its secrets masked: a reason is quoted from it.
    """
    reply = _first_reply(stdout)
    match reply:
        case None:
            raise RemoteFailed("wrangler printed no JSON result.", hint=_AGAIN)
        case list():
            return tuple(_statement(item, number) for number, item in enumerate(reply, 1))
        case _:
            known = _explain(_failure_of(_first_reply(shown or stdout)), "")
            raise RemoteFailed(known.message, hint=known.hint)


def read_failure(evidence: Evidence) -> Failure:
    """Read the error out of a command's output, whichever of wrangler's forms it has."""
    printed = evidence.shown or evidence.stdout
    reply = _first_reply(printed)
    if reply is not None and not isinstance(reply, list):
        return _failure_of(reply)
    return _prose(_plain(evidence.stderr)) or _prose(_plain(printed)) or Failure("")


def listed_queries(stdout: str) -> tuple[int, ...] | None:
    """How often each query of `d1 insights --json` ran; None where its form is another."""
    for found in json_values(stdout, "["):
        with suppress(LookupError, TypeError):
            runs = tuple(item["numberOfTimesRun"] for item in found)
            return runs if all(type(number) is int for number in runs) else None
    return None


def listed_databases(stdout: str) -> tuple[Mapping[str, str], ...]:
    """Name and uuid of each database that `d1 list --json` shows; raises RemoteFailed."""
    for items in json_values(stdout, "["):
        with suppress(LookupError, TypeError):
            return tuple({"name": str(i["name"]), "uuid": str(i["uuid"])} for i in items)
    raise RemoteFailed(
        "wrangler's list of databases could not be read.",
        hint="Nothing was changed. Try: wrangler d1 list --json",
    )


def explain_failure(evidence: Evidence) -> PreflightError:
    """Say why a command failed and what to do next; the caller raises it or shows it."""
    if evidence.timed_out:
        return RemoteFailed(
            f"{_name(evidence)} gave no result within {evidence.milliseconds / 1000:.0f} s.",
            hint="It may have taken effect. Check the database before you do anything else.",
        )
    if evidence.exit_code is None:
        return RemoteFailed(
            f"preflight did not see how {_name(evidence)} ended.",
            hint="It may have taken effect. Check the database before you do anything else.",
        )
    known = _explain(read_failure(evidence), _plain(evidence.stderr))
    if known.message:
        return known
    return RemoteFailed(
        f"{_name(evidence)} ended with exit code {evidence.exit_code} and gave no reason.",
        hint=_AGAIN,
    )


def may_have_arrived(evidence: Evidence) -> bool:
    """Whether a write that is reported as failed may be at work yet, or done: nobody answered it.

    A refusal of the database or of Cloudflare is an answer; a cut connection, a server's failure,
    or a wrangler that was killed are none.
    """
    if evidence.exit_code is None or evidence.exit_code < 0 or evidence.timed_out:
        return True
    if evidence.exit_code == 0:
        return False
    told, stderr = read_failure(evidence), _plain(evidence.stderr)
    text = "\n".join((told.text, *told.notes, stderr))
    if _INTERNAL.search(told.reason):  # D1 itself does not know how far it came
        return True
    return not (_sql(told) or _access(told, text) or _project(text) or "429" in text)


def says_refused(evidence: Evidence) -> bool:
    """Whether D1 refused the migration's SQL, or wrangler found none to apply: not by this command.

    A failure without such an answer may have come after the commit.
    """
    printed = _plain(evidence.shown or evidence.stdout)
    if evidence.exit_code == 0:
        return "No migrations to apply" in printed
    return not may_have_arrived(evidence) and _sql(read_failure(evidence)) is not None


def says_applied(evidence: Evidence, name: str) -> bool:
    """Whether wrangler's own table says that this very command applied the migration."""
    printed = _plain(evidence.shown or evidence.stdout)
    rows = (line for line in printed.splitlines() if name in line)
    return evidence.exit_code == 0 and any("✅" in line for line in rows)


def _explain(told: Failure, stderr: str) -> PreflightError:
    """Map the failures that are known to a sentence and a next step.

    SQL first: an identifier in its reason may look like anything ("no such table: rate_limits").
    """
    text = "\n".join((told.text, *told.notes, stderr))
    return (
        _sql(told)
        or _access(told, text)
        or _network(told, text)
        or _configuration(told)
        or _project(text)
        or RemoteFailed(_sentence(told.reason), hint=_AGAIN)
    )


def refuses_login(evidence: Evidence) -> bool:
    """Whether Cloudflare refused the login, or a right that it lacks."""
    return _refuses_login(read_failure(evidence), _plain(evidence.stderr))


def _refuses_login(told: Failure, text: str) -> bool:
    return told.code in _LOGIN_CODES or bool(re.search(r"\[code: (?:9109|10000|10001)\]", text))


def _access(told: Failure, text: str) -> PreflightError | None:
    if "necessary to set a CLOUDFLARE_API_TOKEN" in text or "You are not authenticated" in text:
        return RemoteFailed("wrangler has no login for Cloudflare.", hint=_LOGIN)
    if told.code == _NO_DATABASE or f"[code: {_NO_DATABASE}]" in text:
        return RemoteFailed(
            "This account has no database with the id in the configuration.",
            hint="It belongs to another account, or is deleted: correct database_id or account_id. "
            "wrangler d1 list shows the databases of this account.",
        )
    if _refuses_login(told, text):
        return RemoteFailed(
            "Cloudflare refused the login: the token is wrong, expired or lacks D1 rights.",
            hint=f"{_LOGIN}. Check the account it belongs to with: wrangler whoami",
        )
    if "More than one account available" in text:
        return ProjectError(
            "The login reaches several Cloudflare accounts and none is chosen.",
            hint="Put account_id into the wrangler configuration or set CLOUDFLARE_ACCOUNT_ID.",
        )
    return None


def _network(told: Failure, text: str) -> PreflightError | None:
    wait = re.search(r"wait (\d+) second", text)
    seconds = told.retry_seconds or (int(wait[1]) if wait else None)
    if seconds is not None or re.search(r"(?i)\b429\b.*too many requests|rate.?limit", text):
        when = f"in {seconds} s" if seconds else "in a minute"
        return RemoteFailed("Cloudflare limits the request rate (429).", hint=f"Try again {when}.")
    if re.search(r"(?i)fetch failed|fetch request failed|other side closed|ECONN|ENOTFOUND", text):
        return RemoteFailed(
            "Cloudflare's API could not be reached, or the connection broke.",
            hint="Check the network. After a write, check the database before you try again.",
        )
    status = re.search(r"-> (5\d\d)\b[^\n]*", text)
    if status or "malformed response from the API" in text:
        which = f" ({status[0][3:].strip()})" if status else ""
        return RemoteFailed(
            f"Cloudflare's API is failing{which}.",
            hint="See www.cloudflarestatus.com. After a write, check the database before you try "
            "again.",
        )
    return None


def _project(text: str) -> PreflightError | None:
    if found := re.search(r"Couldn't find (?:a )?D1 DB with[^\n]*?'([^'\n]*)'", text):
        return ProjectError(
            f'There is no D1 database "{found[1]}" in the configuration or the account.',
            hint="Compare the name with d1_databases in the wrangler configuration (and --env).",
        )
    if "No configuration file found" in text or "in your Wrangler configuration file" in text:
        return ProjectError(
            "wrangler found no configuration that names this database.",
            hint="Run this inside the Worker's project, or pass --config.",
        )
    if "No migrations present" in text:
        return ProjectError(
            "wrangler found no migrations folder.",
            hint="Set migrations_dir in the wrangler configuration.",
        )
    if "Wrangler requires at least Node.js" in text:
        return ProjectError(
            "This Node is too old for wrangler.", hint="Install Node 22.12 or newer."
        )
    return None


def _sql(told: Failure) -> PreflightError | None:
    if "SQLITE_BUSY" in told.reason:
        return RemoteFailed(
            "The local database is locked by another program.",
            hint="Stop the other wrangler (for example wrangler dev), then run the step again.",
        )
    if _INTERNAL.search(told.reason):
        return RemoteFailed(
            f"D1 could not run the query: {_sql_reason(told.reason)}",
            hint="Check the database, then try again.",
        )
    if "SQLITE_" in told.reason or told.code == _STATEMENT_CODE:
        return RemoteFailed(
            f"The database refused the statement: {_sql_reason(told.reason)}",
            hint="If preflight wrote this SQL, it is a bug of preflight; report it.",
        )
    return None


def _sql_reason(reason: str) -> str:
    told = re.sub(r"\s*\[code: \d+\]\s*$", "", reason.strip())
    if _CONSTRAINT.search(told):
        kept = constraint_words(re.sub(r"^D1_ERROR: |: SQLITE_CONSTRAINT\w*.*$", "", told))
        code = _CONSTRAINT.search(told)
        return _sentence(f"{kept}: {code[0]}" if code else kept)
    return _sentence(error_words(told))


def _sentence(words: str) -> str:
    """What others say, as a sentence: more of them may follow it."""
    told = words.rstrip()
    return told if not told or told.endswith((".", "!", "?", "…")) else f"{told}."


def _configuration(told: Failure) -> PreflightError | None:
    """What wrangler says against the configuration file; its words stand under a heading."""
    whole = " ".join((told.text, *told.notes))
    found = re.search(r"Processing (\S+) configuration:\s*(.+)", whole, re.DOTALL)
    if found is None:
        return None
    words = " ".join(found[2].split()).removeprefix("- ").rstrip(".")
    return ProjectError(
        f"wrangler refuses {found[1]}: {words}.",
        hint="Correct that file: no wrangler command works until then.",
    )


def _statement(item: object, number: int) -> StatementResult:
    if not isinstance(item, dict):
        raise RemoteFailed(f"Result {number} of wrangler's answer is not an object.", hint=_AGAIN)
    if item.get("success") is not True:
        reason = item.get("error")
        told = f": {_sql_reason(reason)}" if isinstance(reason, str) else "."
        raise RemoteFailed(
            f"The database reports that statement {number} did not succeed{told}",
            hint="Check the database before you try again.",
        )
    rows, meta = item.get("results", []), item.get("meta", {})
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RemoteFailed(f"Result {number} of wrangler's answer has no rows.", hint=_AGAIN)
    return StatementResult(tuple(rows), meta if isinstance(meta, dict) else {})


def _first_reply(stdout: str) -> object:
    """The first JSON value that starts a line and is a reply; None where there is none."""
    return next((value for value in json_values(stdout, '[{"') if _is_reply(value)), None)


def json_values(stdout: str, signs: str) -> Iterator[Any]:
    """The JSON values that start a line with one of these signs; other lines stand around them."""
    for start in re.finditer(rf"^(?=[{re.escape(signs)}])", stdout, re.MULTILINE):
        with suppress(ValueError):
            yield json.JSONDecoder().raw_decode(stdout, start.start())[0]


def _is_reply(value: object) -> bool:
    match value:
        case [*items]:
            return all(isinstance(item, dict) and "success" in item for item in items)
        case {"error": dict() | str()} | {"loggedIn": False} | str():
            return True
    return False


def _failure_of(reply: object) -> Failure:
    return _without_account(_failure_in(reply))


def _without_account(told: Failure) -> Failure:
    """The failure without the account's id, which its URLs hold: records go into git."""
    text, *notes = (_ACCOUNT.sub(r"\1…", words) for words in (told.text, *told.notes))
    return replace(told, text=text, notes=tuple(notes))


def _failure_in(reply: object) -> Failure:
    match reply:
        case {"error": dict(error)}:
            notes = error.get("notes")
            texts = [note.get("text") for note in notes if isinstance(note, dict)] if notes else []
            code, wait = error.get("code"), error.get("retryAfterMs")
            return Failure(
                text=str(error.get("text", "")),
                notes=tuple(text for text in texts if isinstance(text, str)),
                code=code if isinstance(code, int) else None,
                retry_seconds=-(-int(wait) // 1000) if isinstance(wait, int | float) else None,
            )
        case {"error": str(text)} | str(text):
            return Failure(text)
        case {"loggedIn": False}:
            return Failure("You are not authenticated.")
    return Failure("")


def _prose(text: str) -> Failure | None:
    """The `✘ [ERROR] sentence` block of standard error, with the indented notes under it."""
    found = re.search(r"\[ERROR\]\s*([^\n]*(?:\n(?!\n)[^\n]*)*)((?:\n\n? {2,}[^\n]+)*)", text)
    if found is None:
        return None
    words = " ".join(found[1].split())
    notes = tuple(" ".join(line.split()) for line in found[2].splitlines() if line.strip())
    code = re.search(r"\[code: (\d+)\]", found[0])
    return _without_account(Failure(words, notes, int(code[1]) if code else None))


def _plain(text: str) -> str:
    return _ESCAPES.sub("", text)


def _name(evidence: Evidence) -> str:
    return " ".join(word for word in evidence.argv[:4] if not word.startswith("-"))
