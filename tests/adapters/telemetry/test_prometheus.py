"""Exposition text both ways: the official parsers read ours, and we read whatever there is."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import prometheus_client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_fd_to_metric_families as official_openmetrics,
)
from prometheus_client.parser import text_fd_to_metric_families as official

from tidemill.adapters.telemetry import prometheus_reader
from tidemill.adapters.telemetry.prometheus import write
from tidemill.adapters.telemetry.prometheus_reader import MOST_BYTES, read, scrape
from tidemill.adapters.telemetry.samples import (
    Sample,
    labelled,
    of_channels,
    of_incidents,
    of_signals,
    signals_of,
)
from tidemill.core.errors import BadInput
from tidemill.core.signals import Key, Point
from tidemill.core.verdict import Verdict

AT = datetime(2013, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
WEIRD = ['say "it"', "C:\\new\nline", "\\", '\\"', "猫 {}=,#", "\\n", "a\rb\tc", "# EOF", "  "]


def point(value: float = 0.7, *, days: int = 1, **more: Any) -> Point:
    return Point(start=AT, end=AT + days * DAY, value=value, n=10, **more)


def pairs(text: str, *, openmetrics: bool = False) -> dict[Any, float]:
    """What the official parser reads."""
    parser = official_openmetrics if openmetrics else official
    families = parser(io.StringIO(text, newline="\n"))
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def ours(samples: Any) -> dict[Any, float]:
    return {(s.name, s.labels): s.value for s in samples}


def same(one: dict[Any, float], other: dict[Any, float]) -> None:
    assert one.keys() == other.keys()
    assert all(a == other[k] or (math.isnan(a) and math.isnan(other[k])) for k, a in one.items())


SIGNALS = [
    (
        Key(kind="performance", metric="auc", cohort=weird, column=weird, model="v3"),
        point(k / 7, low=0.1, high=0.9),
        list(Verdict)[k % 4],
    )
    for k, weird in enumerate(WEIRD)
]
SIGNALS += [(Key(kind="drift", metric="drift"), point(math.nan), Verdict.NO_VERDICT)]
SIGNALS += [(Key(kind="system", metric="x"), point(math.inf), None)]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_official_parser_reads_every_signal(openmetrics: bool) -> None:
    samples = of_signals(SIGNALS)
    same(pairs(write(samples, openmetrics=openmetrics), openmetrics=openmetrics), ours(samples))


@pytest.mark.parametrize("openmetrics", [False, True])
def test_signals_come_back_as_they_were(openmetrics: bool) -> None:
    text = write(of_signals(SIGNALS), openmetrics=openmetrics)
    found = read(text)
    assert found.problems == ()
    back = {key: (p, v) for key, p, v in signals_of(found.samples)}
    assert len(back) == len(SIGNALS)
    for key, was, verdict in SIGNALS:
        assert back[key][1] == verdict
        assert repr(back[key][0]) == repr(was)  # NaN is not equal to itself


def test_of_a_signal_the_last_window_is_told() -> None:
    key = Key(kind="drift", metric="drift")
    rows = [(key, point(float(d), days=d), Verdict.OK) for d in (1, 3, 2)]
    assert [p.value for _, p, _ in signals_of(of_signals(rows))] == [3.0]


def test_a_metric_that_is_broken_does_not_look_calm() -> None:
    text = write(of_signals([(Key(kind="drift", metric="d"), point(math.nan), Verdict.NO_VERDICT)]))
    assert 'tidemill_signal_value{kind="drift",metric="d"} NaN' in text
    assert 'verdict="NO_VERDICT"} 1.0' in text
    assert 'verdict="OK"} 0.0' in text


def test_incidents_and_channels_are_counted() -> None:
    incidents = [{"id": "a"}, {"verdict": "WARN"}, {"closed": AT.isoformat()}, {"closed": None}]
    channels = [{"channel": 'c"', "delivered": 3, "failures": 2}]
    found = pairs(write([*of_incidents(incidents), *of_channels(channels)]))
    assert found == {
        ("tidemill_incidents_open", (("verdict", "ALERT"),)): 2,
        ("tidemill_incidents_open", (("verdict", "WARN"),)): 1,
        ("tidemill_channel_delivered", (("channel", 'c"'),)): 3,
        ("tidemill_channel_failures", (("channel", 'c"'),)): 2,
    }
    assert pairs(write(of_incidents([])))["tidemill_incidents_open", (("verdict", "ALERT"),)] == 0


def test_names_are_made_fit_and_never_clash() -> None:
    samples = [
        Sample(name="http.server.duration", value=1.0, labels=(("a-b", "1"), ("a_b", "2"))),
        Sample(name="http_server_duration", value=2.0, labels=(("a_b", "1"), ("a_b_", "2"))),
        Sample(name="9x", value=3.0, labels=(("__name__", "x"), ("7", "y"))),
    ]
    found = pairs(write(samples))
    assert found == {
        ("http_server_duration", (("a_b", "1"), ("a_b_", "2"))): 2.0,
        ("_9x", (("label_7", "y"), ("label___name__", "x"))): 3.0,
    }


def test_times_are_told_in_the_unit_of_the_form() -> None:
    samples = [Sample(name="a", value=1.0, at=AT + timedelta(milliseconds=1500))]
    for openmetrics in (False, True):
        text = write(samples, openmetrics=openmetrics, times=True)
        assert read(text).samples[0].at == samples[0].at
        (family,) = (official_openmetrics if openmetrics else official)(io.StringIO(text))
        assert float(family.samples[0].timestamp) == samples[0].at.timestamp()  # type: ignore[union-attr]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_counters_and_histograms_keep_their_kind(openmetrics: bool) -> None:
    registry = prometheus_client.CollectorRegistry()
    hits = prometheus_client.Counter("hits", "Hits \\ of\nall.", ["code"], registry=registry)
    hits.labels('5"00').inc(3)
    slow = prometheus_client.Histogram("slow", "Slow.", buckets=(0.1, 1.0), registry=registry)
    slow.observe(0.5)
    prometheus_client.Summary("sum", "Sum.", registry=registry).observe(2)
    prometheus_client.Gauge("up", "Up.", registry=registry).set(1)
    if openmetrics:
        from prometheus_client.openmetrics.exposition import generate_latest
    else:
        from prometheus_client import generate_latest
    text = generate_latest(registry).decode()
    found = read(text)
    assert found.problems == ()
    same(ours(found.samples), pairs(text, openmetrics=openmetrics))
    kinds = {s.name: s.kind for s in found.samples}
    assert kinds["hits_total"] == "counter"
    assert kinds["slow_bucket"] == kinds["slow_sum"] == kinds["slow_count"] == "histogram"
    assert kinds["sum_count"] == "summary"
    assert kinds["up"] == "gauge"
    assert next(s.help for s in found.samples if s.name == "hits_total") == "Hits \\ of\nall."
    again = [s for s in found.samples if not s.name.endswith("_created")]
    text = write(again, openmetrics=openmetrics)
    same(pairs(text, openmetrics=openmetrics), ours(again))
    assert [s.kind for s in read(text).samples] == [s.kind for s in again]


label = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), label), st.floats(), st.booleans())
def test_any_label_and_any_number_come_back(
    labels: dict[str, str], value: float, openmetrics: bool
) -> None:
    sample = Sample(name="x", value=value, labels=labelled(labels))
    text = write([sample], openmetrics=openmetrics)
    found = read(text, openmetrics=openmetrics)
    assert found.problems == ()
    same(ours(found.samples), ours([sample]))
    same(pairs(text, openmetrics=openmetrics), ours([sample]))


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab_{}=",\\# \n\t19.eE+-NaInf\x00é'), max_size=60))
def test_hostile_text_is_read_or_told_never_raised(text: str) -> None:
    found = read(text)
    lines = [one for one in text.split("\n") if one.strip(" \t\r") and one.strip()[:1] != "#"]
    assert len(found.samples) + len(found.problems) <= len(lines)
    assert bool(found.samples or found.problems) == bool(
        [one for one in text.split("\n") if (s := one.strip(" \t\r")) and not s.startswith("#")]
    )


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a 1 2 3",
        "a 1_000",
        "a ٣",
        "a 0x10",
        "{} 1",
        'a{b="c} 1',
        'a{b="c"',
        'a{b="c",b="d"} 1',
        "a{b=c} 1",
        'a{="c"} 1',
        'a{b="c" d="e"} 1',
        "a 1 soon",
    ],
)
def test_a_line_that_follows_neither_form_costs_only_itself(line: str) -> None:
    found = read(f"good 1\n{line}\nalso 2\n")
    assert [s.name for s in found.samples] == ["good", "also"]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("line 2: ")


def test_what_other_writers_may_do_is_read() -> None:
    text = (
        '{"my.metric",a="b",} 1e3 # {trace="x"} 0.5\n'
        ' b { c = "d" , } +Inf 1500\n'
        "\n# a comment {\nd NaN\na{} 2\r\n"
    )
    found = read(text)
    assert found.problems == ()
    assert [(s.name, s.labels) for s in found.samples] == [
        ("my.metric", (("a", "b"),)),
        ("b", (("c", "d"),)),
        ("d", ()),
        ("a", ()),
    ]
    assert found.samples[1].at == datetime.fromtimestamp(1.5, UTC)


def test_too_much_is_bounded(monkeypatch: Any) -> None:
    with pytest.raises(BadInput, match="Fix:"):
        read("a" * (MOST_BYTES + 1))
    monkeypatch.setattr(prometheus_reader, "MOST_SAMPLES", 50)
    found = read("".join(f"a{k} 1\n" for k in range(55)))
    assert len(found.samples) == 50
    assert "more than" in found.problems[-1]
    assert len(read("?\n" * 1000).problems) == 20
    long = read('a{b="' + "\\" * 2**17 + '"} 1\nc 1')
    assert [s.name for s in long.samples] == ["c"]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        form = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        self.send_response(200 if self.path == "/metrics" else 404)
        self.send_header("Content-Type", form)
        self.end_headers()
        self.wfile.write(
            write([Sample(name="up", value=1.0, at=AT)], openmetrics=True, times=True).encode()
        )

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def place() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_is_scraped(place: str) -> None:
    assert scrape(f"{place}/metrics").samples == (
        Sample(name="up", value=1.0, kind="gauge", at=AT),
    )


def test_a_page_that_is_not_there_is_told(place: str) -> None:
    for url in (f"{place}/other", "http://127.0.0.1:1/metrics", "file:///etc/hostname"):
        with pytest.raises(BadInput, match="Fix:"):
            scrape(url)
