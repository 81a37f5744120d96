"""Accuracy from the model's confidence: by a threshold, or by how the mean of it moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Whole
from tidemill.core.rule import rule
from tidemill.monitoring.estimates.answered import Answered
from tidemill.monitoring.estimates.protocol import ASSUMED, Estimated, Found, estimate
from tidemill.monitoring.estimates.uncertainty import in_window, interval, noise
from tidemill.statistics.weighted import weighted_mean

Floats = NDArray[np.float64]

_BAND = 0.05  # of the reference on each side of the threshold, for how dense the window is there


@rule
class ATC:
    """Estimate accuracy as the share of rows more confident than a threshold.

    The threshold is where the reference has as large a share above it as answers that were
    right. Where all were right, it is the least confidence seen: rows below it were never
    shown to be right. The share does not follow a shift of the rows by a law, as calibrated
    probabilities do: its interval holds without a shift and is too narrow with one. It never
    sees that P(label | row) has changed.

    Parameters
    ----------
    least
        Fewest rows of the reference.

    References
    ----------
    Garg, S. et al. (2022). Leveraging unlabeled data to predict out-of-distribution
    performance. ICLR. arXiv:2201.04234.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> score = rng.uniform(size=1000)
    >>> output = (score > 0.5).astype(float)
    >>> label = (rng.uniform(size=1000) < score).astype(float)
    >>> old = Answered(score=score, output=output, label=label)
    >>> sure = Answered(score=np.array([0.02, 0.97, 0.96, 0.45]), output=np.array([0, 1, 1, 0]))
    >>> ATC()(old, sure, "accuracy").value
    0.75
    """

    _: KW_ONLY
    least: Annotated[int, Whole(2)] = 100

    @property
    def name(self) -> str:
        return "atc"

    def __call__(self, reference: Answered, current: Answered, metric: str, /) -> Estimated:
        return estimate(self.name, reference, current, metric, self._work)

    def _work(self, reference: Answered, current: Answered, metric: str) -> Found:
        before, right, now = _read(reference, current, metric, self.least)
        w = reference.weights
        cut = _threshold(before, right, w)
        above = (before >= cut).astype(np.float64)
        value = weighted_mean((now >= cut).astype(np.float64), current.weights)
        found = noise((right - above) * w / w.sum(), w, reference.day)
        dense = _density(before, now, cut, reference, current) ** 2
        variance = dense * found.variance + in_window(found, current.weights, current.day)
        low, high = interval(value, variance, found.days)
        why = f"share of rows with confidence {cut:.4g} or more; {ASSUMED}"
        return Found(value=value, low=low, high=high, why=why, n_effective=reference.n_effective)

    @classmethod
    def examples(cls) -> Iterator[ATC]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(least=1000)


@rule
class DoC:
    """Estimate accuracy as the reference's, less what the mean confidence has fallen by.

    It never sees that P(label | row) has changed.

    Parameters
    ----------
    least
        Fewest rows of the reference.

    References
    ----------
    Guillory, D. et al. (2021). Predicting with confidence on unseen distributions. ICCV.
    arXiv:2107.03315.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> score = rng.uniform(0.5, 1, size=1000)
    >>> label = (rng.uniform(size=1000) < score).astype(float)
    >>> old = Answered(score=score, output=np.ones(1000), label=label)
    >>> new = Answered(score=score - 0.1 * (score > 0.7), output=np.ones(1000))
    >>> moved = DoC()(old, new, "accuracy").value - label.mean()
    >>> round(float(moved), 3) == round(float(-0.1 * (score > 0.7).mean()), 3)
    True
    """

    _: KW_ONLY
    least: Annotated[int, Whole(2)] = 100

    @property
    def name(self) -> str:
        return "doc"

    def __call__(self, reference: Answered, current: Answered, metric: str, /) -> Estimated:
        return estimate(self.name, reference, current, metric, self._work)

    def _work(self, reference: Answered, current: Answered, metric: str) -> Found:
        before, right, now = _read(reference, current, metric, self.least)
        w = reference.weights
        fell = weighted_mean(before, w) - weighted_mean(now, current.weights)
        value = weighted_mean(right, w) - fell
        residual = right - before - weighted_mean(right - before, w)
        found = noise(residual * w / w.sum(), w, reference.day)
        variance = found.variance + in_window(found, current.weights, current.day)
        low, high = interval(value, variance, found.days)
        why = f"mean confidence fell by {fell:+.4f}; {ASSUMED}"
        return Found(value=value, low=low, high=high, why=why, n_effective=reference.n_effective)

    @classmethod
    def examples(cls) -> Iterator[DoC]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(least=1000)


def _read(
    reference: Answered, current: Answered, metric: str, least: int
) -> tuple[Floats, Floats, Floats]:
    """Return confidence and rightness on the reference, and confidence in the window."""
    if metric != "accuracy":
        raise BadInput(
            f"confidence tells of accuracy only, not of {metric}.", fix="use CBPE or DLE for it."
        )
    reference.enough(least)
    right = reference.right("reference")
    return _confidence(reference, "reference"), right, _confidence(current, "window")


def _confidence(answered: Answered, window: str) -> Floats:
    """Return the probability that the model gives its own answer."""
    score = answered.column("score", window).astype(np.float64)
    if score.min() < 0 or score.max() > 1:
        raise BadInput(
            f"a score of the {window} is not between 0 and 1.", fix="pass probabilities as scores."
        )
    if score.ndim > 1:
        sure = score.max(axis=1)
    else:
        output = answered.column("output", window)
        if not np.isin(output, (0, 1)).all():
            raise BadInput(
                f"an output of the {window} is not 0 or 1.",
                fix="code the positive class as 1, or pass the score of every class.",
            )
        sure = np.where(output == 1, score, 1 - score)
    if sure.size > 1 and sure.min() == sure.max():
        raise BadInput(
            f"every confidence of the {window} is {sure[0]:g}.",
            fix="look whether the model still sees its inputs.",
        )
    return sure


def _threshold(confidence: Floats, right: Floats, weight: Floats) -> float:
    """Return the confidence with as much weight below it as there was wrong."""
    order = np.argsort(confidence, kind="stable")
    values = confidence[order]
    wrong = float(weight @ (1 - right))
    total = float(weight.sum())
    if wrong >= total:
        return float("inf")
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    below = np.concatenate([[0.0], np.cumsum(weight[order])])[starts]
    return float(values[starts[int(np.argmin(np.abs(below - wrong)))]])


def _density(before: Floats, now: Floats, cut: float, old: Answered, new: Answered) -> float:
    """Say how much denser the window is than the reference about the threshold."""
    if not np.isfinite(cut):
        return 1.0
    rank = float((before < cut).mean())
    low, high = np.quantile(before, [max(rank - _BAND, 0.0), min(rank + _BAND, 1.0)])
    there = [
        weighted_mean(((v >= low) & (v <= high)).astype(np.float64), of.weights)
        for v, of in ((before, old), (now, new))
    ]
    return there[1] / there[0] if there[0] > 0 else 1.0
