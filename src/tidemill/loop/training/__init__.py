"""Training: from a dataset to a model, by any function, estimator or command."""

from tidemill.core.model import Answers, answer
from tidemill.loop.training.command import Command
from tidemill.loop.training.estimator import Estimator
from tidemill.loop.training.function import Function

__all__ = ["Answers", "Command", "Estimator", "Function", "answer"]
