"""How badly a record is described by what a network learnt of the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np

from tidemill.adapters.projections.learnt import Floats, Learnt
from tidemill.core.errors import BadInput
from tidemill.core.limits import Text, Texts, Whole
from tidemill.core.rule import rule
from tidemill.measures.fitted_projection import standardised

LEAST = 50
"""Rows to learn from, at least."""
FARTHEST = 20.0
"""Standard deviations beyond which a number counts as that far."""


@rule
class Autoencoder(Learnt):
    """The reconstruction error of each record by a network with a narrow middle.

    Records that are not made as those of the reference were are put together badly. It is
    the root of the mean square over features, in standard deviations of the reference. The
    network is fitted by scikit-learn (extra ``sklearn``); the values need only numpy.

    Parameters
    ----------
    name
        What people call it.
    columns
        The features it takes, numbers or vectors.
    middle
        Numbers in the narrow middle; fewer than there are features.
    wide
        Units of the layers before and after it.
    seed
        Of where the network begins.

    References
    ----------
    Hinton, G. E. and Salakhutdinov, R. R. (2006). Reducing the dimensionality of data with
    neural networks. Science 313, 504-507.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(800, 1))
    >>> rows = np.hstack([x, x**2, -x])
    >>> error = Autoencoder("odd", ("a", "b", "c"), middle=1)
    >>> usual, odd = error.values(error.fit(rows), np.array([[1.0, 1.0, -1.0], [1.0, 1.0, 1.0]]))
    >>> bool(odd[0] > 2 * usual[0])
    True
    """

    name: Annotated[str, Text()]
    columns: Annotated[tuple[str, ...], Texts("a list of features, such as ('age', 'income')")]
    _: KW_ONLY
    middle: Annotated[int, Whole(1)] = 2
    wide: Annotated[int, Whole(1)] = 16
    seed: Annotated[int, Whole(0)] = 0
    learner: ClassVar[tuple[str, str]] = ("sklearn.neural_network", "MLPRegressor")

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))

    def _points(self, learnt: Mapping[str, Any], rows: Floats) -> Floats:
        # One far number does not rule the network.
        return np.clip(standardised(learnt, rows), -FARTHEST, FARTHEST)

    def _model(self, learner: Any, points: Floats) -> Any:
        if len(points) < LEAST or self.middle >= points.shape[1]:
            raise BadInput(
                f"{len(points)} rows of {points.shape[1]} numbers for a middle of {self.middle}.",
                fix=f"pass {LEAST} rows, and a middle smaller than the numbers of a row.",
            )
        layers = (self.wide, self.middle, self.wide)
        return learner(
            hidden_layer_sizes=layers, activation="tanh", solver="adam", learning_rate_init=0.01,
            max_iter=100, random_state=self.seed,
        )  # fmt: skip

    def _numbers(self, model: Any) -> dict[str, Any]:
        shapes = {"weights": model.coefs_, "biases": model.intercepts_}
        return {k: [np.asarray(v).tolist() for v in each] for k, each in shapes.items()}

    def values(self, learnt: Mapping[str, Any], rows: Floats, /) -> Floats:
        """Return the error of rows, shape (n, 1); NaN where a number is missing."""
        points = self._points(learnt, rows)
        whole = np.isfinite(points).all(axis=1, keepdims=True)
        made = np.where(whole, points, 0.0)
        layers = list(zip(learnt["weights"], learnt["biases"], strict=True))
        for k, (weights, biases) in enumerate(layers):
            made = made @ np.array(weights) + np.array(biases)
            made = np.tanh(made) if k < len(layers) - 1 else made
        error = np.sqrt(np.square(np.where(whole, points, 0.0) - made).mean(axis=1, keepdims=True))
        return np.where(whole, error, np.nan)

    @classmethod
    def examples(cls) -> Iterator[Autoencoder]:
        yield cls("odd", ("number", "other"), middle=1)
        yield cls("odd", ("embedding",), wide=8, seed=1)
