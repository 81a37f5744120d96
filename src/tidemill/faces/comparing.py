"""What drifted between two tables: counted, compared, told."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.faces.counted import Asked, Counted, counted

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.core.ports import Json
    from tidemill.monitoring.drift import Floors, Report


@dataclass(frozen=True)
class Drift:
    """What changed between two tables, the worst column first.

    Parameters
    ----------
    report
        The verdicts.
    reference, current
        What was compared.
    time
        The column whose days are the units, if there was one.
    """

    report: Report
    reference: Counted
    current: Counted
    time: str | None = None
    _made: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def to_dict(self) -> Json:
        """Return the whole answer as plain data, as ``--json`` prints it; docs/cli.md lists the keys."""
        from tidemill.faces.report.drift_document import document

        if "document" not in self._made:
            self._made["document"] = document(self)
        return self._made["document"]

    @property
    def table(self) -> pa.Table:
        """The columns as a table, one row each, the worst first."""
        import pyarrow as pa

        rows = [
            {k: v for k, v in row.items() if k != "distribution"}
            for row in self.to_dict()["columns"]
        ]
        return pa.Table.from_pylist(rows)

    def save_html(self, path: str | Path) -> Path:
        """Write the page: one file with both distributions of each column, without network.

        Raises
        ------
        MissingExtra
            When Altair is not installed.
        """
        from tidemill.faces.report.drift_page import page

        path = Path(path)
        path.write_text(page(self.to_dict()), encoding="utf-8")
        return path

    def __str__(self) -> str:
        from tidemill.faces.report.drift_terminal import text

        return text(self.to_dict())


def drift(
    reference: Any,
    current: Any,
    *,
    time: str | None = None,
    zone: str = "UTC",
    columns: Sequence[str] = (),
    ignore: Sequence[str] = (),
    alpha: float = 0.01,
    floors: Floors | None = None,
    importance: Mapping[str, float] | None = None,
    table: str | None = None,
    scan_cap: int | None = None,
    show_sql: Callable[[str], object] | None = None,
    engine: str = "duckdb",
) -> Drift:
    """Say which columns changed between two tables, by how much, and whether that is bad.

    Parameters
    ----------
    reference, current
        A path or address as ``tidemill drift`` takes it, the path of a ``.profile`` file, a
        profile, an Arrow table, a DataFrame, or a dict of columns.
    time
        The column that says when. With it days are the units of evidence, which is right
        wherever rows of one day share something; without it rows are.
    zone
        Whose midnights part the days.
    columns, ignore
        Which columns are compared, all if empty; and which are not.
    alpha
        How likely one false ALERT among all columns may be.
    floors
        From which size on a change matters.
    importance
        How much each column matters; more important ones come first among equal verdicts.
    table
        The table, where an address is that of a database.
    scan_cap
        Of how many rows at most a table of a database is fetched; a larger one is refused.
    show_sql
        Is told each query on a database before it is sent, such as ``print``.
    engine
        What counts Parquet files and Delta tables: ``"duckdb"`` or ``"spark"``.

    Returns
    -------
    Drift
        Print it, or see ``.report``, ``.table``, ``.to_dict()``, ``.save_html(path)``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> before = {"x": rng.normal(size=5000), "y": rng.normal(size=5000)}
    >>> after = {"x": rng.normal(size=5000) + 0.5, "y": rng.normal(size=5000)}
    >>> found = drift(before, after)
    >>> [(s.column, s.verdict.value) for s in found.report.shifts]
    [('x', 'ALERT'), ('y', 'OK')]
    """
    # What the verdicts need takes a fifth of a second to load: meanwhile rows are counted.
    threading.Thread(target=importlib.import_module, args=("scipy.special",), daemon=True).start()
    asked = Asked(
        time=time,
        zone=zone,
        columns=tuple(columns),
        ignore=tuple(ignore),
        table=table,
        most=scan_cap,
        show=show_sql,
        engine=engine,
    )
    one, two = counted(reference, current, asked)
    from tidemill.monitoring.drift import compare

    report = compare(
        one.profiles,
        two.profiles,
        alpha=alpha,
        units="days" if time else "rows",
        floors=floors,
        importance=importance,
    )
    return Drift(report, one, two, time)
