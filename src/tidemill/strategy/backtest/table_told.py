"""What to tell about a user's table, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.compute as pc

from tidemill.core.errors import BadInput
from tidemill.loop.log.taken import Taken
from tidemill.strategy.backtest.table_label import Truth
from tidemill.strategy.backtest.table_leaks import Leak

_SHOWN = 5


class Told:
    """What to tell about a table, in plain sentences."""

    def __init__(self) -> None:
        self.assumed: list[str] = []
        self.warnings: list[str] = []
        self.quarantined = 0

    def refused(self, taken: Taken, ids: str | None) -> None:
        """Tell which rows could not be taken; refuse a table in which ids name no rows."""
        n = taken.seen
        if ids is not None and taken.already > n / 2:
            raise BadInput(
                f"{taken.already:,} of {n:,} rows repeat the id of another: "
                f"{ids!r} names no single row.",
                fix="leave --id out, rows are numbered then; perhaps it is the --unit.",
            )
        self.quarantined += taken.quarantine.num_rows
        counts = taken.quarantine["reason"].value_counts().to_pylist()
        for found in sorted(counts, key=lambda c: -c["counts"])[:_SHOWN]:
            self.warnings.append(f"{rows_of(found['counts'])} left out: {found['values']}.")
        if len(counts) > _SHOWN:
            self.warnings.append(f"and rows for {len(counts) - _SHOWN} other reasons.")
        if taken.already:
            self.warnings.append(
                f"{rows_of(taken.already)} repeat an id: the first of each counts."
            )

    def leaks(self, leaks: Sequence[Leak]) -> None:
        """Tell which features may know the label."""
        self.warnings += [f"{leak}." for leak in leaks]

    def truth(self, truth: Truth, label: str) -> None:
        """Tell labels from which nothing can be learned."""
        filled = truth.filled()
        classes = pc.count_distinct(filled).as_py()
        if not classes:
            self.warnings.append(f"no row has a label: {label!r} is empty.")
        elif classes == 1:
            only = filled.drop_null()[0].as_py()
            only = f"{only:g}" if isinstance(only, float) else repr(only)
            self.warnings.append(f"every label is {only}: nothing can be learned or measured.")


def rows_of(n: int) -> str:
    """Write a number of rows.

    Examples
    --------
    >>> rows_of(1), rows_of(1200)
    ('1 row', '1,200 rows')
    """
    return f"{n:,} row" + ("" if n == 1 else "s")
