"""What became of each strategy, in the words that the terminal and the page share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tidemill.core.ports import Json
from tidemill.faces.report.numbers import NOTHING, count, day, ends, noun, score, seconds, signed

BOUND = "bound, in sample"
"""What the hindsight optimum is: what nobody could have known, on the rows it was chosen on."""
_NEVER_COMPARED: Json = {"verdict": "", "this_history": {}, "periods": {}, "against": ""}


@dataclass(frozen=True)
class Standing:
    """A row of the table of totals.

    Parameters
    ----------
    name
        The strategy's name, as the user or the library gave it.
    kind
        ``asked``, ``yours``, ``reference`` or ``hindsight``.
    mark, short
        What must be said beside the name: what is matched, what is only a bound; and in few words.
    words
        What the strategy does.
    value
        The metric.
    gain, interval
        The difference to the baseline, positive is better, and the ends of its interval.
    retrains, labels, seconds, cost
        What was spent.
    verdict
        ``BETTER``, ``WORSE``, ``SAME``, ``NO_VERDICT``, or nothing when not compared.
    """

    name: str
    kind: str
    mark: str
    short: str
    words: str
    value: str
    gain: str
    interval: str
    retrains: str
    labels: str
    seconds: str
    cost: str
    verdict: str


def standings(backtest: Json) -> Iterator[Standing]:
    """Yield a row for each strategy, in the order of the document, and the bound of hindsight."""
    found = {row["name"]: row for row in backtest["comparisons"]}
    for strategy in backtest["strategies"]:
        yield _standing(strategy, found.get(strategy["name"], _NEVER_COMPARED), backtest)
    bound = backtest["hindsight"]
    if bound is not None and not any(is_hindsight(s) for s in backtest["strategies"]):
        yield Standing(
            name="hindsight",
            kind="hindsight",
            mark=BOUND,
            short=BOUND,
            words=bound["words"],
            value=score(bound["bound"]),
            gain=NOTHING,
            interval="",
            retrains=count(bound["retrains"]),
            labels=NOTHING,
            seconds=NOTHING,
            cost=NOTHING,
            verdict="",
        )


def is_hindsight(strategy: Json) -> bool:
    """Say whether a strategy is the optimum that knew the future."""
    return strategy["kind"] == "reference" and strategy["name"].startswith("hindsight")


def _standing(strategy: Json, compared: Json, backtest: Json) -> Standing:
    best = is_hindsight(strategy)
    bound = backtest["hindsight"] if best else None
    cost = strategy["cost"]
    gain = compared["this_history"]
    return Standing(
        name=strategy["name"],
        kind="hindsight" if best else strategy["kind"],
        mark=_mark(strategy),
        short=_short(strategy),
        words=strategy["words"],
        value=score(strategy["value"] if bound is None else bound["bound"]),
        gain=signed(gain.get("value")) if gain else NOTHING,
        interval=ends(gain),
        retrains=count(strategy["retrains"]),
        labels=count(strategy["labels"]),
        seconds=seconds(strategy["seconds"]),
        cost=NOTHING if cost is None else count(cost["total"]),
        verdict=compared["verdict"],
    )


def _mark(strategy: Json) -> str:
    if is_hindsight(strategy):
        return BOUND
    if strategy["matched"] is not None:
        return f"as many {strategy['matched']['what']} as {strategy['matched']['to']}"
    return ""


def _short(strategy: Json) -> str:
    matched = strategy["matched"]
    return _mark(strategy) if matched is None else f"{matched['what']} matched"


def model(backtest: Json) -> str:
    """Say whose model was trained: the first line of every face.

    Examples
    --------
    >>> model({"model": {"yours": False, "words": "a built-in logistic regression"}})
    'This is not your model: a built-in logistic regression.'
    """
    words = backtest["model"]["words"].rstrip(".")
    return f"Your model: {words}." if backtest["model"]["yours"] else _foreign(words)


def _foreign(words: str) -> str:
    for tail in (", not your model", " (not your model)"):
        words = words.removesuffix(tail)
    return f"This is not your model: {words}."


def understood(backtest: Json) -> list[tuple[str, str]]:
    """Say what was read and how, as names and values."""
    history, metric = backtest["history"], backtest["metric"]
    better = "higher" if metric["higher_is_better"] else "lower"
    labelled = _share(history["labelled"], history["rows"])
    kinds = [feature["kind"] for feature in history["features"]]
    mixed = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    steps = f"{noun(history['steps'], 'step')} of {history['step']}"
    seeds = noun(backtest["seeds"], "seed")
    exact = ", the model gives the same answer every time" if backtest["deterministic"] else ""
    return [
        ("rows", f"{count(history['rows'])}, {labelled} labelled"),
        ("history", f"{day(history['first'])} to {day(history['last'])}"),
        ("scored", f"{steps}, {day(history['scored_from'])} to {day(history['scored_to'])}"),
        ("labels come", f"after {history['label_delay']} (median)"),
        ("task", f"{history['task']}, {metric['words']} ({better} is better)"),
        ("features", f"{len(kinds)}: {mixed}" if kinds else "none"),
        ("new models", f"in front after {backtest['latency']}; {seeds}{exact}"),
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def baseline(backtest: Json) -> str:
    """Name what the strategies are compared with."""
    return next((row["against"] for row in backtest["comparisons"]), "")


def future(comparison: Json) -> str:
    """Say what a comparison claims of periods like these, or why it claims nothing.

    Examples
    --------
    >>> future({"periods": {"value": 0.01, "low": None, "high": None, "groups": 2, "why": "short"}})
    'no claim: short (2 groups of periods)'
    """
    periods = comparison["periods"]
    groups = f"{noun(periods['groups'], 'group')} of periods"
    if not ends(periods):
        return f"no claim: {periods.get('why') or 'too little history'} ({groups})"
    return f"{signed(periods['value'])} {ends(periods)}, from {groups}"


def yearly(comparison: Json) -> str:
    """Say what a comparison is worth in money; nothing without prices."""
    worth = comparison["money_per_year"]
    if worth is None:
        return ""
    low, high = worth.get("low"), worth.get("high")
    interval = "" if low is None or high is None else f" [{count(low)}, {count(high)}]"
    return f"{count(worth['value'])}{interval} {worth['currency']} a year"


def currency(backtest: Json) -> str:
    """Name the money of the ledger; nothing without prices."""
    costs = (strategy["cost"] for strategy in backtest["strategies"])
    return next((cost["currency"] for cost in costs if cost is not None), "")


def spent(backtest: Json) -> str:
    """Say what the comparison itself took."""
    effort = backtest["effort"]
    return (
        f"{count(effort['strategy_steps'])} strategy-steps from {noun(effort['fits'], 'fit')} and "
        f"{noun(effort['predictions'], 'prediction')}, {seconds(effort['seconds'])} s in all "
        f"({seconds(effort['fit_seconds'])} s fitting, "
        f"{seconds(effort['predict_seconds'])} s predicting)."
    )
