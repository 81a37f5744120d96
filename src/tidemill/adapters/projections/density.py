"""How dense the reference is at a record: the log density of a Gaussian mixture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from scipy.special import logsumexp

from tidemill.adapters.projections.learnt import Floats, Learnt
from tidemill.core.errors import BadInput
from tidemill.core.limits import Text, Texts, Whole
from tidemill.core.rule import rule

LEAST = 10
"""Rows a component must have to learn from."""


@rule
class Density(Learnt):
    """The log density of a Gaussian mixture of the reference at each record.

    A record in a place where the reference has next to none is far below usual. What it learns
    is fitted by scikit-learn (extra ``sklearn``); the values need only numpy.

    Parameters
    ----------
    name
        What people call it.
    columns
        The features it takes, numbers or vectors.
    components
        Gaussians in the mixture.
    seed
        Of where they begin.

    References
    ----------
    McLachlan, G. and Peel, D. (2000). Finite Mixture Models. Wiley.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(500, 2))
    >>> density = Density("density", ("x", "y"), components=1)
    >>> near, far = density.values(density.fit(rows), np.array([[0.0, 0.0], [6.0, 6.0]]))
    >>> bool(near[0] > far[0] + 20)
    True
    """

    name: Annotated[str, Text()]
    columns: Annotated[tuple[str, ...], Texts("a list of features, such as ('age', 'income')")]
    _: KW_ONLY
    components: Annotated[int, Whole(1)] = 5
    seed: Annotated[int, Whole(0)] = 0
    learner: ClassVar[tuple[str, str]] = ("sklearn.mixture", "GaussianMixture")

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))

    def _model(self, learner: Any, points: Floats) -> Any:
        if len(points) < LEAST * self.components:
            raise BadInput(
                f"{len(points)} rows are too few for {self.components} components.",
                fix=f"pass components of at most {max(1, len(points) // LEAST)}.",
            )
        return learner(n_components=self.components, reg_covar=1e-3, random_state=self.seed)

    def _numbers(self, model: Any) -> dict[str, Any]:
        names = {"weights": "weights_", "means": "means_", "roots": "precisions_cholesky_"}
        return {k: np.asarray(getattr(model, v)).tolist() for k, v in names.items()}

    def values(self, learnt: Mapping[str, Any], rows: Floats, /) -> Floats:
        """Return the log density of rows, shape (n, 1); NaN where a number is missing."""
        points = self._points(learnt, rows)
        weights, means, roots = (np.array(learnt[k]) for k in ("weights", "means", "roots"))
        each = np.empty((len(points), weights.size))
        for k, (mean, root) in enumerate(zip(means, roots, strict=True)):
            apart = np.square((points - mean) @ root).sum(axis=1)
            each[:, k] = np.log(np.diag(root)).sum() - 0.5 * apart
        dense = logsumexp(each, axis=1, b=weights) - 0.5 * means.shape[1] * np.log(2 * np.pi)
        return np.asarray(dense, dtype=np.float64)[:, None]

    @classmethod
    def examples(cls) -> Iterator[Density]:
        yield cls("density", ("number", "other"))
        yield cls("density", ("embedding",), components=2, seed=1)
