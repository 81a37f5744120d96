"""A backtest in Python: the same as on the command line, as a value to look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tidemill.core.clock import instant
from tidemill.core.costs import Costs
from tidemill.core.errors import BadInput, BadValue
from tidemill.core.rules import DatasetRule
from tidemill.faces.backtest import Backtest
from tidemill.measures import Metric

if TYPE_CHECKING:
    from tidemill.faces.asking import Asked, Ready
    from tidemill.project import Mill
    from tidemill.strategy.strategy import Strategy

_TIMES = ("predicted_at", "time", "timestamp", "ts")


def backtest(
    history: Any,
    strategies: Sequence[str | Path | Strategy] | str = (),
    *,
    time: str | None = None,
    label: str | None = None,
    label_time: str | None = None,
    label_delay: str | None = None,
    absent: float | str | None = None,
    final_after: str | None = None,
    score: str | None = None,
    output: str | None = None,
    model_version: str | None = None,
    unit: str | None = None,
    record_id: str | None = None,
    features: Sequence[str] = (),
    drop: Sequence[str] = (),
    task: str | None = None,
    table: str | None = None,
    model: Any = None,
    dataset: str | DatasetRule | None = None,
    metric: str | Metric | None = None,
    costs: Costs | None = None,
    step: str | None = None,
    latency: str = "1h",
    season: str = "7d",
    start: datetime | str | None = None,
    end: datetime | str | None = None,
    seeds: int = 5,
    workers: int = 1,
    cache: str | Path | None = None,
    references: bool = True,
    keep: bool = False,
) -> Backtest:
    """Say which retraining strategy would have done best on a history.

    Parameters
    ----------
    history
        A table (Arrow, pandas, polars, a dict of columns), the path or address of one, or a
        project: its folder or an open :class:`~tidemill.project.Mill`. Of a project, its own
        strategy is replayed beside those given. It is only read.
    strategies
        Names (never, hourly, daily, weekly, monthly, quarterly, performance, drift),
        strategy files, or :class:`~tidemill.strategy.strategy.Strategy` values; four that
        fit the step where there are none.
    time, label
        The columns that say when it was predicted, and what was true; the usual names are
        found without.
    label_time, label_delay
        When labels were known: a column, or how long after the prediction, such as ``"7d"``.
    absent, final_after
        What it means when a row has no label, and when labels are final.
    score, output, model_version
        What your own model answered, and which version: your release history becomes a row.
    unit, record_id
        Columns: who is randomised, and what a row is called.
    features, drop
        Columns to learn from, if not all others; and those not to.
    task
        ``"binary"``, ``"multiclass"`` or ``"regression"``; told from the labels without.
    table
        The table, where the history is the address of a database.
    model
        Your own training: a function ``(dataset, previous)``, an estimator, or a rule of
        :mod:`tidemill.loop.training`; a built-in scikit-learn pipeline without.
    dataset
        Which labels models learn from: a rule, ``"28d"``, ``"all"`` or ``"n=5000"``.
    metric
        A metric or its name; by default AUC for two classes, accuracy for more, MAE for
        numbers.
    costs
        What labels, seconds, errors and reviews cost.
    step
        How often every mill turns, such as ``"7d"``; chosen from the history without.
    latency, season
        From the start of a fit until its model meets users; how long until things repeat.
    start, end
        When the first model is trained, and the last step ends; UTC.
    seeds
        How many replays each strategy gets, if training falls out differently each time.
    workers
        Processes that fit and predict side by side; with 1 all is done in this one.
    cache
        A folder that keeps fits.
    references
        Whether to compare with calendars, chance and the optimum in hindsight, too.
    keep
        Of a project: whether to keep with it what is concluded of its own strategy.

    Returns
    -------
    Backtest
        The report.

    Raises
    ------
    TidemillError
        If the history cannot be replayed; the message says what to change.

    Examples
    --------
    >>> import numpy as np
    >>> rng, n = np.random.default_rng(0), 600
    >>> x = rng.normal(size=n)
    >>> hours = np.datetime64("2024-01-01", "s") + np.arange(n) * np.timedelta64(3600, "s")
    >>> rows = {"time": hours, "x": x, "label": (x + rng.normal(size=n) > 0).astype(int)}
    >>> found = backtest(rows, ["never", "weekly"], label_delay="1h", step="7d", references=False)
    >>> found.table.column("name").to_pylist()
    ['never', 'weekly']
    """
    from tidemill.faces.asking import Asked

    if isinstance(strategies, str):
        strategies = [name.strip() for name in strategies.split(",")]
    asked = Asked(
        strategies=tuple(strategies),
        model=_training(model),
        dataset=dataset,
        metric=metric,
        costs=costs,
        step=step,
        latency=latency,
        season=season,
        start=_moment(start),
        end=_moment(end),
        seeds=seeds,
        workers=workers,
        cache=None if cache is None else Path(cache),
        references=references,
    )
    meaning = {
        "label_time": label_time,
        "label_delay": label_delay or "0s",
        "absent": absent,
        "final_after": final_after,
        "score": score,
        "output": output,
        "model_version": model_version,
        "unit": unit,
        "record_id": record_id,
        "features": tuple(features),
        "drop": tuple(drop),
        "task": task,
    }
    mill = _mill(history)
    if keep and (mill is None or model is not None or dataset is not None):
        raise BadValue(
            "what is kept is said of a project's own strategy, with its model and dataset.",
            fix="backtest the project, without model and dataset; or leave keep out.",
        )
    if mill is None:
        rows, title = _table(history, table, (record_id, model_version, unit))
        return Backtest(
            _of_rows(rows, title, {"time": time, "label": label, **meaning}, asked).run()
        )
    said = {name for name, value in meaning.items() if value not in (None, (), "0s")}
    if said or time or label or table:
        raise BadValue(
            f"a project says itself what its columns mean: {', '.join(sorted(said)) or 'time'}.",
            fix="leave the options of a table out.",
        )
    from tidemill.faces.asking import of_project
    from tidemill.strategy.worth import keep as keep_worth

    try:
        document = of_project(mill, asked).run()
        if keep:
            keep_worth(mill.world, mill.strategy, document)
        return Backtest(document)
    finally:
        if mill is not history:
            mill.close()


def _mill(history: Any) -> Mill | None:
    """Open the project, where the history is one."""
    from tidemill.project import CONFIG, Mill, open_project

    if isinstance(history, Mill):
        return history
    if isinstance(history, str | Path) and (Path(history) / CONFIG).is_file():
        return open_project(history)
    return None


def _table(history: Any, table: str | None, texts: Sequence[str | None]) -> tuple[pa.Table, str]:
    """Read a table, and say what it is called."""
    if isinstance(history, str | Path):
        from tidemill.adapters.sources.addresses import name_of, read

        rows = read(str(history), table=table, texts=[t for t in texts if t is not None])
        return rows, name_of(str(history), table)
    if table is not None:
        raise BadValue("there is no database to look for a table in.", fix="leave table out.")
    from tidemill.project import arrow

    try:
        return arrow(history), "your table"
    except pa.ArrowNotImplementedError as error:
        raise BadInput(
            f"a column cannot be read: {' '.join(str(error).split())}.",
            fix="numpy times take seconds or finer, as .astype('datetime64[s]') makes them.",
        ) from None


def _of_rows(rows: pa.Table, title: str, meaning: dict[str, Any], asked: Asked) -> Ready:
    from tidemill.faces.asking import of_table
    from tidemill.strategy.backtest.table import Meaning, understand

    for name, usual in (("time", _TIMES), ("label", ("label",))):
        if meaning[name] is None:
            meaning[name] = next((u for u in usual if u in rows.column_names), None)
        if meaning[name] is None:
            raise BadValue(
                f"nothing says which column is the {name}.",
                fix=f"give {name}=COLUMN; there are: {', '.join(rows.column_names)}.",
            )
    return of_table(understand(rows, Meaning(**meaning)), asked, title=title)


def _training(model: Any) -> Any:
    """Make a training rule of a model; one that is written ``module:name`` is imported."""
    if model is None:
        return None
    if isinstance(model, str):
        from tidemill.faces.finding import model_of

        return model_of(model, folder=Path.cwd())
    from tidemill.strategy.strategy import trainer

    return trainer(model)


def _moment(at: datetime | str | None) -> datetime | None:
    return instant(at) if isinstance(at, str) else at
