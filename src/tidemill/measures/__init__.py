"""What we measure: metrics, each with an interval whose unit of evidence is the day."""

from tidemill.measures.classification import AUC, Accuracy, Brier, LogLoss
from tidemill.measures.metric import Metric, measure, measure_difference
from tidemill.measures.regression import MAE, MSE

__all__ = [
    "AUC",
    "MAE",
    "MSE",
    "Accuracy",
    "Brier",
    "LogLoss",
    "Metric",
    "measure",
    "measure_difference",
]
