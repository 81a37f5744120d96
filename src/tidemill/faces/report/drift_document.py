"""What drifted, as plain data: the same for --json, the terminal and the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tidemill.core.verdict import Verdict
from tidemill.faces.report.distributions import distribution

if TYPE_CHECKING:
    from tidemill.core.ports import Json
    from tidemill.faces.comparing import Drift
    from tidemill.faces.counted import Counted

SCHEMA = "tidemill.drift/1"
DRAWN = 40
"""Columns whose distributions are told, the worst first."""


def document(found: Drift) -> Json:
    """Make the document of a comparison."""
    report = found.report
    sides = found.reference.whole, found.current.whole
    columns: list[Json] = []
    for shift in report.shifts:
        row: dict[str, Any] = {k: _plain(v) for k, v in asdict(shift).items()}
        row["rows"] = {"reference": shift.rows[0], "current": shift.rows[1]}
        row["distribution"] = None
        if len(columns) < DRAWN and shift.kind != "time":
            pair = [side.columns.get(shift.column) for side in sides]
            row["distribution"] = distribution(pair[0], pair[1])
        columns.append(row)
    return {
        "schema": SCHEMA,
        "reference": _side(found.reference, sides[0].rows, report.days[0]),
        "current": _side(found.current, sides[1].rows, report.days[1]),
        "verdict": report.verdict.value,
        "counts": {v.value: report.counts[v] for v in Verdict},
        "units": report.units,
        "time": found.time,
        "alpha": report.alpha,
        "floors": asdict(report.floors),
        "tests": report.tests,
        "why": report.why,
        "conclusion": _conclusion(found),
        "columns": columns,
    }


def _side(side: Counted, rows: int, days: int) -> Json:
    starts = [p.start for p in side.profiles if p.start is not None]
    ends = [p.end for p in side.profiles if p.end is not None]
    return {
        "name": side.name,
        "rows": rows,
        "days": days,
        "start": min(starts).isoformat() if starts else None,
        "end": max(ends).isoformat() if ends else None,
    }


def _conclusion(found: Drift) -> list[str]:
    """Say what follows, the most important first."""
    report, total = found.report, len(found.report.shifts)
    bad = [s for s in report.shifts if s.verdict is Verdict.ALERT]
    unsure = report.counts[Verdict.WARN]
    silent = report.counts[Verdict.NO_VERDICT]
    said: list[str] = []
    if report.why:
        said.append(f"No verdict: {report.why}.")
    elif bad:
        of = "the only column" if total == 1 else f"{len(bad)} of {total} columns"
        first = f": {bad[0].column}, {bad[0].words}" if bad[0].words else f": {bad[0].column}"
        said.append(f"Drift in {of}{', first' if len(bad) > 1 else ''}{first}.")
    elif silent == total:
        said.append("No verdict on any column.")
    else:
        said.append(f"No drift that matters in {total - silent} of {total} columns.")
    if unsure and not report.why:
        said.append(f"{unsure} more may have drifted (WARN).")
    if silent and silent < total:
        said.append(f"{silent} cannot be judged (NO_VERDICT); each says why.")
    return [*said, _units(found)]


def _units(found: Drift) -> str:
    report = found.report
    if report.units == "days":
        counted = f"{report.days[0]} and {report.days[1]}"
        return f"Evidence: the days of {found.time}, {counted} of them."
    return (
        "Evidence: the rows, taken to be independent. Where rows of one day share something, "
        "they are not: name the --time COLUMN and days are the evidence."
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Verdict):
        return value.value
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value
