"""What each stage of a strategy does, in words, and what in it cannot work together."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from typing import Any

from tidemill.core.durations import duration, words
from tidemill.core.ports import Json
from tidemill.core.rule import is_rule
from tidemill.loop.log import Everything
from tidemill.strategy.difference import told
from tidemill.strategy.strategy import Strategy

STAGES = ("log", "curation", "labels", "trigger", "dataset", "holdout", "training", "offline")
"""The fields of a strategy that are stages, in the order of the loop; ``online`` comes last."""

_SIGNING = {
    "auto": "A candidate of which all gates are OK is signed by itself.",
    "approve": "A candidate that is not refused waits for a person.",
    "suggest": "A candidate is only suggested; a person may sign it.",
}
_ASLEEP = ("Manual", "Never")
"""Triggers that fire only when somebody asks."""


def stages(strategy: Strategy) -> list[Json]:
    """Say for each stage ``stage``, ``rule`` (as in a strategy file) and what it ``does``."""
    found: list[Json] = []
    for name in STAGES:
        value = getattr(strategy, name)
        rules = value if isinstance(value, tuple) else (value,)
        found += [{"stage": name, "rule": told(one), "does": does(one)} for one in rules]
        if not rules:
            found.append({"stage": name, "rule": "", "does": "No gate measures a candidate."})
    signing = _SIGNING[strategy.signing]
    if strategy.signing == "approve":
        signing += f" After {strategy.deadline} it expires."
    found.append({"stage": "signing", "rule": repr(strategy.signing), "does": signing})
    online = strategy.online
    return [*found, {"stage": "online", "rule": told(online), "does": does(online)}]


def does(rule: object) -> str:
    """Say what a rule does: the first sentence of its own words, and of the function in it."""
    parts = [_sentence(rule if inspect.isroutine(rule) else type(rule))]
    if is_rule(rule):
        held = _held(rule)
        parts += [_sentence(v) for v in held if inspect.isroutine(v)]
    return " ".join(part for part in parts if part)


def _sentence(thing: Any) -> str:
    text = inspect.cleandoc(thing.__doc__ or "")
    written = text.partition("\n\n")[0].replace("\n", " ")
    # A dataclass without words of its own is given its signature.
    return "" if written.startswith(f"{thing.__name__}(") else written.replace("``", "")


def problems(strategy: Strategy, *, in_place: Collection[str] = ()) -> list[str]:
    """Say why nothing can ever come of a strategy; empty when something can.

    Parameters
    ----------
    in_place
        Which tables of the project are the user's own and only read: ``records``, ``labels``.
    """
    found = [text for look in _PROBLEMS for text in look(strategy)]
    return found + list(nowhere(strategy, in_place))


def notes(strategy: Strategy, *, in_place: Collection[str] = ()) -> list[str]:
    """Say what is allowed but hardly meant; ``in_place`` as for :func:`problems`."""
    found = [text for look in _NOTES for text in look(strategy)]
    return found + list(idle(strategy, in_place))


def idle(strategy: Strategy, in_place: Collection[str]) -> Iterator[str]:
    """Say which rule has no part where tables of the project stay in place.

    Examples
    --------
    >>> from tidemill import Rate, Strategy
    >>> thinned = Strategy(log=Rate(0.1), training=lambda dataset, previous: None)
    >>> [text[:43] for text in idle(thinned, ["records"])]
    ['log=Rate(0.1) has no part: records stay in ']
    """
    if "records" in in_place and strategy.log != Everything():
        yield (
            f"log={told(strategy.log)} has no part: records stay in their own table, so nothing is "
            "logged here, and every row of it counts with p_log = 1. Leave log out; to look at "
            "fewer rows name a view of the table, or say since in project.toml"
        )


def nowhere(strategy: Strategy, in_place: Collection[str]) -> Iterator[str]:
    """Say what a strategy would write into tables of the project that stay in place."""
    if "labels" in in_place and strategy.labels.labeller is not None:
        yield (
            f"labels={told(strategy.labels)} has nowhere to put its labels: those of this project "
            "stay in their own table, which is only read. Fix: write labels=Outcome(...), or leave "
            "[sources.labels] out of project.toml"
        )


def _no_gate(s: Strategy) -> Iterator[str]:
    if s.signing != "auto":
        return
    if not s.offline:
        yield (
            "signing is 'auto' and there is no gate: a candidate that nothing measured has no "
            "verdict, so none ever goes live by itself. Fix: add AtLeast"
        )
    elif all(getattr(gate, "other", None) == "champion" for gate in s.offline):
        yield (
            "all gates compare with the champion and signing is 'auto': the first candidate has "
            "nothing to be compared with, so it never goes live by itself. Fix: add AtLeast"
        )


def _labels_too_late(s: Strategy) -> Iterator[str]:
    window, final = s.dataset.window, duration(s.labels.final_after)
    if window is not None and final >= window:
        yield (
            f"labels are final after {s.labels.final_after}, when their records have left the "
            f"{words(window)} that {told(s.dataset)} reaches back: there is never anything to "
            f"learn from. Fix: reach back further than {s.labels.final_after}"
        )


def _too_few_to_hold_out(s: Strategy) -> Iterator[str]:
    """Look whether the rows a dataset usually holds give a test; at most half of them may."""
    window, final = s.dataset.window, duration(s.labels.final_after)
    if window is None or final >= window:
        return
    span = window - final
    days = getattr(s.holdout, "days", None)
    if isinstance(days, int) and span < timedelta(days=2 * days - 1):
        yield (
            f"{told(s.holdout)} wants {days} days, and at most half of the rows; only "
            f"{words(span)} of {told(s.dataset)} are labelled: hardly ever is a test held out, "
            "and without one no retrain starts"
        )
    n, least = getattr(s.curation, "n", None), getattr(s.holdout, "at_least", None)
    if isinstance(n, int) and isinstance(least, int):
        # A window of arrivals may be cut by either end of the span.
        most = n * (span // duration(s.curation.per) + 2)
        if 2 * least > most:
            yield (
                f"{told(s.holdout)} wants {least:,} rows, and at most half of them; "
                f"{told(s.curation)} chooses about {most:,} in reach of {told(s.dataset)}: hardly "
                "ever is a test held out, and without one no retrain starts"
            )


def _asleep(s: Strategy) -> Iterator[str]:
    leaves = list(_leaves(s.trigger))
    if all(type(t).__name__ in _ASLEEP for t in leaves):
        yield (
            f"{told(s.trigger)} never fires by itself: every retrain is asked for, with "
            "'tidemill run --retrain'"
        )


def _choice_slower_than_trigger(s: Strategy) -> Iterator[str]:
    period = _shortest_period(s)
    if period is not None and duration(s.curation.per) > period:
        yield (
            f"records are chosen once in {s.curation.per} and a retrain is due every "
            f"{words(period)}: some retrains find no newer labels than the one before"
        )


def _choice_slower_than_dataset(s: Strategy) -> Iterator[str]:
    window = s.dataset.window
    if window is not None and duration(s.curation.per) > window:
        yield (
            f"records are chosen once in {s.curation.per}, and {told(s.dataset)} reaches back "
            f"only {words(window)}: for part of the time there is nothing to learn from"
        )


def _waiting_blocks(s: Strategy) -> Iterator[str]:
    period = _shortest_period(s)
    if s.signing == "approve" and period is not None and duration(s.deadline) > period:
        yield (
            f"a candidate waits up to {s.deadline} for a signature, and no retrain starts "
            f"meanwhile, though one is due every {words(period)}"
        )


def _suggesting(s: Strategy) -> Iterator[str]:
    if s.signing == "suggest":
        yield "signing is 'suggest': nothing goes live until a person signs it"


def _unpriced(s: Strategy) -> Iterator[str]:
    price = getattr(s.labels, "price", 0.0)
    if s.costs is not None and price and price != s.costs.label:
        yield (
            f"the labeller says a label costs {price:g}, the price sheet {s.costs.label:g} "
            f"{s.costs.currency}"
        )


_Look = Callable[[Strategy], Iterator[str]]
_PROBLEMS: tuple[_Look, ...] = (_no_gate, _labels_too_late)
_NOTES: tuple[_Look, ...] = (
    _asleep,
    _too_few_to_hold_out,
    _choice_slower_than_trigger,
    _choice_slower_than_dataset,
    _waiting_blocks,
    _suggesting,
    _unpriced,
)


def _leaves(trigger: Any) -> Iterator[Any]:
    """Return the triggers of which a trigger is made, itself if of none."""
    inside: list[Any] = []
    for held in _held(trigger) if is_rule(trigger) else ():
        parts = held if isinstance(held, list | tuple) else (held,)
        inside += [p for p in parts if hasattr(p, "wants") and callable(p)]
    if not inside:
        yield trigger
    for part in inside:
        yield from _leaves(part)


def _held(rule: Any) -> list[Any]:
    return [getattr(rule, field.name) for field in dataclasses.fields(rule)]


def _shortest_period(s: Strategy) -> timedelta | None:
    """Return how often the trigger fires, when it is one that fires by the calendar alone."""
    period = getattr(s.trigger, "period", None)
    return duration(period) if isinstance(period, str) else None
