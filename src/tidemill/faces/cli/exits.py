"""What the exit code of every command says; documented in docs/cli.md."""

from __future__ import annotations

from enum import IntEnum

from tidemill.core.errors import BadValue, Busy


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    """It did what was asked."""
    ERROR = 1
    """It could not; the line says what to mend."""
    USAGE = 2
    """The command or one of its values is wrong."""
    WAITING = 3
    """Done, and something waits for a person's signature (plan, run, status)."""
    PROBLEMS = 4
    """Problems were found (check), or no row of a file could be taken in (import)."""
    BUSY = 5
    """Another process is changing the project; try again."""
    INTERNAL = 70
    """A bug of ours; run again with --debug."""
    INTERRUPTED = 130
    """Stopped with Ctrl-C."""


def exit_of(error: Exception) -> Exit:
    """Return how a command ends that an error of ours stopped.

    Examples
    --------
    >>> exit_of(Busy("somebody is changing this project.", fix="wait."))
    <Exit.BUSY: 5>
    """
    if isinstance(error, Busy):
        return Exit.BUSY
    return Exit.USAGE if isinstance(error, BadValue) else Exit.ERROR
