"""What a job is, as one hash: equal keys are equal work, whoever asks for it."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from typing import Any

import pyarrow as pa

from tidemill.adapters.trainers.kept import arrow_bytes
from tidemill.core.fingerprint import fingerprint
from tidemill.core.ports import Job

_HELD = 128
"""How many trainers, and models, are held to know them again."""


class Keys:
    """Keys of jobs, with the hashes of what many jobs have in common computed once.

    Examples
    --------
    >>> keys, rows = Keys(), pa.table({"x": [1.0]})
    >>> one, other = (Job(id=i, kind="answer", table=rows, models={"m": b"m"}) for i in "ab")
    >>> keys.of(one) == keys.of(other)
    True
    """

    def __init__(self) -> None:
        self._held: OrderedDict[int, tuple[Any, str]] = OrderedDict()
        self._tables: dict[int, tuple[weakref.ref[pa.Table], str]] = {}

    def of(self, job: Job, mark: str = "") -> str:
        """Hash the kind of a job, its code, its rows and its models; ``mark`` is what else counts."""
        models = [f"{name}={self._digest(job.models[name])}" for name in sorted(job.models)]
        parts = [job.kind, self._work(job.work), self._rows(job), *models, mark]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _work(self, work: object) -> str:
        return self._known(work) or self._hold(work, fingerprint(work))

    def _digest(self, data: bytes) -> str:
        return self._known(data) or self._hold(data, hashlib.sha256(data).hexdigest())

    def _known(self, value: object) -> str | None:
        found = self._held.get(id(value))
        if found is None:
            return None
        self._held.move_to_end(id(value))
        return found[1]

    def _hold(self, value: object, digest: str) -> str:
        # Held, so that no other object can get its id meanwhile.
        self._held[id(value)] = (value, digest)
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        return digest

    def _rows(self, job: Job) -> str:
        table = job.table
        if table is None:
            return "none"
        if job.content:
            # The digest may be that of a dataset, of which the job sees some columns.
            columns = [f"{f.name!r}:{f.type}" for f in table.schema]
            return f"{job.content} {table.num_rows} {' '.join(columns)}"
        ref, digest = self._tables.get(id(table), (None, ""))
        if ref is not None and ref() is table:
            return digest
        digest = hashlib.sha256(arrow_bytes(table)).hexdigest()
        # Not held: there is a new one for each job, and they are large.
        self._tables = {k: v for k, v in self._tables.items() if v[0]() is not None}
        self._tables[id(table)] = (weakref.ref(table), digest)
        return digest
