"""Tables of predictions and outcomes that stay where they are, and what their columns mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from tidemill.loop.log.columns import Columns, FactColumns

CAP = 1_000_000
"""Rows that one question may bring here, unless the project says otherwise."""


@dataclass(frozen=True)
class Table:
    """A table of predictions that stays where it is.

    Parameters
    ----------
    url
        A database as Ibis takes it, such as ``postgres://ana:${PGPASSWORD}@host/db?table=s.rows``
        or ``duckdb://file.db?table=rows``; a Parquet, CSV or JSON lines file, a folder, a pattern,
        a Delta table, any of these at ``s3://``.
    id, time, available_at, model, unit, output, score, latency_ms, payload
        Columns, as ``tidemill records import`` names them. Without ``available_at`` a record
        counts as known from its time.
    tags, features, known
        Columns to tell cohorts apart; the features, if not all other columns; and for features
        that become known late the column that says when.
    timezone
        Of times without a zone, such as ``"Europe/Paris"``.
    since
        A moment: older rows are left alone.
    scan_cap
        How many rows one question may bring here.

    Examples
    --------
    >>> Table("duckdb://shop.db?table=predictions", id="order", score="p").columns.id
    'order'
    """

    url: str
    id: str = "record_id"
    time: str = "predicted_at"
    available_at: str | None = None
    model: str | None = None
    unit: str | None = None
    output: str | None = None
    score: str | None = None
    latency_ms: str | None = None
    payload: str | None = None
    tags: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    since: str | None = None
    scan_cap: int = CAP

    @property
    def columns(self) -> Columns:
        """Which column means what."""
        names = [f.name for f in fields(Columns) if hasattr(self, f.name)]
        return Columns(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Outcomes:
    """A table of labels that stays where it is; those not known yet may be null.

    Parameters
    ----------
    url
        As that of :class:`Table`; it may be the same table.
    id, value, happened_at, available_at, cost
        Columns, as of an import: of which record, the label, when it happened, when it could
        first be seen, what it cost. Without ``available_at`` a label counts as known when it
        happened, and without both at once.
    timezone
        Of times without a zone.
    kind
        ``"outcome"``, ``"human"`` or ``"model"``: who says so.
    scan_cap
        How many rows one question may bring here.
    """

    url: str
    id: str = "record_id"
    value: str = "label"
    happened_at: str | None = None
    available_at: str | None = None
    cost: str | None = None
    timezone: str | None = None
    kind: str = "outcome"
    scan_cap: int = CAP

    @property
    def columns(self) -> FactColumns:
        """Which column means what."""
        return FactColumns(
            id=self.id,
            value=self.value,
            happened_at=self.happened_at,
            available_at=self.available_at,
            cost=self.cost,
            timezone=self.timezone,
        )
