"""What we measure, and of whom: metrics, cohorts, projections; the day is the unit of evidence."""

from tidemill.measures.classification import AUC, Accuracy, Brier, LogLoss
from tidemill.measures.cohort import Cohort
from tidemill.measures.metric import Metric, measure, measure_difference
from tidemill.measures.projection import Projection
from tidemill.measures.regression import MAE, MSE

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
