"""Tables and blobs in a bucket: the promises of the ports, and a store that answers badly."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.adapters.stores.fetched import Fetched
from tidemill.adapters.stores.objects import BucketBlobs
from tidemill.adapters.stores.places import Bucket
from tidemill.core.errors import BadValue, Damaged, Unreachable
from tidemill.testing import data
from tidemill.testing.bench import Bench
from tidemill.testing.blobs import BLOBS
from tidemill.testing.events import EVENTS


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return DuckDBEngine()


@pytest.fixture
def proxy(servers: Any, object_store: Any) -> Any:
    return partial(servers.proxy, object_store.port)


@pytest.fixture
def each(servers: Any) -> Any:
    return servers.each


@pytest.fixture
def place(object_store: Any, tmp_path: Path) -> Bucket:
    return Bucket(f"s3://{object_store.bucket}/{tmp_path.name}", object_store.endpoint)


# How values and bounds are kept does not depend on where: the suite of folders shows it.
HERE = [p for p in EVENTS if p.__name__ not in ("values_come_back_as_they_were",
                                                "bounds_never_lose_a_row")]  # fmt: skip


@pytest.mark.parametrize("promise", HERE, ids=lambda f: f.__name__)
def test_promises_of_events(
    promise: Any, object_store: Any, engine: DuckDBEngine, tmp_path: Path
) -> None:
    def make(folder: Path) -> DeltaEvents:
        name = "/".join(folder.parts[-2:])
        at = Bucket(f"s3://{object_store.bucket}/{name}", object_store.endpoint)
        return DeltaEvents(at, copies=tmp_path / "copies")

    promise(Bench(make=make, folder=tmp_path / "t", engine=engine))


def flip(blobs: BucketBlobs, folder: Path, kind: str, digest: str) -> None:
    blobs._place.put(f"{kind}/{digest}", b"torn")


@pytest.mark.parametrize("promise", BLOBS, ids=lambda f: f.__name__)
def test_promises_of_blobs(promise: Any, place: Bucket, tmp_path: Path) -> None:
    promise(Bench(make=lambda _: BucketBlobs(place), folder=tmp_path, damage=flip))


FAULTS = ("503", "lost 503", "cut", "lost cut", "twice", "slow")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_commit_is_there_exactly_once_however_badly_the_store_answers(
    fault: str, place: Bucket, proxy: Any, each: Any, tmp_path: Path
) -> None:
    with proxy() as (endpoint, faults):
        faults.seconds = 0.2
        events = DeltaEvents(Bucket(place.url, endpoint), copies=tmp_path / "copies")
        blobs = BucketBlobs(Bucket(place.url, endpoint) / "store")
        events.append("records", data.records(3), writer="w", sequence=0)
        spoiled = [("PUT", "_delta_log/0"), ("PUT", ".parquet"), ("GET", "_delta_log")]
        for k, (method, part) in enumerate(spoiled, start=1):
            faults.plan = each(fault, method=method, part=part)
            rows = data.records(3, start=10 * k)
            assert events.append("records", rows, writer="w", sequence=k)
            assert not events.append("records", rows, writer="w", sequence=k)
        faults.plan = each(fault, method="PUT", part="/store/")
        digest = blobs.put("model", b"model")
        faults.plan = each(fault, method="GET", part="/store/")
        assert blobs.get("model", digest) == b"model"
        faults.plan = each(fault, method="GET", part=".parquet")
        engine = DuckDBEngine()
        rows = engine.arrow(engine.table(events.snapshot("records")))
        assert faults.did[fault] >= 5
    assert rows.num_rows == len(set(rows["record_id"].to_pylist())) == 12


@pytest.mark.parametrize("fault", ["503", "cut"])
def test_a_store_that_keeps_failing_is_told_in_one_line_and_the_next_try_finishes(
    fault: str, place: Bucket, proxy: Any, each: Any
) -> None:
    with proxy() as (endpoint, faults):
        events = DeltaEvents(Bucket(place.url, endpoint, attempts=2))
        blobs = BucketBlobs(Bucket(place.url, endpoint, attempts=2))
        faults.plan = each(fault, method="PUT", part="", times=1000)
        for call in (
            lambda: events.append("records", data.records(3), writer="w", sequence=1),
            lambda: blobs.put("model", b"x"),
        ):
            with pytest.raises(Unreachable, match="Fix: see that the store answers") as caught:
                call()
            assert "\n" not in str(caught.value)
            assert "hush" not in str(caught.value)
        faults.plan = lambda method, path: None
        assert events.append("records", data.records(3), writer="w", sequence=1)
        assert events.version("records") == 0
        assert blobs.get("model", blobs.put("model", b"x")) == b"x"


def test_a_bucket_that_is_not_there_is_told(object_store: Any) -> None:
    place = Bucket("s3://no-such-bucket/x", object_store.endpoint)
    for call in (
        lambda: DeltaEvents(place).version("records"),
        lambda: BucketBlobs(place).put("model", b"x"),
    ):
        with pytest.raises(Unreachable, match="Fix: create the bucket"):
            call()
    with pytest.raises(BadValue, match="no place in a bucket"):
        Bucket("s3:/x")


def test_two_stores_that_append_at_once_lose_nothing(
    place: Bucket, proxy: Any, engine: DuckDBEngine, tmp_path: Path
) -> None:
    """The test server writes in two steps; before it stands a proxy that lets one in at a time."""
    from concurrent.futures import ThreadPoolExecutor

    with proxy() as (endpoint, _):
        at = Bucket(place.url, endpoint)
        DeltaEvents(at).append("records", data.records(1), writer="first", sequence=1)

        def work(who: int) -> None:
            events = DeltaEvents(at)
            for k in range(4):
                rows = data.records(2, start=100 * who + 10 * k + 1000)
                assert events.append("records", rows, writer=f"w{who}", sequence=k)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(work, range(3)))
        events = DeltaEvents(at, copies=tmp_path / "copies")
        rows = engine.arrow(engine.table(events.snapshot("records")))
    assert rows.num_rows == len(set(rows["record_id"].to_pylist())) == 25
    assert events.version("records") == 12


def test_copies_are_fetched_once_and_the_oldest_go(
    place: Bucket, proxy: Any, tmp_path: Path
) -> None:
    import os

    with proxy() as (endpoint, faults):
        at = Bucket(place.url, endpoint)
        for k in range(3):
            at.put(str(k), bytes([k]) * 1000)
        fetch = Fetched(at, tmp_path, limit=2500)
        copies = fetch([f"{at.url}/{k}" for k in range(2)])
        assert [Path(c).read_bytes()[:1] for c in copies] == [b"\0", b"\1"]
        before = faults.did.total()
        assert fetch([f"{at.url}/1"]) == copies[1:]
        assert faults.did.total() == before
        os.utime(copies[0], (0, 0))
        fetch([f"{at.url}/2"])
        assert not Path(copies[0]).exists()
        assert len(list(tmp_path.iterdir())) == 2
        with pytest.raises(Damaged, match="Fix:"):
            fetch([f"{at.url}/nothing"])
        assert len(list(tmp_path.iterdir())) == 2
