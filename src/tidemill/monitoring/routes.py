"""Which incidents go to which channel, when, and how often again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

from tidemill.core.errors import unknown
from tidemill.core.limits import OneOf, Span, Text
from tidemill.core.rule import rule
from tidemill.core.signals import KINDS


@rule
class Route:
    """A channel, and the incidents that are told there.

    Several routes make an escalation: a chat at once, the pager after two hours.

    Parameters
    ----------
    channel
        The channel's name.
    least
        How bad an incident must be: ``"WARN"`` or ``"ALERT"``.
    kinds
        The kinds of signal it is for, such as ``("outcomes", "performance")``; all when empty.
    after
        How long an incident must have been open, and not acknowledged, before it is told here.
    remind
        How long until one that is still open, and not acknowledged, is told again; None for
        never.
    weekly
        Whether the line of the week goes here too.

    Examples
    --------
    >>> Route("pager", after="2h", weekly=False)
    Route(channel='pager', least='ALERT', kinds=(), after='2h', remind='7d', weekly=False)
    """

    channel: Annotated[str, Text()]
    _: KW_ONLY
    least: Annotated[str, OneOf(("WARN", "ALERT"))] = "ALERT"
    kinds: Sequence[str] = ()
    after: Annotated[str, Span(zero=True)] = "0s"
    remind: Annotated[str, Span()] | None = "7d"
    weekly: bool = True

    def __post_init__(self) -> None:
        kinds: Any = self.kinds
        object.__setattr__(self, "kinds", (kinds,) if isinstance(kinds, str) else tuple(kinds))
        for kind in self.kinds:
            if kind not in KINDS:
                raise unknown("kind of signal", str(kind), KINDS)

    @classmethod
    def examples(cls) -> Iterator[Route]:
        yield cls("chat")
        yield cls("pager", kinds=("outcomes", "performance"), after="2h", remind=None, weekly=False)
