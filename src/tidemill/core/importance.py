"""How much what a model answers depends on each feature."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.core.model import Answers, answer

LEAST = 20
"""Rows below which nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Asks for the permutation importance of a model's features on the rows it answers.

    A feature's importance is how much the answers change when its values are dealt out among
    the rows at random: the mean absolute change of the score, or of a numeric output where there
    is no score, or the share of answers that are others. It asks what the answers rest on,
    so it needs no labels; a feature that the model ignores has 0, however it drifts.

    Parameters
    ----------
    seconds
        How long it may take. A model that would take longer gets none.
    rows
        The most rows that are looked at, evenly spread over those given.
    seed
        Of the permutations.

    References
    ----------
    Fisher, A., Rudin, C. and Dominici, F. (2019). All models are wrong, but many are useful:
    learning a variable's importance by studying an entire class of prediction models
    simultaneously. Journal of Machine Learning Research 20, 1-81.

    Examples
    --------
    >>> rows = pa.table({"a": np.arange(100.0), "b": np.arange(100.0)})
    >>> found = Importance().of(lambda frame: 2 * frame["a"], rows)["importance"]
    >>> found["a"] > 10, found["b"]
    (True, 0.0)
    """

    seconds: float = 5.0
    rows: int = 500
    seed: int = 0

    def of(self, model: Any, table: pa.Table) -> dict[str, Any]:
        """Return ``importance`` by feature, or ``importance_why`` there is none."""
        n = table.num_rows
        if n < LEAST:
            return {"importance_why": f"{n} rows are too few to see what answers rest on"}
        if n > self.rows:
            table = table.take(np.linspace(0, n - 1, self.rows).astype(np.int64))
        start = time.perf_counter()
        before = answer(model, table)
        each = time.perf_counter() - start
        # Known before it begins, where it can be: a job has a limit of its own.
        if each * table.num_columns > self.seconds:
            return {"importance_why": self._late(0, table.num_columns)}
        rng, found = np.random.default_rng(self.seed), dict[str, float]()
        for k, name in enumerate(table.column_names):
            if time.perf_counter() - start > self.seconds:
                return {"importance_why": self._late(k, table.num_columns)}
            dealt = table[name].take(rng.permutation(table.num_rows))
            found[name] = _change(before, answer(model, table.set_column(k, name, dealt)))
        return {"importance": found}

    def _late(self, done: int, many: int) -> str:
        return f"it takes longer than {self.seconds:g} s to ask what answers rest on ({done} of {many} features done)"


def _change(before: Answers, after: Answers) -> float:
    """Return how much answers differ."""
    if np.isfinite(before.score).any():
        return _mean_change(before.score, after.score)
    if before.output.dtype.kind == "f" and after.output.dtype.kind == "f":
        return _mean_change(before.output, after.output)
    return float(np.mean(before.output.astype(str) != after.output.astype(str)))


def _mean_change(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> float:
    both = np.isfinite(before) & np.isfinite(after)
    return float(np.abs(before - after)[both].mean()) if both.any() else 0.0
