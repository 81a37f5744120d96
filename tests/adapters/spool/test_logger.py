"""The logger keeps what it acknowledged, counts what it lost, and never raises."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidemill.adapters.spool import queued, segment
from tidemill.adapters.spool.inbox import Spool
from tidemill.adapters.spool.logger import Logger
from tidemill.core.errors import BadInput, BadValue

BEGIN = """
import os, resource, signal, sys
from tidemill import Logger
logger = Logger(sys.argv[1], durability=sys.argv[2])
def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run(code: str, folder: Path, durability: str = "process") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", BEGIN + code, str(folder), durability]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def rows(folder: Path, table: str = "records") -> list[dict[str, Any]]:
    parcels = Spool(folder / "spool").pending({})
    return [r for p in parcels if p.table == table for r in p.rows.to_pylist()]


def lost(folder: Path) -> dict[str, int]:
    return {r["reason"]: r["n"] for r in rows(folder, "lost")}


def test_the_import_is_light(tmp_path: Path) -> None:
    heavy = ("ibis", "numpy", "pandas", "pyarrow", "scipy", "sqlalchemy", "duckdb", "rich")
    code = f"""
import time
used = time.process_time()
logger.log({{"x": 1}})
print([m for m in {heavy} if m in sys.modules], used < 1.0)
"""
    assert run(code, tmp_path).stdout == "[] True\n"


@pytest.mark.parametrize("durability", ["process", "disk", "memory"])
def test_kill_9_right_after_the_call_loses_nothing(tmp_path: Path, durability: str) -> None:
    flush = "logger.flush()" if durability == "memory" else ""
    code = f"""
for n in range(50):
    logger.log({{"x": n}}, record_id=str(n))
logger.label("1", 0)
{flush}
die()
"""
    assert run(code, tmp_path, durability).returncode == -signal.SIGKILL
    assert [r["record_id"] for r in rows(tmp_path)] == [str(n) for n in range(50)]
    assert [r["label"] for r in rows(tmp_path, "labels")] == [0]


