"""Retrain at moments that were written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from tidemill.core.clock import instant
from tidemill.core.errors import BadValue
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.unconditional import unconditional


@dataclass(frozen=True)
class Moments:
    """A list of moments, each an ISO text or a time-zone aware datetime; it may be empty."""

    def broken(self, value: object) -> str | None:
        must = "a list of moments such as '2013-01-07' or '2013-01-07T06:00:00Z'"
        if not isinstance(value, list | tuple):
            return must
        for one in value:
            if not isinstance(one, str | datetime):
                return must
            try:
                instant(one)
            except (BadValue, OverflowError):
                return must
        return None

    def bad(self) -> Iterator[object]:
        yield from (
            None,
            "2013-01-07",
            ["soon"],
            [1],
            ["2013-01-07T06:00:00"],
            [datetime(2013, 1, 7)],  # noqa: DTZ001 - bad on purpose
        )


@rule
class At:
    """Fire when one of the moments given has come since the last retrain.

    The first time it fires at once, as every schedule does. With no moments it trains once.

    Parameters
    ----------
    times
        The moments, as ISO texts or datetimes; kept in order, as texts in UTC.

    Examples
    --------
    >>> facts = Facts(now=instant("2013-01-14"),
    ...               last_triggered=instant("2013-01-07"), asked=None)
    >>> At(["2013-01-10", "2013-02-01"])(facts).why
    'written down for 2013-01-10T00:00:00+00:00'
    """

    times: Annotated[Sequence[str | datetime], Moments()]

    def __post_init__(self) -> None:
        texts = tuple(at.isoformat() for at in sorted({instant(t) for t in self.times}))
        object.__setattr__(self, "times", texts)

    @property
    def wants(self) -> tuple[Any, ...]:
        return ()

    def __call__(self, facts: Facts, /) -> Decision:
        if (due := unconditional(facts)) is not None:
            return due
        last = facts.last_triggered
        left = [at for at in map(instant, self.times) if last is None or at > last]
        if not left:
            return Decision(fire=False, why=f"none of the {len(self.times)} moments is left")
        if left[0] <= facts.now:
            return Decision(fire=True, why=f"written down for {left[0].isoformat()}")
        why = f"the next moment written down is {left[0].isoformat()}"
        return Decision(fire=False, why=why, next_due=left[0])

    @classmethod
    def examples(cls) -> Iterator[At]:
        yield cls(["2013-01-07", "2013-02-01T06:00:00Z"])
        yield cls([])
