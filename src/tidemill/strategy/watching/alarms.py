"""What is bad now, as a trigger sees it."""

from __future__ import annotations

from datetime import datetime

from tidemill.core.machines import INCIDENT
from tidemill.core.ports import World
from tidemill.core.rules import Alarm


def alarms(world: World) -> tuple[Alarm, ...]:
    """Return the signals of open incidents, the oldest first."""
    found = [
        Alarm(
            kind=s["kind"],
            metric=s["metric"],
            column=s["column"],
            cohort=s["cohort"],
            since=datetime.fromisoformat(s["start"]),
            why=s["why"],
        )
        for machine in world.state.machines(INCIDENT, ["open"])
        for s in machine.payload["signals"]
    ]
    return tuple(sorted(found, key=lambda a: a.since))
