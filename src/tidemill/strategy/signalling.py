"""Signalling in a turn: what a trigger wants to know, measured on what users were answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.durations import duration
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Machine
from tidemill.core.rules import Facts, Fitted, Seen
from tidemill.core.verdict import Decision
from tidemill.measures import Metric
from tidemill.measures.grouped import columns_of_groups, grouping, truth_for
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.alarms import alarms

LONGEST = timedelta(days=400)
"""How far back a champion's windows are looked at; an older champion shows its last ones."""
_TENTHS = 10


def facts(turn: Turn) -> Facts:
    """Gather what the strategy's trigger may look at, and no more than it wants."""
    state = turn.world.state
    last, asked = state.fact("last_triggered"), state.fact("asked")
    last = None if last is None else datetime.fromisoformat(last)
    wants = turn.strategy.trigger.wants
    triggered, fits = _retrains(turn)
    front = state.front()
    live = None if front is None or front.version is None else front.at
    windows, arrived, counts = (), (), (0, 0)
    if live is not None and any(w not in ("counts", "alarms") for w in wants):
        windows = _windows(turn, wants, max(live, turn.now - LONGEST))
    if last is not None and "counts" in wants:
        counts = turn.view.counted(turn.strategy.labels, last)
        arrived = tuple(_counts(turn, max(last, turn.now - LONGEST)))
    return Facts(
        now=turn.now,
        last_triggered=last,
        asked=asked,
        live_since=live,
        records=counts[0],
        labels=counts[1],
        windows=windows,
        arrived=arrived,
        triggered=triggered,
        fits=fits,
        costs=turn.strategy.costs,
        alarms=alarms(turn.world) if "alarms" in wants else (),
    )


def ask(turn: Turn) -> Decision:
    """Ask the trigger."""
    return turn.strategy.trigger(facts(turn))


def _retrains(turn: Turn) -> tuple[tuple[datetime, ...], tuple[Fitted, ...]]:
    """Return when every retrain was triggered, and the fits that were done.

    Of a release that has not moved on, what was read before is still so.
    """
    read: dict[str, tuple[str, datetime, Fitted | None]]
    read = turn.world.remembered.setdefault("retrains", {})
    releases = turn.world.state.machines(RELEASE)
    for m in releases:
        if m.id not in read or read[m.id][0] != m.state:
            read[m.id] = (m.state, datetime.fromisoformat(m.payload["triggered_at"]), _fitted(m))
    found = [read[m.id] for m in releases]
    return tuple(at for _, at, _ in found), tuple(fit for _, _, fit in found if fit is not None)


def _fitted(m: Machine) -> Fitted | None:
    if m.payload.get("seconds") is None:
        return None
    at = datetime.fromisoformat(m.payload["trained_at"])
    return Fitted(at=at, rows=m.payload["dataset"]["train"], seconds=m.payload["seconds"])


