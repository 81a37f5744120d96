"""What we measure, and of whom: metrics, cohorts, projections; the day is the unit of evidence.

Parts load at first use: a service that only counts its rows imports no Ibis and no pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill.measures.classification import AUC, Accuracy, Brier, LogLoss
    from tidemill.measures.cohort import Cohort
    from tidemill.measures.edge import EdgeProfile
    from tidemill.measures.grid import Grid
    from tidemill.measures.metric import Metric, measure, measure_difference
    from tidemill.measures.profile import Profile
    from tidemill.measures.projection import Projection
    from tidemill.measures.ranking import MAP, MRR, NDCG
    from tidemill.measures.regression import MAE, MSE
    from tidemill.measures.top import PrecisionAt, RecallAt

_HOMES = {
    "AUC": "classification",
    "Accuracy": "classification",
    "Brier": "classification",
    "LogLoss": "classification",
    "Cohort": "cohort",
    "EdgeProfile": "edge",
    "Grid": "grid",
    "Metric": "metric",
    "measure": "metric",
    "measure_difference": "metric",
    "Profile": "profile",
    "Projection": "projection",
    "MAP": "ranking",
    "MRR": "ranking",
    "NDCG": "ranking",
    "MAE": "regression",
    "MSE": "regression",
    "PrecisionAt": "top",
    "RecallAt": "top",
}

__all__ = [
    "AUC",
    "MAE",
    "MAP",
    "MRR",
    "MSE",
    "NDCG",
    "Accuracy",
    "Brier",
    "Cohort",
    "EdgeProfile",
    "Grid",
    "LogLoss",
    "Metric",
    "PrecisionAt",
    "Profile",
    "Projection",
    "RecallAt",
    "measure",
    "measure_difference",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tidemill.measures' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tidemill.measures.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
