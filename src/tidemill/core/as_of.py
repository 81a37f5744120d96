"""``as_of(now)``: the one door through which data is read.

What was not yet available at ``now`` is not there: not the record, not the label, not the
later version of a label. A feature that became known only after the prediction reads as
null, as the model could not have seen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from tidemill.core.draws import row_hash
from tidemill.core.errors import Damaged
from tidemill.core.ports import Engine, EventStore, World
from tidemill.core.records import FEATURE, KNOWN, SOURCE_KINDS, bare, features_of
from tidemill.core.rules import LabelRule

ANSWERED = ("predicted_at", "model", "output", "output_text", "score")
"""Who answered a record, and what."""
_CHANGED = "restore the events from a backup."
_GONE = f"'tidemill records erase' did not remove them: {_CHANGED}"


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
        # An engine that keeps to ANSI fails at a division by zero instead of giving infinity.
        return rows.mutate(weight=1.0 / (ibis._.p_log * ibis._.pi).nullif(0.0))

    def arrow(self, expression: ir.Table) -> pa.Table:
        """Evaluate an expression."""
        return self.engine.arrow(expression)

    # What a turn asks. A store that knows a faster way answers these by itself; the suite in
    # tidemill.testing.doors holds it to the same answers.

    def arrivals(self, since: datetime | None) -> dict[datetime, int]:
        """Count the records that became available at ``since`` or later, by the second."""
        records = self.records(arrived=since)
        counts = (
            records.group_by(at=ibis._.available_at.truncate("s"))
            .aggregate(n=records.count())
            .order_by("at")
        )
        return {r["at"].astimezone(UTC): r["n"] for r in self.arrow(counts).to_pylist()}

    def arrived(self, start: datetime, end: datetime) -> ir.Table:
        """Return the records that became available in [start, end)."""
        records = self.records(arrived=start)
        return records.filter(records.available_at < moment(end))

    def newest(self, n: int, *, since: datetime) -> pa.Table:
        """Return the features of the n newest records predicted at ``since`` or later."""
        records = self.records(since=since)
        order = [records.predicted_at.desc(), records.record_id]
        rows = records.order_by(order).limit(n)
        return bare(self.arrow(rows.select(*features_of(list(records.columns)))))

    def features(self, wanted: pa.Table) -> pa.Table:
        """Return the stored features (``f_``) of wanted records, in their order.

        ``wanted`` has ``record_id``, ``predicted_at`` and ``row_hash``.

        Raises
        ------
        Damaged
            If a record is missing, or does not hold what it held.
        """
        span = pc.min_max(wanted["predicted_at"]).as_py()
        records = self.records(since=span["min"], until=span["max"] + timedelta(microseconds=1))
        found = self.arrow(records.select("record_id", *features_of(list(records.columns))))
        place = pc.index_in(wanted["record_id"], found["record_id"])
        if place.null_count:
            lost = wanted.filter(pc.is_null(place))["record_id"]
            raise Damaged(
                f"{len(lost)} records of a dataset are lost, {lost[0].as_py()!r} first.",
                fix=getattr(self.events, "mending", _GONE),
            )
        found = found.take(place)
        wrong = pc.not_equal(row_hash(found), wanted["row_hash"].combine_chunks())
        if pc.any(wrong).as_py():
            changed = wanted.filter(wrong)["record_id"]
            raise Damaged(
                f"{len(changed)} records changed since the dataset was formed, "
                f"{changed[0].as_py()!r} first.",
                fix=getattr(self.events, "mending", _CHANGED),
            )
        return found.drop_columns(["record_id"])

    def judged(self, labels: LabelRule, *, since: datetime, also: Sequence[str] = ()) -> pa.Table:
        """Return who answered each record predicted at ``since`` or later, and how it was.

        Columns ``predicted_at``, ``model``, ``output``, ``output_text`` and ``score``; ``also``
        others of the records; then ``label``, ``label_text`` and ``weight``, null where no final
        label is known now. Rows are in order of time.
        """
        final = labels(self.reservoir(since=since), self.now)
        final = final.select("record_id", "label", "label_text", "weight")
        rows = self.records(since=since).select("record_id", *ANSWERED, *also)
        rows = rows.left_join(final, "record_id").drop("record_id_right")
        return self.arrow(rows.order_by("predicted_at", "record_id").drop("record_id"))

    def reopened(self, since: datetime) -> datetime | None:
        """Return when the oldest record was predicted that, or whose label, came after ``since``."""
        oldest = []
        for name in ("records", "labels", "chosen"):
            rows = self.table(name, arrived=since)
            rows = rows.filter(rows.available_at > moment(since))
            at = self.arrow(rows.aggregate(at=rows.predicted_at.min()))["at"][0].as_py()
            oldest += [] if at is None else [at.astimezone(UTC)]
        return min(oldest, default=None)

    def counted(self, labels: LabelRule, since: datetime) -> tuple[int, int]:
        """Count the records that came after ``since``, and the labels final only after it."""
        records = self.records(arrived=since)
        new = records.filter(records.available_at > moment(since)).count()
        now, then = (
            labels(view.reservoir(), view.now) for view in (self, replace(self, now=since))
        )
        late = self.arrow(now.anti_join(then, "record_id").count().as_table())
        return self.arrow(new.as_table()).column(0)[0].as_py(), late.column(0)[0].as_py()


def as_of(world: World, now: datetime) -> AsOf:
    """Open the one door to data, at ``now``."""
    return AsOf(world.events, world.engine, now) if world.door is None else world.door(now)


def moment(at: datetime) -> ir.Scalar:
    """Write a moment as a literal with its time zone, exact to the microsecond."""
    return ibis.literal(at, type="timestamp('UTC', 6)")


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.astimezone(UTC).date()
