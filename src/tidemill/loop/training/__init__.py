"""Training: from a dataset to a model, by any function, estimator or command."""

from tidemill.core.model import Answers, answer
from tidemill.loop.training.batches import Batches
from tidemill.loop.training.command import Command
from tidemill.loop.training.continued import Continued
from tidemill.loop.training.estimator import Estimator
from tidemill.loop.training.function import Function
from tidemill.loop.training.resampled import Resampled
from tidemill.loop.training.seeded import Seeded

__all__ = [
    "Answers",
    "Batches",
    "Command",
    "Continued",
    "Estimator",
    "Function",
    "Resampled",
    "Seeded",
    "answer",
]
