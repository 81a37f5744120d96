"""What a process uses, held against what it was made to use."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidemill.adapters.telemetry.process import Usage, between, samples, usage
from tidemill.adapters.telemetry.prometheus import write
from tidemill.adapters.telemetry.prometheus_reader import read

AT = datetime(2013, 2, 8, tzinfo=UTC)
needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")


@needs_proc
def test_it_sees_what_this_process_does(tmp_path: Path) -> None:
    before = usage(at=AT)
    files = [(tmp_path / str(k)).open("w") for k in range(7)]
    block = bytearray(os.urandom(1)) * (64 * 2**20)
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    after = usage(at=AT + timedelta(seconds=1))
    for file in files:
        file.close()
    assert after.open_files - before.open_files == 7
    assert after.memory_bytes - before.memory_bytes > 0.9 * len(block)
    assert 0.15 < after.cpu_seconds - before.cpu_seconds < 2
    assert after.started is not None
    assert abs((datetime.now(UTC) - after.started).total_seconds()) < 86_400
    found = {key.metric: point for key, point in between(before, after)}
    assert found["cpu_cores"].value == pytest.approx(after.cpu_seconds - before.cpu_seconds)
    assert all(not point.why for point in found.values())


@needs_proc
def test_it_reads_another_process_and_tells_when_that_is_gone() -> None:
    code = "import sys, threading; threading.Thread(target=sys.stdin.read).start(); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        seen = usage(at=AT, pid=other.pid)
        other.communicate()
    assert seen.threads == 2
    assert seen.why == {}
    gone = usage(at=AT + timedelta(seconds=9), pid=other.pid)
    assert "cannot be read" in gone.why["process"]
    points = [point for _, point in between(seen, gone)]
    assert all(math.isnan(point.value) and point.why and point.n == 0 for point in points)


def test_without_proc_it_says_what_it_does_not_know(tmp_path: Path) -> None:
    own = usage(at=AT, proc=tmp_path)
    assert own.cpu_seconds > 0
    assert own.threads >= 1
    assert math.isnan(own.memory_bytes)
    assert set(own.why) == {"memory_bytes", "open_files"}
    other = usage(at=AT, pid=1, proc=tmp_path)
    assert math.isnan(other.cpu_seconds)
    assert "process" in other.why
    found = {key.metric: point for key, point in between(own, own)}
    assert found["memory_bytes"].why == own.why["memory_bytes"]
    assert "not later" in found["cpu_cores"].why


@pytest.mark.parametrize("stat", ["", "1 (a) b)", "1 (x) S " + "y " * 40])
def test_a_proc_that_holds_nonsense_is_told(stat: str, tmp_path: Path) -> None:
    for name in ("self", "7"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stat").write_text(stat)
    assert "cannot be read" in usage(at=AT, pid=7, proc=tmp_path).why["process"]


def test_another_process_under_the_same_number_has_no_rate() -> None:
    one = Usage(pid=1, at=AT, started=AT, cpu_seconds=9.0)
    two = Usage(pid=1, at=AT + timedelta(1), started=AT + timedelta(hours=1), cpu_seconds=1.0)
    found = {key.metric: point for key, point in between(one, two)}
    assert math.isnan(found["cpu_cores"].value)
    assert "anew" in found["cpu_cores"].why


@pytest.mark.parametrize(
    ("script", "gpus", "why"),
    [
        ("echo '0, 35, 1024'; echo '1, [N/A], 2'", 2, ""),
        ("echo; echo 'what, ever'", 0, "told of no processor"),
        ("exit 9", 0, "ended with 9"),
    ],
)
def test_graphics_processors_are_told_where_there_are_any(
    script: str, gpus: int, why: str, tmp_path: Path, monkeypatch: Any
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = usage(at=AT)
    assert len(found.gpus) == gpus
    assert why in found.why.get("gpus", "")
    if gpus:
        assert (found.gpus[0].busy, found.gpus[0].memory_bytes) == (0.35, 2.0**30)
        told = {(k.metric, k.column): p for k, p in between(found, found) if k.column}
        assert told["gpu_busy_ratio", "gpu 0"].value == 0.35
        assert told["gpu_busy_ratio", "gpu 1"].why == "nvidia-smi does not tell"


def test_prometheus_gets_the_names_it_knows() -> None:
    used = Usage(pid=1, at=AT, started=AT, cpu_seconds=2.5, threads=3.0)
    found = {s.name: (s.value, s.kind) for s in read(write(samples(used))).samples}
    assert found == {
        "process_cpu_seconds_total": (2.5, "counter"),
        "process_threads": (3.0, "gauge"),
        "process_start_time_seconds": (AT.timestamp(), "gauge"),
    }
