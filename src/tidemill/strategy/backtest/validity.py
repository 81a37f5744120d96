"""What may and may not be concluded from a backtest, and the conclusion in plain words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tidemill.core.ports import Json
from tidemill.strategy.backtest.compare import Better, Comparison, Terms, compare
from tidemill.strategy.backtest.setting import Given
from tidemill.strategy.backtest.told import Told, overall

_DAY = 86_400.0


def figure(value: float, sign: str = "") -> str:
    """Write a value of a metric, or a difference, with the figures that matter.

    Examples
    --------
    >>> figure(0.03483), figure(46.3862, "+"), figure(1234.5)
    ('0.0348', '+46.39', '1,234')
    """
    size = abs(value)
    digits = 4 if size < 1 else 3 if size < 10 else 2 if size < 1000 else 0  # noqa: PLR2004 - sizes
    return f"{value:{sign},.{digits}f}"


def validity(
    given: Given, found: Sequence[Comparison], rows: Sequence[Told], metric: str, terms: Terms
) -> list[Json]:
    """Answer what a careful reader asks first."""
    return [
        _depends(),
        _support(given, terms),
        _settled(terms),
        _scored(rows, metric, terms),
        _episodes(found, terms),
        _training(terms),
    ]


def _asked(question: str, answer: str, why: str) -> Json:
    return {"question": question, "answer": answer, "why": why}


def _depends() -> Json:
    question = "Can labels depend on what the model did?"
    why = (
        "A replay takes the labels that came. Where an answer changes what happens next (a loan "
        "refused, an item not shown), other answers would have brought other labels, and only "
        "an online test can tell."
    )
    return _asked(question, "not known", why)


def _support(given: Given, terms: Terms) -> Json:
    question = "Are there labels for what the strategies would have asked about?"
    n = sum(np.diff(terms.rows.steps.rows(k))[0] for k in terms.rows.scored)
    labelled = sum(len(terms.rows.scorer.truth(k)) for k in terms.rows.scored)
    share = labelled / n if n else 0.0
    why = f"{labelled:,} of {n:,} records of the scored steps have a label, {share:.1%}"
    if given.chosen is not None:
        why += "; each counts by one over the probability with which it was chosen"
    return _asked(question, "yes" if labelled else "no", why + ".")


def _settled(terms: Terms) -> Json:
    late = int((~terms.settled).sum())
    question = "Have all labels had their time to come?"
    if not late:
        return _asked(question, "yes", "Every scored step has waited long enough.")
    why = f"The last {late} of {len(terms.settled)} steps wait for labels; they are shown, not counted."
    return _asked(question, "no", why)


def _scored(rows: Sequence[Told], metric: str, terms: Terms) -> Json:
    """Tell steps in which there are labels, but nobody could be scored by them."""
    question = "Can each step be scored?"
    there = np.array([len(terms.rows.scorer.truth(k)) > 0 for k in terms.rows.scored], dtype=bool)
    known = np.any([np.isfinite(row.mean) for row in rows], axis=0)
    empty, unscored = int((~there).sum()), int((there & ~known).sum())
    steps = len(there)
    why = []
    if empty:
        why.append(f"{empty} of {steps} steps have no label.")
    if unscored:
        why.append(
            f"{unscored} of {steps} steps have labels but no {metric}: no model was in front, or "
            f"all labels of the step are of one class."
        )
    if not why:
        return _asked(question, "yes", f"Each of {steps} steps has a value of {metric}.")
    return _asked(question, "no", f"{' '.join(why)} They do not count.")


def _episodes(found: Sequence[Comparison], terms: Terms) -> Json:
    question = "How many independent episodes does the history hold?"
    longest = max(
        terms.delay.total_seconds() / _DAY,
        terms.season.total_seconds() / _DAY,
        terms.step.total_seconds() / _DAY,
    )
    claims = [c for c in found if np.isfinite(c.periods.low)]
    n = int(terms.days // longest) if longest else 0
    why = (
        f"{terms.days:.0f} scored days hold {n:,} stretches as long as the step, the label delay "
        f"and the season ({longest:.0f} days); a claim about periods like these needs six as long "
        f"as a model's life, and no trend. It can be made for {len(claims)} of {len(found)} "
        f"comparisons."
    )
    return _asked(question, f"about {n}", why)


def _training(terms: Terms) -> Json:
    question = "Does training fall out differently each time?"
    if terms.deterministic:
        why = (
            "Two seeds trained models that answer alike, so one replay of each strategy is enough."
        )
        return _asked(question, "no", why)
    why = "Each strategy was replayed with several seeds; the intervals hold for other seeds too."
    return _asked(question, "yes", why)


def conclusion(
    found: Sequence[Comparison],
    rows: Sequence[Told],
    freshness: Comparison | None,
    metric: str,
    terms: Terms,
    *,
    among: Sequence[Comparison] = (),
) -> list[str]:
    """Say what follows, the most important first; ``among`` is the best against the others."""
    if not any(np.isfinite(overall(row.mean, terms.weight)) for row in rows):
        return ["Nothing could be scored: see the notes of each strategy, and the steps."]
    said = [_headline(found, metric)]
    said += [_money(c, terms) for c in _best(found) if c.money is not None]
    said += [_between(c, metric) for c in among if _best(found)]
    said += _growth(found, rows, freshness, metric, terms)
    unsure = [c.name for c in found if c.verdict == Better.NO_VERDICT]
    if unsure and len(unsure) < len(found):
        said.append(f"NO_VERDICT on {', '.join(unsure)}: the interval holds zero.")
    worse = [c.name for c in found if c.verdict == Better.WORSE]
    if worse and len(worse) < len(found):
        said.append(f"Worse than {found[0].against}: {', '.join(worse)}.")
    said += _chance(found, rows, metric, terms)
    future = [c for c in _best(found) if np.isfinite(c.periods.low)]
    for c in future:
        said.append(
            f"In periods like these, {c.name} would gain {figure(c.periods.value, '+')} {metric} "
            f"[{figure(c.periods.low, '+')}, {figure(c.periods.high, '+')}]."
        )
    if not future and _best(found):
        said.append(f"No claim about the future: {_best(found)[0].periods_why}.")
    return [s for s in said if s]


def _best(found: Sequence[Comparison]) -> list[Comparison]:
    """Return the strategy that gained most, if its gain is sure among so many; else none."""
    sure = [c for c in found if c.verdict == Better.BETTER and c.limit > 0]
    return sorted(sure, key=lambda c: -c.this_history.value)[:1]


def _leading(found: Sequence[Comparison]) -> list[Comparison]:
    """Return the best, or else the one that did best on this history, if any did better."""
    better = [c for c in found if c.verdict == Better.BETTER]
    return _best(found) or sorted(better, key=lambda c: -c.this_history.value)[:1]


def _headline(found: Sequence[Comparison], metric: str) -> str:
    if not found:
        return "One strategy alone: there is nothing to compare it with."
    best = _best(found)
    if best:
        c, d = best[0], best[0].this_history
        who = "leaving the first model alone" if c.against == "never" else c.against
        return (
            f"{c.name} beats {who} by {figure(d.value)} {metric} "
            f"[{figure(d.low)}, {figure(d.high)}] on this history."
        )
    leading = _leading(found)
    if leading:
        c, d = leading[0], leading[0].this_history
        return (
            f"It cannot be said that retraining beats {c.against}: {c.name} did better by "
            f"{figure(d.value)} {metric} [{figure(d.low)}, {figure(d.high)}] on this history, but "
            f"that may be luck: of one model with its rows, or of the best of several."
        )
    return _nobody(found, metric)


def _nobody(found: Sequence[Comparison], metric: str) -> str:
    """Say how it stands when no strategy did better than what all are compared with."""
    worse = [c for c in found if c.verdict == Better.WORSE]
    same = [c for c in found if c.verdict == Better.SAME]
    against = found[0].against
    if len(worse) == len(found):
        return f"No strategy is as good as {against}: retraining would not have paid."
    if len(same) == len(found):
        return f"Every strategy did the same as {against}."
    if all(c.verdict != Better.NO_VERDICT for c in found):
        return f"No strategy beats {against} on this history."
    return (
        f"It cannot be said that any strategy beats {against} on this history: "
        f"{_widest(found, metric)}."
    )


def _between(c: Comparison, metric: str) -> str:
    """Say how the best strategy stands against another."""
    d = c.this_history
    ends = f"[{figure(d.low, '+')}, {figure(d.high, '+')}]"
    if c.verdict == Better.SAME:
        return f"{c.name} did the same as {c.against}."
    if c.verdict == Better.NO_VERDICT:
        return f"Whether {c.name} is better than {c.against} cannot be said: {ends} {metric}."
    future = ""
    if np.isfinite(c.periods.low):
        reach = f"[{figure(c.periods.low, '+')}, {figure(c.periods.high, '+')}]"
        future = f"; in periods like these {figure(c.periods.value, '+')} {reach}"
        if c.periods.low <= 0 <= c.periods.high:
            future = f"; for periods like these it cannot be said, {reach}"
    return f"{c.name} against {c.against}: {figure(d.value, '+')} {metric} {ends}{future}."


def _widest(found: Sequence[Comparison], metric: str) -> str:
    known = [c for c in found if c.this_history.known and c.verdict == Better.NO_VERDICT]
    if not known:
        return "there is too little to tell"
    top = max(known, key=lambda c: c.this_history.value)
    d = top.this_history
    ends = f"[{figure(d.low, '+')}, {figure(d.high, '+')}]"
    return f"the best of them, {top.name}, differs by {figure(d.value, '+')} {metric} {ends}"


def _money(c: Comparison, terms: Terms) -> str:
    sheet = terms.rows.scorer.costs
    if c.money is None or sheet is None:
        return ""
    m = c.money
    ends = f"[{m.low:,.0f}, {m.high:,.0f}]"
    return f"At your prices that is worth {m.value:,.0f} {sheet.currency} a year {ends}."


def _growth(
    found: Sequence[Comparison],
    rows: Sequence[Told],
    freshness: Comparison | None,
    metric: str,
    terms: Terms,
) -> list[str]:
    """Say whether the gain is of fresh data, or of more data, as far as either is sure."""
    if freshness is None or not _leading(found):
        return []
    d, best = freshness.this_history, _leading(found)[0]
    numbers = f"{figure(d.value, '+')} {metric} [{figure(d.low, '+')}, {figure(d.high, '+')}]"
    same = next(row for row in rows if row.name == freshness.name)
    more = compare([row for row in rows if row.name == best.name], same, terms)[0]
    if freshness.verdict != Better.BETTER and more.verdict == Better.BETTER:
        said = (
            f"The gain is from more data, not from drift: retraining every step on no more rows "
            f"than the first model had gains {numbers}."
        )
    elif freshness.verdict != Better.BETTER:
        said = (
            f"Whether the gain is from drift or from more data cannot be told: retraining every "
            f"step on no more rows than the first model had gains {numbers}."
        )
    elif more.verdict == Better.WORSE:
        said = (
            f"Fewer, newer rows would have done better still: retraining every step on no more "
            f"rows than the first model had gains {numbers}."
        )
    elif more.verdict != Better.BETTER:
        said = (
            f"The gain is from fresh data; that more data adds to it cannot be said: retraining "
            f"every step on no more rows than the first model had gains {numbers}."
        )
    else:
        said = (
            f"Of that, freshness alone gains {numbers}: that is retraining every step on no more "
            f"rows than the first model had. The rest is from more data."
        )
    return [said]


def _chance(
    found: Sequence[Comparison], rows: Sequence[Told], metric: str, terms: Terms
) -> list[str]:
    """Say whether a trigger beat as many retrains at random times."""
    values = {row.name: overall(row.mean, terms.weight) for row in rows}
    said = []
    for c in _best(found):
        random = values.get(f"random ({c.name})")
        if random is not None and np.isfinite(random):
            gap = terms.sign * (values[c.name] - random)
            said.append(
                f"As many retrains at random times would have been {figure(abs(gap))} {metric} "
                f"{'worse' if gap > 0 else 'better'}."
            )
    return said
