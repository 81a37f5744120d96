"""Estimating in a look: how good the answers probably are in windows whose labels are not final."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from tidemill.core.signals import Judgement, Key, Point
from tidemill.core.verdict import Verdict
from tidemill.core.work import reason
from tidemill.measures import AUC, MAE, MSE, Accuracy, Brier, LogLoss
from tidemill.monitoring.estimates import (
    ATC,
    CBPE,
    DLE,
    Additive,
    Constant,
    DoC,
    Estimated,
    Estimator,
    Mandoline,
    judge,
    support,
)
from tidemill.strategy.realised import yardsticks
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.answers import Answers, answers, answers_with_labels
from tidemill.strategy.watching.store import Judged
from tidemill.strategy.watching.windows import Windows, rules, settled

SUFFIX = "_estimated"
"""The estimates of ``auc`` are the signals ``auc_estimated``, with their method as the column."""
OUTSIDE = "outside_support"
LEAST_OWN = 300
"""Judged answers of a model version, at the least, to be a reference for itself alone."""

_OF_CLASSES = (CBPE, Mandoline, Constant)
_OF_LOSSES = (DLE, Mandoline, Constant)
METHODS: dict[type[Any], tuple[type[Any], ...]] = {
    AUC: _OF_CLASSES,
    Accuracy: (CBPE, DLE, ATC, DoC, Mandoline, Constant),
    Brier: (CBPE, *_OF_LOSSES),
    LogLoss: (CBPE, *_OF_LOSSES),
    MAE: _OF_LOSSES,
    MSE: _OF_LOSSES,
}
"""Which methods say anything of a metric; of one of a user's own none does."""
_BY_SCORE = (CBPE, ATC, DoC)


def estimate(turn: Turn, records: set[datetime]) -> list[Judged]:
    """Estimate the strategy's metrics in every window with new records and no final labels.

    Nothing of it may page anybody: an estimate cannot see that P(label | row) has changed, and
    on a day of new weather there are plenty of rows unlike those before, model good or bad.
    A window whose labels are final is not estimated any more: what was said of it stays, and
    is held against what came true.

    Parameters
    ----------
    records
        The windows of which new records came, or that closed.
    """
    starts = sorted(start for start in records if not settled(turn, start))
    asked = [metric for metric in yardsticks(turn.strategy) if type(metric) in METHODS]
    # A replay looks at what may trigger a retrain, and no estimate may.
    if not (rules(turn).estimated and starts and asked) or turn.world.door is not None:
        return []
    windows = answers(turn, starts)
    if not any(one.n for one in windows.values()):
        return []
    past = answers_with_labels(turn, starts[0])
    fits: dict[bytes, Any] = turn.world.remembered.setdefault("losses", {})
    judged: list[Judged] = []
    for start, window in windows.items():
        if window.n:
            own = _reference(past, window)
            look = _Look(turn=turn, start=start, window=window, past=past, fits=fits, **own)
            judged += look.judged(asked)
    return judged


def _reference(past: Answers, window: Answers) -> dict[str, Any]:
    """Take what the window's own model answered before, or, where that is little, all models."""
    model = window.most_frequent_model
    own = past.of(model)
    if own.n >= LEAST_OWN:
        return {"reference": own, "words": f"against {own.n:,} rows of {model or 'the model'}"}
    few = f", for {model} has {own.n:,}" if model and past.n else ""
    return {"reference": past, "words": f"against {past.n:,} rows of all models{few}"}


@dataclass(frozen=True, kw_only=True)
class _Look:
    """One window beside its reference."""

    turn: Turn
    start: datetime
    window: Answers
    past: Answers
    """What all models answered before."""
    reference: Answers
    """What of it the estimates rest on, in ``words``."""
    words: str
    fits: dict[bytes, Any] = field(repr=False)

    def judged(self, metrics: Iterable[Any]) -> Iterator[Judged]:
        """Yield the estimates of every metric, then how many rows no estimate holds for."""
        known: Estimated | None = None
        for metric in metrics:
            for method in METHODS[type(metric)]:
                if not self._fits(method):
                    continue
                point, found = self._point(self._rule(method), metric.name)
                name = metric.name + SUFFIX
                key = Key(kind="performance", metric=name, column=_name(method))
                yield Judged(key=key, point=point, judgement=None, alerting=False)
                if known is None or not known.known:
                    known = found if found is not None else known
        if known is not None:
            yield self._outside(known)

    def _fits(self, method: type[Any]) -> bool:
        """Tell whether the rows have what a method asks for."""
        if method in _BY_SCORE:
            return self.window.scored
        return method is not Mandoline or bool(self.turn.strategy.cohorts)

    def _rule(self, method: type[Any]) -> Estimator:
        return DLE(regressor=_Kept(self.fits)) if method is DLE else method()

    def _point(self, rule: Estimator, metric: str) -> tuple[Point, Estimated | None]:
        whole = isinstance(rule, DLE)  # the others need not carry the features along
        try:
            reference = self.reference.answered(labelled=True, features=whole)
            window = self.window.answered(labelled=False, features=whole)
            with np.errstate(all="ignore"):
                found = rule(reference, window, metric)
        except Exception as error:  # noqa: BLE001 - one broken estimator must not hide the others
            return self._broken(reason(error)), None
        end = self.start + Windows.of(self.turn).every
        why = f"{found.why}; {self.words}"
        values = {n: getattr(found, n) for n in ("value", "low", "high", "n", "n_effective")}
        return Point(start=self.start, end=end, why=why, **values), found

    def _broken(self, why: str) -> Point:
        end = self.start + Windows.of(self.turn).every
        return Point(start=self.start, end=end, value=math.nan, n=self.window.n, why=why)

    def _outside(self, found: Estimated) -> Judged:
        """Judge the share of rows where the reference had none; for questions only."""
        key = Key(kind="drift", metric=OUTSIDE)
        try:
            rows = support(
                self.past.answered(labelled=True, features=True),
                self.window.answered(labelled=False, features=True),
            )
            rows = replace(rows, where=tuple(map(self.window.name_of, rows.where)))
            said = judge(replace(found, support=rows))
        except Exception as error:  # noqa: BLE001 - as for an estimator
            point = self._broken(reason(error))
            said = Judgement(verdict=Verdict.NO_VERDICT, why=point.why)
            return Judged(key=key, point=point, judgement=said, alerting=False)
        point = replace(self._broken(""), value=rows.share, n_effective=rows.n)
        return Judged(key=key, point=point, judgement=said, alerting=False)


def _name(method: type[Any]) -> str:
    return str(method().name)


class _Kept:
    """A regressor of losses that is fitted once to the same rows, however many windows ask.

    Parameters
    ----------
    fits
        What was fitted, by a digest of the rows.
    """

    MOST = 64

    def __init__(self, fits: dict[bytes, Any]) -> None:
        self._fits = fits

    def __deepcopy__(self, memo: dict[int, Any]) -> _Kept:
        return self

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """Return what was fitted to these rows, fitting where nothing was."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (x, y, sample_weight):
            digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
        key = digest.digest()
        if key not in self._fits:
            while len(self._fits) >= self.MOST:
                del self._fits[next(iter(self._fits))]
            self._fits[key] = Additive().fit(x, y, sample_weight)
        return self._fits[key]
