"""The options of ``tidemill init`` that name tables which stay where they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from tidemill.core.errors import BadValue

if TYPE_CHECKING:
    from tidemill.project.sources import Outcomes, Table

GROUP = Group("Tables that stay where they are", sort_key=5)
_Address = Annotated[str | None, Parameter(group=GROUP, metavar="ADDRESS")]
_Column = Annotated[str | None, Parameter(group=GROUP, metavar="COLUMN")]
_Names = Annotated[
    tuple[str, ...], Parameter(group=GROUP, negative=(), show_default=False, metavar="COLUMN")
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Placing:
    """Tables of yours that are read in place; project.toml then holds their columns.

    Parameters
    ----------
    records
        A table of predictions that is only read: a file, a folder, a pattern, s3://, or the
        address of a database that names its table:
        'postgresql://user:${PGPASSWORD}@host/db?table=schema.rows'.
    labels
        A table of labels that is only read; it may be the same.
    id
        The column with the record's id [usually: record_id].
    time
        When it was predicted [usually: predicted_at].
    available_at
        When the row could first be seen; ASSUMED to be its time without.
    model
        The version of the model that answered.
    unit
        Who is randomised, such as a user.
    output
        What the model answered.
    score
        Its probability of class 1.
    features
        The features, if not all the other columns; a,b or once for each.
    label
        The column with the label [usually: label].
    label_id
        The column of the labels' table with the record's id [usually: as --id].
    label_available_at
        When the label could first be seen; ASSUMED to be at once without.
    zone
        Of times without a zone, such as Europe/Paris.
    """

    records: _Address = None
    labels: _Address = None
    id: _Column = None
    time: _Column = None
    available_at: _Column = None
    model: _Column = None
    unit: _Column = None
    output: _Column = None
    score: _Column = None
    features: _Names = ()
    label: _Column = None
    label_id: _Column = None
    label_available_at: _Column = None
    zone: _Column = None

    def tables(self) -> tuple[Table | None, Outcomes | None]:
        """Return the tables that were named.

        Raises
        ------
        BadValue
            If columns were named, but not their table.
        """
        from tidemill.faces.cli.understanding import listed
        from tidemill.project.in_place import placed
        from tidemill.project.sources import Outcomes, Table

        if self.records is None:
            if self != Placing():
                raise BadValue(
                    "there are options for a table of records, but no table.",
                    fix="name it: tidemill init --records ADDRESS.",
                )
            return None, None
        named = ("id", "time", "available_at", "model", "unit", "output", "score")
        said = {name: getattr(self, name) for name in named if getattr(self, name) is not None}
        said |= {} if self.zone is None else {"timezone": self.zone}
        wanted = tuple(listed(self.features)) or None
        records = Table(placed(self.records, Path.cwd()), features=wanted, **said)
        if self.labels is None:
            return records, None
        outcomes = Outcomes(
            placed(self.labels, Path.cwd()),
            id=self.label_id or records.id,
            value=self.label or "label",
            available_at=self.label_available_at,
            timezone=self.zone,
        )
        return records, outcomes


UNPLACED = Placing()
