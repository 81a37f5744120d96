"""Retrain when a signal is bad, or never while one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any

from tidemill.core.limits import Has
from tidemill.core.rule import rule
from tidemill.core.rules import Alarm, Facts, Trigger
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.composition import named
from tidemill.loop.triggers.every import Every
from tidemill.loop.triggers.unconditional import unconditional


@rule
class Alarmed:
    """Fire when a signal has turned bad since the last retrain.

    What was bad before the last retrain does not fire again: the retrain was the answer to it.

    Parameters
    ----------
    kind
        Only signals of this kind: ``"outcomes"``, ``"performance"``, ``"proxy"``,
        ``"quality"``, ``"drift"`` or ``"system"``; empty for any.
    metric, column, cohort
        Only signals of this name, column or cohort; empty for any.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> bad = Alarm(kind="performance", metric="auc", since=instant("2013-01-09"),
    ...             why="0.61, usually 0.66 to 0.71")
    >>> facts = Facts(now=instant("2013-01-14"), last_triggered=instant("2013-01-07"),
    ...               asked=None, alarms=(bad,))
    >>> Alarmed(kind="performance")(facts).why
    'auc is bad since 2013-01-09: 0.61, usually 0.66 to 0.71'
    """

    _: KW_ONLY
    kind: str = ""
    metric: str = ""
    column: str = ""
    cohort: str = ""

    @property
    def wants(self) -> tuple[Any, ...]:
        return ("alarms",)

    def __call__(self, facts: Facts, /) -> Decision:
        if (due := unconditional(facts)) is not None:
            return due
        found = [a for a in facts.alarms if _is(a, self)]
        new = [a for a in found if facts.last_triggered is None or a.since > facts.last_triggered]
        if new:
            return Decision(fire=True, why=_words(new[0]), change=new[0].since)
        if found:
            return Decision(fire=False, why=f"retrained since, though {_words(found[0])}")
        return Decision(fire=False, why=f"no {self.kind or 'signal'} is bad".replace("  ", " "))

    @classmethod
    def examples(cls) -> Iterator[Alarmed]:
        yield cls()
        yield cls(kind="performance", metric="auc")


@rule
class Unless:
    """Fire with another trigger, but not while a signal is bad: broken data must not be learnt from.

    A person who asks is not held up.

    Parameters
    ----------
    trigger
        The other one.
    kind
        Only signals of this kind hold it up, data quality if left out; empty for any.
    metric, column, cohort
        Only signals of this name, column or cohort; empty for any.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> bad = Alarm(kind="quality", metric="null_rate", column="humid",
    ...             since=instant("2013-01-09"), why="31 % missing, at most 2 %")
    >>> facts = Facts(now=instant("2013-01-14"), last_triggered=instant("2013-01-07"),
    ...               asked=None, alarms=(bad,))
    >>> Unless(Every("7d"))(facts).why
    'held up: null_rate of humid is bad since 2013-01-09: 31 % missing, at most 2 % (Every: 7d since the last retrain, every 7d)'
    """

    trigger: Annotated[Trigger, Has("wants", "a trigger, such as Every('7d')")]
    _: KW_ONLY
    kind: str = "quality"
    metric: str = ""
    column: str = ""
    cohort: str = ""

    @property
    def wants(self) -> tuple[Any, ...]:
        return tuple(dict.fromkeys((*self.trigger.wants, "alarms")))

    def __call__(self, facts: Facts, /) -> Decision:
        said = self.trigger(facts)
        found = [a for a in facts.alarms if _is(a, self)]
        if not said.fire or not found or facts.asked:
            return said
        why = f"held up: {_words(found[0])} ({named(self.trigger, said)})"
        return replace(said, fire=False, why=why)

    @classmethod
    def examples(cls) -> Iterator[Unless]:
        yield cls(Every("7d"))
        yield cls(Every("7d"), kind="", column="number")


def _is(alarm: Alarm, rule_: Alarmed | Unless) -> bool:
    names = ("kind", "metric", "column", "cohort")
    return all(getattr(rule_, n) in ("", getattr(alarm, n)) for n in names)


def _words(alarm: Alarm) -> str:
    of = f" of {alarm.column}" if alarm.column else ""
    who = f" for {alarm.cohort}" if alarm.cohort else ""
    return f"{alarm.metric}{of}{who} is bad since {alarm.since:%Y-%m-%d}: {alarm.why}"
