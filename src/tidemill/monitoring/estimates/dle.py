"""Direct loss estimation: a second model predicts the first one's loss, row by row."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Has, Whole
from tidemill.core.rule import rule
from tidemill.monitoring.estimates.additive import Additive
from tidemill.monitoring.estimates.answered import Answered
from tidemill.monitoring.estimates.calibration import folds
from tidemill.monitoring.estimates.expected import Task
from tidemill.monitoring.estimates.protocol import ASSUMED, Estimated, Found, estimate
from tidemill.monitoring.estimates.uncertainty import in_window, interval, noise
from tidemill.statistics.weighted import weighted_mean

Floats = NDArray[np.float64]

_FOLDS = 5


@rule
class DLE:
    """Estimate a mean loss by a regressor of each row's loss on what is known of the row.

    It is fitted in folds of the reference on the model's output or scores, its features and
    its categories. The window's estimate is the mean of what the folds predict, never below
    0, plus what they were wrong by, out of fold, on the reference; from those same errors
    comes the interval, wider where the rows are such that errors are larger. It is too narrow
    where many rows are beyond the reference's range. It never sees that P(label | row) has changed.

    Parameters
    ----------
    regressor
        Anything with scikit-learn's ``fit(X, y)`` and ``predict(X)``; missing features reach
        it as NaN, categories as numbers, ones never seen as NaN.
    least
        Fewest rows of the reference.
    seed
        Of the folds, where the reference has no five days.

    References
    ----------
    Bialek, J. et al. (2024). Estimating model performance under covariate shift without
    labels. arXiv:2401.08348.
    Robins, J. M., Rotnitzky, A. and Zhao, L. P. (1994). Estimation of regression coefficients
    when some regressors are not always observed. JASA 89, 846-866: the correction.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.uniform(size=2000)
    >>> label = x + rng.normal(size=2000) * (1 + x)
    >>> old = Answered(output=x, label=label, features=x[:, None])
    >>> hard = Answered(output=x + 0.5, features=np.full((2000, 1), 0.99) - 0.05 * x[:, None])
    >>> easy, found = np.abs(label - x).mean(), DLE()(old, hard, "mae").value
    >>> bool(found > 1.1 * easy)
    True
    """

    _: KW_ONLY
    regressor: Annotated[Any, Has("fit", "a regressor with fit and predict")] = Additive()
    least: Annotated[int, Whole(2)] = 100
    seed: Annotated[int, Whole(0)] = 0

    @property
    def name(self) -> str:
        return "dle"

    def __call__(self, reference: Answered, current: Answered, metric: str, /) -> Estimated:
        return estimate(self.name, reference, current, metric, self._work)

    def _work(self, reference: Answered, current: Answered, metric: str) -> Found:
        reference.enough(self.least)
        loss, w = row_losses(reference, metric), reference.weights
        before, now = _tables(reference, current)
        fold = folds(reference.day, reference.n, seed=self.seed, count=_FOLDS)
        held, window = np.empty(reference.n), np.zeros(current.n)
        dealt = np.unique(fold)
        for k in dealt:
            inside = fold == k
            fitted = self._fitted(before[~inside], loss[~inside], w[~inside])
            held[inside] = _predicted(fitted, before[inside])
            window += _predicted(fitted, now) / dealt.size
        residual = loss - held
        gap = weighted_mean(residual, w)
        value = weighted_mean(window, current.weights) + gap
        found = noise((residual - gap) * w / w.sum(), w, reference.day)
        variance = found.variance + in_window(found, current.weights, current.day)
        # Where losses are large they vary more too: a window of harder rows is less sure.
        spread = self._fitted(before, np.square(residual - gap), w)
        here = weighted_mean(_predicted(spread, now), current.weights)
        there = weighted_mean(_predicted(spread, before), w)
        variance *= max(here / there, 1.0) if there > 0 else 1.0
        low, high = interval(value, variance, found.days)
        why = f"losses predicted, {gap:+.4g} as on the reference; {ASSUMED}"
        return Found(value=value, low=low, high=high, why=why, n_effective=reference.n_effective)

    def _fitted(self, x: Floats, loss: Floats, weight: Floats) -> Any:
        """Fit a copy; weights are handed on where they differ and it takes them."""
        regressor = copy.deepcopy(self.regressor)
        takes = "sample_weight" in inspect.signature(regressor.fit).parameters
        more = {"sample_weight": weight} if takes and np.ptp(weight) > 0 else {}
        fitted = regressor.fit(x, loss, **more)
        return regressor if fitted is None else fitted

    @classmethod
    def examples(cls) -> Iterator[DLE]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(regressor=Additive(bins=8), least=500, seed=1)


def row_losses(answered: Answered, metric: str) -> Floats:
    """Return the loss of each row; for accuracy whether it is right."""
    if metric == "loss":
        return answered.column("loss", "reference").astype(np.float64)
    if metric == "accuracy":
        return answered.right("reference")
    if metric in {"mae", "mse", "rmse"}:
        error = np.abs(_number(answered, "output") - _number(answered, "label"))
        return error if metric == "mae" else np.square(error)
    if metric in {"brier", "log_loss"}:
        task = Task.of(answered, metric, "reference", labelled=True)
        on_truth = np.where(task.label == 1, task.score, 1 - task.score)
        return (1 - on_truth) ** 2 if metric == "brier" else -np.log(np.maximum(on_truth, 1e-15))
    raise BadInput(f"{metric} is no mean of row losses.", fix="use CBPE for it.")


def _number(answered: Answered, name: str) -> Floats:
    values = answered.column(name, "reference")
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        raise BadInput(
            f"a {name} of the reference is not a number.", fix="estimate accuracy instead."
        ) from None


def _predicted(fitted: Any, x: Floats) -> Floats:
    answers = np.asarray(fitted.predict(x), dtype=np.float64)
    if answers.shape != (len(x),) or not np.isfinite(answers).all():
        raise BadInput(
            f"the regressor's answers have shape {answers.shape} or are not all finite.",
            fix="take a regressor that answers one number per row, also where features are missing.",
        )
    return np.maximum(answers, 0.0)


def _tables(reference: Answered, current: Answered) -> tuple[Floats, Floats]:
    """Put side by side what both windows know of their rows."""
    parts: list[tuple[Floats, Floats]] = []
    for name in ("output", "score", "features", "categories"):
        before, now = getattr(reference, name), getattr(current, name)
        if before is None or now is None:
            continue
        old, new = (np.asarray(v).reshape(len(v), -1) for v in (before, now))
        if old.shape[1] != new.shape[1]:
            raise BadInput(
                f"the reference has {old.shape[1]} columns of {name}, the window {new.shape[1]}.",
                fix="pass the same columns for both.",
            )
        if name in {"output", "score"}:  # nothing may be missing in what the model itself said
            reference.column(name, "reference")
            current.column(name, "window")
        if old.dtype.kind in "OUS" or name == "categories":
            parts += [_codes(a, b) for a, b in zip(old.T, new.T, strict=True)]
        else:
            parts.append((old, new))
    if not parts:
        raise BadInput("nothing is known of the rows.", fix="pass output, score or features.")
    tables = (np.column_stack([p[side] for p in parts]).astype(np.float64) for side in (0, 1))
    before, now = tables
    return before, now


def _codes(before: NDArray[Any], now: NDArray[Any]) -> tuple[Floats, Floats]:
    """Number the values of the reference; ones it never had are missing."""
    values, place = np.unique(before.astype(str), return_inverse=True)
    words = now.astype(str)
    at = np.minimum(np.searchsorted(values, words), values.size - 1)
    return place.astype(np.float64), np.where(values[at] == words, at, np.nan)
