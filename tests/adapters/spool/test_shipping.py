"""What a logger ships to a bucket is taken in once, and counted while it waits."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidemill import Logger, open
from tidemill.adapters.spool.inbox import Spool
from tidemill.adapters.spool.shipped import ShippedSpool
from tidemill.adapters.stores.places import Bucket
from tidemill.core.errors import BadInput
from tidemill.project import create_project
from tidemill.project.config import CONFIG

STRATEGY = """
from tidemill import Manual, Outcome, Recent, Strategy, Uniform
strategy = Strategy(
    curation=Uniform(10, per="1d"), labels=Outcome(final_after="1d"), trigger=Manual(),
    dataset=Recent("20d"), training=lambda dataset, previous: None,
)
"""
COUNT = "select count(*) as n, count(distinct record_id) as ids from records"


@pytest.fixture
def bucket(object_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store.endpoint)
    return Bucket(f"s3://{object_store.bucket}/{tmp_path.name}")


def project(folder: Path, url: str) -> Path:
    made = create_project(folder, strategy=STRATEGY, salt="shipped")
    with (made / CONFIG).open("a") as file:
        file.write(f'\n[spool]\nurl = "{url}"\n')
    return made


def turned(folder: Path) -> dict[str, int]:
    with open(folder) as mill:
        mill.run()
        (found,) = mill.sql(COUNT).to_pylist()
    return found


def test_two_mills_hear_what_was_shipped_and_store_it_once(bucket: Bucket, tmp_path: Path) -> None:
    mill = project(tmp_path / "mill", bucket.url)
    with Logger(bucket.url, keep=tmp_path / "pod", every=60) as logger:
        for n in range(5):
            logger.log({"x": n}, record_id=str(n))
        assert logger.counts()["waiting"] == 5
        logger.flush()
        assert logger.counts()["waiting"] == 0
        assert turned(mill) == {"n": 5, "ids": 5}
        assert bucket.names("spool/") == []
        logger.log({"x": 5}, record_id="5")
    (name,) = bucket.names("spool/")
    data = bucket.get(name)
    assert turned(mill) == {"n": 6, "ids": 6}
    assert data is not None
    bucket.put(name, data)  # who shipped it was killed before it knew, and it is shipped again
    assert turned(mill) == {"n": 6, "ids": 6}
    assert bucket.names("spool/") == []


def test_a_killed_service_is_shipped_by_the_next_one(bucket: Bucket, tmp_path: Path) -> None:
    code = """
import os, signal, sys
from tidemill import Logger
logger = Logger(sys.argv[1], keep=sys.argv[2], every=60)
for n in range(7):
    logger.log({"x": n}, record_id=str(n))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = [sys.executable, "-c", code, bucket.url, str(tmp_path / "pod")]
    assert subprocess.run(killed, check=False).returncode == -signal.SIGKILL
    assert bucket.names("spool/") == []
    logger = Logger(bucket.url, keep=tmp_path / "pod", every=0.05)
    assert logger.counts()["waiting"] == 7
    logger.log({"x": 7}, record_id="7")
    spool, found = ShippedSpool(tmp_path / "none", bucket), set[str]()
    for _ in range(200):
        found |= {i for p in spool.pending({}) for i in p.rows["record_id"].to_pylist()}
        if len(found) == 8:
            break
    assert found == {str(n) for n in range(8)}
    logger.close()
    assert list((tmp_path / "pod" / "spool").iterdir()) == []


def test_a_bucket_that_refuses_loses_nothing_and_is_told(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    logger = Logger(bucket.url, keep=tmp_path / "pod", every=60)
    logger.log({"x": 1}, record_id="a")
    with caplog.at_level(logging.WARNING, logger="tidemill"):
        logger.close()
    assert "not shipped yet" in caplog.text
    assert "1 rows stay in" in caplog.text
    assert (logger.counts()["waiting"], logger.counts()["lost"]) == (1, {})


def test_a_fork_of_one_that_shipped_only_seals(bucket: Bucket, tmp_path: Path) -> None:
    code = """
import os, sys
from tidemill import Logger
logger = Logger(sys.argv[1], keep=sys.argv[2], every=60)
logger.log({"x": 1}, record_id="parent")
logger.flush()
child = os.fork()
if not child:
    logger.log({"x": 1}, record_id="child")
    logger.close()
    os._exit(logger.counts()["waiting"])
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
logger.close()
print(logger.counts()["waiting"])
"""
    command = [sys.executable, "-c", code, bucket.url, str(tmp_path / "pod")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout == "1\n0\n", run.stderr
    rows = ShippedSpool(tmp_path / "none", bucket).pending({})
    ids = {i for p in rows for i in p.rows["record_id"].to_pylist()}
    assert ids == {"parent", "child"}


def test_what_was_shipped_is_erased_and_losses_are_heard(bucket: Bucket, tmp_path: Path) -> None:
    with Logger(bucket.url, keep=tmp_path / "pod", every=60) as logger:
        logger.log({"x": 1}, record_id="gone", unit="ana")
        logger.log({"x": 2}, record_id="stays")
        logger.log("no dict", record_id="bad")  # type: ignore[arg-type]
    spool = ShippedSpool(tmp_path / "none", bucket)
    assert spool.erase("records", ["gone"]) == 1
    assert not any(b"gone" in (bucket.get(n) or b"") for n in bucket.names("spool/"))
    parcels = list(spool.pending({}))
    assert sorted(p.table for p in parcels) == ["lost", "records"]
    assert spool.discard({p.writer: p.sequence for p in parcels}) == {}
    assert bucket.names("spool/") == []


def test_machines_that_share_a_folder_know_one_another(tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "spool"
    mill = project(tmp_path / "mill", f"file://{shared}")
    Logger(f"file://{shared}").log({"x": 1}, record_id="a")
    assert turned(mill) == {"n": 1, "ids": 1}
    with open(mill) as again:
        assert isinstance(again.world.inbox, Spool)
        assert again.world.state.fact("inbox shared") is not None
    with (mill / CONFIG).open("r+") as file:
        text = file.read().replace("file://", "ftp://")
        file.seek(0)
        file.write(text)
    with pytest.raises(BadInput, match=r"cannot be the url of \[spool\]"):
        open(mill)
