"""Verdicts over time: is the last point of a signal bad, given what was agreed or is usual?"""

from tidemill.monitoring.verdicts.limit import Limit
from tidemill.monitoring.verdicts.predicted import Predicted
from tidemill.monitoring.verdicts.range import Range
from tidemill.monitoring.verdicts.replay import Budget, Line, budget, incidents, replayed
from tidemill.monitoring.verdicts.usual import Usual

__all__ = [
    "Budget",
    "Limit",
    "Line",
    "Predicted",
    "Range",
    "Usual",
    "budget",
    "incidents",
    "replayed",
]
