"""Retrain by the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.timetable import CronText, Timetable
from tidemill.loop.triggers.unconditional import FIRST, unconditional


@rule
class Cron:
    """Fire when a moment of the calendar has come since the last retrain.

    The first time it fires at once. Moments that were missed count once.

    Parameters
    ----------
    schedule
        The five fields of cron in UTC: minute, hour, day of the month, month, day of the
        week; ``*``, lists, ranges, steps and names such as ``mon`` and ``jan``. As in cron,
        a day of the month and one of the week, both restricted, mean either.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14T07:00:00Z"),
    ...               last_triggered=instant("2013-01-07T06:00:00Z"), asked=None)
    >>> Cron("0 6 * * mon")(facts).why
    "due since 2013-01-14T06:00:00+00:00 by '0 6 * * mon'"
    """

    schedule: Annotated[str, CronText()]

    @property
    def wants(self) -> tuple[Any, ...]:
        return ()

    def __call__(self, facts: Facts, /) -> Decision:
        due = unconditional(facts)
        if due is not None or facts.last_triggered is None:
            return due or FIRST
        found = Timetable.of(self.schedule).after(facts.last_triggered)
        if found is None:
            return Decision(fire=False, why=f"{self.schedule!r} names no moment any more")
        if found <= facts.now:
            why = f"due since {found.isoformat()} by {self.schedule!r}"
            return Decision(fire=True, why=why)
        why = f"the next moment of {self.schedule!r} is {found.isoformat()}"
        return Decision(fire=False, why=why, next_due=found)

    @classmethod
    def examples(cls) -> Iterator[Cron]:
        yield cls("0 6 * * 1")
        yield cls("*/30 8-18 1,15 jan-jun/2 mon-fri")
