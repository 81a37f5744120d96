"""OTLP/JSON both ways, held against the real messages of the protocol."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from tidemill.adapters.telemetry.opentelemetry import write
from tidemill.adapters.telemetry.opentelemetry_reader import read
from tidemill.adapters.telemetry.prometheus_reader import read as read_text
from tidemill.adapters.telemetry.samples import Sample, of_signals, signals_of
from tidemill.core.errors import BadInput
from tidemill.core.signals import Key, Point
from tidemill.core.verdict import Verdict

AT = datetime(2013, 2, 8, 1, 2, 3, 456789, tzinfo=UTC)
SAMPLES = read_text(
    """\
# TYPE hits counter
hits_total{code="5\\"00\\n猫"} 12
# TYPE slow histogram
slow_bucket{le="0.1"} 3
slow_bucket{le="1.0"} 7
slow_bucket{le="+Inf"} 9
slow_count 9
slow_sum 4.5
# TYPE quick summary
quick{quantile="0.5"} 0.25
quick_count 4
quick_sum 2
# TYPE level gauge
level NaN
level{a="b"} -Inf
"""
).samples


def through_the_protocol(document: Any) -> Any:
    """Parse with the real messages, and write them again the way other programs do."""
    message = json_format.ParseDict(json.loads(json.dumps(document)), ExportMetricsServiceRequest())
    return json_format.MessageToDict(message)


def shown(samples: Any) -> list[str]:
    return sorted(f"{s.name} {s.labels} {s.kind} {s.value}" for s in samples)


def test_the_real_protocol_reads_ours_and_we_read_what_it_writes() -> None:
    document = write(SAMPLES, at=AT, resource={"service.name": "eta"})
    expected = [replace(s, labels=tuple(sorted((*s.labels, ("job", "eta"))))) for s in SAMPLES]
    for form in (document, through_the_protocol(document)):
        found = read(form)
        assert found.problems == ()
        assert shown(found.samples) == shown(expected)
        assert {s.at for s in found.samples} == {AT}


def test_signals_come_back_as_they_were() -> None:
    key = Key(kind="drift", metric="drift", column='hu"mid', cohort="JFK")
    where = {"start": AT, "end": AT + timedelta(days=1), "n": 7}
    rows = [
        (key, Point(value=0.5, low=0.1, **where), Verdict.ALERT),
        (Key(kind="quality", metric="x"), Point(value=math.nan, **where), Verdict.NO_VERDICT),
    ]
    back = signals_of(read(through_the_protocol(write(of_signals(rows), at=AT))).samples)
    assert repr(back) == repr(rows)


def test_a_value_that_was_not_measured_has_the_flag_and_no_number() -> None:
    (metric,) = write([Sample(name="x", value=math.nan)], at=AT)["resourceMetrics"][0][
        "scopeMetrics"
    ][0]["metrics"]
    assert metric["gauge"]["dataPoints"] == [{"timeUnixNano": "1360285323456789000", "flags": 1}]


def test_the_example_of_the_specification_is_read() -> None:
    # The shape of examples/metrics.json of opentelemetry-proto: int64 as text, attributes as values.
    point = {
        "startTimeUnixNano": "1544712660300000000",
        "timeUnixNano": "1544712660300000000",
        "attributes": [{"key": "my.attr", "value": {"stringValue": "some value"}}],
    }
    metrics = [
        {
            "name": "my.counter",
            "sum": {
                "aggregationTemporality": 2,
                "isMonotonic": True,
                "dataPoints": [{**point, "asInt": "5"}],
            },
        },
        {"name": "my.gauge", "gauge": {"dataPoints": [{**point, "asDouble": 10}]}},
        {
            "name": "my.histogram",
            "histogram": {
                "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
                "dataPoints": [
                    {**point, "count": 2, "sum": 2, "bucketCounts": [1, 1], "explicitBounds": [1]}
                ],
            },
        },
        {
            "name": "my.delta",
            "sum": {"aggregationTemporality": 1, "dataPoints": [{**point, "asDouble": 5}]},
        },
        {"name": "my.exponential", "exponentialHistogram": {"dataPoints": [point]}},
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]}
    entry = {"resource": resource, "scopeMetrics": [{"scope": {}, "metrics": metrics}]}
    found = read({"resourceMetrics": [entry]})
    assert {(s.name, s.value, dict(s.labels).get("le")) for s in found.samples} == {
        ("my.counter", 5.0, None),
        ("my.gauge", 10.0, None),
        ("my.histogram_bucket", 1.0, "1.0"),
        ("my.histogram_bucket", 2.0, "+Inf"),
        ("my.histogram_count", 2.0, None),
        ("my.histogram_sum", 2.0, None),
    }
    assert {dict(s.labels)["job"] for s in found.samples} == {"my.service"}
    assert [p.partition(":")[0] for p in found.problems] == ["'my.delta'", "'my.exponential'"]


HOSTILE: list[Any] = [
    {"resourceMetrics": [None, 3, {"scopeMetrics": "x"}, {"scopeMetrics": [{"metrics": [4]}]}]},
    {"resourceMetrics": []},
    {},
]
BROKEN: list[Any] = [
    {"name": "", "gauge": {"dataPoints": []}},
    {"name": "a", "gauge": {"dataPoints": [{"timeUnixNano": "soon", "asDouble": 1}]}},
    {"name": "a", "gauge": {"dataPoints": [{"timeUnixNano": "9" * 5000, "asDouble": 1}]}},
    {"name": "a", "gauge": {"dataPoints": [{"asDouble": [1]}]}},
    {"name": "a", "gauge": {"dataPoints": [{}]}},
    {"name": "a", "histogram": {"dataPoints": [{"bucketCounts": [1], "explicitBounds": [1]}]}},
    {"name": "a", "sum": {"aggregationTemporality": [], "dataPoints": []}},
    {"name": "a"},
]


@pytest.mark.parametrize("document", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_empty_gives_nothing(document: Any) -> None:
    assert read(document).samples == ()


@pytest.mark.parametrize("metric", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_metric_costs_only_itself(metric: Any) -> None:
    good = {"name": "good", "gauge": {"dataPoints": [{"asInt": "1"}]}}
    found = read({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric, good]}]}]})
    assert [s.name for s in found.samples] == ["good"]
    assert len(found.problems) == 1


@pytest.mark.parametrize("document", [None, "x", 3, [], {"resourceMetrics": 3}])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(BadInput, match="Fix:"):
        read(document)
