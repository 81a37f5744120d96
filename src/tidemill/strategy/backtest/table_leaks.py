"""Features that may know the label: what a model could not have seen when it predicted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import rankdata

from tidemill.core.records import FEATURE

_ROWS = 5_000
_BINS = 64
_PERFECT = 0.99
_FEWEST = 50
_LATE = 0.01
_NAMES = {
    "after",
    "actual",
    "actuals",
    "groundtruth",
    "label",
    "labels",
    "outcome",
    "outcomes",
    "target",
    "truth",
}
_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A feature that looks as if it knew the label, and why it does."""

    feature: str
    column: str
    why: str

    def __str__(self) -> str:
        return f"{self.column} may be a leak: {self.why}. If so: --drop {self.column}"


def find_leaks(
    rows: pa.Table,
    features: list[tuple[str, str, str]],
    label: pa.Array,
    *,
    task: str,
    label_name: str,
    unlabelled: npt.NDArray[np.bool_],
) -> list[Leak]:
    """Look at each feature for signs that it knows the label.

    Parameters
    ----------
    rows
        n records with ``predicted_at`` and ``f_<name>``.
    label
        n labels, absence taken for what it means.
    unlabelled
        Which of the n rows came without one.
    """
    labelled = np.flatnonzero(label.is_valid().to_numpy(zero_copy_only=False))
    sample = labelled[:: max(1, len(labelled) // _ROWS)]
    truth = _Truth.of(label.take(pa.array(sample)), task) if len(sample) >= _FEWEST else None
    found = []
    for column, name, kind in features:
        values = rows[FEATURE + name]
        why = _later(values, rows["predicted_at"]) if kind == "time" else ""
        why = why or _missing_with_label(values, unlabelled)
        if not why and truth is not None and kind in ("number", "category"):
            why = truth.told_by(values.take(pa.array(sample)))
        why = why or _named(column, label_name)
        if why:
            found.append(Leak(feature=name, column=column, why=why))
    return found


def _later(values: pa.ChunkedArray, predicted: pa.ChunkedArray) -> str:
    late = pc.mean(pc.greater(values, predicted).cast(pa.float64())).as_py() or 0.0
    return f"{late:.0%} of its times are after the prediction" if late > _LATE else ""


def _missing_with_label(values: pa.ChunkedArray, unlabelled: npt.NDArray[np.bool_]) -> str:
    if not values.null_count or not 5 <= unlabelled.sum() < len(unlabelled):  # noqa: PLR2004
        return ""
    same = np.array_equal(pc.is_null(values).to_numpy(), unlabelled)
    return "it is missing exactly where the label is" if same else ""


def _named(column: str, label: str) -> str:
    """Look at the name only.

    Examples
    --------
    >>> _named("stateAfter", "label"), _named("poutcome", "label")
    ('it is named like something known afterwards', '')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column).lower()
    words = set(re.split(r"[^a-z0-9]+", spaced))
    if words & _NAMES:
        return "it is named like something known afterwards"
    if len(label) > 3 and column.lower().startswith(f"{label.lower()}_"):  # noqa: PLR2004
        return f"it is named like the label {label!r}"
    return ""


@dataclass(frozen=True)
class _Truth:
    """Sampled labels as numbers (or codes of classes), every other row to test on."""

    values: _Numbers
    task: str

    @classmethod
    def of(cls, label: pa.Array, task: str) -> _Truth | None:
        coded = task == "multiclass"
        made: Any = label.dictionary_encode().indices if coded else label
        values = np.asarray(made.to_numpy(zero_copy_only=False), dtype=float)
        return None if len(np.unique(values)) < 2 else cls(values, task)  # noqa: PLR2004

    def told_by(self, values: pa.ChunkedArray) -> str:
        """Say how well a feature alone tells the label, when that is nearly perfectly."""
        # Values near the largest float overflow to nothing, which is not above any bound.
        with np.errstate(all="ignore"):
            best = [self._grouped(_codes(values))]
            if pa.types.is_floating(values.type) and self.task != "multiclass":
                best.append(self._ordered(np.asarray(values.to_numpy())))
        best = max((b for b in best if b >= _PERFECT), default=0.0)
        if not best:
            return ""
        measure = {"binary": "AUC", "regression": "R²", "multiclass": "accuracy"}[self.task]
        return f"it alone tells the label ({measure} {best:.3f})"

    def _ordered(self, x: _Numbers) -> float:
        known = np.isfinite(x)
        x, y = x[known], self.values[known]
        if len(x) < max(_FEWEST, 0.5 * len(self.values)) or not np.ptp(x) or not np.ptp(y):
            return 0.0
        if self.task == "binary":
            return _auc(x, y)
        return float(np.corrcoef(x, y)[0, 1] ** 2)

    def _grouped(self, codes: npt.NDArray[np.int64]) -> float:
        """Learn from even rows what each value means, and measure it on the odd ones."""
        y, n = self.values, int(codes.max()) + 1
        learn, test = slice(0, None, 2), slice(1, None, 2)
        if self.task == "multiclass":
            counts = np.zeros((n, int(y.max()) + 1))
            np.add.at(counts, (codes[learn], y[learn].astype(int)), 1)
            usual = np.bincount(y[learn].astype(int)).argmax()
            said = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), usual)[codes[test]]
            plain = float((y[test] == usual).mean())
            right = float((y[test] == said).mean())
            return right if plain < _PERFECT else 0.0
        seen = np.bincount(codes[learn], minlength=n)
        total = np.bincount(codes[learn], weights=y[learn], minlength=n)
        middle = y[learn].mean()
        said = np.where(seen > 0, total / np.maximum(seen, 1), middle)[codes[test]]
        if not np.ptp(y[test]):
            return 0.0
        if self.task == "binary":
            return _auc(said, y[test])
        return float(1 - np.mean((y[test] - said) ** 2) / np.var(y[test]))


def _codes(values: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Number the values of a feature, missing as one more; numbers in bins of equal size."""
    flat = values.combine_chunks()
    if not pa.types.is_floating(flat.type):
        coded = flat.dictionary_encode()
        codes = pc.fill_null(coded.indices.cast(pa.int64()), len(coded.dictionary))
        return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
    x = np.asarray(flat.to_numpy(zero_copy_only=False), dtype=float)
    known = x[np.isfinite(x)]
    if not known.size:
        return np.zeros(len(x), dtype=np.int64)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    codes = np.searchsorted(edges, x, side="left").astype(np.int64)
    codes[~np.isfinite(x)] = len(edges) + 1
    return codes


def _auc(x: _Numbers, y: _Numbers) -> float:
    """Return the chance that x tells a 1 from a 0, in whichever direction."""
    ones = y == 1
    n, m = int(ones.sum()), int((~ones).sum())
    if not n or not m:
        return 0.0
    area = (rankdata(x)[ones].sum() - n * (n + 1) / 2) / (n * m)
    return float(max(area, 1 - area))
