"""The built-in model for a table without one: a linear model after usual preparations."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.core.errors import BadValue, MissingExtra

NUMBER, CATEGORY, TEXT, TIME = "number", "category", "text", "time"
_CATEGORIES = 100
"""Of a column's categories the most frequent; the others are one."""
_HASHES = 2**12
_TREES = 60
_LARGEST = 1e100

WORDS = {
    "binary": "a built-in logistic regression, not your model",
    "multiclass": "a built-in logistic regression, not your model",
    "regression": "a built-in gradient boosting, not your model",
}
"""What the built-in model of a task is, for whoever reads its results."""


def pipeline(features: Sequence[tuple[str, str]], task: str) -> Any:
    """Return an unfitted scikit-learn estimator for columns of known kinds.

    Numbers are imputed and scaled, categories one-hot, texts hashed, times split into parts.
    It takes missing values, new categories and absent columns, and learns a constant where
    there is one class only. Two fits on the same rows answer the same.

    Parameters
    ----------
    features
        Names and kinds: ``number``, ``category``, ``text`` or ``time``.
    task
        ``binary``, ``multiclass`` or ``regression``.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, None], "c": ["a", "b", None, "a"]})
    >>> model = pipeline([("x", "number"), ("c", "category")], "binary")
    >>> model.fit(frame, np.array([0.0, 1.0, 1.0, 0.0])).predict_proba(frame).shape
    (4, 2)
    """
    if task not in WORDS:
        raise BadValue(f"{task!r} is no task.", fix=f"say one of {', '.join(WORDS)}.")
    if not features:
        raise BadValue("there is no feature to learn from.", fix="name some with --features.")
    wrong = sorted({k for _, k in features} - {NUMBER, CATEGORY, TEXT, TIME})
    if wrong:
        raise BadValue(f"a feature has the kind {wrong[0]!r}.", fix="say number, category, ...")
    try:
        import sklearn  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise MissingExtra(
            "the built-in model needs scikit-learn.", fix="pip install 'tidemill[sklearn]'."
        ) from None
    return BuiltIn(tuple(features), task)


