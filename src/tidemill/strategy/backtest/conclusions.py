"""What can be concluded from a table before anything is run on it, and what is missing."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import timedelta

import numpy as np
import pyarrow.compute as pc
from scipy.stats import rankdata

from tidemill.core.durations import duration, words
from tidemill.core.ports import Json
from tidemill.strategy.backtest.table import Understood
from tidemill.strategy.backtest.table_steps import (
    ENOUGH,
    History,
    final_after,
    history_of,
    labelled_rows,
    ticks,
)

YES, NO, NOT_KNOWN = "yes", "no", "not known"
GROUPS = 6
"""Stretches of history a claim about periods like these needs."""
_WEEK = timedelta(days=7)
_FEW_STEPS = 3
_MOST_STEPS = 10_000
_DEPENDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """A question about a table, the answer (yes, no or not known), why, and what would help."""

    question: str
    answer: str
    why: str
    fix: str = ""
    hinders: bool = False
    """Whether a backtest would be meaningless."""

    def to_dict(self) -> Json:
        """Return what ``--json`` prints."""
        return asdict(self)


def conclude(understood: Understood, *, step: str) -> list[Conclusion]:
    """Say what a backtest on this history can tell, and what it cannot.

    Parameters
    ----------
    step
        How long a step of the replay is, such as ``"7d"``.
    """
    history = history_of(understood, step)
    return [
        _long_enough(history, step),
        _labels(understood, history),
        _each_step(history, step),
        _features(understood),
        _label_times(understood, history),
        _periods(understood, history),
        _yours(understood),
        _dependence(understood),
        _units(understood),
    ]


def _long_enough(history: History, step: str) -> Conclusion:
    steps, n = history.steps, len(history.at)
    first, last = (np.datetime64(int(history.at[k]), "us").astype(object) for k in (0, -1))
    why = (
        f"{n:,} rows from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC: "
        f"{steps:,} steps of {step}."
    )
    question = "Is the history long enough to replay?"
    if steps < _FEW_STEPS:
        fix = "give a longer history, or a shorter --step."
        return Conclusion(question=question, answer=NO, why=why, fix=fix, hinders=True)
    if steps > _MOST_STEPS:
        return Conclusion(question=question, answer=NO, why=why, fix="give a longer --step.")
    return Conclusion(question=question, answer=YES, why=why)


def _labels(understood: Understood, history: History) -> Conclusion:
    n, known = len(history.at), understood.labels.num_rows
    column = "label_text" if understood.labels["label"].null_count else "label"
    values = set(pc.unique(understood.labels[column]).to_pylist())
    share = 1 - known / n
    why = f"{known:,} rows have a label, {share:.1%} have none"
    if understood.absent is not None:
        said = understood.absent
        why += f", which means {said if isinstance(said, str) else f'{said:g}'}"
        values.add(said)
    question = "Are there labels to learn from and to measure with?"
    if not history.labelled or len(values) < 2:  # noqa: PLR2004 - one value teaches nothing
        fix = (
            "give rows with at least two different labels; if a missing label means 0: --absent 0."
        )
        why += "." if not values else "; all that are known are the same."
        return Conclusion(question=question, answer=NO, why=why, fix=fix, hinders=True)
    kinds = f"{len(values):,} classes" if understood.task != "regression" else "numbers"
    return Conclusion(question=question, answer=YES, why=f"{why}; {understood.task}, {kinds}.")


def _each_step(history: History, step: str) -> Conclusion:
    counts = history.per_step
    question = f"Can each step of {step} be measured?"
    if not counts.size:
        why = f"{history.steps:,} steps are more than there are rows."
        return Conclusion(
            question=question, answer=NO, why=why, fix="give a longer --step.", hinders=True
        )
    enough, filled = int((counts >= ENOUGH).sum()), int((counts > 0).sum())
    middle = int(np.median(counts))
    why = (
        f"{enough:,} of {len(counts):,} steps have {ENOUGH} labelled rows or more, "
        f"{len(counts) - filled:,} have none; the median is {middle:,}."
    )
    if enough >= 0.9 * len(counts):
        return Conclusion(question=question, answer=YES, why=why)
    return Conclusion(
        question=question,
        answer=NO,
        why=why,
        fix="give a longer --step; until then intervals are wide.",
        hinders=filled < _FEW_STEPS,
    )


def _features(understood: Understood) -> Conclusion:
    question = "Could a model have known all features when it predicted?"
    if not understood.features:
        return Conclusion(
            question=question,
            answer=NO,
            why="no column is left to learn from.",
            fix="name columns with --features.",
            hinders=True,
        )
    if understood.leaks:
        names = ",".join(understood.leaks)
        return Conclusion(
            question=question,
            answer=NO,
            why=f"these look as if they knew the label: {names.replace(',', ', ')}.",
            fix=f"unless they were known then: --drop {names}",
        )
    return Conclusion(
        question=question,
        answer=NOT_KNOWN,
        why=f"none of {len(understood.features)} features looks like a leak.",
        fix="look through the list: what is filled in later must be dropped.",
    )


def _label_times(understood: Understood, history: History) -> Conclusion:
    question = "Is it known when labels came?"
    wait = final_after(understood)
    late = f"a median of {words(history.delay(0.5))} after the prediction, 95 % within "
    late += f"{words(history.delay(0.95))}"
    late += f"; final after {words(wait)}." if wait else "."
    meaning = understood.meaning
    if meaning.label_time is not None:
        return Conclusion(question=question, answer=YES, why=f"labels came {late}")
    if duration(meaning.label_delay) or wait:
        return Conclusion(
            question=question,
            answer=YES,
            why=f"as you said: {late}",
            fix="--label-time COLUMN says it for each row.",
        )
    return Conclusion(
        question=question,
        answer=NO,
        why="nothing says so: they are taken as known at once, which flatters every strategy.",
        fix="give --label-time or --label-delay.",
    )


def _periods(understood: Understood, history: History) -> Conclusion:
    late = max(history.delay(0.95), final_after(understood))
    life = _life(understood)
    length = max(late, life or timedelta(0), history.step, _WEEK)
    count = int(history.span / length)
    why = (
        f"a claim needs {GROUPS} stretches, each as long as labels take ({words(late)}), "
        f"a model lives ({words(life) if life else 'a step or more'}) and the season lasts "
        f"(a week at least): of {words(_rounded(length))} there are {count}."
    )
    question = "Can it tell about periods like these, not only about this history?"
    if count >= GROUPS:
        why += f" Models may live up to {words(_rounded(history.span / GROUPS))}."
        return Conclusion(
            question=question,
            answer=YES,
            why=why,
            fix=f"a yearly season would need {GROUPS} years.",
        )
    fix = f"give a history of {words(_rounded(length * GROUPS))} or more."
    return Conclusion(question=question, answer=NO, why=why, fix=fix)


def _life(understood: Understood) -> timedelta | None:
    """Return how long the user's own models lived, the median; None if there were not two."""
    records = understood.records
    if understood.meaning.model_version is None:
        return None
    first = records.group_by("model").aggregate([("predicted_at", "min")])
    at = np.sort(ticks(first["predicted_at_min"]))
    if len(at) < 2:  # noqa: PLR2004 - a life ends with the next one
        return None
    return timedelta(microseconds=float(np.median(np.diff(at))))


