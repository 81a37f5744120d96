"""What a user names: a model of their own, a strategy, a dataset, a metric."""

from __future__ import annotations

import importlib
import inspect
import sys
import sysconfig
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tidemill.adapters.trainers.pickling import by_value
from tidemill.core.durations import duration
from tidemill.core.errors import BadInput, BadValue, TidemillError, unknown
from tidemill.core.rules import DatasetRule
from tidemill.loop.datasets import All, Latest, Recent
from tidemill.measures import AUC, MAE, MSE, Accuracy, Brier, LogLoss, Metric
from tidemill.strategy.backtest.setting import NAMED
from tidemill.strategy.loading import load
from tidemill.strategy.strategy import Strategy, trainer

METRICS: Mapping[str, tuple[Callable[[], Metric], tuple[str, ...]]] = {
    "auc": (AUC, ("binary",)),
    "accuracy": (Accuracy, ("binary", "multiclass")),
    "brier": (Brier, ("binary",)),
    "log_loss": (LogLoss, ("binary",)),
    "mae": (MAE, ("regression",)),
    "mse": (MSE, ("regression",)),
}
"""Metrics by name, each with the tasks that it can score."""
_MODEL_FIX = (
    "name a function (dataset, previous), an estimator, or a function without arguments that "
    "makes one."
)


def metric_of(name: str, task: str) -> Metric:
    """Return the metric of a name.

    Raises
    ------
    NotFound
        If there is none of that name.
    BadValue
        If it cannot score the task.

    Examples
    --------
    >>> metric_of("brier", "binary").name
    'brier'
    >>> metric_of("auc", "regression")
    Traceback (most recent call last):
    ...
    tidemill.core.errors.BadValue: auc cannot score the task 'regression'. Fix: choose mae or mse.
    """
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    made, tasks = METRICS[name]
    if task not in tasks:
        fit = [n for n, (_, those) in METRICS.items() if task in those]
        listed = " or ".join(filter(None, (", ".join(fit[:-1]), fit[-1])))
        raise BadValue(f"{name} cannot score the task {task!r}.", fix=f"choose {listed}.")
    return made()


def dataset_of(text: str) -> DatasetRule:
    """Read which labels models learn from: ``"28d"``, ``"all"`` or ``"n=5000"``.

    Raises
    ------
    BadValue
        If it is none of them.

    Examples
    --------
    >>> dataset_of("28d"), dataset_of("all"), dataset_of("n=5000")
    (Recent(past='28d'), All(), Latest(n=5000))
    """
    words = text.strip()
    if words == "all":
        return All()
    if words.startswith("n=") and words[2:].strip().isdigit():
        return Latest(int(words[2:]))
    try:
        duration(words)
    except BadValue:
        raise BadValue(
            f"{text!r} says not which labels models learn from.",
            fix="write a time such as 28d, all, or a number such as n=5000.",
        ) from None
    return Recent(words)


def model_of(text: str, *, folder: Path) -> Any:
    """Import a user's own model, written ``module:name``, such that other processes can run it.

    Parameters
    ----------
    folder
        Where modules are looked for first.

    Returns
    -------
    Trainer
        A training rule.

    Raises
    ------
    BadValue, BadInput, NotFound
        If there is no such thing, it does not import, or is no model.
    """
    home, mark, name = text.partition(":")
    if not (home and mark and name):
        raise BadValue(
            f"--model {text}: expected module:function.",
            fix="write it like --model model:train, where model.py defines train.",
        )
    module = _imported(home, text, folder)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [
                n
                for n, value in vars(module).items()
                if not n.startswith("_") and not isinstance(value, types.ModuleType)
            ]
            raise unknown(f"name in {home}", part, public)
        found = getattr(found, part)
    return _training(found, text)


def _imported(home: str, text: str, folder: Path) -> types.ModuleType:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    before = set(sys.modules)
    try:
        module = importlib.import_module(home)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{home}.".startswith(f"{error.name}."):
            raise _broken(text, error) from None
        raise BadInput(
            f"--model {text}: there is no module {error.name!r}.",
            fix=f"run it where {error.name}.py lies, or install it.",
        ) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it may raise anything
        raise _broken(text, error) from None
    # Other processes have what is installed; what lies in a user's folder travels with the work.
    tops = {name.partition(".")[0] for name in {*(set(sys.modules) - before), home}}
    for name in sorted(tops & sys.modules.keys()):
        if not _installed(sys.modules[name]):
            by_value(sys.modules[name])
    return module


def _broken(text: str, error: BaseException) -> BadInput:
    what = str(error) if isinstance(error, TidemillError) else f"{type(error).__name__}: {error}"
    return BadInput(
        f"--model {text} cannot be imported: {' '.join(what.split())[:500]}.",
        fix="mend the module; 'python -c \"import ...\"' shows where it fails.",
    )


def _installed(module: types.ModuleType) -> bool:
    """Tell whether a module is installed, so that every process of this Python can import it."""
    where = getattr(module, "__file__", None)
    if where is None:
        paths = list(getattr(module, "__path__", ()))
        where = str(paths[0]) if paths else None
    if where is None or module.__name__ in sys.stdlib_module_names:
        return True
    if module.__name__ == "tidemill":
        return True
    homes = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(Path(where).resolve().is_relative_to(Path(home).resolve()) for home in homes if home)


def _training(found: Any, text: str) -> Any:
    """Make a training rule of what was imported: a function, an estimator, or what makes one."""
    is_estimator = hasattr(found, "fit") and hasattr(found, "predict")
    if not is_estimator or isinstance(found, type):
        if not callable(found):
            raise BadValue(f"--model {text} is no model: {found!r}.", fix=_MODEL_FIX)
        needs = _needs(found)
        if not needs:
            found = _made(found, text)
        elif needs != 2:  # noqa: PLR2004 - (dataset, previous)
            raise BadValue(
                f"--model {text} takes {needs} argument{'' if needs == 1 else 's'}.",
                fix=_MODEL_FIX,
            )
    try:
        return trainer(found)
    except BadValue as error:
        raise BadValue(f"--model {text}: {error.what}", fix=_MODEL_FIX) from None


def _made(maker: Callable[[], Any], text: str) -> Any:
    try:
        return maker()
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadInput(f"--model {text}() failed: {what[:500]}.", fix="mend it.") from error


def _needs(function: Callable[..., Any]) -> int:
    """Count the arguments by position that have no default; 2 where Python cannot tell."""
    if hasattr(function, "memory_mb"):  # a training rule
        return 2
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return 2
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in places and p.default is inspect.Parameter.empty for p in parameters)


def is_strategy(text: str) -> bool:
    """Tell whether a word of the command line is a strategy, not a table.

    Examples
    --------
    >>> is_strategy("weekly"), is_strategy("mine/weekly.py"), is_strategy("predictions.parquet")
    (True, True, False)
    """
    return text.endswith(".py") or (text in NAMED and not Path(text).exists())


def strategy_of(wanted: str | Path) -> Strategy | str:
    """Return the strategy of a file, or the name as it is where it is one of ours.

    Raises
    ------
    BadInput
        If the file does not run.
    NotFound
        If it is neither a file nor a name.
    """
    text = str(wanted)
    if text in NAMED:
        return text
    path = Path(text)
    if path.suffix != ".py" and not path.is_file():
        raise unknown("strategy", text, NAMED)
    found = load(path, loaded=by_value)
    if found.name == "strategy":  # what it is called when nobody names it
        from dataclasses import replace

        found = replace(found, name=path.stem)
    return found
