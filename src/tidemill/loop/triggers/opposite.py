"""Retrain while another trigger is silent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from tidemill.core.limits import Has
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, Trigger
from tidemill.core.verdict import Decision
from tidemill.loop.triggers.composition import named
from tidemill.loop.triggers.threshold import Below
from tidemill.loop.triggers.unconditional import unconditional
from tidemill.measures import Accuracy


@rule
class Not:
    """Fire when another trigger does not; of use as a part of ``AllOf``.

    Both fire for a first model and when a person asks.

    Parameters
    ----------
    trigger
        The other one.

    Examples
    --------
    >>> from tidemill.testing.data import awkward_facts
    >>> Not(Below(Accuracy(), 0.5))(awkward_facts()["plain"]).why
    'silent (Below: accuracy 0.6280 over 1 window (100 labels, 1 not settled), the floor is 0.5)'
    """

    trigger: Annotated[Trigger, Has("wants", "a trigger, such as Every('7d')")]

    @property
    def wants(self) -> tuple[Any, ...]:
        return self.trigger.wants

    def __call__(self, facts: Facts, /) -> Decision:
        if (due := unconditional(facts)) is not None:
            return due
        said = self.trigger(facts)
        how = "fires" if said.fire else "silent"
        return Decision(fire=not said.fire, why=f"{how} ({named(self.trigger, said)})")

    @classmethod
    def examples(cls) -> Iterator[Not]:
        yield cls(Below(Accuracy(), 0.5))
