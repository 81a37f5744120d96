"""A worker of the crew: does one job after another, until whoever started it is gone.

Started as ``python -m tidemill.adapters.trainers.shared_worker SOCKET MODULE...``. Unlike the worker of
the pool it forks no child a job: a replay asks for thousands of short ones.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from tidemill.adapters.trainers.kept import arrow_bytes, pack, result_bytes, table_of, unpack
from tidemill.adapters.trainers.pickling import dump, load
from tidemill.core.ports import Job, JobResult
from tidemill.core.work import reason, work

READY = b"ready"
WARM = ("pandas", "sklearn.pipeline")
"""Slow imports that a worker does at once if whoever starts it did, so that no fit pays for it."""


def main() -> None:
    """Do the jobs that come through the socket."""
    # Ctrl-C is for whoever started it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    number = int(sys.argv[1])
    os.set_inheritable(number, False)
    link = Connection(number)
    for name in sys.argv[2:]:
        importlib.import_module(name)
    nothing = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(nothing, target)
    orders: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(link, orders), daemon=True).start()
    link.send_bytes(READY)
    while True:
        link.send_bytes(_do(orders.get()))


def _listen(link: Connection, orders: SimpleQueue[bytes]) -> None:
    """Hand on what comes; end at once, in the middle of a fit too, when nobody is there."""
    try:
        while True:
            orders.put(link.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


def _do(order: bytes) -> bytes:
    try:
        job = job_of(order)
        with _limited(job.memory_mb):
            result = work(job, dump, load)
    except BaseException as error:  # noqa: BLE001 - even SystemExit is a result
        result = JobResult(ok=False, why=reason(error))
    return result_bytes(result)


@contextmanager
def _limited(megabytes: int) -> Generator[None, None, None]:
    """Let this process have so much more private data; where the kernel has no such limit, ask."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + megabytes * 2**20, hard))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    status = Path("/proc/self/status")
    text = status.read_text() if status.exists() else ""
    line = next((x for x in text.splitlines() if x.startswith("VmData:")), "VmData: 0 kB")
    return int(line.split()[1]) * 1024


def job_bytes(job: Job) -> bytes:
    """Turn a job into bytes for a worker."""
    names = list(job.models)
    told = {"id": job.id, "kind": job.kind, "memory_mb": job.memory_mb, "models": names}
    head = json.dumps({**told, "table": job.table is not None}).encode()
    table: bytes | memoryview = b"" if job.table is None else arrow_bytes(job.table)
    return pack([head, dump(job.work), table, *(job.models[name] for name in names)])


def job_of(data: bytes) -> Job:
    """Turn bytes into the job they were."""
    head, pickled, table, *models = unpack(data)
    told = json.loads(bytes(head))
    return Job(
        id=told["id"],
        kind=told["kind"],
        work=load(bytes(pickled)),
        table=table_of(table) if told["table"] else None,
        models={n: bytes(m) for n, m in zip(told["models"], models, strict=True)},
        memory_mb=told["memory_mb"],
    )


if __name__ == "__main__":
    main()
