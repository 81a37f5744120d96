"""Tables of predictions and outcomes that stay where they are, and what their columns mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidemill.loop.log.columns import Columns, FactColumns, LabelColumns, RecordColumns

CAP = 1_000_000
"""Rows that one question may bring here, unless the project says otherwise."""


@dataclass(frozen=True)
class Table(RecordColumns):
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
    id: str = field(default="record_id", kw_only=True)  # a row without one is nobody's
    since: str | None = field(default=None, kw_only=True)
    scan_cap: int = field(default=CAP, kw_only=True)

    @property
    def columns(self) -> Columns:
        """Which column means what."""
        return Columns.of(self)


@dataclass(frozen=True)
class Outcomes(LabelColumns):
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
    kind: str = field(default="outcome", kw_only=True)
    scan_cap: int = field(default=CAP, kw_only=True)

    @property
    def columns(self) -> FactColumns:
        """Which column means what."""
        return FactColumns.of(self)
