"""Signals for other monitors: the latest points in the forms of Prometheus and OpenTelemetry."""

from __future__ import annotations

import json
import math
from datetime import UTC
from typing import TYPE_CHECKING, Any

from tidemill.core.signals import Key, Point
from tidemill.core.verdict import Verdict

if TYPE_CHECKING:
    from tidemill.project import Mill

FORMATS = ("prometheus", "openmetrics", "opentelemetry")


def expose(mill: Mill, format_: str) -> str:
    """Write the last point of every signal, how many incidents are open, and how channels do.

    Parameters
    ----------
    format_
        One of :data:`FORMATS`.
    """
    from tidemill.adapters.telemetry import opentelemetry, prometheus, samples
    from tidemill.monitoring.sending import LEDGER, standing
    from tidemill.strategy.turn import moment_of
    from tidemill.strategy.watching.telling import incidents

    rows = [] if mill.world.events.version("signals") < 0 else mill.signals().to_pylist()
    found = [
        *samples.of_signals(map(_point, rows)),
        *samples.of_incidents(incidents(mill.world)),
        *samples.of_channels(standing(mill.world.state.rows(LEDGER))),
    ]
    if format_ == "opentelemetry":
        document = opentelemetry.write(found, at=moment_of(mill.world))
        return json.dumps(document) + "\n"
    return prometheus.write(found, openmetrics=format_ == "openmetrics")


def _point(row: dict[str, Any]) -> tuple[Key, Point, Verdict | None]:
    key = Key(**{n: row[n] for n in ("kind", "metric", "column", "cohort", "model")})
    numbers: dict[str, Any] = {
        n: math.nan if row[n] is None else row[n] for n in ("value", "low", "high")
    }
    point = Point(
        start=row["start"].astimezone(UTC), end=row["end"].astimezone(UTC), n=row["n"], **numbers
    )
    return key, point, None if row["verdict"] is None else Verdict(row["verdict"])
