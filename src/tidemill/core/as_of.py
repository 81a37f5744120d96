"""``as_of(now)``: the one door through which data is read.

What was not yet available at ``now`` is not there: not the record, not the label, not the
later version of a label. A feature that became known only after the prediction reads as
null, as the model could not have seen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.ports import Engine, EventStore, World
from tidemill.core.records import FEATURE, KNOWN, SOURCE_KINDS


@dataclass(frozen=True)
class AsOf:
    """The tables as they could be seen at ``now``."""

    events: EventStore
    engine: Engine
    now: datetime

    def table(
        self,
        name: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        arrived: datetime | None = None,
    ) -> ir.Table:
        """Return a table as it could be seen at ``now``.

        Parameters
        ----------
        name
            One of :data:`tidemill.core.records.TABLES`.
        since, until
            Only rows whose record was predicted in [since, until); None leaves it open.
        arrived
            Only rows that became available at this moment or later.
        """
        snapshot = self.events.snapshot(name, since=_day(since), until=_day(until), arrived=arrived)
        rows = self.engine.table(snapshot)
        rows = rows.filter(rows.available_at <= moment(self.now))
        if arrived is not None:
            rows = rows.filter(rows.available_at >= moment(arrived))
        if since is not None:
            rows = rows.filter(rows.predicted_at >= moment(since))
        if until is not None:
            rows = rows.filter(rows.predicted_at < moment(until))
        return rows

    def records(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        arrived: datetime | None = None,
    ) -> ir.Table:
        """Return records; a feature not yet known at the prediction reads as null."""
        rows = self.table("records", since=since, until=until, arrived=arrived)
        late = [c for c in rows.columns if c.startswith(KNOWN)]
        hidden = {}
        for known in late:
            feature = FEATURE + known.removeprefix(KNOWN)
            unknown = rows[known] > rows.predicted_at
            hidden[feature] = ibis.ifelse(unknown, ibis.null(rows[feature].type()), rows[feature])
        return rows.mutate(**hidden).drop(*late) if late else rows

    def labels(self, *, since: datetime | None = None, until: datetime | None = None) -> ir.Table:
        """Return the label that counts for each record: of the best source, the latest known."""
        rows = self.table("labels", since=since, until=until)
        rank = ibis.cases(
            *[(rows.source_kind == kind, k) for k, kind in enumerate(SOURCE_KINDS)],
            else_=len(SOURCE_KINDS),
        )
        order = [rank, ibis.desc(rows.available_at), ibis.desc(rows.label_id)]
        place = ibis.row_number().over(group_by="record_id", order_by=order)
        return rows.mutate(place=place).filter(ibis._.place == 0).drop("place")

    def reservoir(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> ir.Table:
        """Return chosen records beside their label, null where there is none yet.

        ``weight`` is one over the probability that the record was both kept and chosen.
        """
        chosen = self.table("chosen", since=since, until=until).select("record_id", "pi")
        labels = self.labels(since=since, until=until).select(
            "record_id", "label_id", "label", "label_text", "source_kind"
        )
        rows = self.records(since=since, until=until).inner_join(chosen, "record_id")
        rows = rows.left_join(labels, "record_id").drop("record_id_right")
        return rows.mutate(weight=1.0 / (ibis._.p_log * ibis._.pi))

    def arrow(self, expression: ir.Table) -> pa.Table:
        """Evaluate an expression."""
        return self.engine.arrow(expression)


def as_of(world: World, now: datetime) -> AsOf:
    """Open the one door to data, at ``now``."""
    return AsOf(world.events, world.engine, now)


def moment(at: datetime) -> ir.Scalar:
    """Write a moment as a literal with its time zone, exact to the microsecond."""
    return ibis.literal(at, type="timestamp('UTC', 6)")


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.astimezone(UTC).date()
