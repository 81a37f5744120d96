"""Two windows, column by column: what changed, by how much, and is that bad."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, OneOf
from tidemill.core.rule import check
from tidemill.core.verdict import Verdict
from tidemill.measures.profile import Profile
from tidemill.monitoring.drift import words
from tidemill.monitoring.drift.arms import Arm, arms, is_id
from tidemill.monitoring.drift.power import Weakness
from tidemill.monitoring.drift.report import Floors, Report, Shift
from tidemill.monitoring.drift.windows import Pair, Side, missing, side, together
from tidemill.statistics.family import corrected_alpha, holm

LEAST_DAYS = 5
_ORDER = {Verdict.ALERT: 0, Verdict.WARN: 1, Verdict.NO_VERDICT: 2, Verdict.OK: 3}
_SAID = (Verdict.ALERT, Verdict.WARN)
_TYPES = {"number": "number", "category": "text", "time": "time", "null": "nothing but nulls"}


@dataclass(frozen=True)
class _Judged:
    """A column with the answers to its questions, before the error is shared."""

    pair: Pair
    arms: tuple[Arm, ...]


def compare(
    reference: Sequence[Profile],
    current: Sequence[Profile],
    *,
    alpha: float = 0.01,
    units: str = "rows",
    floors: Floors | None = None,
    importance: Mapping[str, float] | None = None,
) -> Report:
    """Compare two windows and say of each column whether it changed, how much, and if that is bad.

    Three questions are asked of each column: did its values move (numbers by Anderson and
    Darling's test of the ranks, categories by the L1 distance and by each frequent value), do
    rows appear that the reference does not know (beyond the range of 99.8 % of its rows, or
    values it never had), and are more values missing. The verdicts:

    - ALERT: the evidence holds at ``alpha`` after Holm's correction over all questions of all
      columns, and the size of the change, without what chance adds, reaches its floor. Also a
      column that is gone, is new, or changed its type.
    - WARN: the size reaches its floor, but the evidence holds only for this question alone; or
      the evidence holds for all, and the interval of the size reaches the floor.
    - NO_VERDICT: nothing can be measured, or a change twice as large as the floor would be
      missed more often than not.
    - OK: else. A change that is certain but surely below the floor is OK, and said.

    Parameters
    ----------
    reference, current
        Profiles on the same grids: one or more of each window, a day each where days are the
        evidence.
    alpha
        How likely one false ALERT among all columns may be.
    units
        ``"rows"`` if rows are independent of one another, ``"days"`` if rows of a day share
        something, which is the rule in production. Days need at least 5 in the reference.
    floors
        From which size on a change matters.
    importance
        How much each column matters; more important ones come first among equal verdicts.

    Returns
    -------
    Report
        The worst column first.

    Raises
    ------
    BadInput
        If there is no profile, or the two were counted on different grids.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> from tidemill.measures.profile import of_table
    >>> rng = np.random.default_rng(0)
    >>> before = of_table(pa.table({"distance": rng.normal(900, 100, 5000)}))
    >>> after = of_table(pa.table({"distance": rng.normal(930, 100, 5000)}), grids=before.grids)
    >>> found = compare([before], [after]).shifts[0]
    >>> found.verdict.value, found.words
    ('ALERT', 'mean up by 0.32 sd: 900 → 932')
    """
    check("compare", "alpha", alpha, Between(0, 1, open_low=True))
    check("compare", "units", units, OneOf(("rows", "days")))
    if not reference or not current:
        raise BadInput("a window has no profile.", fix="give at least one of each window.")
    whole, now = together(reference), together(current)
    floors, days = floors or Floors(), units == "days"
    limit = _few_days(reference, current) if days else ""
    pairs: list[Pair] = []
    said: list[Shift] = []
    for name in dict.fromkeys([*whole.columns, *whole.skipped, *now.columns, *now.skipped]):
        one = side(reference, whole, name, days=days)
        two = side(current, now, name, days=days)
        found = _pair_of(name, one, two, whole, now)
        if isinstance(found, Pair):
            pairs.append(found)
        else:
            said.append(found)
    judged = [_Judged(p, () if limit else tuple(arms(p, days=days, floors=floors))) for p in pairs]
    shifts, tests = _shifts(judged, alpha=alpha, days=days, floors=floors, limit=limit)
    return Report(
        shifts=_sorted([*said, *shifts], importance or {}),
        units=units,
        rows=(whole.rows, now.rows),
        days=(len(reference), len(current)) if days else (0, 0),
        alpha=alpha,
        floors=floors,
        tests=tests,
        why=limit,
    )


def _few_days(reference: Sequence[Profile], current: Sequence[Profile]) -> str:
    known = sum(1 for p in reference if p.rows)
    if known < LEAST_DAYS:
        return f"the reference has {known} days with rows; {LEAST_DAYS} are needed to say how days differ"
    return "" if any(p.rows for p in current) else "the current window has no rows"


def _pair_of(
    name: str, one: Side | None, two: Side | None, whole: Profile, now: Profile
) -> Pair | Shift:
    """Bring a column together, or say at once why there is nothing to bring together."""
    told = Shift(
        column=name,
        kind=whole.kinds.get(name) or now.kinds.get(name) or "skipped",
        verdict=Verdict.ALERT,
        words="",
        why="",
        share=1.0,
        rows=(one.whole.rows if one else 0, two.whole.rows if two else 0),
    )
    skipped = whole.skipped.get(name) or now.skipped.get(name)
    if skipped is not None:
        return replace(told, verdict=Verdict.NO_VERDICT, why=skipped, share=math.nan)
    if one is None:
        return replace(told, words="column is new", why="the reference does not have it")
    if two is None:
        return replace(told, words="column is gone", why="the current window does not have it")
    kinds = whole.kinds[name], now.kinds[name]
    typed = set(kinds) - {"null"}
    if len(typed) > 1:
        text = f"type changed from {_TYPES[kinds[0]]} to {_TYPES[kinds[1]]}"
        return replace(told, words=text, why="nothing else can be compared")
    return Pair(name, typed.pop() if typed else "null", one, two)


def _shifts(
    judged: Sequence[_Judged], *, alpha: float, days: bool, floors: Floors, limit: str
) -> tuple[list[Shift], int]:
    """Share the error over all questions, and give each column its verdict."""
    p = np.array([arm.evidence.p for one in judged for arm in one.arms])
    adjusted = iter(holm(p).tolist())
    tests = int(np.count_nonzero(~np.isnan(p)))
    weakness = Weakness(days, floors, corrected_alpha(alpha, tests))
    found: list[Shift] = []
    for one in judged:
        answers = [(arm, next(adjusted)) for arm in one.arms]
        if limit:
            found.append(_silent(one.pair, limit))
            continue
        verdicts = [(_verdict(arm, p, alpha), arm, p) for arm, p in answers]
        verdicts.sort(key=lambda v: _ORDER[v[0]])  # of equals, what was asked first
        weak = ""
        if not any(v in _SAID for v, _, _ in verdicts):
            weak = weakness.of(one.pair)
        found.append(_shift(one.pair, verdicts, weak=weak, alpha=alpha))
    return found, tests


def _verdict(arm: Arm, adjusted: float, alpha: float) -> Verdict:
    if math.isnan(adjusted) or math.isnan(arm.value):
        return Verdict.NO_VERDICT
    certain, likely = adjusted <= alpha, arm.evidence.p <= alpha
    if certain and arm.large:
        return Verdict.ALERT
    if (likely and arm.large) or (certain and not arm.small):
        return Verdict.WARN
    return Verdict.OK


def _by_nature(pair: Pair) -> str:
    """Say why values of this kind are not compared, empty if they are."""
    if pair.kind == "time":
        return "times move on by themselves: compare an age or a delay instead"
    if is_id(pair):
        return "nearly every row has a value of its own, as an id has"
    return ""


def _shift(
    pair: Pair,
    verdicts: list[tuple[Verdict, Arm, float]],
    *,
    weak: str,
    alpha: float,
) -> Shift:
    """Put together what is said of a column from the answers, the worst first."""
    spoken, nature = [v for v in verdicts if v[0] in _SAID], _by_nature(pair)
    if not verdicts or (nature and not spoken):
        return _silent(pair, nature or _nothing(pair))
    verdict, arm, adjusted = verdicts[0]
    shown = spoken or [v for v in verdicts if v[1].what == "values"][:1] or verdicts[:1]
    if not spoken:
        verdict, arm, adjusted = shown[0]
    if spoken and arm.what == "values" and pair.numbers is not None:
        shown = [v for v in shown if v[1].what != "unknown"]  # it is told by where they moved
    text = "; ".join(_words(pair, a) for _, a, _ in shown) if spoken else words.no_change(pair)
    if not spoken and weak and verdict is Verdict.OK:
        verdict = Verdict.NO_VERDICT
    why = _why(verdict, arm, adjusted, weak=weak, alpha=alpha)
    if verdict is Verdict.NO_VERDICT and not (pair.reference.whole.n and pair.current.whole.n):
        why = _nothing(pair)
    if verdict is Verdict.ALERT and arm.what == "values" and _apart(pair):
        text += "; no value in common: a counter or a time? then leave it out"
    return Shift(
        column=pair.name,
        kind=pair.kind,
        verdict=verdict,
        words=text,
        why=why,
        distance=arm.distance,
        value=arm.value,
        low=arm.low,
        high=arm.high,
        floor=arm.floor,
        p=arm.evidence.p,
        adjusted=adjusted,
        method=arm.evidence.method,
        share=arm.share,
        rows=(pair.reference.whole.rows, pair.current.whole.rows),
    )


def _words(pair: Pair, arm: Arm) -> str:
    told = {"values": words.of_values, "unknown": words.of_unknown, "missing": words.of_missing}
    return told[arm.what](pair)


def _why(verdict: Verdict, arm: Arm, adjusted: float, *, weak: str, alpha: float) -> str:
    if verdict is Verdict.NO_VERDICT:
        return arm.why or arm.evidence.why or weak
    size = (
        f"{arm.value:.2g} is {'at or above' if arm.large else 'below'} the floor of {arm.floor:g}"
    )
    if verdict is Verdict.ALERT:
        return f"{size}, and chance alone does that with p {_p(adjusted)} over all tests"
    if verdict is Verdict.WARN and arm.large:
        return f"{size}, but over all tests chance does that with p {_p(adjusted)}"
    if verdict is Verdict.WARN:
        return f"{size}, but may be as large as {arm.high:.2g}"
    if adjusted <= alpha:
        return f"certain, but small: {size}"
    return "no more than chance does"


def _p(value: float) -> str:
    return "< 1e-12" if value < 1e-12 else f"{value:.2g}"  # noqa: PLR2004 - beyond it nobody reads


def _silent(pair: Pair, why: str) -> Shift:
    rows = (pair.reference.whole.rows, pair.current.whole.rows)
    return Shift(
        column=pair.name,
        kind=pair.kind,
        verdict=Verdict.NO_VERDICT,
        words="",
        why=why,
        rows=rows,
    )


def _nothing(pair: Pair) -> str:
    for word, one in (("reference", pair.reference), ("current window", pair.current)):
        if one.whole.rows == 0:
            return f"the {word} has no rows"
        if one.whole.rows == sum(missing(one.whole).values()):
            return f"all values are missing in the {word}"
    return "there is nothing to compare"


def _apart(pair: Pair) -> bool:
    """Tell whether all current numbers lie on one side of all reference ones."""
    if pair.numbers is None:
        return False
    before, after = pair.numbers
    return after.low > before.high or after.high < before.low


def _sorted(shifts: Sequence[Shift], importance: Mapping[str, float]) -> tuple[Shift, ...]:
    """Order by verdict, then importance, then how far beyond the floor."""
    known = [replace(s, importance=importance.get(s.column, math.nan)) for s in shifts]

    def place(shift: Shift) -> tuple[float, float, float]:
        weight = 0.0 if math.isnan(shift.importance) else shift.importance
        size = shift.value / shift.floor if shift.floor and shift.floor > 0 else math.inf
        return (_ORDER[shift.verdict], -weight, math.inf if math.isnan(size) else -size)

    return tuple(sorted(known, key=place))
