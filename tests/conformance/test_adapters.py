"""Every adapter through the suite of its port: the ones in memory promise what the real ones do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.spool.inbox import Spool
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.adapters.stores.files import FileBlobs
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryEvents, MemoryInbox
from tidemill.adapters.stores.memory_state import MemoryState
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.inline import Inline
from tidemill.adapters.trainers.pool import ProcessPool
from tidemill.adapters.trainers.shared import SharedJobs, Work
from tidemill.core.clock import SystemClock
from tidemill.core.ports import Inbox, Jobs, Parcel
from tidemill.testing import check_blob_store, check_event_store, check_inbox, check_state_store
from tidemill.testing.bench import Bench
from tidemill.testing.blobs import BLOBS
from tidemill.testing.events import EVENTS
from tidemill.testing.inbox import INBOX, Put
from tidemill.testing.jobs import JOBS, JOBS_APART, what_a_job_prints_is_kept
from tidemill.testing.state import STATE


def by_name(values: Any) -> Any:
    return pytest.mark.parametrize("promise", values, ids=lambda f: f.__name__)


@cache
def engine() -> DuckDBEngine:
    return DuckDBEngine()


def sql_file(folder: Path) -> SqlState:
    return SqlState(folder / "state.db")


def sql_memory(folder: Path) -> SqlState:
    return SqlState(None)


def memory_state(folder: Path) -> MemoryState:
    return MemoryState()


def memory_events(folder: Path) -> MemoryEvents:
    return MemoryEvents()


def memory_blobs(folder: Path) -> MemoryBlobs:
    return MemoryBlobs()


def flip_in_file(blobs: FileBlobs, folder: Path, kind: str, digest: str) -> None:
    path = folder / kind / digest
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(bytes(data))


def flip_in_memory(blobs: MemoryBlobs, folder: Path, kind: str, digest: str) -> None:
    blobs._kept[kind][digest] = b"other"


def spool_lines(folder: Path) -> tuple[Inbox, Put]:
    spool = Spool(folder / "spool")

    def put(ids: list[str]) -> None:
        for i in ids:
            spool.write("records", {"record_id": i, "features": {"x": 1.0}})

    return spool, put


def spool_batches(folder: Path) -> tuple[Inbox, Put]:
    spool = Spool(folder / "spool")

    def put(ids: list[str]) -> None:
        spool.write_batch("records", pa.table({"record_id": ids}), {"id": "record_id"}, "test")

    return spool, put


def spool_of_many(folder: Path) -> tuple[Inbox, Put]:
    """As many services write: each batch comes from a process that has gone since."""
    spool = Spool(folder / "spool")

    def put(ids: list[str]) -> None:
        other = Spool(folder / "spool")
        for i in ids:
            other.write("records", {"record_id": i, "features": {"x": 1.0}})
        other.close()

    return spool, put


def memory_inbox(folder: Path) -> tuple[Inbox, Put]:
    inbox = MemoryInbox()
    names = (f"w{k}" for k in range(1000))

    def put(ids: list[str]) -> None:
        rows = pa.table({"record_id": ids})
        parcel = {"columns": {}, "writer": next(names), "sequence": 1, "source": "test"}
        inbox.put(Parcel(table="records", rows=rows, **parcel))

    return inbox, put


@by_name(EVENTS)
@pytest.mark.parametrize(("make", "lasting"), [(DeltaEvents, True), (memory_events, False)])
def test_events(promise: Any, make: Any, lasting: bool, tmp_path: Path) -> None:
    promise(Bench(make=make, folder=tmp_path, lasting=lasting, engine=engine()))


@by_name(STATE)
@pytest.mark.parametrize(
    ("make", "lasting"), [(sql_file, True), (sql_memory, False), (memory_state, False)]
)
def test_state(promise: Any, make: Any, lasting: bool, tmp_path: Path) -> None:
    promise(Bench(make=make, folder=tmp_path, lasting=lasting))


@by_name(BLOBS)
@pytest.mark.parametrize(
    ("make", "lasting", "damage"),
    [(FileBlobs, True, flip_in_file), (memory_blobs, False, flip_in_memory)],
)
def test_blobs(promise: Any, make: Any, lasting: bool, damage: Any, tmp_path: Path) -> None:
    promise(Bench(make=make, folder=tmp_path, lasting=lasting, damage=damage))


@by_name(INBOX)
@pytest.mark.parametrize("make", [spool_lines, spool_batches, spool_of_many, memory_inbox])
def test_inbox(promise: Any, make: Any, tmp_path: Path) -> None:
    promise(make, tmp_path)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    jobs = ProcessPool(tmp_path_factory.mktemp("jobs"))
    yield jobs
    jobs.close()


@by_name([*JOBS, *JOBS_APART])
def test_jobs_of_the_pool(promise: Any, pool: ProcessPool) -> None:
    promise(pool)


@by_name(JOBS)
def test_jobs_inline(promise: Any) -> None:
    promise(Inline())


class Alone(SharedJobs):
    """Shares with nobody: what it forgets, nobody else asks for."""

    def forget(self, job_id: str) -> None:
        super().forget(job_id)
        self.work.drop("fit")


@by_name(JOBS)
def test_jobs_shared_in_this_process(promise: Any) -> None:
    promise(Alone(Work(), SystemClock()))


@pytest.fixture(scope="module")
def crew() -> Iterator[Work]:
    work = Work(workers=2)
    yield work
    work.close()


# The workers of a replay keep no log: their fits are made to be compared, not looked into.
@by_name([p for p in (*JOBS, *JOBS_APART) if p is not what_a_job_prints_is_kept])
def test_jobs_shared_by_a_crew(promise: Any, crew: Work) -> None:
    promise(Alone(crew, SystemClock()))


def test_a_whole_suite_runs_at_once() -> None:
    check_state_store(sql_memory, lasting=False)
    check_blob_store(FileBlobs, damage=flip_in_file)
    check_inbox(memory_inbox)
    check_event_store(memory_events, engine(), lasting=False)
