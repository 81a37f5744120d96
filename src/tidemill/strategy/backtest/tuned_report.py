"""What tuning found, as plain JSON: the same for the terminal, ``--json`` and Python."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemill.core.durations import words as span_words
from tidemill.core.ports import Json
from tidemill.core.rule import is_rule
from tidemill.core.verdict import Estimate
from tidemill.strategy.backtest.setting import Given
from tidemill.strategy.backtest.tuned_part import Part, Replayed
from tidemill.strategy.backtest.tuned_space import Space
from tidemill.strategy.difference import told
from tidemill.strategy.strategy import Strategy

if TYPE_CHECKING:
    from tidemill.strategy.backtest.tuned_trials import Trial

SCHEMA = "tidemill.tune/1"
NEVER, INCUMBENT, TUNED = "never", "incumbent", "tuned"
_DOUBTFUL = 0.5
_HOW = {
    "cadence": "read from how models age",
    "grid": "all of them",
    "random": "at random",
    "optuna": "by Optuna",
    "own": "by a searcher of your own",
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the search of the early part found."""

    given: Given
    strategy: Strategy
    part: Part
    space: Space
    how: str
    trials: Sequence[Trial]
    winner: Trial
    never: Trial | None
    incumbent: Trial | None
    pbo: float | None
    pbo_why: str
    moments: tuple[Sequence[datetime], Sequence[datetime]]
    spent: Json


@dataclass(frozen=True, kw_only=True)
class Late:
    """What the late part said, once opened.

    ``gains`` are by pair, first over second; ``limits`` the simultaneous lower limits of the
    gains over never; ``openings`` is None when they cannot be counted.
    """

    part: Part
    replayed: Mapping[str, Replayed]
    gains: Mapping[tuple[str, str], Estimate]
    limits: Mapping[str, float]
    openings: int | None
    confidence: float
    values: Mapping[str, float]


def report(found: Found, late: Late) -> Json:
    """Put together what was tried, what the late part said, and what is recommended."""
    chosen, why = recommended(late)
    if chosen == TUNED and found.winner.strategy.hash == found.strategy.hash:
        chosen = INCUMBENT
    strategy = {
        TUNED: found.winner.strategy,
        INCUMBENT: found.strategy,
        NEVER: late.replayed[NEVER].strategy,
    }[chosen]
    document: Json = {
        "schema": SCHEMA,
        "title": found.given.title,
        "split": _split(found),
        "metric": {
            "name": found.part.metric.name,
            "higher_is_better": found.part.metric.higher_is_better,
        },
        "unit": _unit(found.part),
        "space": {path: [_word(v) for v in values] for path, values in found.space.items()},
        "search": found.how,
        "tried": len(found.trials),
        "trials": [_trial(t, found) for t in _sorted(found.trials)],
        "pbo": found.pbo,
        "pbo_why": found.pbo_why,
        "tuned": {
            "tried": {path: _word(v) for path, v in found.winner.tried.items()},
            "hash": found.winner.strategy.hash,
            "words": words(found.winner.strategy, found.strategy),
        },
        "early": _early(found),
        "late": {name: _natural(value, late.part) for name, value in late.values.items()},
        "optimism": _optimism(found, late),
        "openings": {
            "count": late.openings,
            "confidence": late.confidence,
            "words": _openings(late),
        },
        "comparisons": [_comparison(pair, one, late) for pair, one in late.gains.items()],
        "recommendation": {
            "strategy": chosen,
            "why": why,
            "words": words(strategy, found.strategy),
            "rules": snippet(strategy, found.strategy),
        },
        "effort": found.spent,
    }
    document["conclusion"] = _conclusion(document, found)
    return document


def recommended(late: Late) -> tuple[str, str]:
    """Say what to do: never retrain, unless it is shown that retraining is worth its price."""
    limits, level = late.limits, f"{100 * late.confidence:.4g} %"
    behind = late.gains[TUNED, INCUMBENT].high < 0
    if limits[TUNED] > 0 and not (behind and limits[INCUMBENT] > 0):
        return TUNED, (
            "its gain over never, net of costs, is above 0 on the late part: at least "
            f"{_number(limits[TUNED], late.part)} at {level}"
        )
    if limits[INCUMBENT] > 0:
        return INCUMBENT, (
            "it gains over never, net of costs, on the late part, at least "
            f"{_number(limits[INCUMBENT], late.part)} at {level}; what was tuned does not do better"
        )
    return NEVER, (
        "not enough evidence that any retraining gains more than it costs: the lower limit of "
        f"the gain over never on the late part is {_number(limits[TUNED], late.part)} at {level}"
    )


def words(strategy: Strategy, incumbent: Strategy) -> str:
    """Say in a line what a strategy does otherwise than the incumbent, or its trigger."""
    differs = [f"{name}={told(getattr(strategy, name))}" for name in _changed(strategy, incumbent)]
    return ", ".join(differs) or f"trigger={told(strategy.trigger)}"


def snippet(strategy: Strategy, incumbent: Strategy) -> str:
    """Write the rules that change, to be pasted into a strategy file; empty when none does.

    Examples
    --------
    >>> from tidemill import Every, Strategy
    >>> from tidemill.loop.training.function import always_the_mean
    >>> weekly = Strategy(training=always_the_mean, trigger=Every("7d"))
    >>> print(snippet(dataclasses.replace(weekly, trigger=Every("14d")), weekly))
    from tidemill.loop.triggers import Every
    <BLANKLINE>
    # in Strategy(...):
        trigger=Every('14d'),
    """
    names = _changed(strategy, incumbent)
    if not names:
        return ""
    homes: dict[str, set[str]] = {}
    for name in names:
        for one in _rules_in(getattr(strategy, name)):
            if type(one).__module__.startswith("tidemill."):
                homes.setdefault(_home(type(one)), set()).add(type(one).__name__)
    imports = [f"from {home} import {', '.join(sorted(homes[home]))}" for home in sorted(homes)]
    lines = [f"    {name}={told(getattr(strategy, name))}," for name in names]
    return "\n".join([*imports, "", "# in Strategy(...):", *lines])


