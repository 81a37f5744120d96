"""How dense the reference is at a record: the log density of a Gaussian mixture."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from tidemill.core.errors import BadInput, MissingExtra
from tidemill.core.limits import Text, Texts, Whole
from tidemill.core.rule import rule
from tidemill.measures.fitted_projection import standardised, standards

Floats = NDArray[np.float64]
LEAST = 10
"""Rows a component must have to learn from."""


@rule
class Density:
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))

    def fit(self, rows: Floats, /) -> dict[str, Any]:
        """Fit the mixture.

        Raises
        ------
        MissingExtra
            If scikit-learn is not installed.
        BadInput
            If there are too few rows for so many components.
        """
        mixture = learner("sklearn.mixture", "GaussianMixture", "Density")
        learnt: dict[str, Any] = standards(rows)
        points = standardised(learnt, rows[np.isfinite(rows).all(axis=1)])
        if len(points) < LEAST * self.components:
            raise BadInput(
                f"{len(points)} rows are too few for {self.components} components.",
                fix=f"pass components of at most {max(1, len(points) // LEAST)}.",
            )
        model = mixture(n_components=self.components, reg_covar=1e-3, random_state=self.seed)
        with warnings.catch_warnings():
            # Where it has not settled, it is a density all the same.
            warnings.simplefilter("ignore")
            model.fit(points)
        names = {"weights": "weights_", "means": "means_", "roots": "precisions_cholesky_"}
        return learnt | {k: np.asarray(getattr(model, v)).tolist() for k, v in names.items()}

    def values(self, learnt: Mapping[str, Any], rows: Floats, /) -> Floats:
        """Return the log density of rows, shape (n, 1); NaN where a number is missing."""
        points = standardised(learnt, rows)
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


def learner(module: str, name: str, who: str) -> Any:
    """Return a class of scikit-learn.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:
        raise MissingExtra(
            f"{who} is fitted by scikit-learn, which is not installed.",
            fix="pip install 'tidemill[sklearn]'.",
        ) from None
