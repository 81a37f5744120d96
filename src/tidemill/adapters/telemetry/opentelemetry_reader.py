"""Read OTLP/JSON metrics, whoever wrote them; what cannot be read is told."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tidemill.adapters.telemetry.samples import Sample, Scrape, labelled
from tidemill.core.errors import BadInput
from tidemill.core.ports import Json

_NO_VALUE = 1
_SUMMED = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")
_EPOCH = datetime.fromtimestamp(0, UTC)
_RESOURCE = {"service.name": "job", "service.instance.id": "instance"}
"""What of a resource becomes a label, under the names that Prometheus gives it."""
_MOST_PROBLEMS = 20
_DIGITS = 20
_SHAPES = {"gauge": "gauge", "sum": "counter", "histogram": "histogram", "summary": "summary"}
_Parts = Iterator[tuple[str, dict[str, str], float]]


def read(document: object) -> Scrape:
    """Read the JSON of an ``ExportMetricsServiceRequest``, as far as it can be read.

    Histograms become samples ``_bucket``, ``_sum`` and ``_count``, as Prometheus has them.
    Of the resource, ``service.name`` and ``service.instance.id`` become the labels ``job`` and
    ``instance``. Deltas and exponential histograms are told as problems: what they add up to
    cannot be known from one message.

    Parameters
    ----------
    document
        The document, or one ``resourceMetrics`` entry of it.

    Raises
    ------
    BadInput
        If it is no such document at all.
    """
    entries = document.get("resourceMetrics", [document]) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise BadInput(
            "the metrics are no OTLP document.", fix="pass JSON with a list 'resourceMetrics'."
        )
    samples: list[Sample] = []
    problems: list[str] = []
    for metric, labels in _metrics(entries):
        name = metric.get("name")
        if not isinstance(name, str) or not name:
            problems.append("a metric has no name")
            continue
        try:
            samples += _read_metric(name, metric, labels)
        except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
            problems.append(f"{name[:60]!r}: {error}")
    return Scrape(samples=tuple(samples), problems=tuple(problems[:_MOST_PROBLEMS]))


def _metrics(entries: Iterable[Any]) -> Iterator[tuple[Json, dict[str, str]]]:
    for entry in _dicts(entries):
        resource = entry.get("resource")
        about = _read_attributes(resource.get("attributes") if isinstance(resource, dict) else [])
        labels = {_RESOURCE[k]: v for k, v in about.items() if k in _RESOURCE}
        for scope in _dicts(entry.get("scopeMetrics")):
            for metric in _dicts(scope.get("metrics")):
                yield metric, labels


def _read_metric(name: str, metric: Json, labels: Mapping[str, str]) -> list[Sample]:
    shape = next((s for s in _SHAPES if isinstance(metric.get(s), dict)), None)
    if shape is None:
        raise ValueError("it is neither a gauge, a sum, a histogram nor a summary")
    data: Json = metric[shape]
    temporality = data.get("aggregationTemporality", 2)
    if shape in ("sum", "histogram") and temporality not in _SUMMED:
        raise ValueError("it tells only changes; send cumulative ones")
    kind = _SHAPES[shape]
    if shape == "sum" and data.get("isMonotonic") is not True:
        kind = "gauge"
    found: list[Sample] = []
    for point in _dicts(data.get("dataPoints")):
        common: Json = {
            "kind": kind,
            "help": str(metric.get("description") or ""),
            "at": _moment(_whole(point.get("timeUnixNano", 0))),
        }
        own = {**labels, **_read_attributes(point.get("attributes"))}
        for suffix, more, value in _READERS.get(shape, _plain)(point):
            all_labels = labelled({**own, **more})
            found.append(Sample(name=name + suffix, value=value, labels=all_labels, **common))
    return found


def _plain(point: Json) -> _Parts:
    if _whole(point.get("flags", 0)) & _NO_VALUE:
        yield "", {}, math.nan
    elif "asInt" in point:
        yield "", {}, float(_whole(point["asInt"]))
    else:
        yield "", {}, _number(point["asDouble"])


def _buckets(point: Json) -> _Parts:
    counts = [_whole(count) for count in point.get("bucketCounts") or []]
    bounds = [_number(bound) for bound in point.get("explicitBounds") or []]
    if counts and len(counts) != len(bounds) + 1:
        raise ValueError(f"{len(counts)} counts do not fit {len(bounds)} bounds")
    below = 0
    for bound, count in zip([*bounds, math.inf], counts, strict=False):
        below += count
        yield "_bucket", {"le": "+Inf" if bound == math.inf else repr(bound)}, float(below)
    yield "_count", {}, float(_whole(point.get("count", below)))
    if "sum" in point:
        yield "_sum", {}, _number(point["sum"])


def _quantiles(point: Json) -> _Parts:
    for one in _dicts(point.get("quantileValues")):
        share = _number(one.get("quantile", 0.0))
        yield "", {"quantile": repr(share)}, _number(one.get("value", 0.0))
    yield "_count", {}, float(_whole(point.get("count", 0)))
    yield "_sum", {}, _number(point.get("sum", 0.0))


_READERS = {"histogram": _buckets, "summary": _quantiles}


def _moment(nanos: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanos // 1000)


def _dicts(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{str(value)[:60]!r} is no number")
    return float(value)


def _whole(value: object) -> int:
    """Read a whole number, which protobuf's JSON writes as text."""
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > _DIGITS:
        raise TypeError(f"{str(value)[:60]!r} is no whole number")
    return int(value)


def _read_attributes(value: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in _dicts(value):
        key, held = one.get("key"), one.get("value")
        if isinstance(key, str) and isinstance(held, dict) and held:
            found[key] = _read_value(held)
    return found


def _read_value(held: Json) -> str:
    if "stringValue" in held:
        return str(held["stringValue"])
    if isinstance(held.get("boolValue"), bool):
        return str(held["boolValue"]).lower()
    if "intValue" in held or "doubleValue" in held:
        return str(held.get("intValue", held.get("doubleValue")))
    return json.dumps(held, sort_keys=True)
