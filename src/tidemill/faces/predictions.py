"""Two sets of predictions on the same labels: which is better, and how sure that is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import BadInput, unknown
from tidemill.faces.pairing import Columns, Paired, paired

if TYPE_CHECKING:
    from tidemill.core.ports import Json
    from tidemill.measures import Metric

SCHEMA = "tidemill.compare/1"
_FEW = 5
_PLACES = 10


def comparison(
    a: pa.Table,
    b: pa.Table,
    columns: Columns,
    *,
    labels: pa.Table | None = None,
    metric: str | None = None,
    names: tuple[str, str] = ("A", "B"),
) -> Json:
    """Compare two sets of predictions on the same labels.

    Parameters
    ----------
    a, b
        The rows of each.
    columns
        Which columns mean what.
    labels
        Where the labels are, with the same ids; in ``a`` without.
    metric
        The one that counts: auc, log_loss, brier, accuracy, mae or mse; with lists also ndcg, mrr,
        map, or precision, recall, ndcg and mrr of so many places, such as ``"ndcg_at_5"``. By the
        labels without.
    names
        How they are called.

    Returns
    -------
    Json
        The document that ``tidemill compare --json`` prints; docs/cli.md lists its keys. Every
        difference is b against a, positive when b is better, with a 95 % interval from leaving
        out one group of rows at a time.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> label = rng.integers(0, 2, 2000)
    >>> scores = [np.clip(label * 0.2 + rng.random(2000) * w, 0, 1) for w in (1.0, 0.8)]
    >>> one, two = (pa.table({"label": label, "score": s}) for s in scores)
    >>> found = comparison(one, two, Columns(label="label"))
    >>> found["verdict"], found["metrics"][0]["name"]
    ('BETTER', 'auc')
    """
    rows = paired(a, b, columns, labels, names)
    label, task, chosen = _task(rows, metric)
    measured = [_measured(m, rows, label, names) for m in chosen]
    return {
        "schema": SCHEMA,
        "a": {"name": names[0], "rows": a.num_rows},
        "b": {"name": names[1], "rows": b.num_rows},
        "paired": len(rows.label),
        "left_out": rows.left_out,
        "task": task,
        "units": rows.units,
        "groups": int(np.unique(rows.groups).size),
        "assumed": list(rows.assumed),
        "metrics": measured,
        "verdict": measured[0]["verdict"],
        "conclusion": _conclusion(measured, rows, names),
    }


def _task(rows: Paired, metric: str | None) -> tuple[NDArray[Any], str, list[Metric]]:
    """Tell what is predicted, and which metrics say how well; the first one counts."""
    from tidemill.measures import AUC, MAE, MSE, Accuracy, Brier, LogLoss

    label, task = _label(rows.label)
    known: list[Metric] = _rankings(rows, label, metric)
    if task == "binary" and rows.score is not None:
        known += [AUC(), LogLoss(), Brier()]
    if rows.output is not None:
        known += [MAE(), MSE()] if task == "regression" else [Accuracy()]
    if not known:
        raise BadInput(
            f"scores say nothing about labels of {task}.",
            fix="give --output COLUMN, or code the positive class as 1 and the other as 0.",
        )
    if metric is not None:
        if metric not in {m.name for m in known}:
            raise unknown("metric", metric, [m.name for m in known])
        known.sort(key=lambda m: m.name != metric)
    return label, task, known


def _rankings(rows: Paired, label: NDArray[Any], wanted: str | None) -> list[Metric]:
    """Return metrics of lists, where there are some, and that of so many places that is wanted."""
    from tidemill.measures import MAP, MRR, NDCG, PrecisionAt, RecallAt

    if rows.lists is None:
        return []
    if label.dtype == object:
        raise BadInput(
            "lists are of labels that are numbers.", fix="code how relevant a row is as 0, 1, ..."
        )
    needs: Any = "score" if rows.score is not None else "output"
    of_places: dict[str, Any] = {
        "ndcg": lambda k: NDCG(k=k, needs=needs),
        "mrr": lambda k: MRR(k=k, needs=needs),
        "precision": lambda k: PrecisionAt(k, needs=needs),
        "recall": lambda k: RecallAt(k, needs=needs),
    }
    found: list[Metric] = [
        *(make(_PLACES) for make in of_places.values()),
        *(NDCG(k=None, needs=needs), MRR(needs=needs), MAP(needs=needs)),
    ]
    kind, _, places = (wanted or "").partition("_at_")
    if kind in of_places and places.isdigit() and int(places) not in (0, _PLACES):
        found.append(of_places[kind](int(places)))
    return found


def _label(label: pa.ChunkedArray) -> tuple[NDArray[Any], str]:
    kind = label.type
    if pa.types.is_boolean(kind):
        return label.cast(pa.int8()).to_numpy().astype(float), "binary"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = label.cast(pa.float64(), safe=False).to_numpy()
        return values, "binary" if np.isin(values, (0.0, 1.0)).all() else "regression"
    return np.array(label.cast(pa.string()).to_pylist(), dtype=object), "classes"


def _measured(metric: Metric, rows: Paired, label: NDArray[Any], names: tuple[str, str]) -> Json:
    from tidemill.measures import measure_difference
    from tidemill.measures.grouped import beside, group_of

    pair = rows.score if metric.needs == "score" else rows.output
    assert pair is not None  # noqa: S101 - a metric is chosen by what there is
    one, two = (_numbers(answer, label) for answer in pair)
    weight = np.ones(label.size)
    if group_of(metric):
        assert rows.lists is not None  # noqa: S101 - as above
        label = beside(label, rows.lists)
    found = measure_difference(metric, label, two, one, weight, rows.groups)
    verdict, why = "NO_VERDICT", ""
    if not math.isfinite(found.value):
        why = "it cannot be computed on these rows"
    elif not found.known:
        why = f"{found.groups} {rows.units}; {_FEW} are needed for an interval"
    elif found.low == found.high == 0:
        verdict, why = "SAME", "both answer alike"
    elif found.low > 0:
        verdict = "BETTER"
    elif found.high < 0:
        verdict = "WORSE"
    else:
        why = "the interval holds 0"
    values = [float(metric(label, answer, weight)) for answer in (one, two)]
    return {
        "name": metric.name,
        "higher_is_better": metric.higher_is_better,
        "a": _finite(values[0]),
        "b": _finite(values[1]),
        "difference": {k: _finite(getattr(found, k)) for k in ("value", "low", "high")},
        "verdict": verdict,
        "why": why,
    }


def _numbers(answer: pa.ChunkedArray, label: NDArray[Any]) -> NDArray[Any]:
    """Return answers in the type of the labels."""
    if label.dtype == object:
        return np.array(answer.cast(pa.string()).to_pylist(), dtype=object)
    try:
        if pa.types.is_boolean(answer.type):
            answer = answer.cast(pa.int8())
        return answer.cast(pa.float64(), safe=False).to_numpy()
    except pa.ArrowException:
        raise BadInput(
            f"labels are numbers, predictions are {answer.type}.",
            fix="code both alike, or name another column.",
        ) from None


def _conclusion(measured: list[Json], rows: Paired, names: tuple[str, str]) -> list[str]:
    first = measured[0]
    gap = first["difference"]
    if first["verdict"] in {"BETTER", "WORSE"}:
        word = first["verdict"].lower()
        said = (
            f"{names[1]} is {word} than {names[0]}: {first['name']} {first['a']:.4g} → "
            f"{first['b']:.4g}, a difference of {gap['value']:+.3g} "
            f"[{gap['low']:+.3g}, {gap['high']:+.3g}]."
        )
    elif first["verdict"] == "SAME":
        said = f"{names[1]} answers as {names[0]} does."
    else:
        said = f"Neither is better for sure by {first['name']}: {first['why']}."
    n = int(np.unique(rows.groups).size)
    return [
        said,
        f"Evidence: {len(rows.label):,} rows in {n} {rows.units}, left out one at a time.",
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
