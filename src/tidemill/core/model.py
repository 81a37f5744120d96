"""What a model answers: the same shape for estimators, functions and pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model said of n records.

    ``output`` is its answer, floats or texts; ``score`` the probability of class 1 where
    the model gives one, else NaN. Both have shape (n,).
    """

    output: npt.NDArray[Any]
    score: npt.NDArray[np.float64]

    def to_table(self) -> pa.Table:
        """Return columns ``output``, ``output_text`` and ``score``."""
        nothing = pa.nulls(len(self.output))
        if self.output.dtype.kind == "f":
            number, text = pa.array(self.output, from_pandas=True), nothing.cast(pa.string())
        else:
            number, text = nothing.cast(pa.float64()), pa.array(self.output, pa.string())
        score = pa.array(self.score, from_pandas=True)
        return pa.table({"output": number, "output_text": text, "score": score})


def answer(model: Any, features: pa.Table) -> Answers:
    """Ask a model about records.

    Parameters
    ----------
    model
        An object with ``predict`` (and ``predict_proba``), or a function of a DataFrame that
        returns answers, or a dict with ``output`` and ``score``.
    features
        n rows, one column a feature.

    Raises
    ------
    BadInput
        If the model is nothing that can answer, or answers the wrong number of rows.
    """
    frame, n = features.to_pandas(), features.num_rows
    score = np.full(n, np.nan)
    if not n:
        return Answers(output=np.zeros(0), score=score)
    if hasattr(model, "predict"):
        classes = getattr(model, "classes_", None)
        if hasattr(model, "predict_proba") and classes is not None:
            probability = np.asarray(model.predict_proba(frame), dtype=float)
            classes = np.asarray(classes)
            if probability.shape != (n, len(classes)):
                raise _wrong_shape(probability.shape, n)
            output = classes[np.argmax(probability, axis=1)]
            output = _unless_unsure(output, probability)
            score = _score(probability, classes, n)
        else:
            output = np.asarray(model.predict(frame))
    elif callable(model):
        said = model(frame)
        output = np.asarray(said["output"] if isinstance(said, dict) else said)
        if isinstance(said, dict) and "score" in said:
            score = np.asarray(said["score"], dtype=float)
    else:
        raise BadInput(
            f"training returned {type(model).__name__}, which cannot answer.",
            fix="return an object with predict, or a function of a DataFrame.",
        )
    for said in (output, score):
        if said.shape != (n,):
            raise _wrong_shape(said.shape, n)
    if output.dtype.kind in "biuf":
        return Answers(output=output.astype(float), score=score)
    texts = np.array([None if _missing(v) else str(v) for v in output], dtype=object)
    return Answers(output=texts, score=score)


def _unless_unsure(
    output: npt.NDArray[Any], probability: npt.NDArray[np.float64]
) -> npt.NDArray[Any]:
    """Leave an answer out where a probability is NaN."""
    unsure = np.isnan(probability).any(axis=1)
    if not unsure.any():
        return output
    if output.dtype.kind in "biuf":
        return np.where(unsure, np.nan, output.astype(float))
    output = output.astype(object)
    output[unsure] = None
    return output


def _wrong_shape(shape: tuple[int, ...], n: int) -> BadInput:
    return BadInput(
        f"the model answered with shape {shape} for {n} records.", fix="answer one value a record."
    )


def _missing(value: object) -> bool:
    """Tell whether a value is None or NaN of any kind: numpy's, pandas' or a NaT."""
    return value is None or str(value) in ("nan", "NaT", "<NA>")


def _score(
    probability: npt.NDArray[np.float64], classes: npt.NDArray[Any], n: int
) -> npt.NDArray[np.float64]:
    if not set(classes.tolist()) <= {0, 1}:
        return np.full(n, np.nan)
    one = np.flatnonzero(classes == 1)
    # A model that has seen one class only is sure of it.
    return probability[:, int(one[0])] if len(one) else np.zeros(n)
