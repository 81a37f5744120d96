"""The options that say what the columns of a user's table mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from tidemill.core.errors import BadValue

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.strategy.backtest.table import Meaning

GROUP = Group("What the table holds", sort_key=5)
TIMES = ("predicted_at", "time", "timestamp", "ts")
LABELS = ("label",)

_Column = Annotated[str | None, Parameter(group=GROUP, metavar="COLUMN")]
_Names = Annotated[
    tuple[str, ...],
    Parameter(group=GROUP, negative=(), show_default=False, metavar="COLUMN"),
]
_Value = Annotated[str | None, Parameter(group=GROUP, metavar="VALUE")]
_Span = Annotated[str | None, Parameter(group=GROUP, metavar="DURATION")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """The options that say what the columns of a table mean.

    Parameters
    ----------
    time
        When it was predicted [usually: predicted_at, time, timestamp, ts].
    label
        What was true [usually: label].
    label_time
        When the label was known.
    label_delay
        How long after the prediction labels are known, such as 7d.
    absent
        What it means when a row has no label, such as 0.
    final_after
        How long after the prediction labels are final, such as 45d.
    score
        The probability of class 1 your model gave.
    output
        What your model answered.
    model_version
        The version of the model that answered.
    unit
        Who is randomised, such as a user.
    record_id
        The row's id; rows are numbered without.
    features
        The features, if not all the other columns; a,b or once for each.
    drop
        Columns that are no features; a,b or once for each.
    task
        binary, multiclass or regression; told from the labels without.
    table
        The table, where the address is that of a database.
    scan_cap
        Refuse a table of a database that has more rows.
    show_sql
        Write each query on a database to standard error before it is sent.
    """

    time: _Column = None
    label: _Column = None
    label_time: _Column = None
    label_delay: _Span = None
    absent: _Value = None
    final_after: _Span = None
    score: _Column = None
    output: _Column = None
    model_version: _Column = None
    unit: _Column = None
    record_id: Annotated[str | None, Parameter(name="--id", group=GROUP, metavar="COLUMN")] = None
    features: _Names = ()
    drop: _Names = ()
    task: _Value = None
    table: Annotated[str | None, Parameter(group=GROUP, metavar="NAME")] = None
    scan_cap: Annotated[int | None, Parameter(group=GROUP, metavar="ROWS")] = None
    show_sql: Annotated[bool, Parameter(group=GROUP, negative=())] = False

    def read(self, path: str) -> pa.Table:
        """Read the table; ids and versions stay as they are written."""
        from tidemill.adapters.sources.addresses import read
        from tidemill.faces.cli.printing import note

        texts = [n for n in (self.record_id, self.model_version, self.unit) if n is not None]
        show = note if self.show_sql else None
        return read(path, table=self.table, texts=texts, most=self.scan_cap, show=show)

    def meaning(self, names: Sequence[str]) -> Meaning:
        """Say which column means what; the usual names are found without an option."""
        from tidemill.faces.cli.understanding import listed
        from tidemill.strategy.backtest.table import Meaning

        time = self.time or _usual("--time", TIMES, names)
        label = self.label or _usual("--label", LABELS, names)
        _check_span("--label-delay", self.label_delay)
        _check_span("--final-after", self.final_after)
        return Meaning(
            time=time,
            label=label,
            label_time=self.label_time,
            label_delay=self.label_delay or "0s",
            absent=None if self.absent is None else _value(self.absent),
            final_after=self.final_after,
            score=self.score,
            output=self.output,
            model_version=self.model_version,
            unit=self.unit,
            record_id=self.record_id,
            features=tuple(listed(self.features)),
            drop=tuple(listed(self.drop)),
            task=self.task,
        )


UNSAID = TableOptions()


def _usual(option: str, usual: Sequence[str], names: Sequence[str]) -> str:
    found = next((u for u in usual if u in names), None)
    if found is None:
        raise BadValue(
            f"nothing says which column is {option}.",
            fix=f"give {option} COLUMN; there are: {', '.join(names)}.",
        )
    return found


def _check_span(option: str, span: str | None) -> None:
    from tidemill.core.durations import duration

    try:
        duration(span or "0s")
    except BadValue as error:
        raise BadValue(f"{option}: {error.what}", fix=error.fix) from None


def _value(text: str) -> float | str:
    """Read what absence means: a number where it is one.

    Examples
    --------
    >>> _value("0"), _value("no complaint")
    (0.0, 'no complaint')
    """
    try:
        return float(text)
    except ValueError:
        return text
