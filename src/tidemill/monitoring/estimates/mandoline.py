"""Mandoline: the reference reweighted until its cohorts are as large as the window's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.monitoring.estimates.answered import Answered
from tidemill.monitoring.estimates.protocol import ASSUMED, Estimated, Found, estimate
from tidemill.monitoring.estimates.realised import measured
from tidemill.monitoring.estimates.uncertainty import in_window, interval, noise
from tidemill.statistics.weighted import n_effective

Floats = NDArray[np.float64]

_STEPS, _NOTHING = 50, 1e-9
_FARTHEST = 15.0
"""The largest coefficient: members weigh at most e^30 times what others do."""


@rule
class Mandoline:
    """Estimate any metric from the reference's rows, weighted to the window's cohorts.

    A row's weight is log-linear in the cohorts it belongs to, fitted so that each cohort has
    the share it has in the window. It sees only what the cohorts see, and never that
    P(label | row) has changed. Where the weights leave too few effective rows there is no
    answer.

    Parameters
    ----------
    least
        Fewest effective rows of the reference once weighted.
    ridge
        How much is charged for the square of each coefficient; keeps a cohort that the
        reference hardly has from getting all the weight.
    cap
        The most a row may weigh, in mean weights.

    References
    ----------
    Chen, M. et al. (2021). Mandoline: Model evaluation under distribution shift. ICML.
    arXiv:2107.00643.
    Sugiyama, M. et al. (2008). Direct importance estimation for covariate shift adaptation.
    Annals of the Institute of Statistical Mathematics 60, 699-746.

    Examples
    --------
    >>> member = (np.arange(400) % 4 == 0)[:, None]
    >>> right = np.where(member[:, 0], np.arange(400) % 8 == 0, np.arange(400) % 10 > 0)
    >>> old = Answered(output=np.ones(400), label=right.astype(float), cohorts=member)
    >>> new = Answered(output=np.ones(400), cohorts=np.arange(400)[:, None] % 2 == 0)
    >>> round(Mandoline(ridge=0.0)(old, new, "accuracy").value, 2)
    0.72
    """

    _: KW_ONLY
    least: Annotated[int, Whole(2)] = 30
    ridge: Annotated[float, Between(0)] = 1e-3
    cap: Annotated[float, Between(1)] = 20.0

    @property
    def name(self) -> str:
        return "mandoline"

    def __call__(self, reference: Answered, current: Answered, metric: str, /) -> Estimated:
        return estimate(self.name, reference, current, metric, self._work)

    def _work(self, reference: Answered, current: Answered, metric: str) -> Found:
        before, now = _signs(reference, current)
        weight = self.weights(before, reference.weights, now, current.weights)
        capped = np.minimum(weight, self.cap * weight.mean())
        known = n_effective(capped)
        if known < self.least:
            raise BadInput(
                f"weighted to the window's cohorts the reference is worth {known:.0f} rows, "
                f"fewer than {self.least}.",
                fix="take a longer reference, or fewer and larger cohorts.",
            )
        rows = Answered(
            score=reference.score,
            output=reference.output,
            label=reference.label,
            loss=reference.loss,
            weight=capped,
        )
        value, moves = measured(rows, metric, "reference")
        # The window has the cohorts' shares too, so what cohorts explain moves both alike.
        rest = _unexplained(moves / capped, before, capped)
        found = noise(rest * capped, capped, reference.day)
        variance = found.variance + in_window(found, current.weights, current.day)
        low, high = interval(value, variance, found.days)
        cut = f", {int((weight > capped).sum())} weights capped" if (weight > capped).any() else ""
        why = f"{before.shape[1]} cohorts, worth {known:.0f} rows{cut}; {ASSUMED}"
        return Found(value=value, low=low, high=high, why=why, n_effective=known)

    def weights(self, before: Floats, weight: Floats, now: Floats, of_now: Floats) -> Floats:
        """Fit the weights of the reference's rows by KLIEP.

        Parameters
        ----------
        before, now
            +1 in a cohort, -1 outside, shape (n, k), of the reference and of the window.
        weight, of_now
            Weights the rows have already.

        Returns
        -------
        numpy.ndarray
            Weights of mean 1, before they are capped.
        """
        base, target = np.log(weight), of_now @ now / of_now.sum()
        theta = np.zeros(before.shape[1])

        def charged(at: Floats) -> float:
            return float(
                logsumexp(base + before @ at) - at @ target + self.ridge / 2 * float(at @ at)
            )

        for _ in range(_STEPS):  # Newton: the charge is convex
            share = softmax(base + before @ theta)
            mean = share @ before
            slope = mean - target + self.ridge * theta
            curve = (before - mean).T @ ((before - mean) * share[:, None])
            curve[np.diag_indices_from(curve)] += self.ridge + _NOTHING
            if np.abs(slope).max() < _NOTHING:
                break
            step = np.linalg.solve(curve, slope)
            now_charged, size = charged(theta), 1.0
            while size > _NOTHING:
                tried = np.clip(theta - size * step, -_FARTHEST, _FARTHEST)
                if charged(tried) < now_charged:
                    break
                size /= 2
            else:
                break
            theta = tried
        share = softmax(base + before @ theta)
        return share * share.size

    @classmethod
    def examples(cls) -> Iterator[Mandoline]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(least=100, ridge=0.01, cap=10.0)


def _signs(reference: Answered, current: Answered) -> tuple[Floats, Floats]:
    """Read membership as +1 and -1."""
    given = (reference.column("cohorts", "reference"), current.column("cohorts", "window"))
    before, now = (np.where(c.astype(bool), 1.0, -1.0) for c in given)
    if before.shape[1] != now.shape[1] or not before.shape[1]:
        raise BadInput(
            f"the reference has {before.shape[1]} cohorts, the window {now.shape[1]}.",
            fix="pass the same cohorts for both, one or more.",
        )
    return before, now


def _unexplained(influence: Floats, signs: Floats, weight: Floats) -> Floats:
    """Take from each row's influence what its cohorts explain."""
    table = np.column_stack([np.ones(len(signs)), signs]) * np.sqrt(weight)[:, None]
    fit = np.linalg.lstsq(table, influence * np.sqrt(weight))[0]
    return influence - np.column_stack([np.ones(len(signs)), signs]) @ fit