def _rounded(span: timedelta) -> timedelta:
    """Round for reading: to days where there are any."""
    unit = 86_400 if span >= timedelta(days=2) else 60
    return timedelta(seconds=math.ceil(span.total_seconds() / unit) * unit)


def _yours(understood: Understood) -> Conclusion:
    question = "Can your own release history be a row of its own?"
    meaning, records = understood.meaning, understood.records
    missing = []
    if meaning.score is None and meaning.output is None:
        missing.append("what your model answered (--score or --output)")
    if meaning.model_version is None:
        missing.append("which version answered (--model-version)")
    if missing:
        why = f"the table does not say {' nor '.join(missing)}."
        fix = "name the columns, if there are any."
        return Conclusion(question=question, answer=NO, why=why, fix=fix)
    known = records["model"].drop_null()
    codes = known.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    versions = len(np.unique(codes))
    changes = int((np.diff(codes) != 0).sum())
    why = f"{versions:,} versions, {changes:,} changes from one row to the next."
    if changes > 3 * versions:
        why += " Versions answered side by side."
        fix = "keep the rows of what was in front, and leave out shadows and tests."
        return Conclusion(question=question, answer=NOT_KNOWN, why=why, fix=fix)
    return Conclusion(question=question, answer=YES, why=why)


def _dependence(understood: Understood) -> Conclusion:
    question = "Do labels depend on what the model answered?"
    score = np.asarray(understood.records["score"].to_numpy(), dtype=float)
    there = labelled_rows(understood)
    known = np.isfinite(score)
    fix = "if answers decide whose truth is seen, a replay is biased: label a random part of all."
    ones, zeros = int((there & known).sum()), int((~there & known).sum())
    if min(ones, zeros) < ENOUGH or understood.absent is not None:
        why = "the table cannot tell: a refused loan, say, is never seen repaid."
        return Conclusion(question=question, answer=NOT_KNOWN, why=why, fix=fix)
    ranks = rankdata(score[known])
    area = (ranks[there[known]].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    why = f"rows with a label have other scores than those without: AUC {max(area, 1 - area):.2f}."
    if abs(area - 0.5) > _DEPENDS:
        return Conclusion(question=question, answer=YES, why=why, fix=fix)
    why = "rows with and without a label have like scores, which does not prove it."
    return Conclusion(question=question, answer=NOT_KNOWN, why=why, fix=fix)


def _units(understood: Understood) -> Conclusion:
    question = "Is it known which rows belong together?"
    if understood.meaning.unit is None:
        return Conclusion(
            question=question,
            answer=NO,
            why="there is no --unit: each row counts as one of its own.",
            fix="if rows share a user, a device or a case, name that column with --unit.",
        )
    units = pc.count_distinct(understood.records["unit"]).as_py()
    why = f"{units:,} units with {understood.records.num_rows / max(units, 1):.1f} rows each."
    return Conclusion(question=question, answer=YES, why=why)
