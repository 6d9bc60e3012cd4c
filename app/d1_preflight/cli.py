"""The command line: arguments, exit codes, and errors in words.

Exit codes: 0 clear; 1 findings or open steps; 2 usage; 3 wrangler or network; 4 record invalid or
signature bad; 130 interrupted, 143 ended by SIGTERM; 70 our own bug, with a report to paste.
"""

import argparse
import atexit
import gc
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from d1_preflight import __version__
from d1_preflight.commands import output
from d1_preflight.commands.examples import Parser, add_examples
from d1_preflight.core.errors import PreflightError, UsageError

_COLLECT = (50_000, 20, 50)
"""How rarely garbage is looked for: by default a start looks at each import a thousand times."""
_INTERRUPTED = 130
_TERMINATED = 143
_OUR_BUG = 70
_PACKAGE = "d1_preflight"
_COMMANDS = (
    "run", "lint", "fix", "code", "explain", "verify", "show", "review", "restore", "new",
    "header", "adopt", "init", "doctor", "practice", "completions",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    if argv is None:  # this process is ours alone
        gc.set_threshold(*_COLLECT)
        atexit.register(gc.freeze)  # else Python's end looks at all that is left, three times
    words = list(sys.argv[1:] if argv is None else argv)
    output.open_what_is_closed()
    output.take_any_name()
    _heed_termination()
    try:
        _require_command(words)
        arguments, unknown = (parser := _parser(words)).parse_known_args(words)
        _require_known(parser, words, unknown)
        code = output.finish(arguments.run(arguments))
    except PreflightError as error:
        _tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        output.say("Interrupted.")
        return _INTERRUPTED
    except _Terminated:
        output.say("Terminated.")
        return _TERMINATED
    except BrokenPipeError:
        output.forget(sys.stdout)
        return 0
    except OSError as error:
        output.forget(sys.stdout)
        _tell(_refused(error))
        return UsageError.exit_code
    except Exception:  # noqa: BLE001 - the last door: a bug is reported, never shown raw
        _report()
        return _OUR_BUG
    return code


class _Terminated(SystemExit):
    """SIGTERM came. No face may take it for an answer, as it may Ctrl-C: hence no interrupt."""


def _heed_termination() -> None:
    """End by SIGTERM in order: restore the terminal, stop or leave the child."""

    def end(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, lambda *_: None)  # the way out is not to be broken off
        import logging

        # It may break off any task of a screen, and asyncio would print each of them.
        logging.getLogger("asyncio").disabled = True
        raise _Terminated

    with suppress(ValueError):  # in a thread, as tests have it, no signal comes
        signal.signal(signal.SIGTERM, end)


def _refused(error: OSError) -> PreflightError:
    """An operating system error that no adapter explained."""
    what = f"{error.filename}: " if error.filename else ""
    return UsageError(
        f"{what}{error.strerror or type(error).__name__}.",
        hint="What was saved before is kept. Fix that, then try again.",
    )


def _require_command(words: Sequence[str]) -> None:
    """Raise UsageError for a first word that is no command, naming what was meant perhaps."""
    first = next(iter(words), "-")
    if first.startswith("-") or first in _COMMANDS:
        return
    from difflib import get_close_matches

    close = get_close_matches(first, _COMMANDS, n=1)
    meant = f"preflight {close[0]}" if close else ""
    if first[:1].isdigit():
        meant = f"preflight run {first}"
    raise UsageError(
        f"There is no command {first!r}.",
        hint=f"Did you mean: {meant}" if meant else "All commands: preflight --help",
    )


def _require_known(
    parser: argparse.ArgumentParser, words: Sequence[str], unknown: Sequence[str]
) -> None:
    """Raise UsageError for words that the command does not take, naming what was meant perhaps."""
    if not unknown:
        return
    from difflib import get_close_matches

    command = words[0] if words[0] in _COMMANDS else ""
    called = f"preflight {command}".strip()
    option = next((word.partition("=")[0] for word in unknown if word.startswith("-")), "")
    close = get_close_matches(option, _options(parser, command), n=1, cutoff=0.7)
    what = f"no option {option!r} in {called}" if option else f"a word too many: {unknown[0]!r}"
    raise UsageError(
        f"There is {what}.",
        hint=f"Did you mean: {close[0]}" if close else f"What it takes: {called} --help",
    )


def _options(parser: argparse.ArgumentParser, command: str) -> tuple[str, ...]:
    """The options of a command, "" for the program itself; argparse hands out neither."""
    for action in parser._actions:  # noqa: SLF001 - see above
        if command and isinstance(action.choices, dict):
            return _options(action.choices[command], "")
    return tuple(option for each in parser._actions for option in each.option_strings)  # noqa: SLF001 - see above


def whole_parser() -> argparse.ArgumentParser:
    """The parser with every command, as the completions need it."""
    return _parser(("--help",))


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; with a command named, only that one is imported: start-up time is a promise."""
    parser = Parser(
        prog="preflight",
        description="Walk one Cloudflare D1 migration through its pre-flight checklist.",
    )
    parser.add_argument("--version", action="version", version=f"preflight {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    named = tuple(command for command in _COMMANDS if command in words[:1])
    is_asked = any(word in (*_COMMANDS, "-h", "--help") for word in words)
    for command in named or (_COMMANDS if is_asked else ()):
        import_module(f"d1_preflight.commands.{command}").add_parser(commands)
        add_examples(commands.choices[command], command)
    add_examples(parser, "")
    board = import_module("d1_preflight.commands.board")
    board.add_arguments(parser)
    parser.set_defaults(run=board.run)
    return parser


def _tell(error: PreflightError) -> None:
    output.say(f"preflight: {error.message}")
    if error.hint:
        output.say(f"  next: {error.hint}")


def _report() -> None:
    """A report that can be pasted into an issue: no environment, no values, no paths but ours."""
    import platform

    output.say(
        "preflight: this is a bug of preflight, not of your migration. It proves nothing;\n"
        "what was saved before is kept. Please open an issue with the lines below.\n"
    )
    output.say(f"d1-preflight {__version__}, Python {platform.python_version()}, {sys.platform}")
    for line in _frames(sys.exception()):
        output.say(line)


def _frames(error: BaseException | None) -> Iterator[str]:
    """Where it happened, by module and line; a message may hold values, so that it is left out."""
    if error is None:
        return
    before = None if error.__suppress_context__ else error.__context__
    yield from _frames(error.__cause__ or before)
    import traceback

    for frame in traceback.extract_tb(error.__traceback__):
        parts = Path(frame.filename).parts
        ours = len(parts) - 1
        if _PACKAGE in parts:
            ours -= parts[::-1].index(_PACKAGE)
        yield f"  {'/'.join(parts[ours:])}:{frame.lineno} in {frame.name}"
    yield f"{type(error).__module__}.{type(error).__qualname__} (its message is left out)"


if __name__ == "__main__":
    sys.exit(main())
