"""Which values of a strategy may be tried, and the strategy that has them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from tidemill.core.durations import duration, words
from tidemill.core.errors import BadValue, TidemillError, unknown
from tidemill.core.limits import Between, Limit, OneOf, OrNone, Span, Whole
from tidemill.core.rule import is_rule, limits
from tidemill.core.rules import Trigger
from tidemill.loop.triggers import Cusum, DroppedBy, Every, Once, OutputDrift
from tidemill.measures import Metric
from tidemill.strategy.strategy import Strategy

Space = Mapping[str, Sequence[Any]]
"""For each path, such as ``trigger.period``, the values to try, in their order.

The name of a class in a path, as in ``trigger.Cusum.threshold``, means that of such a rule only.
"""

TRIGGER = "trigger"
STAGES = ("trigger", "dataset")
"""The stages whose fields are tuned when nothing is said."""
_FACTORS = (0.25, 0.5, 1, 2, 4)
_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_EVEN = 5


def triggers(names: Iterable[str], metric: Metric, step: str) -> list[Trigger]:
    """Return triggers by name, to choose from.

    Raises
    ------
    NotFound
        If there is none of a name.
    """
    made: list[tuple[str, Trigger]] = [
        ("never", Once()),
        ("every", Every(step)),
        ("performance", Cusum(metric)),
        ("dropped", DroppedBy(metric, 0.02)),
        ("drift", OutputDrift()),
    ]
    known = dict(made)
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise unknown("trigger", name, known)
    return [known[name] for name in wanted]


def usual_space(
    strategy: Strategy,
    *,
    step: timedelta,
    span: timedelta,
    rows: int,
    choices: Sequence[Trigger] = (),
) -> dict[str, list[Any]]:
    """Return what may be tuned of a strategy, read from the limits of its rules.

    Durations are tried on a grid of whole steps that grows by half or a third each time,
    counts and numbers from a quarter to four times what they are, words all.

    Parameters
    ----------
    step, span
        The length of a step, and of the part of history that is searched.
    rows
        Records in that part: no dataset can hold more.
    choices
        Triggers to choose from besides the strategy's own.

    Raises
    ------
    BadValue
        If there is nothing to tune.

    Examples
    --------
    >>> from tidemill import Every, Recent, Strategy
    >>> from tidemill.loop.training.function import always_the_mean
    >>> weekly = Strategy(training=always_the_mean, trigger=Every("7d"), dataset=Recent("30d"))
    >>> week = timedelta(days=7)
    >>> usual_space(weekly, step=week, span=10 * week, rows=1000)
    {'trigger.period': ['7d', '14d', '21d', '28d'], 'dataset.past': ['7d', '14d', '21d', '28d', '30d', '42d', '56d']}
    """
    space: dict[str, list[Any]] = {}
    own = {type(strategy.trigger)}
    every = [strategy.trigger, *(c for c in choices if type(c) not in own)]
    if len(every) > 1:
        space[TRIGGER] = every
    tuned = {type(t): dict(_fields("", t, step, span / 2, rows)) for t in every}
    several = sum(map(bool, tuned.values())) > 1
    for kind, fields in tuned.items():
        # What is called alike need not mean alike: each trigger has its own values.
        stage = f"trigger.{kind.__name__}" if several else "trigger"
        space |= {f"{stage}{name}": values for name, values in fields.items()}
    space |= _fields("dataset", strategy.dataset, step, span, rows)
    space = {path: values for path, values in space.items() if len(values) > 1}
    if not space:
        raise BadValue(
            "nothing of the strategy's trigger and dataset can be tuned.",
            fix="name triggers with --triggers, or values with --space.",
        )
    return space


def _fields(
    path: str, one: Any, step: timedelta, most: timedelta, rows: int
) -> Iterator[tuple[str, list[Any]]]:
    """Yield what may be tried of each field of a rule, and of the triggers inside it."""
    stated: dict[str, list[Limit]] = {}
    for name, limit in limits(type(one)):
        stated.setdefault(name, []).append(limit)
    for field in dataclasses.fields(one) if is_rule(one) else ():
        where, held = f"{path}.{field.name}", getattr(one, field.name)
        if is_rule(held) and hasattr(held, "wants"):
            yield from _fields(where, held, step, most, rows)
        elif isinstance(held, tuple):
            for k, inner in enumerate(held):
                if is_rule(inner) and hasattr(inner, "wants"):
                    yield from _fields(f"{where}.{k}", inner, step, most, rows)
        elif field.name in stated and field.name != "seed":
            all_of = stated[field.name]
            tried = _values(all_of, held, step, most, rows)
            allowed = [v for v in tried if all(one.broken(v) is None for one in all_of)]
            if len(allowed) > 1:
                yield where, allowed


def _values(
    stated: Sequence[Limit], held: Any, step: timedelta, most: timedelta, rows: int
) -> list[Any]:
    limit = stated[0].limit if isinstance(stated[0], OrNone) else stated[0]
    if held is None or isinstance(held, bool):
        return []
    if isinstance(limit, OneOf):
        return list(limit.words)
    if isinstance(limit, Span):
        sizes = {k * step for k in _STEPS if k * step <= most} | {duration(held)}
        return [held if s == duration(held) else words(s) for s in sorted(sizes)]
    if isinstance(limit, Whole):
        near = {max(limit.low, round(held * f)) for f in _FACTORS}
        return sorted({n for n in near if n <= max(rows, held)})
    if isinstance(limit, Between):
        return _numbers(limit, float(held))
    return []


def _numbers(limit: Between, held: float) -> list[float]:
    if held:
        return sorted({float(f"{held * f:.3g}") for f in _FACTORS} | {held})
    if math.isinf(limit.high) or math.isinf(limit.low):
        return []
    width = limit.high - limit.low
    return sorted({held, *(limit.low + width * k / (_EVEN - 1) for k in range(_EVEN))})


def checked(space: Space, strategy: Strategy) -> dict[str, list[Any]]:
    """Check a space that a user gave: every path is there, every value is allowed.

    Raises
    ------
    BadValue
        If a value is refused by its rule, or a path leads nowhere.
    """
    found = {path: list(values) for path, values in space.items()}
    if not found or not all(found.values()):
        raise BadValue(
            "a space without values.", fix="name some, such as trigger.period=7d,14d,28d."
        )
    own = [strategy, *(dataclasses.replace(strategy, trigger=t) for t in found.get(TRIGGER, ()))]
    for path, values in found.items():
        homes = [s for s in own if _leads(s, path)]
        if not homes:
            raise BadValue(
                f"{path} is no field of the strategy.",
                fix=f"name one of {', '.join(_paths(own))}.",
            )
        for value in values:
            for home in homes:
                try:
                    changed(home, path, value)
                except TidemillError as error:
                    raise BadValue(f"{path}: {error.what}", fix=error.fix) from None
    return found


def applied(strategy: Strategy, tried: Mapping[str, Any]) -> Strategy:
    """Return the strategy with the values that are tried; those of other triggers do nothing.

    Examples
    --------
    >>> from tidemill import Every, Strategy
    >>> from tidemill.loop.training.function import always_the_mean
    >>> weekly = Strategy(training=always_the_mean, trigger=Every("7d"))
    >>> applied(weekly, {"trigger.period": "14d", "trigger.threshold": 5.0}).trigger
    Every(period='14d')
    """
    for path in sorted(tried, key=lambda p: p.count(".")):
        if _leads(strategy, path):
            strategy = changed(strategy, path, tried[path])
    return strategy


def changed(value: Any, path: str, to: Any) -> Any:
    """Return a value in which one field, or one within it, is another.

    Examples
    --------
    >>> from tidemill import Every
    >>> changed(Every("7d"), "Every.period", "14d")
    Every(period='14d')
    """
    name, _, rest = path.partition(".")
    if name == type(value).__name__:
        return changed(value, rest, to)
    held = value[int(name)] if isinstance(value, tuple) else getattr(value, name)
    new = changed(held, rest, to) if rest else to
    if isinstance(value, tuple):
        return tuple(new if k == int(name) else v for k, v in enumerate(value))
    return dataclasses.replace(value, **{name: new})


def _leads(value: Any, path: str) -> bool:
    """Tell whether a path leads somewhere."""
    for name in path.split("."):
        if name == type(value).__name__:
            continue
        if isinstance(value, tuple):
            if not name.isdigit() or int(name) >= len(value):
                return False
            value = value[int(name)]
        elif is_rule(value) and name in {f.name for f in dataclasses.fields(value)}:
            value = getattr(value, name)
        else:
            return False
    return True


def _paths(strategies: Sequence[Strategy]) -> list[str]:
    """Return the paths to what is most often tuned."""
    found: dict[str, None] = {}
    for one in strategies:
        for stage in STAGES:
            held = getattr(one, stage)
            for field in dataclasses.fields(held) if is_rule(held) else ():
                found[f"{stage}.{field.name}"] = None
    return [*found, "trigger"]
