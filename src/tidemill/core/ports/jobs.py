"""Jobs: work that runs user code, apart from the mill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from tidemill.core.ports.state import Json


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work that runs user code, apart from the mill, under limits."""

    id: str
    kind: str
    """``fit``, ``answer``, ``check`` (answers and their latency) or ``label``."""
    work: Any = None
    """The trainer, the labelling function, or what else is asked of one who answers
    (:class:`tidemill.core.importance.Importance`)."""
    table: pa.Table | None = None
    models: Mapping[str, bytes] = field(default_factory=dict)
    seconds: float = 3600.0
    memory_mb: int = 4096
    content: str = ""
    """A digest of the rows, where it is known already; else they are hashed."""


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What became of a job: its output, or why it failed."""

    ok: bool
    why: str = ""
    model: bytes | None = None
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    facts: Json = field(default_factory=dict)


class Jobs(Protocol):
    """Runs jobs; a job outlives the turn that started it."""

    def start(self, job: Job) -> None:
        """Start a job, unless one of this id has been started and is not lost."""
        ...

    def poll(self, job_id: str) -> JobResult | None:
        """Return the result, None while it runs; a job that was lost is a failed result."""
        ...

    def wait(self, seconds: float) -> None:
        """Sleep until a job ends or the time is over."""
        ...

    def forget(self, job_id: str) -> None:
        """Remove what a collected job left behind."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class KeepsInputs(Protocol):
    """Jobs whose inputs lie somewhere until they are forgotten."""

    def kept(self) -> list[str]:
        """Return the ids of jobs that something is kept of, untouched for an hour."""
        ...

    def clear(self) -> int:
        """End what runs, remove what any job was given, made and printed; returns how many."""
        ...
