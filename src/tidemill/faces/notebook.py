"""A backtest in Python: the same as on the command line, as a value to look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tidemill.core.clock import instant
from tidemill.core.costs import Costs
from tidemill.core.errors import BadInput, BadValue, MissingExtra
from tidemill.core.ports import Json
from tidemill.core.rules import DatasetRule
from tidemill.measures import Metric

if TYPE_CHECKING:
    from tidemill.faces.asking import Asked, Ready
    from tidemill.project import Mill
    from tidemill.strategy.strategy import Strategy

_TIMES = ("predicted_at", "time", "timestamp", "ts")
_ROWS = pa.schema(
    [
        ("name", pa.string()),
        ("kind", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("against", pa.string()),
        ("gain", pa.float64()),
        ("verdict", pa.string()),
        ("retrains", pa.float64()),
        ("refused", pa.float64()),
        ("failed", pa.float64()),
        ("labels", pa.int64()),
        ("seconds", pa.float64()),
        ("cost", pa.float64()),
        ("opportunity", pa.float64()),
    ]
)


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


class Backtest:
    """The report of a backtest.

    Shown by itself at the end of a notebook's cell; ``print`` it anywhere else.

    Parameters
    ----------
    document
        The plain report, as :meth:`to_dict` returns it.
    """

    def __init__(self, document: Json) -> None:
        self._document = document

    @property
    def table(self) -> pa.Table:
        """One row a strategy: what it reached, against whom, and what it took.

        ``gain`` is the difference to ``against``, positive is better, and ``low`` and ``high``
        are the ends of its interval; null where a row was not compared.
        """
        compared = {c["name"]: c for c in self._document["comparisons"]}
        rows = []
        for one in self._document["strategies"]:
            found = compared.get(one["name"])
            gain = {} if found is None else found["this_history"]
            rows.append(
                {
                    **{name: one.get(name) for name in _ROWS.names},
                    "low": gain.get("low"),
                    "high": gain.get("high"),
                    "gain": gain.get("value"),
                    "against": None if found is None else found["against"],
                    "verdict": None if found is None else found["verdict"],
                    "cost": None if one["cost"] is None else one["cost"]["total"],
                }
            )
        return pa.Table.from_pylist(rows, schema=_ROWS)

    @property
    def comparisons(self) -> list[Json]:
        """Every strategy against the baseline, with both intervals."""
        return list(self._document["comparisons"])

    @property
    def conclusion(self) -> list[str]:
        """What follows, in plain sentences, the most important first."""
        return list(self._document["conclusion"])

    def to_dict(self) -> Json:
        """Return the report as plain JSON; its keys are in docs/json.md."""
        return self._document

    def save_html(self, path: str | Path) -> Path:
        """Write the report as one HTML file that needs no network.

        Raises
        ------
        MissingExtra
            If Altair is not installed.
        """
        try:
            from tidemill.faces.report.page import page

            text = page(self._document)
        except ModuleNotFoundError as error:
            raise _no_altair(error) from None
        Path(path).write_text(text, encoding="utf-8")
        return Path(path)

    def plot(self) -> Any:
        """Return the chart of performance over time, an Altair chart that can be changed.

        Raises
        ------
        MissingExtra
            If Altair is not installed.
        """
        try:
            from tidemill.faces.report import charts
        except ModuleNotFoundError as error:
            raise _no_altair(error) from None
        return charts.performance(self._document)

    def __str__(self) -> str:
        from tidemill.faces.report.terminal import text

        return text(self._document)

    def __repr__(self) -> str:
        names = ", ".join(
            s["name"] for s in self._document["strategies"] if s["kind"] != "reference"
        )
        return f"<Backtest of {names} on {self._document['title']}>"

    def _repr_html_(self) -> str:
        """Return a small static table for a notebook; whatever users named is escaped."""
        from tidemill.faces.report.markup import el
        from tidemill.faces.report.standings import baseline, currency, model, standings

        money = currency(self._document)
        heads = ["strategy", self._document["metric"]["words"]]
        heads += [f"against {baseline(self._document) or '-'}", "verdict", "retrains"]
        heads += ["labels", "fit s", *([money] if money else [])]
        rows = []
        for row in standings(self._document):
            gain = f"{row.gain} {row.interval}".strip()
            name = f"{row.name} ({row.short})" if row.short else row.name
            spent = [row.retrains, row.labels, row.seconds, *([row.cost] if money else [])]
            cells = [row.value, gain, row.verdict, *spent]
            rows.append(el("tr", el("th", name, scope="row"), *(el("td", c) for c in cells)))
        return str(
            el(
                "div",
                el("p", el("strong", model(self._document))),
                *(el("p", line) for line in self.conclusion),
                el(
                    "table",
                    el("thead", el("tr", *(el("th", h, scope="col") for h in heads))),
                    el("tbody", *rows),
                ),
            )
        )


def _no_altair(error: ModuleNotFoundError) -> Exception:
    if error.name != "altair":
        return error
    return MissingExtra(
        "charts need Altair, which is not installed.", fix="pip install 'tidemill[report]'."
    )


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
