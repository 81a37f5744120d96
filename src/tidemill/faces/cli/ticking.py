"""``tidemill run --every``: turn, rest until something is due, turn again."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tidemill.core.durations import words
from tidemill.core.errors import TidemillError
from tidemill.faces.cli.exits import Exit, exit_of
from tidemill.faces.cli.options import Options
from tidemill.faces.cli.printing import note
from tidemill.faces.cli.turning import awaiting, plan_json, print_line, show_steps

if TYPE_CHECKING:
    from tidemill.project import Mill
    from tidemill.strategy.turn import Plan

_GLANCE = 0.2
"""Seconds between two looks at whether to stop."""


@dataclass
class Stop:
    """Which signal asked to stop, if any."""

    signal: int = 0


def tick(mill: Mill, interval: timedelta, *, wait: bool, options: Options) -> Exit:
    """Turn every interval, and earlier when something is due, until asked to stop.

    A turn that fails or finds the project busy is told, and tried again at the next tick.
    """
    strategy = mill.strategy  # a file that does not load is told before the first turn
    note(f"turning every {words(interval)} with strategy {strategy.hash}; Ctrl-C to stop")
    with _stopping() as stop:
        while not stop.signal:
            started = mill.world.clock.now()
            due = _turn(mill, options)
            while wait and not stop.signal and _running(mill):
                if _ended(mill):
                    due = _turn(mill, options)
                else:
                    mill.world.jobs.wait(_GLANCE)
            later = started + interval
            # A moment already past is not waited for again and again.
            until = min(later, due) if due is not None and due > started else later
            _rest(mill, until, stop)
    note(f"stopped by {signal.Signals(stop.signal).name} between two turns")
    return Exit.INTERRUPTED if stop.signal == signal.SIGINT else Exit.DONE


def _turn(mill: Mill, options: Options) -> datetime | None:
    """Settle what can be settled now; returns when something is due next."""

    def told(found: Plan) -> None:
        if options.json:
            print_line(plan_json(found, awaiting(mill)))
        else:
            show_steps(found)

    try:
        return mill.run(wait=False, told=told)[-1].next_due
    except Exception as error:  # noqa: BLE001 - one bad turn shall not end the mill
        _failed(error, options)
        return None


def _failed(error: Exception, options: Options) -> None:
    if options.debug:
        import traceback

        traceback.print_exception(error)
    known = isinstance(error, TidemillError)
    what = error.what if known else f"internal error, {type(error).__name__}: {error}."
    fix = error.fix if known else "run again with --debug and report what it prints."
    code = exit_of(error) if known else Exit.INTERNAL
    what, fix = " ".join(what.split()), " ".join(fix.split())
    if options.json:
        print_line({"error": what, "fix": fix, "exit": int(code)})
    note(f"tidemill: {what} Fix: {fix} Tried again at the next tick.")


def _jobs(mill: Mill) -> list[str]:
    from tidemill.strategy.releasing import jobs_of

    return jobs_of(mill.world.state)


def _running(mill: Mill) -> bool:
    return bool(_jobs(mill))


def _ended(mill: Mill) -> bool:
    return any(mill.world.jobs.poll(job) is not None for job in _jobs(mill))


def _rest(mill: Mill, until: datetime, stop: Stop) -> None:
    while not stop.signal:
        left = (until - mill.world.clock.now()).total_seconds()
        if left <= 0:
            return
        time.sleep(min(_GLANCE, left))


@contextmanager
def _stopping() -> Generator[Stop]:
    """Note the first SIGTERM or SIGINT; a second SIGINT interrupts at once."""
    stop = Stop()

    def noted(number: int, _frame: object) -> None:
        if stop.signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.signal = number

    before = {s: signal.signal(s, noted) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
