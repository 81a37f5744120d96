"""Samples as OTLP/JSON metrics; no SDK is needed.

A counter is a cumulative, monotonic sum; a gauge is a gauge; a histogram and a summary are theirs.
A value that could not be measured is a point with the flag ``NO_RECORDED_VALUE``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from tidemill.adapters.telemetry.samples import Labels, Sample
from tidemill.core.ports import Json

_CUMULATIVE = 2
_NO_VALUE = 1
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def write(
    samples: Iterable[Sample], *, at: datetime, resource: Mapping[str, str] | None = None
) -> Json:
    """Write samples as the JSON of an ``ExportMetricsServiceRequest``.

    Parameters
    ----------
    samples
        In any order.
    at
        When samples were measured that do not say when.
    resource
        What they were measured of, such as ``{"service.name": "eta"}``.

    References
    ----------
    .. [1] OpenTelemetry Protocol 1.9, "JSON Protobuf Encoding", and ``metrics.proto``.

    Examples
    --------
    >>> found = write([Sample(name="up", value=1.0)], at=_EPOCH, resource={"service.name": "eta"})
    >>> found["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    [{'name': 'up', 'gauge': {'dataPoints': [{'timeUnixNano': '0', 'asDouble': 1.0}]}}]
    """
    families: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        families[sample.family if sample.kind in ("histogram", "summary") else sample.name].append(
            sample
        )
    scope = {
        "scope": {"name": "tidemill"},
        "metrics": [_metric(name, family, at) for name, family in families.items()],
    }
    attributes = _attributes(tuple((resource or {"service.name": "tidemill"}).items()))
    return {"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [scope]}]}


def _metric(name: str, family: Sequence[Sample], at: datetime) -> Json:
    kind, words = family[0].kind, family[0].help
    metric: Json = {"name": name} | ({"description": _text(words)} if words else {})
    if kind == "histogram":
        points = [_histogram(labels, own, at) for labels, own in _series(family, "le")]
        return metric | {"histogram": {"dataPoints": points, "aggregationTemporality": _CUMULATIVE}}
    if kind == "summary":
        points = [_summary(labels, own, at) for labels, own in _series(family, "quantile")]
        return metric | {"summary": {"dataPoints": points}}
    points = [{**_head(s.labels, s.at or at), **_value(s.value)} for s in family]
    if kind == "counter":
        shape = {"aggregationTemporality": _CUMULATIVE, "isMonotonic": True}
        return metric | {"sum": {"dataPoints": points, **shape}}
    return metric | {"gauge": {"dataPoints": points}}


def _series(family: Sequence[Sample], without: str) -> Iterator[tuple[Labels, list[Sample]]]:
    found: dict[Labels, list[Sample]] = defaultdict(list)
    for sample in family:
        found[tuple(pair for pair in sample.labels if pair[0] != without)].append(sample)
    yield from found.items()


def _histogram(labels: Labels, family: Sequence[Sample], at: datetime) -> Json:
    buckets = sorted(
        (_bound(dict(s.labels).get("le", "")), _count(s.value))
        for s in family
        if s.name.endswith("_bucket")
    )
    counts = [
        max(0, count - before)
        for (_, count), before in zip(buckets, [0, *(c for _, c in buckets)], strict=False)
    ]
    bounds = [bound for bound, _ in buckets if math.isfinite(bound)]
    if len(counts) == len(bounds):  # the last bucket, up to infinity, was not told
        counts.append(max(0, _count(_part(family, "_count")) - (buckets[-1][1] if buckets else 0)))
    point = _head(labels, family[0].at or at) | {
        "count": str(sum(counts)),
        "explicitBounds": bounds,
        "bucketCounts": [str(count) for count in counts],
    }
    total = _part(family, "_sum")
    return point if math.isnan(total) else point | {"sum": _double(total)}


def _summary(labels: Labels, family: Sequence[Sample], at: datetime) -> Json:
    quantiles = [
        {"quantile": _double(_bound(dict(s.labels)["quantile"])), "value": _double(s.value)}
        for s in family
        if "quantile" in dict(s.labels)
    ]
    total = _part(family, "_sum")
    return _head(labels, family[0].at or at) | {
        "count": str(_count(_part(family, "_count"))),
        "sum": _double(0.0 if math.isnan(total) else total),
        "quantileValues": quantiles,
    }


def _part(family: Sequence[Sample], suffix: str) -> float:
    return next((s.value for s in family if s.name.endswith(suffix)), math.nan)


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _count(value: float) -> int:
    return int(value) if math.isfinite(value) and value > 0 else 0


def _head(labels: Labels, at: datetime) -> Json:
    nanos = (at - _EPOCH) // timedelta(microseconds=1) * 1000
    head: Json = {"attributes": _attributes(labels)} if labels else {}
    return head | {"timeUnixNano": str(max(0, nanos))}


def _value(value: float) -> Json:
    return {"flags": _NO_VALUE} if math.isnan(value) else {"asDouble": _double(value)}


def _double(value: float) -> float | str:
    """Return a number as protobuf's JSON holds it, which has words for what JSON has not."""
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _attributes(labels: Labels) -> list[Json]:
    return [{"key": _text(k), "value": {"stringValue": _text(v)}} for k, v in labels]


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
