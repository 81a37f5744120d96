"""The commands and where they live; none is imported before it is asked for."""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group

from tidemill import __version__
from tidemill.core.errors import TidemillError
from tidemill.core.printable import printable, printable_json
from tidemill.faces.cli.exits import Exit, exit_of

_HERE = "tidemill.faces.cli"
_COMMANDS = (
    ("demo", "demonstrate:demo", "See the whole loop on a year of real flights."),
    ("backtest", "backtest:backtest", "Say which strategy would have done best on your history."),
    ("drift", "drift:drift", "Say what changed between two tables, and whether that is bad."),
    ("compare", "compare:compare", "Say which of two sets of predictions is better."),
    ("init", "start:init", "Make a project, with a strategy to start from."),
    ("check", "integrity:check", "Check the project again, or say what a table can tell."),
    ("plan", "turning:plan", "Say what a turn would do now, and why."),
    ("run", "turning:run", "Turn the mill, once or every so often."),
    ("status", "standing:status", "Say what is in front, what is bad, what waits, what came in."),
    ("sql", "asking:sql", "Ask records, labels, feedback and signals a question in SQL."),
)
_GROUPS = (
    ("records", "records:app", "Predictions: import, profiles of the edge, quarantine."),
    ("labels", "labels:app", "Truths: import."),
    ("feedback", "feedback:app", "What users did: import."),
    ("releases", "releases:app", "Candidates: list, report, approve, reject, rollback."),
    ("metrics", "signals:metrics", "Signals over time: what is measured, and one of them drawn."),
    ("rows", "asking:rows", "The records behind a number or an incident."),
    ("history", "history:history", "Where a record, dataset, model or release came from and went."),
    ("alerts", "alerts:app", "What is bad: list, show, close, silence, budget, unusual."),
    ("cohorts", "cohorts:app", "Groups of records: find those that do worse, add one."),
    ("strategy", "rules:app", "The rules of every stage: show, log, diff, check, tune, suggest."),
)
_VALUED = ("--project",)
_FLAGS = ("--json", "--debug")
_HALVES = re.compile("[\ud800-\udfff]")
"""What Python reads an argument as that is not UTF-8."""


def build(*, listing: bool = True) -> App:
    """Build the application; commands are paths until they are used.

    Parameters
    ----------
    listing
        Describe commands in a line; else each describes itself at length.
    """
    first, second = Group("Commands", sort_key=1), Group("Groups of commands", sort_key=2)
    app = App(
        name="tidemill",
        group_commands=first,
        help="Retrain, test and release models on data that keeps changing. New here? tidemill demo",
        version=__version__,
        suppress_keyboard_interrupt=False,
        help_epilogue="Exit codes and the keys of --json: docs/cli.md",
    )
    for group, commands in ((first, _COMMANDS), (second, _GROUPS)):
        for k, (name, path, words) in enumerate(commands):
            line = words if listing else None
            app.command(f"{_HERE}.{path}", name=name, help=line, group=group, sort_key=k)
    options = Group("Options", sort_key=3)
    for flag in (*app.help_flags, *app.version_flags):
        app[flag].group = (options,)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; whatever happens is told in one line.

    Returns
    -------
    int
        One of :class:`~tidemill.faces.cli.exits.Exit`.
    """
    words = _globals_last(list(sys.argv[1:] if argv is None else argv))
    try:
        code = build(listing=not words or words[0].startswith("-"))(
            words,
            print_error=False,
            exit_on_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
        return Exit.DONE if code is None else Exit(code)
    except KeyboardInterrupt:
        return _tell(words, "stopped.", "run it again to go on.", Exit.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing of it may be flushed any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except Exception as error:  # noqa: BLE001 - nobody shall see a traceback unasked
        if "--debug" in words:
            traceback.print_exc()
        return _tell(words, *_explain(error))


def _globals_last(words: list[str]) -> list[str]:
    """Let options of all commands stand before the command too.

    Examples
    --------
    >>> _globals_last(["--project", "mine", "--json", "status"])
    ['status', '--project', 'mine', '--json']
    """
    k = 0
    while k < len(words):
        if words[k] in _FLAGS or words[k].startswith(tuple(f"{v}=" for v in _VALUED)):
            k += 1
        elif words[k] in _VALUED and k + 1 < len(words):
            k += 2
        else:
            break
    end = words.index("--") if "--" in words else len(words)
    return [*words[k:end], *words[:k], *words[end:]] if k < len(words) else words


def _explain(error: Exception) -> tuple[str, str, Exit]:
    """Say what is wrong, how to mend it, and the exit code."""
    if isinstance(error, TidemillError):
        return error.what, error.fix, exit_of(error)
    if isinstance(error, CycloptsError):
        error.verbose = False
        chain = " ".join(("tidemill", *(error.command_chain or ())))
        return str(error), f"see '{chain} --help'.", Exit.USAGE
    if isinstance(error, OSError) and error.filename is not None:
        what = f"{error.filename}: {error.strerror}."
        return what, "check the path, its permissions and the free space.", Exit.ERROR
    if isinstance(error, UnicodeEncodeError) and _HALVES.search(error.object):
        return f"{error.object!a} is not text in UTF-8.", "give it in UTF-8.", Exit.USAGE
    what = f"internal error, {type(error).__name__}: {str(error).rstrip('.')}."
    return what, "run again with --debug and report what it prints.", Exit.INTERNAL


def _tell(words: list[str], what: str, fix: str, code: Exit) -> Exit:
    what, fix = " ".join(what.split()), " ".join(fix.split())
    if "--json" in words:
        told = {"error": what, "fix": fix, "exit": int(code)}
        print(printable_json(json.dumps(told, ensure_ascii=False)))
    print(printable(f"tidemill: {what} Fix: {fix}"), file=sys.stderr)
    return code
