"""Data quality: is what comes in what it should be?

Training against serving skew is no rule here: it compares two profiles, and that is drift with
the training data as its reference.
"""

from tidemill.monitoring.quality.bad_rows import bad_rows
from tidemill.monitoring.quality.counts import RowCount
from tidemill.monitoring.quality.duplicates import Duplicates
from tidemill.monitoring.quality.freshness import Freshness
from tidemill.monitoring.quality.measuring import Measured, measure
from tidemill.monitoring.quality.missing import Finite, NullRate
from tidemill.monitoring.quality.predicates import Holds
from tidemill.monitoring.quality.protocol import QualityRule, RowRule
from tidemill.monitoring.quality.ranges import InRange
from tidemill.monitoring.quality.schema import Schema
from tidemill.monitoring.quality.sets import InSet, Vanished
from tidemill.monitoring.quality.suggest import Suggestion, Suggestions, suggest
from tidemill.monitoring.quality.texts import Matches, TypeIs

__all__ = [
    "Duplicates",
    "Finite",
    "Freshness",
    "Holds",
    "InRange",
    "InSet",
    "Matches",
    "Measured",
    "NullRate",
    "QualityRule",
    "RowCount",
    "RowRule",
    "Schema",
    "Suggestion",
    "Suggestions",
    "TypeIs",
    "Vanished",
    "bad_rows",
    "measure",
    "suggest",
]
