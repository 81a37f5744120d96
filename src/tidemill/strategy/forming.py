"""Forming datasets in a turn: the reservoir, the label rule, the dataset rule, the holdout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from tidemill.core.machines import RELEASE
from tidemill.core.ports import Json
from tidemill.core.rules import Past
from tidemill.loop.datasets import Manifest, form
from tidemill.loop.datasets.nothing import Nothing
from tidemill.statistics import n_effective
from tidemill.strategy.turn import Turn


def final_rows(turn: Turn, *, since: datetime | None = None) -> ir.Table:
    """Return the chosen records whose label is final at this moment."""
    return turn.strategy.labels(turn.view.reservoir(since=since), turn.now)


def past_of(turn: Turn) -> Past:
    """Say what a dataset rule may know of the past, besides the rows."""
    state = turn.world.state
    last, change = (state.fact(key) for key in ("last_triggered", "last_change"))
    front = state.front()
    champion = state.machine(RELEASE, front.version) if front and front.version else None
    learnt = None if champion is None else champion.payload["triggered_at"]
    return Past(
        now=turn.now,
        last_triggered=None if last is None else datetime.fromisoformat(last),
        champion_triggered=None if learnt is None else datetime.fromisoformat(learnt),
        last_change=None if change is None else datetime.fromisoformat(change),
    )


def form_dataset(turn: Turn) -> Manifest:
    """Form the dataset that a retrain now would learn from."""
    rule, past = turn.strategy.dataset, past_of(turn)
    since = None if rule.window is None else turn.now - rule.window - timedelta(days=1)

    def formed() -> Manifest:
        return form(turn.view, rule(final_rows(turn, since=since), past), turn.strategy.holdout)

    # A rule that says it looks at nothing but the rows forms the same dataset for everybody.
    when: tuple[Any, ...] = ()
    if getattr(rule, "remembers", True):
        when = (past.last_triggered, past.champion_triggered, past.last_change)
    return turn.known(formed, "dataset", *turn.marks.of("labels", "dataset", "holdout"), *when)


def form_test(
    turn: Turn, dataset: Manifest, champion: Manifest | None, *, formed_at: datetime
) -> Manifest:
    """Form the rows to test on: held out, or final since; none that either model learnt from."""
    held = dataset.rows.filter(pc.equal(dataset.rows["split"], "test"))
    newest = pc.max(dataset.rows["predicted_at"]).as_py() if len(dataset.rows) else None
    parts = [held]
    if newest is not None and formed_at != turn.now:
        rows = final_rows(turn, since=newest)
        rows = rows.filter(rows.predicted_at > ibis.literal(newest, type="timestamp('UTC', 6)"))
        later = form(turn.view, rows, _everything)
        parts.append(later.rows.cast(held.schema))
    rows = pa.concat_tables(parts)
    learnt = [m.rows.filter(pc.equal(m.rows["split"], "train")) for m in (dataset, champion) if m]
    for one in learnt:
        rows = rows.filter(pc.invert(pc.is_in(rows["record_id"], one["record_id"])))
    return Manifest(rows=rows)


def _everything(predicted_at: np.ndarray) -> np.ndarray:
    return np.ones(len(predicted_at), dtype=bool)


def describe(manifest: Manifest) -> Json:
    """Say what a dataset holds, for report cards and listings."""
    rows = manifest.rows
    span = pc.min_max(rows["predicted_at"]).as_py()
    train = rows.filter(pc.equal(rows["split"], "train"))
    sources = rows["source_kind"].value_counts().to_pylist()
    return {
        "id": "ds-" + manifest.digest[:12],
        "digest": manifest.digest,
        "train": manifest.count("train"),
        "test": manifest.count("test"),
        "effective": round(n_effective(train["weight"].to_numpy()), 1),
        "first": None if span["min"] is None else span["min"].isoformat(),
        "last": None if span["max"] is None else span["max"].isoformat(),
        "sources": {s["values"]: s["counts"] for s in sources},
    }


def enough(turn: Turn, manifest: Manifest) -> str:
    """Say why a dataset is too small to train and test on; empty when it is not."""
    if not manifest.rows.num_rows:
        newest = _newest_record(turn)
        rule = type(turn.strategy.dataset).__name__
        where = f"; the newest record is of {newest:%Y-%m-%d}" if newest else ""
        return f"no chosen record in reach of {rule} has a final label yet{where}"
    if isinstance(turn.strategy.holdout, Nothing):
        return ""
    if not manifest.count("test"):
        return (
            f"{manifest.rows.num_rows:,} labelled records are too few or too short a time "
            f"to hold out a test"
        )
    return ""


def unlike(manifest: Manifest) -> str:
    """Say that labels are numbers and texts, which no model can learn from; empty if not."""
    numbers = manifest.rows.num_rows - manifest.rows["label"].null_count
    texts = manifest.rows.num_rows - manifest.rows["label_text"].null_count
    if not numbers or not texts:
        return ""
    return (
        f"{numbers:,} labels are numbers and {texts:,} texts. Fix: write Outcome(absent=...) "
        f"as the labels are written"
    )


def _newest_record(turn: Turn) -> datetime | None:
    records = turn.view.table("records")
    found = turn.view.arrow(records.aggregate(at=records.predicted_at.max()))
    at = found["at"][0].as_py()
    return None if at is None else at.astimezone(UTC)
