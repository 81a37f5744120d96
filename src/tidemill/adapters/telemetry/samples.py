"""Samples: what the forms of Prometheus and OpenTelemetry have in common; signals as samples."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tidemill.core.ports import Json
from tidemill.core.signals import Key, Point
from tidemill.core.verdict import Verdict

KINDS = ("gauge", "counter", "histogram", "summary", "unknown")
SUFFIXES = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "summary": ("_sum", "_count", "_created"),
}
"""What the samples of a family may have after its name."""
Labels = tuple[tuple[str, str], ...]
_KEY = ("kind", "metric", "column", "cohort", "model")
_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_NUMBERS = {
    "value": "The signal in its last base window; NaN where it could not be measured.",
    "low": "The lower end of its 95 % interval.",
    "high": "The upper end of its 95 % interval.",
    "rows": "Records the signal rests on.",
    "window_start_timestamp_seconds": "When the base window began.",
    "window_end_timestamp_seconds": "When the base window ended.",
}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One number under a name and labels.

    ``labels`` are sorted by name. ``kind`` is that of its family, whose samples may have a suffix
    such as ``_bucket``. ``at`` is when it was measured; None where it does not say.
    """

    name: str
    value: float
    labels: Labels = ()
    kind: str = "gauge"
    help: str = ""
    at: datetime | None = None

    @property
    def family(self) -> str:
        """The name without the suffix that its kind allows."""
        for suffix in SUFFIXES.get(self.kind, ()):
            if self.name.endswith(suffix) and self.name != suffix:
                return self.name.removesuffix(suffix)
        return self.name


@dataclass(frozen=True, kw_only=True)
class Scrape:
    """What was read, and what could not be read, in words; at most twenty of them."""

    samples: tuple[Sample, ...]
    problems: tuple[str, ...] = ()


def labelled(labels: Mapping[str, str]) -> Labels:
    """Return labels in their order; an empty one is the same as none."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def of_signals(signals: Iterable[tuple[Key, Point, Verdict | None]]) -> list[Sample]:
    """Return signals as samples ``tidemill_signal_...``; of each the last window.

    The verdict is told as one sample for each of the four, 1 for the one that holds, so that
    ``tidemill_signal_verdict{verdict="NO_VERDICT"} == 1`` can be alerted on too.

    Parameters
    ----------
    signals
        Each with a point and what is thought of it; None where it is not judged.
    """
    last: dict[Key, tuple[Point, Verdict | None]] = {}
    for key, point, verdict in signals:
        if key not in last or last[key][0].end <= point.end:
            last[key] = (point, verdict)
    found: list[Sample] = []
    for key, (point, verdict) in last.items():
        labels = {name: getattr(key, name) for name in _KEY}
        numbers = {
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "rows": float(point.n),
            "window_start_timestamp_seconds": point.start.timestamp(),
            "window_end_timestamp_seconds": point.end.timestamp(),
        }
        for name, value in numbers.items():
            if name in ("low", "high") and math.isnan(value):
                continue
            found.append(
                Sample(
                    name=f"tidemill_signal_{name}",
                    value=value,
                    labels=labelled(labels),
                    help=_NUMBERS[name],
                )
            )
        if verdict is not None:
            found += _verdicts(labels, verdict)
    return found


def _verdicts(labels: Mapping[str, str], verdict: Verdict) -> Iterator[Sample]:
    for one in Verdict:
        yield Sample(
            name="tidemill_signal_verdict",
            value=float(one == verdict),
            labels=labelled({**labels, "verdict": one.value}),
            help="1 for the verdict that holds, 0 for the others.",
        )


def signals_of(samples: Iterable[Sample]) -> list[tuple[Key, Point, Verdict | None]]:
    """Read signals back from the samples of :func:`of_signals`; others are passed over.

    A signal without a value or without its window cannot be read, and is left out.
    """
    numbers: dict[Key, dict[str, float]] = defaultdict(dict)
    verdicts: dict[Key, Verdict] = {}
    for sample in samples:
        name = sample.name.removeprefix("tidemill_signal_")
        labels = dict(sample.labels)
        if name == sample.name or not {"kind", "metric"} <= labels.keys():
            continue
        key = Key(**{part: labels.get(part, "") for part in _KEY})
        if name in _NUMBERS:
            numbers[key][name] = sample.value
        elif name == "verdict" and sample.value == 1 and labels.get("verdict") in _VERDICTS:
            verdicts[key] = _VERDICTS[labels["verdict"]]
    read = ((key, _point(found), verdicts.get(key)) for key, found in numbers.items())
    return [(key, point, verdict) for key, point, verdict in read if point is not None]


def _point(found: Mapping[str, float]) -> Point | None:
    start, end = (instant(found.get(f"window_{w}_timestamp_seconds")) for w in ("start", "end"))
    if start is None or end is None or "value" not in found:
        return None
    rows = found.get("rows", math.nan)
    return Point(
        start=start,
        end=end,
        value=found["value"],
        low=found.get("low", math.nan),
        high=found.get("high", math.nan),
        n=int(rows) if math.isfinite(rows) and rows >= 0 else 0,
    )


def instant(seconds: float | None) -> datetime | None:
    """Return a moment from seconds since 1970; None for what is no moment."""
    if seconds is None or not math.isfinite(seconds):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def of_incidents(incidents: Iterable[Json]) -> list[Sample]:
    """Return how many incidents are open, by verdict; the ones that are over are not counted."""
    counts = Counter(
        "WARN" if i.get("verdict") == "WARN" else "ALERT" for i in incidents if not i.get("closed")
    )
    return [
        Sample(
            name="tidemill_incidents_open",
            value=float(counts[verdict]),
            labels=(("verdict", verdict),),
            help="Incidents that are open.",
        )
        for verdict in ("ALERT", "WARN")
    ]


def of_channels(standing: Iterable[Json]) -> list[Sample]:
    """Return how each channel does, from the rows that ``monitoring.sending.standing`` makes."""
    told = {
        "delivered": "Messages the channel took.",
        "failures": "Attempts that failed since it last took one.",
    }
    return [
        Sample(
            name=f"tidemill_channel_{name}",
            value=float(row[name]),
            labels=labelled({"channel": str(row["channel"])}),
            help=words,
        )
        for row in standing
        for name, words in told.items()
    ]
