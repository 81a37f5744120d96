"""Which features matter to the model in front of users, as it was measured before it went there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tidemill.core.machines import RELEASE
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.reference import champion

_TEENS = range(11, 14)
_ENDS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True, kw_only=True)
class Mattering:
    """How much the answers of a model version rest on each feature.

    Parameters
    ----------
    version
        Whose answers; empty where no model was in front.
    of
        Importance by feature; empty where it was not measured.
    why
        Why it was not.
    """

    version: str = ""
    of: dict[str, float] = field(default_factory=dict[str, float])
    why: str = ""

    def words(self, column: str) -> str:
        """Say where a feature stands among all; empty where nobody knows.

        Examples
        --------
        >>> Mattering(version="r2", of={"age": 0.1, "size": 0.3}).words("age")
        '2nd of 2 in importance for r2'
        >>> Mattering(version="r2", of={"age": 0.0, "size": 0.3}).words("age")
        'no answer of r2 rests on it'
        """
        if not self.of:
            return f"its importance for {self.version} is not known: {self.why}" if self.why else ""
        if column not in self.of:
            return f"{self.version} does not use it"
        if self.of[column] <= 0:
            return f"no answer of {self.version} rests on it"
        place = 1 + sum(other > self.of[column] for other in self.of.values())
        end = "th" if place % 100 in _TEENS else _ENDS.get(place % 10, "th")
        return f"{place}{end} of {len(self.of)} in importance for {self.version}"


def mattering(turn: Turn, at: datetime) -> Mattering:
    """Return what is known of the model that was in front at a moment."""
    version = champion(turn, at)
    machine = turn.world.state.machine(RELEASE, version) if version else None
    if version is None or machine is None:
        return Mattering()
    payload = machine.payload
    return Mattering(
        version=version,
        of=payload.get("importance") or {},
        why=payload.get("importance_why", ""),
    )