class BuiltIn:
    """The built-in model: a scikit-learn pipeline, or a constant where there is one class.

    Parameters
    ----------
    features
        Names and kinds.
    task
        ``binary``, ``multiclass`` or ``regression``.
    """

    def __init__(self, features: tuple[tuple[str, str], ...], task: str) -> None:
        self.features = features
        self.task = task

    @property
    def words(self) -> str:
        """What it is, for whoever reads its results."""
        return WORDS[self.task]

    def get_params(self, *, deep: bool = True) -> dict[str, Any]:
        """Return how it was made, as scikit-learn asks."""
        return {"features": self.features, "task": self.task}

    def set_params(self, **params: Any) -> BuiltIn:
        """Change how it is made, as scikit-learn asks."""
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def fit(self, features: Any, label: Any, sample_weight: Any = None) -> BuiltIn:
        """Learn from a DataFrame with the columns it was made for, or some of them."""
        frame, wanted = self._prepared(features), np.asarray(label)
        if self.task != "regression":
            self.classes_ = np.unique(wanted)
        # Columns that are empty in this window teach nothing.
        used = [(n, k) for n, k in self.features if pd.notna(frame[n]).to_numpy().any()]
        self.model_ = None
        self.constant_ = _middle(wanted, sample_weight) if self.task == "regression" else None
        if not used or (self.task != "regression" and len(self.classes_) < 2):  # noqa: PLR2004
            self.shares_ = _shares(wanted, sample_weight)
            return self
        model = _model(used, self.task)
        extra = {} if sample_weight is None else {"model__sample_weight": sample_weight}
        with _alone():
            self.model_ = model.fit(frame, wanted, **extra)
        return self

    def predict(self, features: Any) -> npt.NDArray[Any]:
        """Answer n rows."""
        if self.model_ is not None:
            with _alone():
                return self.model_.predict(self._prepared(features))
        if self.task == "regression":
            return np.full(len(features), self.constant_)
        return np.full(len(features), self.classes_[int(np.argmax(self.shares_))])

    def __getattr__(self, name: str) -> Any:
        # A regression has no probabilities, and must not look as if it had.
        if name == "predict_proba" and self.__dict__.get("task", "regression") != "regression":
            return self._probability
        raise AttributeError(name)

    def _probability(self, features: Any) -> npt.NDArray[np.float64]:
        if self.model_ is not None:
            with _alone():
                return self.model_.predict_proba(self._prepared(features))
        return np.tile(self.shares_, (len(features), 1))

    def _prepared(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give each column the type of its kind; a column that is not there is missing."""
        columns: dict[str, Any] = {}
        for name, kind in self.features:
            there = name in frame.columns
            column: Any = frame[name] if there else pd.Series(np.nan, index=frame.index)
            if kind == NUMBER:
                numbers: Any = pd.to_numeric(column, errors="coerce")
                values = numbers.to_numpy(dtype=float, na_value=np.nan)
                values = np.clip(values, -_LARGEST, _LARGEST)  # whose square is a number still
                columns[name] = values
            elif kind == TIME:
                times: Any = pd.to_datetime(column, errors="coerce", utc=True)
                columns[name] = times.dt.tz_localize(None).to_numpy()
            else:
                columns[name] = column.astype(object).where(column.notna(), None).to_numpy()
        return pd.DataFrame(columns, index=frame.index)


@cache
def _threads() -> Any:
    """Find the thread pools of this process, once: finding takes as long as a prediction."""
    from threadpoolctl import ThreadpoolController  # comes with scikit-learn

    importlib.import_module("sklearn.linear_model")  # what has pools must be loaded

    return ThreadpoolController()


@contextmanager
def _alone() -> Generator[None]:
    """Work on one core: fits run side by side, and waiting threads cost ten times the work."""
    from sklearn.exceptions import ConvergenceWarning

    # Texts that are all the same have no spread to divide by, which harms nothing.
    with _threads().limit(limits=1), np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early on purpose, see _model
        # A window may hold a few rows, each of another class.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        yield


def _model(used: list[tuple[str, str]], task: str) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    by_kind = {kind: [n for n, k in used if k == kind] for kind in (NUMBER, CATEGORY, TIME)}
    steps: list[tuple[str, Any, Any]] = [
        (
            kind,
            _numbers() if kind == NUMBER else _categories(task) if kind == CATEGORY else _times(),
            names,
        )
        for kind, names in by_kind.items()
        if names
    ]
    steps += [(f"text {n}", _text(task), [n]) for n, k in used if k == TEXT]
    if task == "regression":
        last: Any = HistGradientBoostingRegressor(max_iter=_TREES, random_state=0)
        last.set_params(early_stopping=False)
    else:
        # Many fits are compared: the last digits of a coefficient are worth nothing.
        last = LogisticRegression(tol=1e-3, max_iter=50, random_state=0)
    prepare = ColumnTransformer(steps, sparse_threshold=0.0 if task == "regression" else 1.0)
    return Pipeline([("prepare", prepare), ("model", last)])


def _numbers() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])


def _categories(task: str) -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=20 if task == "regression" else _CATEGORIES,
        sparse_output=task != "regression",
    )


def _times() -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    return Pipeline([("parts", FunctionTransformer(_parts_of_times)), ("numbers", _numbers())])


def _parts_of_times(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return hour, weekday, day of the year and days since 1970 of each time."""
    parts = []
    for name in frame.columns:
        at = pd.to_datetime(frame[name], utc=True)
        days = (at - pd.Timestamp(0, tz="UTC")).dt.total_seconds() / 86_400
        hour = at.dt.hour + at.dt.minute / 60
        parts += [hour, at.dt.weekday, at.dt.dayofyear, days]
    return np.column_stack([np.asarray(p, dtype=float) for p in parts])


def _text(task: str) -> Any:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    hashed: Any = HashingVectorizer(n_features=_HASHES, alternate_sign=False)
    hashed.set_params(norm=None)
    steps: list[tuple[str, Any]] = [
        ("flat", FunctionTransformer(_flat)),
        ("hash", hashed),
        ("weigh", TfidfTransformer(sublinear_tf=True)),
    ]
    if task == "regression":  # trees take few columns
        steps.append(("few", TruncatedSVD(n_components=20, random_state=0)))
    return Pipeline(steps)


def _flat(frame: pd.DataFrame) -> list[str]:
    return ["" if v is None else str(v) for v in frame.iloc[:, 0]]


def _shares(label: npt.NDArray[Any], weight: Any) -> npt.NDArray[np.float64]:
    _, codes = np.unique(label, return_inverse=True)
    weights = np.ones(len(label)) if weight is None else np.asarray(weight, dtype=float)
    counts = np.bincount(codes, weights=weights)
    return counts / counts.sum()


def _middle(label: npt.NDArray[Any], weight: Any) -> float:
    return float(np.average(label.astype(float), weights=weight)) if len(label) else 0.0
