"""The past of a project as questions about it see it: until when there is anything, and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import ibis
from ibis.expr import types as ir

from tidemill.core.as_of import AsOf
from tidemill.core.durations import duration
from tidemill.core.errors import NotFound
from tidemill.core.ports import World
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of
from tidemill.strategy.watching.windows import Windows


@dataclass(frozen=True, kw_only=True)
class Past:
    """What is known of a project now.

    A project may have been left alone for long, so ``"30d"`` is counted from its last record.

    Parameters
    ----------
    view
        The one door to its data.
    until
        The end of the last base window with a record that was over when monitoring last looked.
    every
        The length of a base window.
    """

    view: AsOf
    until: datetime
    every: timedelta

    @classmethod
    def of(cls, world: World, strategy: Strategy) -> Past:
        """Look at a project.

        Raises
        ------
        NotFound
            If it has no record yet.
        """
        now, every = moment_of(world), duration(strategy.window)
        view = AsOf(world.events, world.engine, now)
        newest = None
        if world.events.version("records") >= 0:
            rows = view.table("records")
            newest = view.arrow(rows.aggregate(at=rows.predicted_at.max()))["at"][0].as_py()
        if newest is None:
            raise NotFound("the project has no record yet.", fix="see 'tidemill records import'.")
        watched = world.state.fact("watched")
        seen = now if watched is None else min(now, datetime.fromisoformat(watched["at"]))
        windows = Windows(every=every)
        until = min(windows.start(newest) + every, windows.start(seen))
        return cls(view=view, until=until, every=every)

    def since(self, last: str) -> datetime:
        """Return where a time before the end begins, such as ``"30d"``."""
        return self.until - duration(last)


def drawn(rows: ir.Table, most: int) -> ir.Table:
    """Keep some records at most, by a draw of their own that was made when they came in."""
    place = ibis.row_number().over(order_by=[rows.u_split, rows.record_id])
    return rows.mutate(place=place).filter(ibis._.place < most).drop("place")
