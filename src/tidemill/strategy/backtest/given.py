"""A history to replay: of a user's table, or of a project's own log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.adapters.stores.history import History
from tidemill.core.as_of import AsOf
from tidemill.core.errors import NotFound
from tidemill.core.ports import World
from tidemill.core.records import features_of
from tidemill.strategy.backtest.setting import Given
from tidemill.strategy.backtest.table import Understood
from tidemill.strategy.in_place import assumed

_END = datetime(9999, 1, 1, tzinfo=UTC)
_GIVEN = ("feedback", "waiting_labels", "waiting_feedback")
_LATE = 0.99
"""The share of labels whose delay a step waits for before it counts as settled."""


def of_table(understood: Understood, *, title: str) -> Given:
    """Make a history of a table that was understood."""
    history = History(understood.records, understood.labels)
    return Given(
        title=title,
        history=history,
        task=understood.task,
        features=understood.features,
        assumed=understood.assumed,
        warnings=understood.warnings,
        answered=_answered(history, understood.task),
        delay=median_delay(history),
    )


def of_project(
    world: World,
    *,
    title: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Given:
    """Make a history of what a project logged; nothing in the project is changed.

    Parameters
    ----------
    since, until
        Only records predicted in [since, until).

    Raises
    ------
    NotFound
        If the project has no records, or none with a label.
    """
    view = AsOf(world.events, world.engine, _END)
    records = view.arrow(view.table("records", since=since, until=until))
    labels = view.arrow(view.table("labels", since=since, until=until))
    if not records.num_rows or not labels.num_rows:
        what = "records" if not records.num_rows else "labels"
        raise NotFound(
            f"{title} holds no {what} to replay.", fix=f"import some: tidemill {what} import FILE."
        )
    more = {
        name: _with_day(view.arrow(view.table(name)))
        for name in _GIVEN
        if world.events.version(name) >= 0
    }
    history = History(
        _with_day(records), _with_day(labels), more=more, kinds=world.state.fact("kinds") or {}
    )
    chosen = None
    if world.events.version("chosen") >= 0:
        chosen = view.arrow(view.table("chosen", since=since, until=until))
        chosen = chosen if chosen.num_rows else None
    task = _task(labels)
    return Given(
        title=title,
        history=history,
        task=task,
        features=tuple(_features(history)),
        assumed=tuple(assumed(world)),
        answered=_answered(history, task),
        chosen=chosen,
        delay=median_delay(history),
    )


def median_delay(history: History) -> timedelta:
    """Return the median time from a prediction to its label."""
    return _delay(history, 0.5)


def longest_delay(history: History, final: timedelta) -> timedelta:
    """Return how long a step waits until its labels have come, and are ``final``."""
    return max(final, _delay(history, _LATE))


def _delay(history: History, share: float) -> timedelta:
    """Return how long it took until a share of the labels had come."""
    waits = history.label_available - history.at[history.label_place]
    return timedelta(microseconds=float(np.quantile(waits, share)) if len(waits) else 0.0)


def _answered(history: History, task: str) -> bool:
    """Tell whether every record holds what a model answered, enough to score it."""
    needs = {"binary": "score", "multiclass": "output_text"}.get(task, "output")
    column = history.records[needs]
    if task == "multiclass" and column.null_count:
        column = history.records["output"]
    return len(history) > 0 and column.null_count == 0


def _with_day(rows: pa.Table) -> pa.Table:
    at = rows["predicted_at"].cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    return rows.append_column("day", at)


def _task(labels: pa.Table) -> str:
    if labels["label"].null_count == labels.num_rows:
        return "multiclass"
    values = set(pc.unique(labels["label"].drop_null()).to_pylist())
    return "binary" if values <= {0.0, 1.0} else "regression"


def _features(history: History) -> list[tuple[str, str]]:
    found = []
    for name in features_of(history.records.column_names):
        kind = history.records.schema.field(name).type
        what = "time" if pa.types.is_timestamp(kind) else "number"
        found.append((name.removeprefix("f_"), "category" if pa.types.is_string(kind) else what))
    return found