def _grid(turn: Turn, since: datetime) -> tuple[datetime, timedelta]:
    """Return the start of the first whole base window after a moment, and their length.

    Windows are cut at multiples of their length since 1970, so a day is a day in UTC.
    """
    every = duration(turn.strategy.window)
    origin = datetime.fromtimestamp(0, UTC)
    return origin + -((origin - since) // every) * every, every


def _windows(turn: Turn, wants: tuple[Any, ...], since: datetime) -> tuple[Seen, ...]:
    """Measure the closed base windows since a moment; those that cannot have changed, once."""
    start, every = _grid(turn, since)
    closed = (turn.now - start) // every
    about = (start, every, wants, turn.marks.of("labels"))
    asked = turn.world.remembered.get("windows")
    kept: tuple[Seen, ...] = ()
    if asked is not None and asked[0] == about:
        kept = asked[2][: _unchanged(turn, asked[1], asked[2])]
    if closed <= len(kept):
        return kept
    found = (*kept, *_measured(turn, wants, start + len(kept) * every, closed - len(kept)))
    turn.world.remembered["windows"] = (about, turn.now, found)
    return found


def _unchanged(turn: Turn, asked: datetime, windows: tuple[Seen, ...]) -> int:
    """Count the windows, from the first, of which nothing came to be known since."""
    oldest = turn.view.reopened(asked)
    return next(
        (
            k
            for k, one in enumerate(windows)
            if not one.settled or (oldest is not None and one.end > oldest)
        ),
        len(windows),
    )


def _measured(turn: Turn, wants: tuple[Any, ...], start: datetime, closed: int) -> Iterator[Seen]:
    every = duration(turn.strategy.window)
    metrics = [w for w in wants if not isinstance(w, str)]
    also = columns_of_groups(metrics)
    rows = turn.view.judged(turn.strategy.labels, since=start, also=also)
    place = _places(rows, start, every)
    final = duration(turn.strategy.labels.final_after)
    edges = np.searchsorted(place, np.arange(closed + 1))
    for k in range(closed):
        here = rows.slice(edges[k], edges[k + 1] - edges[k])
        end = start + (k + 1) * every
        judged = here.filter(pc.is_valid(here["weight"]))
        yield Seen(
            start=end - every,
            end=end,
            records=here.num_rows,
            labelled=judged.num_rows,
            settled=end + final <= turn.now,
            values={m.name: value(m, judged) for m in metrics},
            shares=_shares(here) if "outputs" in wants else {},
        )


def _counts(turn: Turn, since: datetime) -> Iterator[Seen]:
    """Count arrivals since the last retrain by base window; the last may still be open."""
    every = duration(turn.strategy.window)
    counts = turn.view.arrivals(since)
    origin = datetime.fromtimestamp(0, UTC)
    found: dict[datetime, int] = {}
    for at, n in counts.items():
        begin = origin + (at - origin) // every * every
        found[begin] = found.get(begin, 0) + n
    for begin, n in sorted(found.items()):
        yield Seen(start=begin, end=begin + every, records=n, labelled=0, settled=False)


def _places(rows: pa.Table, start: datetime, every: timedelta) -> np.ndarray:
    at = rows["predicted_at"].to_numpy().astype("datetime64[us]")
    first = np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "us")
    return (at - first) // np.timedelta64(every)


def value(metric: Metric, judged: pa.Table) -> float:
    """Measure a metric on judged rows; NaN where it cannot be measured on them."""
    if not judged.num_rows:
        return float("nan")
    label, said, weight = judged_answers(metric, judged)
    return float("nan") if said is None else float(metric(label, said, weight))


def judged_answers(metric: Metric, judged: pa.Table) -> tuple[Any, Any, Any]:
    """Return label, answer and weight of judged rows; no answer where none was logged.

    Where the metric is of lists, the rows must have the column its lists are in.
    """
    texts = judged["label"].null_count == judged.num_rows
    label = judged["label_text" if texts else "label"].to_numpy(zero_copy_only=False)
    name = metric.needs if metric.needs == "score" else "output_text" if texts else "output"
    weight = judged["weight"].to_numpy(zero_copy_only=False)
    said = judged[name]
    if said.null_count == judged.num_rows:
        return label, None, weight
    label = truth_for(metric, label, grouping(judged))
    return label, said.to_numpy(zero_copy_only=False), weight


def _shares(rows: pa.Table) -> dict[str, float]:
    """Return the share of each output; scores and other numbers by tenths of their range."""
    n = rows.num_rows
    if rows["output_text"].null_count < n:
        said = rows["output_text"].drop_null()
    elif rows["score"].null_count < n:
        tenths = pc.floor(pc.multiply(rows["score"].drop_null(), float(_TENTHS)))
        said = pc.divide(pc.min_element_wise(tenths, float(_TENTHS - 1)), float(_TENTHS))
    else:
        said = rows["output"].drop_null()
    counts = said.value_counts().to_pylist()
    total = sum(c["counts"] for c in counts)
    return {str(c["values"]): c["counts"] / total for c in counts}