def test_disk_durability_returns_after_the_flush_and_threads_share_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed, real = [], os.fsync

    def slow(file: int) -> None:
        time.sleep(0.01)
        real(file)
        flushed.append(file)

    monkeypatch.setattr(os, "fsync", slow)
    logger = Logger(tmp_path, durability="disk")
    logger.log({"x": 1})
    assert len(flushed) == 2  # the folder, which names the file, and the file
    work = [threading.Thread(target=lambda: [logger.log({}) for _ in range(5)]) for _ in range(8)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert logger.counts()["logged"] == 41
    assert 5 <= len(flushed) - 2 < 25
    logger.close()


def test_a_full_disk_loses_and_counts_and_the_next_turn_hears_of_it(tmp_path: Path) -> None:
    code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
for n in range(8_000):
    logger.log({"text": "x" * 300}, record_id=str(n))
counts = logger.counts()
print(counts["logged"], counts["lost"]["disk full"], flush=True)
die()
"""
    ended = run(code, tmp_path)
    assert ended.returncode == -signal.SIGKILL
    assert ended.stderr.count("disk full") == 1  # warned once, and no traceback
    kept, missed = map(int, ended.stdout.split())
    assert kept + missed == 8_000
    assert missed > 3_000
    assert [r["record_id"] for r in rows(tmp_path)] == [str(n) for n in range(kept)]
    assert lost(tmp_path) == {"disk full": missed}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_small_disk_does_not_kill_the_process(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        code = """
for n in range(8_000):
    logger.log({"text": "x" * 300}, record_id=str(n))
print(logger.counts()["lost"]["disk full"] + logger.counts()["logged"])
"""
        assert run(code, tmp_path).stdout == "8000\n"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_fork_writes_on_its_own_and_ids_do_not_repeat(tmp_path: Path) -> None:
    code = """
logger.log({"x": 0})
unused = Logger(sys.argv[1])
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        for _ in range(100):
            logger.log({"x": 1})
        unused.log({"x": 2})
        os._exit(0)
    children.append(child)
for _ in range(100):
    logger.log({"x": 0})
for child in children:
    os.waitpid(child, 0)
print(logger.counts()["logged"])
"""
    assert run(code, tmp_path).stdout == "101\n"
    keys = [r["record_id"] for r in rows(tmp_path)]
    assert (len(keys), len(set(keys))) == (404, 404)


def test_a_fork_that_logs_nothing_does_not_keep_its_parents_files(tmp_path: Path) -> None:
    code = """
logger.log({"x": 0})
if not os.fork():
    signal.pause()
print("dying", flush=True)
os.close(1)
os.kill(os.getpid(), signal.SIGTERM)
"""
    command = [sys.executable, "-c", BEGIN + code, str(tmp_path), "process"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as parent:
        parent.wait(60)
        (file,) = (tmp_path / "spool").glob("*.segment")
        try:
            end = time.monotonic() + 10  # the child lets go when it first runs
            while not segment.unlocked(file) and time.monotonic() < end:
                time.sleep(0.01)
            assert segment.unlocked(file)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def test_threads_lose_nothing_while_segments_roll(tmp_path: Path) -> None:
    logger = Logger(tmp_path)

    def work(k: int) -> None:
        for n in range(700):
            logger.log({"text": "x" * 1000}, record_id=f"{k}-{n}")

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logger.counts()["logged"] == 4200
    logger.close()
    assert {r["record_id"] for r in rows(tmp_path)} == {
        f"{k}-{n}" for k in range(6) for n in range(700)
    }


def test_bad_values_are_kept_for_the_quarantine_and_nothing_is_raised(tmp_path: Path) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    values = [Hostile(), deep, 2**100, "\ud800", np.float64(0.5), np.arange(2), b"\xff", {1}]
    with Logger(tmp_path) as logger:
        for n, value in enumerate(values):
            logger.log({"x": value}, record_id=n)
        logger.log("no dict", record_id="text")  # type: ignore[arg-type]
        logger.log({}, record_id=Hostile())
        logger.feedback("a", Hostile())  # type: ignore[arg-type]
    found = [r["record_id"] for r in rows(tmp_path)]
    assert found[: len(values)] == [str(n) for n in range(len(values))]
    assert logger.counts()["lost"] == {"cannot be encoded": 2}
    del deep


def test_a_full_queue_and_a_closed_logger_count_what_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued, "_PAUSE", 60.0)
    logger = Logger(tmp_path, durability="memory", queue=3)
    with caplog.at_level(logging.WARNING, logger="tidemill"):
        for n in range(5):
            assert logger.log({"x": n}, record_id=str(n)) == str(n)
        logger.close()
        logger.log({"x": 9})
    assert logger.counts()["lost"] == {"queue full": 2, "closed": 1}
    assert [r["record_id"] for r in rows(tmp_path)] == ["0", "1", "2"]
    assert len(caplog.records) == 2
    found = rows(tmp_path, "lost")
    assert sorted((r["reason"], r["n"]) for r in found) == [("closed", 1), ("queue full", 2)]


def test_a_clock_that_jumps_back_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    logger = Logger(tmp_path)
    for n, jump in enumerate((0, -10, 10, -10_000)):
        monkeypatch.setattr(segment.time, "time_ns", lambda jump=jump: now + jump * 10**12)
        logger.log({"x": n}, record_id=str(n))
    logger.close()
    assert sorted(r["record_id"] for r in rows(tmp_path)) == ["0", "1", "2", "3"]
    assert logger.counts()["lost"] == {}


def test_only_making_a_logger_may_raise(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="process, disk, memory"):
        Logger(tmp_path, durability="sure")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no folder"):
        Logger("s3://bucket/spool")
    (tmp_path / "spool").write_text("a file, no folder")
    logger = Logger(tmp_path)
    logger.log({"x": 1})
    logger.close()
    assert json.dumps(logger.counts()["lost"]) == '{"not writable": 1}'
