"""Several services log while a mill turns; one of them is killed; each record is there once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tidemill import Logger, open
from tidemill.project import create_project
from tidemill.strategy.status import status

STRATEGY = """
from tidemill import Manual, Recent, Strategy, Uniform, Outcome
strategy = Strategy(
    curation=Uniform(10, per="1d"), labels=Outcome(final_after="1d"), trigger=Manual(),
    dataset=Recent("20d"), training=lambda dataset, previous: None,
)
"""
SERVICE = """
import os, signal, sys
from tidemill import Logger
logger = Logger(sys.argv[1], model="v1")
for n in range(2000):
    logger.log({"x": n, "y": "text"}, record_id=f"{sys.argv[2]}-{n}", output=1)
    if n % 500 == 0:
        print(n, flush=True)
        sys.stdin.readline()
if sys.argv[2] == "0":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _records(folder: Path) -> list[str]:
    with open(folder) as mill:
        found = mill.sql("select record_id, model from records").to_pylist()
    assert {r["model"] for r in found} == {"v1"}
    return [r["record_id"] for r in found]


def test_four_services_and_a_kill_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = create_project(tmp_path / "mill", strategy=STRATEGY, salt="many")
    services = [
        subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(folder), str(k)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for k in range(4)
    ]
    for round_ in range(4):
        for service in services:
            assert service.stdout is not None
            assert service.stdin is not None
            service.stdout.readline()
            service.stdin.write("\n")
        if round_ in (1, 3):
            with open(folder) as mill:
                mill.run()  # while they write
    ends = [s.wait(60) for s in services]
    for service in services:
        for pipe in (service.stdin, service.stdout):
            assert pipe is not None
            pipe.close()
    assert ends == [-signal.SIGKILL, 0, 0, 0]
    with open(folder) as mill:
        mill.run()
    ids = _records(folder)
    assert len(ids) == 8000
    assert set(ids) == {f"{k}-{n}" for k in range(4) for n in range(2000)}
    assert list((folder / "spool").glob("*.segment")) == []


def test_status_says_what_a_service_lost_once(tmp_path: Path) -> None:
    folder = create_project(tmp_path / "mill", strategy=STRATEGY, salt="many")
    logger = Logger(folder)
    logger.close()
    for _ in range(12):
        logger.log({"x": 1})
    for _ in range(2):
        with open(folder) as mill:
            mill.run()
            (said,) = status(mill.world)["lost"]
        assert said.startswith("12 records lost by process ")
        assert said.endswith(": closed 12")
