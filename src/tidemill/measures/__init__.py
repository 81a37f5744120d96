"""What we measure, and of whom: metrics, cohorts, projections; the day is the unit of evidence."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loaded at first use: Ibis takes longer than most that is asked
    from tidemill.measures.classification import AUC, Accuracy, Brier, LogLoss
    from tidemill.measures.cohort import Cohort
    from tidemill.measures.metric import Metric, measure, measure_difference
    from tidemill.measures.projection import Projection
    from tidemill.measures.regression import MAE, MSE

_HOMES = {
    "AUC": "classification",
    "Accuracy": "classification",
    "Brier": "classification",
    "LogLoss": "classification",
    "Cohort": "cohort",
    "Metric": "metric",
    "measure": "metric",
    "measure_difference": "metric",
    "Projection": "projection",
    "MAE": "regression",
    "MSE": "regression",
}

__all__ = [
    "AUC",
    "MAE",
    "MSE",
    "Accuracy",
    "Brier",
    "Cohort",
    "LogLoss",
    "Metric",
    "Projection",
    "measure",
    "measure_difference",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
