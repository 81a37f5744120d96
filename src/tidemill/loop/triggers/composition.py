"""Triggers made of triggers: any of them, all of them, so many of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from tidemill.core.errors import BadValue
from tidemill.core.limits import Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, Trigger
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.cusum import Cusum
from tidemill.loop.triggers.every import Every
from tidemill.loop.triggers.volume import Labels
from tidemill.measures import Accuracy


@dataclass(frozen=True)
class Triggers:
    """One or more triggers, in a list or a tuple."""

    def broken(self, value: object) -> str | None:
        fits = isinstance(value, list | tuple) and len(value) > 0
        if fits and all(hasattr(v, "wants") and not isinstance(v, type) for v in value):  # type: ignore[union-attr]
            return None
        return "one or more triggers, such as Every('7d')"

    def bad(self) -> Iterator[object]:
        yield from ((), [], None, 1, Every("7d"), [Every], ["7d"])


@rule
class AnyOf:
    """Fire when any of several triggers does.

    Parameters
    ----------
    triggers
        The triggers, one argument each.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"), labels=80,
    ...               last_triggered=instant("2013-01-07"), asked=None)
    >>> AnyOf(Every("7d"), Labels(100))(facts).why
    '1 of 2 fires, 1 needed (Every: 7d since the last retrain, every 7d)'
    """

    triggers: Annotated[Sequence[Trigger], Triggers()]

    def __init__(self, *each: Trigger, triggers: Sequence[Trigger] = ()) -> None:
        object.__setattr__(self, "triggers", each or triggers)
        self.__post_init__()

    def __post_init__(self) -> None:
        object.__setattr__(self, "triggers", tuple(self.triggers))

    @property
    def wants(self) -> tuple[Any, ...]:
        return united(self.triggers)

    def __call__(self, facts: Facts, /) -> Decision:
        return vote(self.triggers, 1, facts)

    @classmethod
    def examples(cls) -> Iterator[AnyOf]:
        yield cls(Every("30d"), Cusum(Accuracy()))


@rule
class AllOf:
    """Fire when all of several triggers do.

    Parameters
    ----------
    triggers
        The triggers, one argument each.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"), labels=80,
    ...               last_triggered=instant("2013-01-07"), asked=None)
    >>> AllOf(Every("7d"), Labels(100))(facts).why
    '1 of 2 fires, 2 needed (Labels: 80 labels since the last retrain, 100 needed)'
    """

    triggers: Annotated[Sequence[Trigger], Triggers()]

    def __init__(self, *each: Trigger, triggers: Sequence[Trigger] = ()) -> None:
        object.__setattr__(self, "triggers", each or triggers)
        self.__post_init__()

    def __post_init__(self) -> None:
        object.__setattr__(self, "triggers", tuple(self.triggers))

    @property
    def wants(self) -> tuple[Any, ...]:
        return united(self.triggers)

    def __call__(self, facts: Facts, /) -> Decision:
        return vote(self.triggers, len(self.triggers), facts)

    @classmethod
    def examples(cls) -> Iterator[AllOf]:
        yield cls(Every("7d"), Labels(500))


@rule
class KOf:
    """Fire when at least k of several triggers do.

    Parameters
    ----------
    k
        How many.
    triggers
        The triggers, in a list.

    Examples
    --------
    >>> KOf(3, [Every("7d"), Labels(100)])
    Traceback (most recent call last):
    ...
    tidemill.core.errors.BadValue: KOf(k=3) of 2 triggers never fires. Fix: pass k as 1 to 2.
    """

    k: Annotated[int, Whole(1)]
    triggers: Annotated[Sequence[Trigger], Triggers()]

    def __post_init__(self) -> None:
        object.__setattr__(self, "triggers", tuple(self.triggers))
        n = len(self.triggers)
        if self.k > n:
            raise BadValue(
                f"KOf(k={self.k}) of {n} triggers never fires.", fix=f"pass k as 1 to {n}."
            )

    @property
    def wants(self) -> tuple[Any, ...]:
        return united(self.triggers)

    def __call__(self, facts: Facts, /) -> Decision:
        return vote(self.triggers, self.k, facts)

    @classmethod
    def examples(cls) -> Iterator[KOf]:
        yield cls(2, [Every("7d"), Labels(500), Cusum(Accuracy())])


def united(triggers: Sequence[Trigger]) -> tuple[Any, ...]:
    """Return all that several triggers want, each once."""
    return tuple(dict.fromkeys(want for trigger in triggers for want in trigger.wants))


def named(trigger: Trigger, said: Decision) -> str:
    """Return who says why."""
    return f"{type(trigger).__name__}: {said.why}"


def vote(triggers: Sequence[Trigger], k: int, facts: Facts) -> Decision:
    """Fire when k triggers do; say which of them decided.

    The change is the latest that one of those that fire tells. It is next due when those
    that know when they fire could be enough, the others helping.
    """
    said = [(trigger, trigger(facts)) for trigger in triggers]
    firing = [(t, d) for t, d in said if d.fire]
    resting = [(t, d) for t, d in said if not d.fire]
    fire = len(firing) >= k
    parts = "; ".join(named(t, d) for t, d in (firing if fire else resting))
    verb = "fires" if len(firing) == 1 else "fire"
    return Decision(
        fire=fire,
        why=f"{len(firing)} of {len(said)} {verb}, {k} needed ({parts})",
        next_due=None if fire else _next([d.next_due for _, d in resting], k - len(firing)),
        change=max((d.change for _, d in firing if d.change is not None), default=None),
    )


def _next(due: list[datetime | None], missing: int) -> datetime | None:
    """Return the first known moment by which so many could fire."""
    known = sorted(at for at in due if at is not None)
    anytime = len(due) - len(known)
    place = max(missing - anytime, 1) - 1
    return known[place] if place < len(known) else None
