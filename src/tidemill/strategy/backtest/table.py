"""A user's table as a history: records and labels as they would have come in, in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.durations import duration
from tidemill.core.errors import BadInput, BadValue, unknown
from tidemill.core.records import LABELS, MOMENT, RECORDS, conform
from tidemill.loop.log.columns import Columns
from tidemill.loop.log.records import take_records
from tidemill.loop.log.values import TEXT, read
from tidemill.strategy.backtest.table_features import Chosen, choose
from tidemill.strategy.backtest.table_label import Truth, read_truth
from tidemill.strategy.backtest.table_leaks import find_leaks
from tidemill.strategy.backtest.table_times import after, in_order, known_at, moments
from tidemill.strategy.backtest.table_told import Told

AT_ONCE = (
    "labels are known at once: a replay then flatters every strategy; "
    "give --label-time or --label-delay."
)
_NOW = datetime(9998, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """Which column of a table means what, and what is known about its labels.

    Parameters
    ----------
    time, label
        When each row was predicted, and what was true.
    label_time, label_delay
        The column that says when its label was known, or how long after the prediction.
    absent, final_after
        What a missing label means, and how long after the prediction labels are final.
    score, output, model_version
        What the user's own model answered, and which version it was.
    unit, record_id
        Who is randomised, and what the row is called.
    features, drop
        The columns to learn from, all others if empty; and those not to learn from.
    task
        ``binary``, ``multiclass`` or ``regression``; told from the labels if left out.
    """

    time: str
    label: str
    label_time: str | None = None
    label_delay: str = "0s"
    absent: float | str | None = None
    final_after: str | None = None
    score: str | None = None
    output: str | None = None
    model_version: str | None = None
    unit: str | None = None
    record_id: str | None = None
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    task: str | None = None

    def named(self) -> dict[str, str]:
        """Return the column of each meaning, as the user would name the option."""
        columns = {
            "--time": self.time,
            "--label": self.label,
            "--label-time": self.label_time,
            "--score": self.score,
            "--output": self.output,
            "--model-version": self.model_version,
            "--unit": self.unit,
            "--id": self.record_id,
        }
        return {option: name for option, name in columns.items() if name is not None}


@dataclass(frozen=True, kw_only=True)
class Understood:
    """A history made of a table, and what to tell about how it was made."""

    records: pa.Table
    labels: pa.Table
    task: str
    features: tuple[tuple[str, str], ...]
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]
    quarantined: int
    meaning: Meaning
    absent: float | str | None
    """What a missing label means, written as the labels are."""
    leaks: tuple[str, ...]
    """Features that look as if they knew the label."""


def understand(table: pa.Table, meaning: Meaning, *, salt: str = "backtest") -> Understood:
    """Make records and labels of a table.

    Rows whose time is missing, or that hold what cannot be read, are quarantined and
    counted; of rows with the same id the first counts.

    Parameters
    ----------
    table
        n rows in any order.
    salt
        For the draws that sampling rules compare.

    Raises
    ------
    BadInput, BadValue, NotFound
        If no history can be made of it; the message says what to change.

    Examples
    --------
    >>> table = pa.table({"at": ["2024-01-02", "2024-01-01"], "x": [1.0, 2.0], "y": [0, 1]})
    >>> found = understand(table, Meaning(time="at", label="y", label_delay="7d"))
    >>> found.records["record_id"].to_pylist(), found.task, found.features
    (['row-1', 'row-0'], 'binary', (('x', 'number'),))
    """
    _check(table, meaning)
    table, told = _wide(table), Told()
    at = moments(table[meaning.time], meaning.time, "--time", told)
    rows, at, index = in_order(table, at, meaning.time, told)
    truth = read_truth(rows[meaning.label], meaning.label, absent=meaning.absent, task=meaning.task)
    told.assumed += truth.assumed
    told.warnings += truth.warnings
    chosen = _features(rows, meaning, told)
    rows, ids = _with_ids(rows, meaning, index)
    prepared, columns = _columns(rows, at, meaning, truth, ids)
    columns = replace(columns, features=[column for column, _, _ in chosen.features])
    taken = take_records(
        prepared, columns, now=_NOW, floor=None, kinds={}, salt=salt, source="table"
    )
    told.refused(taken, meaning.record_id)
    if not taken.rows.num_rows:
        raise BadInput("no row can be used.", fix=" ".join(told.warnings))
    kept = taken.rows["payload"].cast(pa.int64()).combine_chunks()
    if len(kept) < rows.num_rows:
        rows, at = rows.take(kept), at.take(kept)
        truth = replace(truth, values=truth.values.take(kept))
    records = taken.rows.drop_columns(["payload"])
    records = records.append_column("p_log", pa.array(np.ones(records.num_rows)))
    records = conform(records, RECORDS)
    known = _known_at(rows, at, meaning, told)
    unlabelled = pc.is_null(truth.values).to_numpy(zero_copy_only=False)
    leaks = find_leaks(
        records,
        chosen.features,
        truth.filled(),
        task=truth.task,
        label_name=meaning.label,
        unlabelled=unlabelled,
    )
    told.leaks(leaks)
    told.truth(truth, meaning.label)
    return Understood(
        records=records,
        labels=_labels(records, truth, known),
        task=truth.task,
        features=tuple((name, kind) for _, name, kind in chosen.features),
        assumed=tuple(told.assumed),
        warnings=tuple(told.warnings),
        quarantined=told.quarantined,
        meaning=meaning,
        absent=truth.absent,
        leaks=tuple(leak.feature for leak in leaks),
    )


def _wide(table: pa.Table) -> pa.Table:
    """Give half floats, for which Arrow has hardly a function, a type that it knows."""
    for k, field in enumerate(table.schema):
        if pa.types.is_float16(field.type):
            table = table.set_column(k, field.name, table.column(k).cast(pa.float32()))
    return table


def _check(table: pa.Table, meaning: Meaning) -> None:
    names = table.column_names
    for twin in sorted({n for n in names if names.count(n) > 1}):
        raise BadInput(f"the column {twin!r} is there more than once.", fix="rename one.")
    for name in (*meaning.named().values(), *meaning.features, *meaning.drop):
        if name not in names:
            raise unknown("column", name, names)
    if not table.num_rows:
        raise BadInput("the table holds no rows.", fix="give a table with rows.")
    own = {"--time": meaning.time, "--label": meaning.label}
    for option, name in own.items():
        twice = [o for o, n in meaning.named().items() if n == name and o != option]
        if twice:
            raise BadValue(f"{option} and {twice[0]} are both {name!r}.", fix="name two columns.")
    if meaning.label in meaning.features:
        raise BadValue(
            f"--features names the label {meaning.label!r}.", fix="leave it out of --features."
        )


def _features(rows: pa.Table, meaning: Meaning, told: Told) -> Chosen:
    leave = {*meaning.named().values(), *meaning.drop}
    wanted = [n for n in dict.fromkeys(meaning.features) if n not in meaning.drop]
    chosen = choose(rows, wanted=wanted if meaning.features else None, leave=leave)
    told.warnings += chosen.left_out
    if not chosen.features:
        told.warnings.append("no column is left to learn from.")
    renamed = [(c, n) for c, n, _ in chosen.features if c != n]
    if renamed:
        words = ", ".join(f"{c!r} as {n!r}" for c, n in renamed)
        told.assumed.append(f"a model sees {words}.")
    return chosen


def _with_ids(
    rows: pa.Table, meaning: Meaning, index: npt.NDArray[np.int64]
) -> tuple[pa.Table, str]:
    if meaning.record_id is not None:
        values, _ = read(rows[meaning.record_id], TEXT)
        place = rows.column_names.index(meaning.record_id)
        return rows.set_column(place, meaning.record_id, values), meaning.record_id
    name = _free("record_id", rows)
    made = pc.binary_join_element_wise("row-", pa.array(index).cast(pa.string()), "")
    return rows.append_column(name, made), name


def _free(name: str, rows: pa.Table) -> str:
    while name in rows.column_names:
        name += "_"
    return name


def _columns(
    rows: pa.Table, at: pa.Array, meaning: Meaning, truth: Truth, ids: str
) -> tuple[pa.Table, Columns]:
    """Name the columns of a record; times are read already, answers are like the labels."""
    rows = rows.set_column(rows.column_names.index(meaning.time), meaning.time, at)
    # Ids may repeat, so rows that are kept are known by their place.
    place = _free("place", rows)
    rows = rows.append_column(place, pa.array(np.arange(rows.num_rows)).cast(pa.string()))
    output, score = meaning.output, meaning.score
    if truth.task == "regression" and output is None:
        output, score = score, None
    if output is not None:
        said = truth.translate(rows[output])
        rows = rows.set_column(rows.column_names.index(output), output, said)
    return rows, Columns(
        id=ids,
        time=meaning.time,
        available_at=meaning.time,
        model=meaning.model_version,
        unit=meaning.unit,
        output=output,
        score=score,
        payload=place,
        timezone="UTC",
    )


def _known_at(rows: pa.Table, at: pa.Array, meaning: Meaning, told: Told) -> pa.Array:
    delay, final = duration(meaning.label_delay), duration(meaning.final_after or "0s")
    if meaning.label_time is not None:
        columns = {"label": meaning.label, "label_time": meaning.label_time}
        # A label that never came would mean absence, which is worse than one that is late.
        late = max(delay, final) if delay or final or meaning.absent is not None else None
        return known_at(rows, at, told, **columns, delay=late)
    if not delay and not final:
        told.assumed.append(AT_ONCE)
    return after(at, delay)


def _labels(records: pa.Table, truth: Truth, known: pa.Array) -> pa.Table:
    values = truth.values
    there = pc.and_(pc.is_valid(values), pc.is_valid(known))
    name = "label_text" if pa.types.is_string(values.type) else "label"
    n = records.num_rows
    rows = pa.table(
        {
            "record_id": records["record_id"],
            "predicted_at": records["predicted_at"],
            "available_at": known.cast(MOMENT),
            "day": records["day"],
            "happened_at": known.cast(MOMENT),
            "received_at": known.cast(MOMENT),
            "source": pa.repeat("table", n),
            "label_id": pc.binary_join_element_wise("label", records["record_id"], "-"),
            name: values,
            "source_kind": pa.repeat("outcome", n),
        }
    )
    return conform(rows.filter(there), LABELS)
