"""Train with a stated seed."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from typing import Annotated, Any

import numpy as np

from tidemill.core.limits import Between, Has, Whole
from tidemill.core.rule import is_rule, rule
from tidemill.core.rules import Trainer, TrainingData
from tidemill.loop.training.estimator import Estimator, Majority
from tidemill.loop.training.function import Function, always_the_mean

_TOP = 2**32 - 1


@rule
class Seeded:
    """Train as another rule does, with every source of chance set to a seed.

    Python's ``random``, numpy's global generator and torch's, if it was imported, are seeded
    before the fit and are afterwards what they were. Every parameter ``random_state`` of an
    estimator, those inside a pipeline too, and the ``seed`` of a rule that has one, is set to
    the seed. What makes its own generator without a seed is not reached, nor is a command,
    nor threads that race.

    Parameters
    ----------
    training
        A training rule: ``Function``, ``Estimator``, ``Continued``, ``Batches`` or your own.
    seed
        From 0 to 2^32 - 1.

    Examples
    --------
    >>> Seeded(Function(always_the_mean, seconds=60), 7).seconds
    60
    """

    training: Annotated[Trainer, Has("memory_mb", "a training rule, such as Function(train)")]
    seed: Annotated[int, Whole(0), Between(0, _TOP)]

    @property
    def seconds(self) -> float:
        return self.training.seconds

    @property
    def memory_mb(self) -> int:
        return self.training.memory_mb

    @property
    def continues(self) -> bool:
        # A rule of your own that does not say may look at the model before.
        return bool(getattr(self.training, "continues", True))

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        with seeded(self.seed):
            return _with_seed(self.training, self.seed)(dataset, previous)

    @classmethod
    def examples(cls) -> Iterator[Seeded]:
        yield cls(Function(always_the_mean), 7)
        yield cls(Estimator(Majority()), 0)


def _with_seed(training: Any, seed: int) -> Trainer:
    """Return a training rule whose estimator and own seed are set."""
    names = {f.name for f in fields(training)} if is_rule(training) else set[str]()
    changed: dict[str, Any] = {}
    if "seed" in names:
        changed["seed"] = seed
    if "estimator" in names and hasattr(training.estimator, "get_params"):
        estimator = copy.deepcopy(training.estimator)
        params = estimator.get_params(deep=True)
        states = [k for k in params if k.rpartition("__")[2] == "random_state"]
        if states:
            estimator.set_params(**dict.fromkeys(states, seed))
        changed["estimator"] = estimator
    return replace(training, **changed) if changed else training


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Seed the global generators, and put them back afterwards.

    Examples
    --------
    >>> before = random.getstate()
    >>> with seeded(1):
    ...     first = random.random()
    >>> with seeded(1):
    ...     random.random() == first
    True
    >>> random.getstate() == before
    True
    """
    torch: Any = sys.modules.get("torch")
    with ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002 - as below
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - what much code still draws from
        if torch is not None:
            stack.enter_context(torch.random.fork_rng())
            torch.manual_seed(seed)
        yield
