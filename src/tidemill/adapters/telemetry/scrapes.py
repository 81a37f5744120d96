"""Signals of the time between two scrapes of a process: rates, quantiles, levels."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tidemill.adapters.telemetry.samples import Labels, Sample, Scrape
from tidemill.core.signals import Key, Point

QUANTILES = (0.5, 0.95, 0.99)
_NAMED = ("column", "cohort", "model")
_Found = tuple[str, Labels, float, int, str]


def between(
    before: Scrape, after: Scrape, *, start: datetime, end: datetime
) -> list[tuple[Key, Point]]:
    r"""Return the signals of the time between two scrapes.

    A gauge is its value at the second; a counter becomes ``..._per_second``; a histogram becomes
    ``..._p50``, ``_p95``, ``_p99`` and ``..._per_second``, a summary its quantiles. A counter that
    fell was started anew, and counts from 0. What the first scrape did not hold has no rate yet,
    and says so. Labels ``model``, ``cohort`` and ``column`` say whose signal it is; others stand
    in its name.

    Parameters
    ----------
    before, after
        The two scrapes.
    start, end
        When they were made.

    References
    ----------
    .. [1] Prometheus documentation, ``rate`` and ``histogram_quantile``.

    Examples
    --------
    >>> from tidemill.adapters.telemetry.prometheus_reader import read
    >>> was, is_ = (read(f"# TYPE hits_total counter\nhits_total {n}") for n in (10, 70))
    >>> at = datetime.fromisoformat
    >>> found = between(was, is_, start=at("2013-02-08T00:00:00Z"), end=at("2013-02-08T00:01:00Z"))
    >>> [(key.metric, point.value) for key, point in found]
    [('hits_per_second', 1.0)]
    """
    old = {(s.name, s.labels): s.value for s in before.samples}
    seconds = (end - start).total_seconds()
    found = [*_plain(after.samples, old, seconds), *_histograms(after.samples, old, seconds)]
    return [
        (
            _key(metric, labels),
            Point(start=start, end=end, value=value, n=max(n, 0), why=why),
        )
        for metric, labels, value, n, why in found
    ]


def _key(metric: str, labels: Labels) -> Key:
    """Put labels that say whose signal it is in their place, the others in the name."""
    whose = {name: value for name, value in labels if name in _NAMED}
    rest = ",".join(f'{name}="{value}"' for name, value in labels if name not in _NAMED)
    return Key(kind="system", metric=f"{metric}{{{rest}}}" if rest else metric, **whose)


def _plain(
    samples: Sequence[Sample], old: Mapping[tuple[str, Labels], float], seconds: float
) -> Iterator[_Found]:
    for s in samples:
        if s.name.endswith("_created") and s.kind in ("counter", "histogram", "summary"):
            continue  # when it was made; no signal
        if s.kind in ("gauge", "unknown") or (s.kind == "summary" and s.name == s.family):
            why = "the process told NaN" if math.isnan(s.value) else ""
            yield s.name, s.labels, s.value, int(not why), why
        elif s.kind == "counter" or (s.kind == "summary" and s.name.endswith("_count")):
            name = f"{s.family}_per_second"
            grown, why = _grown(s, old)
            rate = grown / seconds if seconds > 0 else math.nan
            yield name, s.labels, rate, _rows(grown), why or ("" if seconds > 0 else _NO_TIME)


_NO_TIME = "the second scrape is not later than the first"


def _grown(sample: Sample, old: Mapping[tuple[str, Labels], float]) -> tuple[float, str]:
    """Return by how much a counter grew, or why that cannot be known."""
    was = old.get((sample.name, sample.labels))
    if was is None:
        return math.nan, "it was seen only once"
    if not (math.isfinite(was) and math.isfinite(sample.value)):
        return math.nan, "the process told no finite count"
    return (sample.value if sample.value < was else sample.value - was), ""


def _rows(grown: float) -> int:
    return int(grown) if math.isfinite(grown) else 0


def _histograms(
    samples: Sequence[Sample], old: Mapping[tuple[str, Labels], float], seconds: float
) -> Iterator[_Found]:
    families: dict[tuple[str, Labels], list[Sample]] = defaultdict(list)
    for s in samples:
        if s.kind == "histogram" and s.name.endswith("_bucket"):
            labels = tuple(pair for pair in s.labels if pair[0] != "le")
            families[s.family, labels].append(s)
    for (family, labels), buckets in families.items():
        # When one of its counts fell, all of them began anew, even those that are larger now.
        anew = any(b.value < old.get((b.name, b.labels), -math.inf) for b in buckets)
        was = {(b.name, b.labels): 0.0 for b in buckets} if anew else old
        grown = [(_bound(b), *_grown(b, was)) for b in buckets]
        why = next((w for _, _, w in grown if w), "")
        if any(math.isnan(bound) for bound, _, _ in grown):
            why = why or "a bucket has no bound"
        cumulative = sorted((bound, count) for bound, count, w in grown if not w)
        if not why and (not cumulative or cumulative[-1][0] != math.inf):
            why = "its buckets do not reach infinity"
        total = math.nan if why else max(count for _, count in cumulative)
        for share in QUANTILES:
            value, told = (math.nan, why) if why else quantile(cumulative, share)
            yield f"{family}_p{100 * share:g}", labels, value, _rows(total), told
        rate = total / seconds if seconds > 0 else math.nan
        yield (
            f"{family}_per_second",
            labels,
            rate,
            _rows(total),
            why or ("" if seconds > 0 else _NO_TIME),
        )


def _bound(bucket: Sample) -> float:
    try:
        return float(dict(bucket.labels).get("le", ""))
    except ValueError:
        return math.nan


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> tuple[float, str]:
    """Return a quantile of a histogram, as if values lay evenly in their bucket, and what to know.

    Parameters
    ----------
    buckets
        The upper bound and the count up to it of each bucket, ascending; the last bound is
        infinity.
    share
        Which quantile.

    Returns
    -------
    value : float
        NaN when there are no values. In the bucket without an end it is the last bound, and the
        true value lies above it.
    why : str
        Why it is NaN or a bound; else empty.

    Examples
    --------
    >>> quantile([(0.25, 50.0), (0.75, 90.0), (float("inf"), 100.0)], 0.7)
    (0.5, '')
    """
    below, low, counts = 0.0, 0.0, []
    for bound, count in buckets:  # whoever counts wrongly does not make shares negative
        below = max(below, count)
        counts.append((bound, below))
    if not counts or not math.isfinite(below) or below <= 0:
        return math.nan, "nothing was counted in this time"
    rank, before = share * below, 0.0
    for k, (bound, count) in enumerate(counts):
        if count >= rank and count > before:
            if bound == math.inf:
                return (low, f"above {low:g}, the last bound") if k else (math.nan, _ONE)
            first = k == 0 and bound <= 0
            value = bound if first else low + (bound - low) * (rank - before) / (count - before)
            return value, ""
        before, low = count, bound
    return math.nan, "its buckets cannot be read"


_ONE = "it has one bucket only"
