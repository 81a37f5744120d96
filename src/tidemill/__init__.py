"""tidemill keeps models in production good: it runs the whole continual-learning loop.

Everything a strategy file needs is here; heavy parts load at first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill.core.costs import Costs
    from tidemill.faces.notebook import Backtest, backtest
    from tidemill.loop.curation import Automatic, Outcome, Uniform
    from tidemill.loop.datasets import (
        All,
        Balanced,
        Fading,
        Latest,
        New,
        Newest,
        Nothing,
        Recent,
        Replayed,
        SinceChange,
    )
    from tidemill.loop.log import Everything, Rate
    from tidemill.loop.offline import AtLeast, NoWorseThan, Unchecked
    from tidemill.loop.online import Immediate
    from tidemill.loop.training import Batches, Command, Continued, Estimator, Function, Seeded
    from tidemill.loop.triggers import (
        Above,
        Adwin,
        AllOf,
        AnyOf,
        At,
        Below,
        Blackout,
        Budget,
        Cooldown,
        Cron,
        Cusum,
        DroppedBy,
        Every,
        KOf,
        Labels,
        LatencyCost,
        Manual,
        MaximumAge,
        MinimumLabels,
        Not,
        Once,
        OutputDrift,
        Records,
        Return,
        Staleness,
    )
    from tidemill.measures import AUC, MAE, MSE, Accuracy, Brier, Cohort, LogLoss, Projection
    from tidemill.project import Mill
    from tidemill.project import open_project as open
    from tidemill.strategy.strategy import Strategy

__version__ = "0.1.0"

_HOMES = {
    "Costs": "tidemill.core.costs",
    "Backtest": "tidemill.faces.notebook",
    "backtest": "tidemill.faces.notebook",
    "Automatic": "tidemill.loop.curation",
    "Outcome": "tidemill.loop.curation",
    "Uniform": "tidemill.loop.curation",
    "All": "tidemill.loop.datasets",
    "Balanced": "tidemill.loop.datasets",
    "Fading": "tidemill.loop.datasets",
    "Latest": "tidemill.loop.datasets",
    "New": "tidemill.loop.datasets",
    "Newest": "tidemill.loop.datasets",
    "Nothing": "tidemill.loop.datasets",
    "Recent": "tidemill.loop.datasets",
    "Replayed": "tidemill.loop.datasets",
    "SinceChange": "tidemill.loop.datasets",
    "Everything": "tidemill.loop.log",
    "Rate": "tidemill.loop.log",
    "AtLeast": "tidemill.loop.offline",
    "NoWorseThan": "tidemill.loop.offline",
    "Unchecked": "tidemill.loop.offline",
    "Immediate": "tidemill.loop.online",
    "Batches": "tidemill.loop.training",
    "Command": "tidemill.loop.training",
    "Continued": "tidemill.loop.training",
    "Estimator": "tidemill.loop.training",
    "Function": "tidemill.loop.training",
    "Seeded": "tidemill.loop.training",
    "Above": "tidemill.loop.triggers",
    "Adwin": "tidemill.loop.triggers",
    "AllOf": "tidemill.loop.triggers",
    "AnyOf": "tidemill.loop.triggers",
    "At": "tidemill.loop.triggers",
    "Below": "tidemill.loop.triggers",
    "Blackout": "tidemill.loop.triggers",
    "Budget": "tidemill.loop.triggers",
    "Cooldown": "tidemill.loop.triggers",
    "Cron": "tidemill.loop.triggers",
    "Cusum": "tidemill.loop.triggers",
    "DroppedBy": "tidemill.loop.triggers",
    "Every": "tidemill.loop.triggers",
    "KOf": "tidemill.loop.triggers",
    "Labels": "tidemill.loop.triggers",
    "LatencyCost": "tidemill.loop.triggers",
    "Manual": "tidemill.loop.triggers",
    "MaximumAge": "tidemill.loop.triggers",
    "MinimumLabels": "tidemill.loop.triggers",
    "Not": "tidemill.loop.triggers",
    "Once": "tidemill.loop.triggers",
    "OutputDrift": "tidemill.loop.triggers",
    "Records": "tidemill.loop.triggers",
    "Return": "tidemill.loop.triggers",
    "Staleness": "tidemill.loop.triggers",
    "AUC": "tidemill.measures",
    "MAE": "tidemill.measures",
    "MSE": "tidemill.measures",
    "Accuracy": "tidemill.measures",
    "Brier": "tidemill.measures",
    "Cohort": "tidemill.measures",
    "LogLoss": "tidemill.measures",
    "Projection": "tidemill.measures",
    "Mill": "tidemill.project",
    "open": "tidemill.project",
    "Strategy": "tidemill.strategy.strategy",
}
_NAMES = {"open": "open_project"}

__all__ = [
    "AUC",
    "MAE",
    "MSE",
    "Above",
    "Accuracy",
    "Adwin",
    "All",
    "AllOf",
    "AnyOf",
    "At",
    "AtLeast",
    "Automatic",
    "Backtest",
    "Balanced",
    "Batches",
    "Below",
    "Blackout",
    "Brier",
    "Budget",
    "Cohort",
    "Command",
    "Continued",
    "Cooldown",
    "Costs",
    "Cron",
    "Cusum",
    "DroppedBy",
    "Estimator",
    "Every",
    "Everything",
    "Fading",
    "Function",
    "Immediate",
    "KOf",
    "Labels",
    "LatencyCost",
    "Latest",
    "LogLoss",
    "Manual",
    "MaximumAge",
    "Mill",
    "MinimumLabels",
    "New",
    "Newest",
    "NoWorseThan",
    "Not",
    "Nothing",
    "Once",
    "Outcome",
    "OutputDrift",
    "Projection",
    "Rate",
    "Recent",
    "Records",
    "Replayed",
    "Return",
    "Seeded",
    "SinceChange",
    "Staleness",
    "Strategy",
    "Unchecked",
    "Uniform",
    "backtest",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tidemill' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), _NAMES.get(name, name))


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
