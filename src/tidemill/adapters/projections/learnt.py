"""What projections share that scikit-learn fits to a reference."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import MissingExtra
from tidemill.measures.fitted_projection import standardised, standards

Floats = NDArray[np.float64]


class Learnt:
    """What they share: rows are standardised as the reference was, and the model is of scikit-learn.

    A subclass says which class that is, makes the model that is fitted, and takes from it the
    numbers that give the values.
    """

    learner: ClassVar[tuple[str, str]]
    """The module and the name of the class of scikit-learn."""

    def fit(self, rows: Floats, /) -> dict[str, Any]:
        """Fit to the rows that have all their numbers.

        Raises
        ------
        MissingExtra
            If scikit-learn is not installed.
        BadInput
            If there are too few rows for what is asked.
        """
        module, name = self.learner
        try:
            learner = getattr(importlib.import_module(module), name)
        except ImportError:
            raise MissingExtra(
                f"{type(self).__name__} is fitted by scikit-learn, which is not installed.",
                fix="pip install 'tidemill[sklearn]'.",
            ) from None
        learnt: dict[str, Any] = standards(rows)
        points = self._points(learnt, rows[np.isfinite(rows).all(axis=1)])
        model = self._model(learner, points)
        with warnings.catch_warnings():
            # Where it has not settled, its values tell what is odd all the same.
            warnings.simplefilter("ignore")
            model.fit(points, points)
        return learnt | self._numbers(model)

    def _points(self, learnt: Mapping[str, Any], rows: Floats) -> Floats:
        return standardised(learnt, rows)

    def _model(self, learner: Any, points: Floats) -> Any:
        """Make the model that will be fitted to the points."""
        raise NotImplementedError

    def _numbers(self, model: Any) -> dict[str, Any]:
        """Return what was learnt as plain numbers."""
        raise NotImplementedError
