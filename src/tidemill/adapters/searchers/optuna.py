"""Search by Optuna's tree-structured Parzen estimator; imported when it is used."""

from __future__ import annotations

import importlib
import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tidemill.core.durations import duration
from tidemill.core.errors import BadValue, MissingExtra
from tidemill.core.ports import Json


class OptunaSearch:
    """Propose what looks promising after what was tried; the first ten are random.

    Values that have an order, numbers and durations, are searched by their place in the list;
    others by name. The same seed and the same values told lead to the same proposals.

    Parameters
    ----------
    space
        For each name the values that may be tried, those with an order in their order.
    seed
        Of what is drawn.

    Raises
    ------
    MissingExtra
        If Optuna is not installed.

    References
    ----------
    Bergstra, J., Bardenet, R., Bengio, Y. and Kegl, B. (2011). Algorithms for hyper-parameter
    optimization. Advances in Neural Information Processing Systems 24, 2546-2554.
    Akiba, T., Sano, S., Yanase, T., Ohta, T. and Koyama, M. (2019). Optuna: a next-generation
    hyperparameter optimization framework. KDD 2019, 2623-2631.
    """

    def __init__(self, space: Mapping[str, Sequence[object]], *, seed: int = 0) -> None:
        try:
            optuna: Any = importlib.import_module("optuna")
        except ImportError:
            raise MissingExtra(
                "the search by Optuna needs optuna.",
                fix="pip install 'tidemill[tune]', or search at random.",
            ) from None
        self._space = {name: list(values) for name, values in space.items()}
        self._ordered = {name: _ordered(values) for name, values in self._space.items()}
        self._failed = optuna.trial.TrialState.FAIL
        sampler = optuna.samplers.TPESampler(seed=seed)
        with _quiet(optuna):
            self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: list[tuple[Json, Any]] = []

    def ask(self) -> Json | None:
        trial = self._study.ask()
        found: Json = {}
        for name, values in self._space.items():
            if self._ordered[name]:
                place = trial.suggest_int(name, 0, len(values) - 1)
            else:
                place = trial.suggest_categorical(name, list(range(len(values))))
            found[name] = values[place]
        self._asked.append((found, trial))
        return found

    def tell(self, tried: Mapping[str, object], value: float) -> None:
        place = next((k for k, (asked, _) in enumerate(self._asked) if asked == tried), None)
        if place is None:
            raise BadValue(f"{dict(tried)} was not asked for.", fix="tell what ask() returned.")
        _, trial = self._asked.pop(place)
        if math.isfinite(value):
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=self._failed)


def _ordered(values: Sequence[object]) -> bool:
    """Tell whether values are numbers or durations that rise."""
    sizes: list[float] = []
    for value in values:
        if isinstance(value, bool):
            return False
        if isinstance(value, int | float):
            sizes.append(float(value))
            continue
        try:
            sizes.append(duration(value).total_seconds())
        except BadValue:
            return False
    return sizes == sorted(sizes)


@contextmanager
def _quiet(optuna: Any) -> Generator[None]:
    """Keep Optuna from telling that a study was made, and leave its logging as it was."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
