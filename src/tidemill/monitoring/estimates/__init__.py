"""How well the model does before labels come; none of it sees that P(label | row) has changed."""

from tidemill.monitoring.estimates.additive import Additive
from tidemill.monitoring.estimates.answered import Answered
from tidemill.monitoring.estimates.cbpe import CBPE
from tidemill.monitoring.estimates.confidence import ATC, DoC
from tidemill.monitoring.estimates.constant import Constant
from tidemill.monitoring.estimates.dle import DLE
from tidemill.monitoring.estimates.judging import judge
from tidemill.monitoring.estimates.mandoline import Mandoline
from tidemill.monitoring.estimates.protocol import METRICS, Estimated, Estimator
from tidemill.monitoring.estimates.realised import realised
from tidemill.monitoring.estimates.standing import Scored, Standing, best, disagreement, standings
from tidemill.monitoring.estimates.support import Support, support

__all__ = [
    "ATC",
    "CBPE",
    "DLE",
    "METRICS",
    "Additive",
    "Answered",
    "Constant",
    "DoC",
    "Estimated",
    "Estimator",
    "Mandoline",
    "Scored",
    "Standing",
    "Support",
    "best",
    "disagreement",
    "judge",
    "realised",
    "standings",
    "support",
]