def _home(kind: type) -> str:
    """Return where a rule is imported from: its folder, where that shows it."""
    folder = kind.__module__.rpartition(".")[0]
    shown = getattr(sys.modules.get(folder), kind.__name__, None) is kind
    return folder if shown else kind.__module__


def _changed(strategy: Strategy, incumbent: Strategy) -> list[str]:
    mine, theirs = strategy.marks.rules, incumbent.marks.rules
    return [n for n in mine if n not in ("name", "comment") and mine[n] != theirs[n]]


def _rules_in(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [one for inner in value for one in _rules_in(inner)]
    if not is_rule(value):
        return []
    inside = [getattr(value, f.name) for f in dataclasses.fields(value)]
    return [value, *(one for inner in inside for one in _rules_in(inner))]


def _word(value: Any) -> Any:
    return told(value) if is_rule(value) else value


def _unit(part: Part) -> str:
    if part.costs is None:
        return part.metric.name
    return f"{part.costs.currency} a year"


def _natural(value: float, part: Part) -> float:
    """Turn a net worth into a cost a year, or into the metric as it is."""
    return -value if part.priced else part.sign * value


def _sorted(trials: Sequence[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda t: (t.value != t.value, -t.value, t.retrains))


def _trial(one: Trial, found: Found) -> Json:
    return {
        "tried": {path: _word(v) for path, v in one.tried.items()},
        "words": words(one.strategy, found.strategy),
        "value": _natural(one.value, found.part),
        "retrains": one.retrains,
        "failed": one.failed,
    }


def _split(found: Found) -> Json:
    early, late = found.moments
    return {
        "early_from": early[0],
        "late_from": late[0],
        "late_to": late[-1],
        "step": span_words(early[1] - early[0]),
        "early_steps": len(early) - 1,
        "late_steps": len(late) - 1,
    }


def _early(found: Found) -> Json:
    named = {TUNED: found.winner, INCUMBENT: found.incumbent, NEVER: found.never}
    return {n: None if t is None else _natural(t.value, found.part) for n, t in named.items()}


def _optimism(found: Found, late: Late) -> Json:
    """Set what was tuned on the part where it was chosen beside what it was on the late one.

    Gains over never are not set side by side: they grow with the length of a part.
    """
    early, after = found.winner.value, late.values[TUNED]
    return {
        "early": _natural(early, found.part),
        "late": _natural(after, late.part),
        "lost": early - after,
    }


def _comparison(pair: tuple[str, str], one: Estimate, late: Late) -> Json:
    name, against = pair
    return {
        "name": name,
        "against": against,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "limit": late.limits[name] if against == NEVER else None,
        "units": one.n,
        "seeds": one.groups,
    }


def _openings(late: Late) -> str:
    if late.openings is None:
        return (
            "openings of this late part cannot be counted without a project or a --cache: if it "
            "was looked at before, these intervals are too narrow"
        )
    if late.openings == 1:
        return "the late part was opened for the first time"
    return (
        f"the late part was opened {late.openings} times; each interval holds at "
        f"{100 * late.confidence:.4g} %, so that all of them hold together at 95 %"
    )


def _against(document: Json, found: Found) -> str:
    """Say how the tuned one did against the incumbent where nothing was searched."""
    one = next(c for c in document["comparisons"] if c["against"] == INCUMBENT)
    if found.winner.strategy.hash == found.strategy.hash:
        return "The best of them is the incumbent itself."
    low, high = (_number(one[k], found.part) for k in ("low", "high"))
    verdict = "better" if one["low"] > 0 else "worse" if one["high"] < 0 else "NO_VERDICT"
    return f"Tuned against the incumbent on the late part: {verdict}, a gain from {low} to {high}."


def _number(value: float, part: Part) -> str:
    return f"{value:,.0f} {_unit(part)}" if part.priced else f"{value:.4f} {_unit(part)}"


def _conclusion(document: Json, found: Found) -> list[str]:
    chosen = document["recommendation"]
    said = [f"Recommended: {chosen['strategy']} ({chosen['words']}), since {chosen['why']}."]
    tried = f"{document['tried']} strategies were tried, {_HOW[found.how]}"
    if found.pbo is None:
        said.append(f"{tried}; how likely the choice is luck is not known: {found.pbo_why}.")
    else:
        warning = ", as good as a blind choice" if found.pbo >= _DOUBTFUL else ""
        said.append(
            f"{tried}; the probability that the best of them on one half of the early part is "
            f"in the worse half on the other (PBO) is {found.pbo:.2f}{warning}."
        )
    seen = document["optimism"]
    better = "cost" if found.part.priced else "value"
    early, after = (_number(seen[k], found.part) for k in ("early", "late"))
    said.append(
        f"The {better} of the tuned one was {early} on the early part, where it was chosen, and "
        f"{after} on the late part."
    )
    said.append(_against(document, found))
    first, rest = document["openings"]["words"][0], document["openings"]["words"][1:]
    said.append(f"{first.upper()}{rest}.")
    return said
