"""What was acknowledged is read back, whatever became of the files."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.adapters.spool import losses, unread
from tidemill.adapters.spool.inbox import Spool
from tidemill.adapters.spool.logger import Logger
from tidemill.adapters.spool.losses import Losses
from tidemill.adapters.spool.segment import (
    ABANDONED,
    HEAD,
    START,
    Header,
    Segment,
    frames,
    read,
)
from tidemill.core.errors import BadInput
from tidemill.core.ports import Parcel
from tidemill.project import create_project, open_project


def done_with(parcels: list[Parcel]) -> dict[str, int]:
    return {p.writer: p.sequence for p in parcels}


def ids(parcels: list[Parcel]) -> list[Any]:
    return [i for p in parcels for i in p.rows["record_id"].to_pylist()]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def test_a_spool_keeps_each_value(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    features = {"x": 0.1, "t": "東京", "n": math.nan, "big": 2**80}
    spool.write("records", {"record_id": "ü", "features": features, "tags": {"a": "1"}})
    spool.write("feedback", {"record_id": "ü", "value": 1.0})
    records, feedback = spool.pending({})
    (row,) = records.rows.to_pylist()
    assert (row["feature:x"], row["feature:t"], row["feature:big"]) == (0.1, "東京", str(2**80))
    assert math.isnan(row["feature:n"])
    assert json.loads(row["tags"]) == {"a": "1"}
    assert (feedback.table, feedback.rows["value"].to_pylist()) == ("feedback", [1.0])
    done = done_with([records, feedback])
    assert spool.discard(done) == done  # its writer lives
    spool.close()
    assert spool.discard(done) == {}
    assert list(tmp_path.iterdir()) == []


def test_values_of_several_kinds_in_a_column_become_texts(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for value in (1, "one", [1]):
        spool.write("records", {"record_id": "a", "features": {"x": value}})
    (parcel,) = spool.pending({})
    assert parcel.rows["feature:x"].to_pylist() == ["1", "one", "[1]"]
    spool.close()


def test_a_frame_that_was_not_acknowledged_is_dropped(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path, 2**16)
    segment.write(1, b"whole")
    torn, end = segment.path, segment.end
    segment.write(1, b"torn in the middle")
    data = bytearray(torn.read_bytes())
    data[end + 20] ^= 1  # its copy was under way
    data[128:136] = end.to_bytes(8, "little")
    segment.abandon()
    assert [(f.kind, f.data) for f in frames(bytes(data))] == [(1, b"whole")]


def test_damage_in_the_middle_goes_to_the_quarantine_and_reading_goes_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for i in "abc":
        spool.write("records", {"record_id": i})
    spool.close()
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    middle = frames(bytes(data))[1]
    data[middle.end - 1] ^= 1
    path.write_bytes(data)
    (parcel,) = spool.pending({})
    assert parcel.rows["record_id"].to_pylist() == ["a", None, "c"]
    assert [r is None for r in parcel.rows["raw"].to_pylist()] == [True, False, True]
    assert spool.discard(done_with([parcel])) == {}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    spool = Spool(folder)
    for n in range(20):
        spool.write("records", {"record_id": f"r{n}", "features": {"x": float(n)}})
        spool.write("labels", {"record_id": f"r{n}", "label": 1})
    spool.close()
    return segments(folder)[0].read_bytes()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_mutation_raises_or_loses_a_frame_it_did_not_touch(whole: bytes, data: Any) -> None:
    mutated, (low, high) = bytearray(whole), (len(whole), 0)
    for _ in range(data.draw(st.integers(1, 4))):
        at, put = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.binary(min_size=1))
        mutated[at : at + len(put)] = put[: len(whole) - at]
        low, high = min(low, at), max(high, at + len(put))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    found = {f.data for f in frames(bytes(mutated[:cut]))}
    begin = START
    for frame in frames(whole):
        if frame.end <= min(low, cut) or (begin >= high and frame.end <= cut):
            assert frame.data in found
        begin = frame.end


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=300))
def test_an_inbox_reads_any_file(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, at: int, put: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.segment", "b.losses", "c.jsonl"):
        (folder / name).write_bytes(whole[: at % len(whole)] + put)
    spool = Spool(folder)
    parcels = list(spool.pending({}))
    spool.discard(done_with(parcels))
    assert list(spool.pending(done_with(parcels))) == []
    shutil.rmtree(folder)


def test_what_the_version_before_wrote_is_taken_in(tmp_path: Path) -> None:
    row = {"table": "records", "row": {"record_id": "old", "features": {"x": 1.0}}}
    (tmp_path / "abc.jsonl").write_text(json.dumps(row) + '\n{"table": "records", "row": {"rec')
    spool = Spool(tmp_path)
    parcels = list(spool.pending({}))
    assert ids(parcels) == ["old", None]
    assert list(spool.pending(done_with(parcels))) == []
    assert spool.discard(done_with(parcels)) == {}
    assert list(tmp_path.iterdir()) == []


def test_parcels_are_bounded_and_each_row_is_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "PARCEL", 3)
    spool = Spool(tmp_path)
    for n in range(8):
        spool.write("records", {"record_id": str(n)})
    first, second, third = spool.pending({})
    assert ids([first, second, third]) == [str(n) for n in range(8)]
    spool.write("records", {"record_id": "8"})
    assert ids(list(spool.pending(done_with([first])))) == [str(n) for n in range(3, 9)]
    spool.close()


def test_another_machines_file_stays_until_it_is_sealed_or_a_day_old(tmp_path: Path) -> None:
    path, now = tmp_path / "x.segment", time.time_ns()
    path.write_bytes(b"")
    header: dict[str, Any] = {"pid": 1, "host": b"elsewhere", "end": START, "used": now}
    assert not Header(**header, sealed=False).gone(path, now=now)
    assert Header(**header, sealed=True).gone(path, now=now)
    assert Header(**header, sealed=False).gone(path, now=now + ABANDONED + 1)


def test_a_living_writers_file_is_read_only_as_far_as_it_was_acknowledged(tmp_path: Path) -> None:
    writer = Segment.create(tmp_path, 2**16)
    assert writer.write(1, b"whole")
    assert [f.data for f in frames(read(writer.path)[0])] == [b"whole"]
    # A frame that is being copied, and a whole one beyond it: the reader met the writer at work.
    begin, end = writer.end, writer.path.read_bytes()[128:136]
    writer.write(1, b"being copied")
    writer.write(1, b"whole too")
    with writer.path.open("r+b") as file:
        file.seek(begin + 14)
        file.write(b"\0")
        file.seek(128)
        file.write(end)
    data, ended = read(writer.path)
    assert ([f.data for f in frames(data)], ended) == ([b"whole"], False)
    writer.abandon()


def test_an_end_that_cannot_be_true_is_not_believed(tmp_path: Path) -> None:
    writer = Segment.create(tmp_path, 2**16)
    for data in (b"first", b"second", b"last"):
        assert writer.write(1, data)
    last = writer.end
    writer.abandon()
    whole = bytearray(writer.path.read_bytes())
    whole[last - 1] ^= 1  # the last one is damaged, and so is where it ended
    assert [f.kind for f in frames(bytes(whole))] == [1, 1, 0]
    for bit in range(16):
        flipped = bytearray(whole)
        flipped[128 + bit // 8] ^= 1 << bit % 8
        found = frames(bytes(flipped))
        assert [f.data for f in found[:2]] == [b"first", b"second"]
        # Only an end that a kill might have left says that the last was not acknowledged.
        might_be = START + HEAD.size + 5 <= last ^ 1 << bit <= last - HEAD.size - 4
        assert len(found) == (2 if might_be else 3)


def test_parcels_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def watched(path: Path) -> tuple[bytes, bool]:
        seen.append(path)
        return read(path)

    monkeypatch.setattr(unread, "read", watched)
    spool = Spool(tmp_path)
    for n in range(3):
        spool.write("records", {"record_id": str(n)})
        spool.close()
    waiting = spool.pending({})
    assert seen == []
    first = next(waiting)
    assert len(seen) == 1
    spool.discard({first.writer: first.sequence})
    assert len(ids(list(waiting))) == 2


def test_another_machines_losses_stay_until_its_process_said_goodbye_or_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Losses()
    made.prepare(tmp_path)
    (path,) = tmp_path.glob("*.losses")
    spool = Spool(tmp_path)
    monkeypatch.setattr(losses, "host", lambda: b"elsewhere")
    assert spool.discard({}) == {}
    assert path.exists()
    os.utime(path, (0, 0))
    spool.discard({})
    assert not path.exists()
    made.prepare(tmp_path)  # its process lives after all, and loses something
    made.add("disk full")
    made.close()
    (parcel,) = spool.pending({})
    assert parcel.rows.to_pylist() == [{"reason": "disk full", "n": 1}]
    assert spool.discard(done_with([parcel])) == {}
    assert list(tmp_path.iterdir()) == []


def test_rows_are_read_without_a_collection_of_garbage_and_it_goes_on_after(
    tmp_path: Path,
) -> None:
    with Logger(tmp_path) as logger:
        for k in range(50):
            logger.log({"x": k})
    collected: list[str] = []
    before = gc.get_threshold()
    gc.set_threshold(10)
    gc.callbacks.append(lambda phase, _: collected.append(phase))
    try:
        [path] = (tmp_path / "spool").glob("*.segment")
        data = path.read_bytes()
        collected.clear()
        [parcel] = unread.parcels_in(path.stem, data, {})
        said = list(collected)
    finally:
        gc.callbacks.pop()
        gc.set_threshold(*before)
    assert parcel.rows.num_rows == 50
    assert len(said) <= 2  # the one that was due before
    assert gc.isenabled()
    gc.disable()
    try:
        unread.parcels_in(path.stem, data, {})
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_columns_of_one_name_are_refused_and_if_they_are_in_a_file_block_nothing(
    tmp_path: Path,
) -> None:
    strategy = "from tidemill import *\nstrategy = Strategy(training=lambda d, p: None)\n"
    project = create_project(tmp_path / "mill", strategy=strategy, salt="s")
    twins = pa.table([pa.array([1.0, 2.0]), pa.array([None, 3.0])], names=["x", "x"])
    with open_project(project) as mill:
        with pytest.raises(BadInput, match="'x' is there more than once"):
            mill.log(twins)
        at = pa.array(["2024-01-01T00:00Z"] * 2)
        rows = twins.rename_columns(["feature:x", "feature:x"]).append_column(
            "record_id", [["a", "b"]]
        )
        columns = {"prefix": "feature:"}
        assert isinstance(mill.world.inbox, Spool)
        mill.world.inbox.write_batch(
            "records", rows.append_column("predicted_at", [at]), columns, "log"
        )
        mill.run()
        assert mill.sql("select record_id from records").to_pylist() == [{"record_id": "a"}]
        quarantine = mill.world.engine.table(mill.world.events.snapshot("quarantine"))
        assert "as is another one" in mill.world.engine.arrow(quarantine)["reason"][0].as_py()
