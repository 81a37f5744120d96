"""What a process uses of its machine: processor, memory, threads, files and, where there is one, GPU."""

from __future__ import annotations

import math
import os
import resource
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tidemill.adapters.telemetry.samples import Sample
from tidemill.core.signals import Key, Point

_PATIENCE = 5.0
_ASK = "index,utilization.gpu,memory.used"


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One graphics processor: the share of time it was busy, and its memory in use."""

    index: str
    busy: float
    memory_bytes: float


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a process used until a moment; NaN where it cannot be told, and ``why`` says so.

    The graphics processors are those of the machine, whoever uses them.
    """

    pid: int
    at: datetime
    started: datetime | None = None
    cpu_seconds: float = math.nan
    memory_bytes: float = math.nan
    threads: float = math.nan
    open_files: float = math.nan
    gpus: tuple[Gpu, ...] = ()
    why: dict[str, str] = field(default_factory=dict)


def usage(*, at: datetime, pid: int | None = None, proc: Path = Path("/proc")) -> Usage:
    """Read what a process uses.

    Parameters
    ----------
    at
        Now.
    pid
        The process; this one when None. Without ``/proc`` only this one can be read.
    proc
        Where the system tells of its processes.

    Examples
    --------
    >>> found = usage(at=datetime.now(UTC))
    >>> found.cpu_seconds > 0, found.threads >= 1
    (True, True)
    """
    own = os.getpid()
    pid = own if pid is None else pid
    gpus, trouble = _gpus()
    why = {"gpus": trouble} if trouble else {}
    found: dict[str, float] = {}
    started = None
    if (proc / "self").exists():
        started, found = _from_proc(proc, pid, why)
    elif pid == own:
        found = _of_this_process(why)
    else:
        why["process"] = f"there is no {proc} on this system to read another process from"
    return Usage(pid=pid, at=at, started=started, gpus=gpus, why=why, **found)


def _from_proc(
    proc: Path, pid: int, why: dict[str, str]
) -> tuple[datetime | None, dict[str, float]]:
    home = proc / str(pid)
    ticks = os.sysconf("SC_CLK_TCK")
    found: dict[str, float] = {}
    started = None
    try:
        # The name of the program may hold blanks and brackets; what counts follows the last one.
        words = (home / "stat").read_text(errors="replace").rpartition(")")[2].split()
        found["cpu_seconds"] = (int(words[11]) + int(words[12])) / ticks
        found["threads"] = float(words[17])
        started = _boot(proc) + timedelta(seconds=int(words[19]) / ticks)
        pages = int((home / "statm").read_text().split()[1])
        found["memory_bytes"] = float(pages * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, IndexError) as error:
        why["process"] = f"process {pid} cannot be read ({type(error).__name__})"
        return None, found
    try:
        found["open_files"] = float(len(os.listdir(home / "fd")))  # noqa: PTH208 - names are enough
    except OSError as error:
        why["open_files"] = f"the files of process {pid} cannot be listed ({type(error).__name__})"
    return started, found


def _boot(proc: Path) -> datetime:
    for line in (proc / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return datetime.fromtimestamp(int(line.split()[1]), UTC)
    raise ValueError("no btime")


def _of_this_process(why: dict[str, str]) -> dict[str, float]:
    """Read what Python itself knows, where the system has no ``/proc``."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    why["memory_bytes"] = "without /proc only the largest memory so far is known"
    why["open_files"] = "without /proc open files cannot be counted"
    return {
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "threads": float(threading.active_count()),
    }


def _gpus() -> tuple[tuple[Gpu, ...], str]:
    """Ask ``nvidia-smi``, where there is one; without it there is nothing to say."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), ""
    ask = [program, f"--query-gpu={_ASK}", "--format=csv,noheader,nounits"]
    try:
        run = subprocess.run(
            ask, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return (), f"nvidia-smi did not answer ({type(error).__name__})"
    if run.returncode:
        return (), f"nvidia-smi ended with {run.returncode}"
    rows = [[word.strip() for word in line.split(",")] for line in run.stdout.splitlines()]
    gpus = tuple(
        Gpu(index=row[0], busy=_number(row[1]) / 100, memory_bytes=_number(row[2]) * 2**20)
        for row in rows
        if len(row) == len(_ASK.split(","))
    )
    return gpus, "" if gpus else "nvidia-smi told of no processor"


def _number(word: str) -> float:
    """Read a number; a processor that does not tell says ``[N/A]``."""
    try:
        return float(word)
    except ValueError:
        return math.nan


def samples(used: Usage) -> list[Sample]:
    """Return what a process uses under the names that Prometheus' own clients give it."""
    started = math.nan if used.started is None else used.started.timestamp()
    told = [
        ("process_cpu_seconds_total", used.cpu_seconds, "Seconds of processor used, in all."),
        ("process_resident_memory_bytes", used.memory_bytes, "Memory in use."),
        ("process_open_fds", used.open_files, "Open files."),
        ("process_threads", used.threads, "Threads."),
        ("process_start_time_seconds", started, "When the process began."),
    ]
    found = [
        Sample(name=n, value=v, help=h, kind="counter" if n.endswith("_total") else "gauge")
        for n, v, h in told
        if not math.isnan(v)
    ]
    for gpu in used.gpus:
        for name, value, words in (
            ("tidemill_gpu_busy_ratio", gpu.busy, "Share of time the GPU was busy."),
            ("tidemill_gpu_memory_bytes", gpu.memory_bytes, "Memory of the GPU in use."),
        ):
            if not math.isnan(value):
                labels = (("gpu", gpu.index),)
                found.append(Sample(name=name, value=value, labels=labels, help=words))
    return found


def between(before: Usage, after: Usage) -> list[tuple[Key, Point]]:
    """Return signals of the time between two readings of the same process.

    ``cpu_cores`` is how many cores were busy for it on average; the others are those of the
    second reading. What cannot be told is NaN with its reason.

    Examples
    --------
    >>> at = datetime(2013, 2, 8, tzinfo=UTC)
    >>> found = dict(between(Usage(pid=1, at=at, cpu_seconds=10.0),
    ...                      Usage(pid=1, at=at + timedelta(minutes=1), cpu_seconds=40.0)))
    >>> found[Key(kind="system", metric="cpu_cores")].value
    0.5
    """
    seconds = (after.at - before.at).total_seconds()
    cores, why = math.nan, after.why.get("process", "")
    if (before.pid, before.started) != (after.pid, after.started):
        why = "the process was started anew in between"
    elif seconds <= 0:
        why = "the second reading is not later than the first"
    else:
        cores = (after.cpu_seconds - before.cpu_seconds) / seconds
    told = [("cpu_cores", cores, why)]
    told += [
        (name, getattr(after, name), after.why.get(name, after.why.get("process", "")))
        for name in ("memory_bytes", "threads", "open_files")
    ]
    found = [
        (Key(kind="system", metric=name), _point(before, after, value, why))
        for name, value, why in told
    ]
    for gpu in after.gpus:
        for name, value in (("gpu_busy_ratio", gpu.busy), ("gpu_memory_bytes", gpu.memory_bytes)):
            key = Key(kind="system", metric=name, column=f"gpu {gpu.index}")
            found.append((key, _point(before, after, value, "nvidia-smi does not tell")))
    return found


def _point(before: Usage, after: Usage, value: float, why: str) -> Point:
    missing = math.isnan(value)
    return Point(
        start=min(before.at, after.at),
        end=after.at,
        value=value,
        n=0 if missing else 1,
        why=(why or "it cannot be told on this system") if missing else "",
    )
