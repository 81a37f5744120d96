"""tidemill keeps models in production good: it runs the whole continual-learning loop.

Everything a strategy file needs is here; heavy parts load at first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill.loop.curation import Automatic, Outcome, Uniform
    from tidemill.loop.datasets import All, Newest, Recent
    from tidemill.loop.log import Everything, Rate
    from tidemill.loop.offline import AtLeast, NoWorseThan
    from tidemill.loop.online import Immediate
    from tidemill.loop.training import Command, Estimator, Function
    from tidemill.loop.triggers import Every, Manual
    from tidemill.measures import AUC, MAE, MSE, Accuracy, Brier, LogLoss
    from tidemill.project import Mill
    from tidemill.project import open_project as open
    from tidemill.strategy.strategy import Strategy

__version__ = "0.1.0"

_HOMES = {
    "Strategy": "tidemill.strategy.strategy",
    "Everything": "tidemill.loop.log",
    "Rate": "tidemill.loop.log",
    "Automatic": "tidemill.loop.curation",
    "Outcome": "tidemill.loop.curation",
    "Uniform": "tidemill.loop.curation",
    "Every": "tidemill.loop.triggers",
    "Manual": "tidemill.loop.triggers",
    "All": "tidemill.loop.datasets",
    "Newest": "tidemill.loop.datasets",
    "Recent": "tidemill.loop.datasets",
    "Command": "tidemill.loop.training",
    "Estimator": "tidemill.loop.training",
    "Function": "tidemill.loop.training",
    "AtLeast": "tidemill.loop.offline",
    "NoWorseThan": "tidemill.loop.offline",
    "Immediate": "tidemill.loop.online",
    "Accuracy": "tidemill.measures",
    "AUC": "tidemill.measures",
    "Brier": "tidemill.measures",
    "LogLoss": "tidemill.measures",
    "MAE": "tidemill.measures",
    "MSE": "tidemill.measures",
    "Mill": "tidemill.project",
    "open": "tidemill.project",
}
_NAMES = {"open": "open_project"}

__all__ = [  # in the order of the loop
    "AUC",
    "MAE",
    "MSE",
    "Accuracy",
    "All",
    "AtLeast",
    "Automatic",
    "Brier",
    "Command",
    "Estimator",
    "Every",
    "Everything",
    "Function",
    "Immediate",
    "LogLoss",
    "Manual",
    "Mill",
    "Newest",
    "NoWorseThan",
    "Outcome",
    "Rate",
    "Recent",
    "Strategy",
    "Uniform",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tidemill' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), _NAMES.get(name, name))


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
