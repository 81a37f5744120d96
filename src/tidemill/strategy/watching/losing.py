"""Judged records with how each does by a metric: what groups are found in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.core.as_of import ANSWERED
from tidemill.core.errors import BadInput, TidemillError, unknown
from tidemill.core.records import FEATURE, bare, features_of
from tidemill.core.work import reason
from tidemill.measures import MAE, MSE, Accuracy, Brier, LogLoss, Metric
from tidemill.measures.metric import summary_of
from tidemill.strategy.realised import yardsticks
from tidemill.strategy.signalling import judged_answers
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.watching.past import Past, drawn
from tidemill.strategy.watching.windows import Windows

MOST_ROWS = 200_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Records whose label is final, with how each does by a metric.

    Parameters
    ----------
    features
        Under the names people know.
    loss
        Higher is worse; its weighted mean is the metric, or less the metric where higher is
        better.
    weight, window
        One of each a record.
    value
        The metric of all of them.
    """

    features: pa.Table
    loss: Floats
    weight: Floats
    window: npt.NDArray[np.int64]
    value: float

    @property
    def windows(self) -> int:
        return len(np.unique(self.window))


def judged(
    past: Past, strategy: Strategy, metric: Metric, span: tuple[datetime, datetime]
) -> Judged:
    """Read the records of a time that have an answer and a final label.

    Raises
    ------
    BadInput
        If there are none, or the metric cannot be told of them.
    """
    since, until = span
    rows = strategy.labels(past.view.reservoir(since=since, until=until), past.view.now)
    answers: Any = [rows.score] if metric.needs == "score" else [rows.output, rows.output_text]
    kept = rows.filter(ibis.or_(*(one.notnull() for one in answers)))
    names = _asked(strategy, features_of(list(rows.columns)))
    number = Windows(every=past.every).number(kept)
    shown = drawn(kept.mutate(window=number), MOST_ROWS)
    shown = shown.select(*ANSWERED, "label", "label_text", "weight", "window", *names)
    table = past.view.arrow(shown.order_by("predicted_at"))
    if not table.num_rows:
        raise BadInput(
            f"no record from {since:%Y-%m-%d} to {until:%Y-%m-%d} has an answer and a final label.",
            fix="give a longer time, such as --last 90d, or see 'tidemill metrics'.",
        )
    loss, value = _loss(metric, table)
    return Judged(
        features=bare(table),
        loss=loss,
        weight=table["weight"].to_numpy(),
        window=table["window"].to_numpy(),
        value=value,
    )


def _asked(strategy: Strategy, features: list[str]) -> list[str]:
    """Leave out features that monitoring ignores, such as a month, which changes by its nature."""
    ignored = () if strategy.monitoring is None else strategy.monitoring.ignore
    return [name for name in features if name.removeprefix(FEATURE) not in ignored]


def _loss(metric: Metric, table: pa.Table) -> tuple[Floats, float]:
    """Return the value of each row, turned so that more is worse, and the metric."""
    influence: Any = getattr(metric, "influence", None)
    try:
        label, answer, weight = judged_answers(metric, table)
        value = float(metric(label, answer, weight))
        moves = np.asarray(influence(label, answer, weight), dtype=np.float64)
    except TidemillError:
        raise
    except Exception as error:  # noqa: BLE001 - a metric of the user's may fail in any way
        raise BadInput(f"{metric.name} failed: {reason(error)}.", fix="mend it.") from None
    if not math.isfinite(value):
        raise BadInput(
            f"{metric.name} cannot be told from these records.",
            fix="give a longer time, or choose another --metric.",
        )
    rows = value + moves * weight.sum() / weight
    return (-rows if metric.higher_is_better else rows), value


def metric_of(strategy: Strategy, name: str = "") -> Metric:
    """Return a metric that has a value for each record, by its name.

    Parameters
    ----------
    name
        One of the strategy, or ``accuracy``, ``log_loss``, ``brier``, ``mae``, ``mse``; empty
        for the first of the strategy that has, else for log loss where the strategy looks at
        scores, and accuracy where it does not.

    Raises
    ------
    NotFound
        If there is none of this name.
    BadInput
        If it has no value for each record, as an AUC, which is of pairs.
    """
    own = yardsticks(strategy)
    usual: list[Metric] = [LogLoss(), Accuracy(), Brier(), MAE(), MSE()]
    known = {m.name: m for m in (*usual, *own)}
    if name and name not in known:
        raise unknown("metric", name, known)
    if name and not of_rows(known[name]):
        raise BadInput(
            f"{name} has no value for each record, so no group has a part in it.",
            fix="choose another, such as --metric log_loss; one of your own says summary = 'mergeable' "
            "and has an influence.",
        )
    if name:
        return known[name]
    scores = any(m.needs == "score" for m in own)
    return next((m for m in own if of_rows(m)), usual[0] if scores else usual[1])


def of_rows(metric: Metric) -> bool:
    """Tell whether a metric is the mean of one value a record, and says which.

    Examples
    --------
    >>> from tidemill import AUC
    >>> of_rows(AUC()), of_rows(LogLoss())
    (False, True)
    """
    return summary_of(metric) == "mergeable" and hasattr(metric, "influence")
