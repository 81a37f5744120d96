"""Who is in front: rollback in one atomic write."""

from __future__ import annotations

from tidemill.core.errors import NotAllowed
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Transition, World
from tidemill.strategy.turn import moment_of


def rollback(
    world: World, *, who: str, why: str = "", version: str | None = None
) -> tuple[str, str | None]:
    """Put the model that was in front before back in front, in one transaction.

    Parameters
    ----------
    version
        The one to take out; when another is in front nothing is done, so that a command
        repeated after a crash does not roll back twice.

    Returns
    -------
    tuple
        The version taken out, and the one in front now (None when there was none before).

    Raises
    ------
    NotAllowed
        If no model is in front, or not the one to take out.
    """
    with world.state.lease("rollback") as lease:
        front = world.state.front()
        if front is None or front.version is None:
            raise NotAllowed("no model is in front.", fix="there is nothing to roll back.")
        if version not in (None, front.version):
            raise NotAllowed(
                f"{version} is not in front, {front.version} is.", fix="there is nothing to do."
            )
        machine = world.state.machine(RELEASE, front.version)
        if machine is None:
            raise NotAllowed(f"{front.version} is no release.", fix="run 'tidemill check'.")
        retired = {m.id: m for m in world.state.machines(RELEASE, ["retired"])}
        earlier = [f.version for f in world.state.fronts() if f.version in retired]
        before = earlier[-1] if earlier else None
        now, reason = moment_of(world), why or "rolled back by hand"
        also = ()
        if before is not None:
            also = (
                Transition(
                    kind=RELEASE,
                    id=before,
                    source="retired",
                    target="live",
                    why=f"{front.version} was rolled back",
                    at=now,
                    payload=retired[before].payload,
                    actor=who,
                ),
            )
        step = Transition(
            kind=RELEASE,
            id=front.version,
            source="live",
            target="rolled_back",
            why=reason,
            at=now,
            payload=machine.payload,
            actor=who,
            front=before or "",
            also=also,
        )
        world.state.transition(lease, step)
        return front.version, before
