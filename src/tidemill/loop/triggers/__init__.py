"""Triggers: is a retrain due?"""

from tidemill.loop.triggers.adwin import Adwin
from tidemill.loop.triggers.alarmed import Alarmed, Unless
from tidemill.loop.triggers.at import At
from tidemill.loop.triggers.blackout import Blackout
from tidemill.loop.triggers.budget import Budget
from tidemill.loop.triggers.composition import AllOf, AnyOf, KOf
from tidemill.loop.triggers.cooldown import Cooldown
from tidemill.loop.triggers.cron import Cron
from tidemill.loop.triggers.cusum import Cusum
from tidemill.loop.triggers.dropped_by import DroppedBy
from tidemill.loop.triggers.every import Every
from tidemill.loop.triggers.latency_cost import LatencyCost
from tidemill.loop.triggers.manual import Manual
from tidemill.loop.triggers.maximum_age import MaximumAge
from tidemill.loop.triggers.minimum_labels import MinimumLabels
from tidemill.loop.triggers.once import Once
from tidemill.loop.triggers.opposite import Not
from tidemill.loop.triggers.output_drift import OutputDrift
from tidemill.loop.triggers.return_on_investment import Return
from tidemill.loop.triggers.staleness import Staleness
from tidemill.loop.triggers.threshold import Above, Below
from tidemill.loop.triggers.volume import Labels, Records

__all__ = [
    "Above",
    "Adwin",
    "Alarmed",
    "AllOf",
    "AnyOf",
    "At",
    "Below",
    "Blackout",
    "Budget",
    "Cooldown",
    "Cron",
    "Cusum",
    "DroppedBy",
    "Every",
    "KOf",
    "Labels",
    "LatencyCost",
    "Manual",
    "MaximumAge",
    "MinimumLabels",
    "Not",
    "Once",
    "OutputDrift",
    "Records",
    "Return",
    "Staleness",
    "Unless",
]
