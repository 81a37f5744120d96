"""Rates and quantiles between two scrapes, held against what was really observed."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import prometheus_client
import pytest

from tidemill.adapters.telemetry.prometheus_reader import read
from tidemill.adapters.telemetry.samples import Scrape
from tidemill.adapters.telemetry.scrapes import between, quantile
from tidemill.core.signals import Key

AT = datetime(2013, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def signals(before: Scrape | str, after: Scrape | str, **more: Any) -> dict[str, Any]:
    one, other = (read(s) if isinstance(s, str) else s for s in (before, after))
    span = {"start": AT, "end": AT + MINUTE, **more}
    return {str(key.metric): point for key, point in between(one, other, **span)}


def test_quantiles_of_latency_are_those_that_were_observed_in_between() -> None:
    rng = np.random.default_rng(0)
    registry = prometheus_client.CollectorRegistry()
    bounds = tuple(np.geomspace(0.001, 10, 81))
    slow = prometheus_client.Histogram("lat", "x", buckets=bounds, registry=registry)
    for v in rng.lognormal(1.0, 0.2, 500):  # before: must not count
        slow.observe(v)
    before = read(prometheus_client.generate_latest(registry))
    observed = rng.lognormal(-2, 0.7, 6000)
    for v in observed:
        slow.observe(v)
    found = signals(before, read(prometheus_client.generate_latest(registry)))
    for share, name in ((0.5, "lat_p50"), (0.95, "lat_p95"), (0.99, "lat_p99")):
        assert found[name].value == pytest.approx(np.quantile(observed, share), rel=0.06)
        assert found[name].n == 6000
    assert found["lat_per_second"].value == 100.0


def test_a_counter_that_was_started_anew_counts_from_zero() -> None:
    text = "# TYPE hits_total counter\nhits_total {}\n"
    assert signals(text.format(1000), text.format(60))["hits_per_second"].value == 1.0
    slow = '# TYPE s histogram\ns_bucket{{le="1"}} {}\ns_bucket{{le="+Inf"}} {}\n'
    # The first bucket is larger than before, and still all of it is new.
    found = signals(slow.format(5, 100), slow.format(20, 40))
    assert found["s_p50"].value == 1.0
    assert found["s_per_second"].n == 40


def test_whose_signal_it_is_stands_in_the_key() -> None:
    one = read('hits{model="v3",code="500",cohort="JFK"} 1')
    ((key, point),) = between(one, one, start=AT, end=AT + MINUTE)
    assert key == Key(kind="system", metric='hits{code="500"}', cohort="JFK", model="v3")
    assert (point.value, point.n) == (1.0, 1)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("", "# TYPE a_total counter\na_total 5", "only once"),
        ("# TYPE a_total counter\na_total NaN", "# TYPE a_total counter\na_total 5", "no finite"),
        ("", "a NaN", "told NaN"),
    ],
)
def test_what_cannot_be_known_is_nan_with_its_reason(before: str, after: str, why: str) -> None:
    (point,) = signals(before, after).values()
    assert math.isnan(point.value)
    assert point.n == 0
    assert why in point.why


def test_no_time_in_between_is_no_rate() -> None:
    text = "# TYPE a_total counter\na_total 5"
    (point,) = signals(text, text, end=AT).values()
    assert math.isnan(point.value)
    assert "not later" in point.why


@pytest.mark.parametrize(
    "buckets",
    [
        '{le="1"} 5',
        '{le="+Inf"} 5',
        '{le="x"} 5\ns_bucket{le="+Inf"} 6',
        '{le="1"} 9\ns_bucket{le="+Inf"} NaN',
        '{le="1"} 0\ns_bucket{le="+Inf"} 0',
        '{le="-1"} 9\ns_bucket{le="2"} 3\ns_bucket{le="+Inf"} 9',
    ],
)
def test_a_broken_histogram_never_looks_calm(buckets: str) -> None:
    zero = "# TYPE s histogram\ns_bucket" + "\ns_bucket".join(
        line.removeprefix("s_bucket").rpartition(" ")[0] + " 0" for line in buckets.split("\n")
    )
    found = signals(zero, "# TYPE s histogram\ns_bucket" + buckets)
    for name in ("s_p50", "s_p95", "s_p99"):
        assert math.isnan(found[name].value) == bool(found[name].why)


def test_beyond_the_last_bound_it_says_so() -> None:
    assert quantile([(1.0, 1.0), (math.inf, 100.0)], 0.5) == (1.0, "above 1, the last bound")
