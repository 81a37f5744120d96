"""The work that runs user code, wherever it runs: fit, answer, label."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.core.errors import BadInput
from tidemill.core.importance import Importance
from tidemill.core.model import Answers, answer
from tidemill.core.ports import Job, JobResult
from tidemill.core.rules import TrainingData

Dump = Callable[[object], bytes]
Load = Callable[[bytes], object]
CANDIDATE = "candidate"
_ALONE = 20
"""Records asked one at a time, to measure the latency of a single answer."""


def work(job: Job, dump: Dump, load: Load) -> JobResult:
    """Do a job in this process; whatever the user's code raises is its result.

    Parameters
    ----------
    dump, load
        How models become bytes and back.
    """
    start = time.perf_counter()
    try:
        kinds = {"fit": _fit, "answer": _answer, "check": _answer, "label": _label}
        result = kinds[job.kind](job, dump, load)
    except MemoryError:
        why = f"it needed more than the {job.memory_mb} MB it may use"
        return JobResult(ok=False, why=why)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        return JobResult(ok=False, why=reason(error))
    facts = {**result.facts, "seconds": round(time.perf_counter() - start, 3)}
    return JobResult(ok=True, model=result.model, tables=result.tables, facts=facts)


def reason(error: BaseException) -> str:
    """Say in one line what a user's code raised."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


def _fit(job: Job, dump: Dump, load: Load) -> JobResult:
    table = _need(job)
    # By place, since features may be called label or weight too.
    last = table.num_columns - 3
    number, text, weight = table.columns[last:]
    label, features = text if number.null_count else number, table.select(range(last))
    names = features.column_names
    if not names:
        raise BadInput("the records have no feature to learn from.", fix="log some.")
    data = TrainingData(
        features=features,
        label=label.to_numpy(zero_copy_only=False),
        weight=weight.to_numpy(),
    )
    previous = load(job.models["previous"]) if "previous" in job.models else None
    model = job.work(data, previous)
    # Ask it at once: what cannot answer is no model, and is better known now.
    answer(model, data.features.slice(0, 50))
    kinds = {n: str(t) for n, t in zip(names, data.features.schema.types, strict=True)}
    facts = {"features": kinds, "rows": table.num_rows}
    return JobResult(ok=True, model=dump(model), facts=facts)


def _answer(job: Job, dump: Dump, load: Load) -> JobResult:
    table = _need(job)
    tables: dict[str, pa.Table] = {}
    facts: dict[str, Any] = {}
    for name, blob in job.models.items():
        try:
            model = load(blob)
            tables[name] = answer(model, table).to_table()
        except Exception as error:
            if name == CANDIDATE:
                raise
            # A champion that cannot answer any more must not fail the one that could replace
            # it; nor is it beaten by that: no answers, no verdict, a person decides.
            tables[name] = _no_answers(table.num_rows)
            facts[f"{name}_error"] = reason(error)
            continue
        if job.kind == "check":
            facts[f"{name}_ms"] = _latency(model, table)
        if name == CANDIDATE and isinstance(job.work, Importance):
            facts |= _importance(job.work, model, table)
    return JobResult(ok=True, tables=tables, facts=facts)


def _importance(wanted: Importance, model: object, table: pa.Table) -> dict[str, Any]:
    """Ask what answers rest on; a model that cannot answer such rows fails nobody by that."""
    try:
        return wanted.of(model, table)
    except Exception as error:  # noqa: BLE001 - the user's model may raise anything
        return {"importance_why": reason(error)}


def _no_answers(n: int) -> pa.Table:
    nothing = np.full(n, np.nan)
    return Answers(output=nothing, score=nothing).to_table()


def _latency(model: object, table: pa.Table) -> float:
    """Measure how many milliseconds one record alone typically takes.

    The median, since a busy machine must not fail a candidate.
    """
    times = []
    for k in range(min(_ALONE, table.num_rows)):
        start = time.perf_counter()
        answer(model, table.slice(k, 1))
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times)) if times else 0.0


def _label(job: Job, dump: Dump, load: Load) -> JobResult:
    table = _need(job)
    said = np.asarray(job.work(table.to_pandas()))
    if said.shape != (table.num_rows,):
        raise BadInput(
            f"the labeller returned shape {said.shape} for {table.num_rows} records.",
            fix="return one label a record.",
        )
    if said.dtype.kind in "biuf":
        labels = Answers(output=said.astype(float), score=said.astype(float))
    else:
        labels = Answers(output=said.astype(object), score=np.full(len(said), np.nan))
    return JobResult(ok=True, tables={"labels": labels.to_table()})


def _need(job: Job) -> pa.Table:
    if job.table is None:
        raise BadInput(f"the job {job.id} carries no rows.", fix="report this as a bug.")
    return job.table


def same_features(table: pa.Table, kinds: Mapping[str, str]) -> pa.Table:
    """Give a model the features it was trained on, in that order, null where unknown now."""
    columns = {}
    for name, kind in kinds.items():
        wanted = _type(kind)
        if name in table.column_names:
            columns[name] = _cast(table[name], name, wanted)
        else:
            columns[name] = pa.nulls(table.num_rows, wanted)
    return pa.table(columns)


def _cast(column: pa.ChunkedArray, name: str, wanted: pa.DataType) -> pa.ChunkedArray:
    try:
        return column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        text = str(error).partition("\n")[0].rstrip(".")
        raise BadInput(
            f"feature {name!r} holds {column.type}, the model learnt {wanted}: {text}.",
            fix=f"give {name!r} as {wanted}.",
        ) from None


def _type(kind: str) -> pa.DataType:
    if kind.startswith("timestamp"):
        return pa.timestamp("us", tz="UTC")
    if kind.startswith("list"):
        return pa.list_(pa.float64())
    return {"double": pa.float64(), "string": pa.string()}[kind]
