"""A disk that is full at any write: one line with a fix, nothing half, and the next turn finishes.

The whole project lies on a small disk of memory. It is filled up to a few kilobytes, fewer or
more, so that another write is the first that fails; ``benchmarks/full.py`` goes on in small steps.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from tidemill.core.clock import ReplayedClock, instant
from tidemill.core.errors import TidemillError
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import open_project
from tidemill.strategy import signing
from tidemill.strategy.check import problems
from tidemill.strategy.decided import digest

AT = instant("2024-02-05")
EARLIER = Path(__file__).parent / "earlier" / "before_segments.tar.xz"
LEFT = (0, 40, 110, 260, 310, 700)
"""Kilobytes that are left."""
SIZE = 16 << 20


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def unpack(place: Path) -> Path:
    with tarfile.open(EARLIER) as packed:
        packed.extractall(place, filter="data")
    return place / "project"


def fill(place: Path, left: int) -> Path:
    """Fill a disk until so many bytes are left."""
    stuff = place / "stuff"
    stuff.write_bytes(b"\0" * max(0, shutil.disk_usage(place).free - left))
    return stuff


def tell(project: Path) -> tuple[str, list[str]]:
    """Do what a service, an import and a turn do; done again it changes nothing."""
    with open_project(project, clock=ReplayedClock(AT)) as mill:
        n = 120
        at = [AT - timedelta(hours=k + 1) for k in range(n)]
        rows = {"record_id": [f"new-{k}" for k in range(n)], "at": at}
        rows |= {"x": [k / 60 - 1 for k in range(n)], "carrier": ["AA"] * n}
        mill.import_records(pa.table(rows), Columns(time="at"), source="more")
        labels = {"record_id": rows["record_id"], "label": [k % 2 for k in range(n)]}
        mill.import_labels(pa.table(labels), FactColumns(), source="outcome")
        state, how = mill.world.state, {"decision": "approve", "who": "ada", "why": "seen"}
        if state.machine("release", "v1").state == "awaiting" and not state.rows("signatures"):
            signing.sign(state, "v1", at=AT.isoformat(), **how)
        mill.run()
        assert state.front().version == "v1"
        mill.log({"x": 0.1, "carrier": "AA"}, record_id="one", time=AT - timedelta(days=1))
        mill.log([{"x": 0.2, "carrier": "AA"}], record_id=["two"], time=[AT - timedelta(days=2)])
        mill.run()
        return digest(mill.world), [str(p) for p in problems(mill.world)]


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> tuple[str, list[str]]:
    return tell(unpack(tmp_path_factory.mktemp("calm")))


@pytest.mark.parametrize("left", LEFT)
def test_when_there_is_space_again_the_next_turn_finishes(disk, calm, left) -> None:
    assert calm[1] == []
    project = unpack(disk)
    stuff = fill(disk, left << 10)
    with pytest.raises(TidemillError, match="Fix: ") as said:
        tell(project)
    assert "\n" not in str(said.value)
    assert "free some space" in str(said.value) or "make room" in str(said.value)
    assert "internal" not in str(said.value)
    stuff.unlink()
    assert tell(project) == calm
