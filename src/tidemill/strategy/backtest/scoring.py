"""Over which steps strategies are scored, and what all comparisons of them share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from tidemill.core.durations import duration
from tidemill.measures import Metric
from tidemill.strategy.backtest.compare import Terms
from tidemill.strategy.backtest.given import longest_delay
from tidemill.strategy.backtest.rows import Rows, halves
from tidemill.strategy.backtest.score import Scorer, Truth, grouped, numbered
from tidemill.strategy.backtest.setting import Given, Setting
from tidemill.strategy.backtest.worlds import Bench
from tidemill.strategy.strategy import Strategy


def scoring(
    bench: Bench,
    given: Given,
    setting: Setting,
    *,
    base: Strategy,
    metric: Metric,
    truth: Truth,
    deterministic: bool,
) -> tuple[Rows, Terms]:
    """Return what makes rows that can be compared, and the terms of comparing them.

    Parameters
    ----------
    base
        Says how labels are final and what things cost.
    truth
        All labels that count, whenever they came.
    deterministic
        Whether training falls out the same each time.
    """
    history, steps = given.history, bench.steps
    final, step = duration(base.labels.final_after), duration(setting.step)
    scorer = Scorer(
        answers=bench.answers,
        truth=truth,
        metric=metric,
        half=halves(history.records["u_split"].to_numpy(zero_copy_only=False)),
        unit=numbered(history.records["unit"]),
        group=grouped(metric, history.records),
        costs=base.costs or setting.costs,
    )
    skipped = -(-duration(setting.latency) // step)
    scored = [k for k in range(skipped, len(steps)) if steps.rows(k)[0] < steps.rows(k)[1]]

    def known_then(k: int) -> Truth:
        start, end = steps.moments[k], steps.moments[k + 1]
        return bench.truth(base.labels, given.chosen, now=end, since=start).within(*steps.rows(k))

    rows = Rows(scorer, steps, scored, [known_then(k) for k in scored])
    settled = _settled(given, steps.moments, scored, final)
    days = sum(
        (steps.moments[k + 1] - steps.moments[k]).total_seconds()
        for k, counts in zip(scored, settled, strict=True)
        if counts
    )
    return rows, Terms(
        rows=rows,
        settled=settled,
        sign=1.0 if metric.higher_is_better else -1.0,
        deterministic=deterministic,
        resampled=setting.resample,
        step=step,
        delay=max(final, given.delay),
        season=duration(setting.season),
        days=days / 86_400,
    )


def _settled(
    given: Given, moments: Sequence[datetime], scored: Sequence[int], final: timedelta
) -> npt.NDArray[np.bool_]:
    """Tell which steps have waited long enough for their labels, by when history ends."""
    history = given.history
    wait = longest_delay(history, final)
    last = max(history.at.max(initial=0), history.label_available.max(initial=0))
    end = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(last))
    return np.array([moments[k + 1] - timedelta(seconds=1) + wait <= end for k in scored])
