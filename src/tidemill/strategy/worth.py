"""What retraining is worth to a project, as the newest backtest that was kept with it said.

Nothing is estimated here. A backtest compares the project's own strategy with leaving the first
model alone; its conclusion is kept with its date, and is repeated for as long as it holds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from tidemill.core.errors import BadInput
from tidemill.core.ports import Json, World
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of

LEDGER = "backtests"
STALE = timedelta(weeks=4)
"""How long a conclusion is repeated: a model lives about as long, and what was true may not be."""
_NUMBERS = ("value", "low", "high")


def identity(strategy: Strategy) -> str:
    """Hash what a backtest of a strategy depends on: all but who is told, and what things cost."""
    return replace(strategy, monitoring=None, costs=None).hash


def keep(world: World, strategy: Strategy, document: Json) -> Json:
    """Keep what a backtest concluded of a project's own strategy; returns the row.

    Parameters
    ----------
    world
        The project.
    strategy
        Its own strategy, the first that was asked for.
    document
        The report of the backtest.

    Raises
    ------
    BadInput
        If it was not the strategy that was replayed, so that nothing can be said of it.
    """
    own = document["strategies"][0]
    if own["kind"] != "asked" or own["hash"] is None:
        raise BadInput(
            "the backtest does not begin with the project's own strategy.",
            fix="leave the project's strategy first: tidemill backtest --keep.",
        )
    at, history = moment_of(world), document["history"]
    compared = {one["name"]: one for one in document["retraining"]}
    others = [one for name, one in compared.items() if name != own["name"] and _sure(one)]
    best = max(others, key=lambda one: one["this_history"]["value"], default=None)
    row = {
        "at": at.isoformat(),
        "strategy": identity(strategy),
        "from": history["scored_from"],
        "to": history["scored_to"],
        "step": history["step"],
        "steps": history["steps"],
        "metric": document["metric"]["words"],
        "own": _kept(compared.get(own["name"])),
        "best": _kept(best),
        "said": document["conclusion"],
    }
    world.state.add_row(LEDGER, at.isoformat(), row)
    return row


def _kept(compared: Json | None) -> Json | None:
    """Keep of a comparison what a person is told."""
    if compared is None:
        return None
    found = compared["this_history"]
    periods, money = compared["periods"], compared["money_per_year"]
    return {
        "name": compared["name"],
        "verdict": compared["verdict"],
        "this_history": {**{n: found[n] for n in _NUMBERS}, "limit": found["limit"]},
        "periods": {**{n: periods[n] for n in _NUMBERS}, "why": periods["why"]},
        "money_per_year": money,
    }


def _sure(compared: Json) -> bool:
    """Tell whether a strategy gained for sure, among as many as were compared."""
    limit = compared["this_history"]["limit"]
    return compared["verdict"] == "BETTER" and limit is not None and limit > 0


def advice(world: World, strategy: Strategy) -> Json:
    """Say whether to retrain, and by what.

    Returns
    -------
    dict
        ``answer`` (``retrain``, ``don't`` or ``unknown``), ``why`` in a sentence, ``worth``
        (``value``, ``low``, ``high``, ``unit``, ``by``; None where it is not known), ``money``
        (None without prices), ``at`` and ``age_days`` of the backtest, and ``fix``, what to do
        where the answer is unknown.
    """
    rows = world.state.rows(LEDGER)
    again = "tidemill backtest --keep"
    if not rows:
        return _unknown("what a retrain is worth was never measured here", again)
    row = max(rows, key=lambda one: one["at"])
    at, now = datetime.fromisoformat(row["at"]), moment_of(world)
    age = {"at": row["at"], "age_days": (now - at) // timedelta(days=1)}
    if row["strategy"] != identity(strategy):
        why = f"the strategy has changed since the backtest of {_ago(at, now)}"
        return {**_unknown(why, again), **age}
    if now - at > STALE:
        why = f"the last backtest is of {_ago(at, now)}, and holds for {STALE.days} days"
        return {**_unknown(why, again), **age}
    return {**_concluded(row, _ago(at, now)), **age}


def _unknown(why: str, fix: str) -> Json:
    return {"answer": "unknown", "why": why, "worth": None, "money": None, "fix": fix}


def _concluded(row: Json, ago: str) -> Json:
    """Read what a backtest that still holds says; an interval that holds zero says nothing."""
    own, by = row["own"], f"by the backtest of {ago}"
    if own is None:
        why = f"the strategy was never compared with one that does not retrain, {by}"
        return _unknown(why, "give the strategy a trigger, such as Every('7d')")
    said, future = own["this_history"], own["periods"]
    claimed = future["low"] is not None and future["high"] is not None
    found = future if claimed else said
    unit = f"{row['metric']} {'in times like these' if claimed else 'on its history'}"
    worth = {**{n: found[n] for n in _NUMBERS}, "unit": unit, "by": by}
    if own["verdict"] == "SAME":
        why = f"retraining answered just as the first model did, {by}"
        return {"answer": "don't", "why": why, "worth": worth, "money": None, "fix": ""}
    sign = {"BETTER": 1, "WORSE": -1}.get(own["verdict"], 0)
    if (sign > 0 and not _sure(own)) or _holds_zero(found):
        sign = 0
    words = f"{_figure(found['value'])} {unit} [{_figure(found['low'])}, {_figure(found['high'])}]"
    if not sign:
        why = f"it cannot be said whether retraining pays: {words}, {by}{_better(row)}"
        return _unknown(why, "a longer history tells more; or compare others: tidemill backtest")
    future_why = "" if claimed else f"; no claim about what comes: {future['why']}"
    answer = "retrain" if sign > 0 else "don't"
    why = f"retraining as the strategy does was worth {words}, {by}{_better(row)}{future_why}"
    money = own["money_per_year"]
    return {"answer": answer, "why": why, "worth": worth, "money": money, "fix": ""}


def _holds_zero(found: Json) -> bool:
    low, high = found["low"], found["high"]
    return low is None or high is None or low <= 0 <= high


def _better(row: Json) -> str:
    """Name another strategy that was compared and gained more for sure."""
    best, own = row["best"], row["own"]
    gained = own["this_history"]["value"]
    if best is None or (gained is not None and best["this_history"]["value"] <= gained):
        return ""
    return (
        f"; of those compared, {best['name']} gained most, {_figure(best['this_history']['value'])}"
    )


def _figure(value: float | None) -> str:
    return "not known" if value is None else f"{value:+.4f}" if abs(value) < 1 else f"{value:+.3g}"


def _ago(at: datetime, now: datetime) -> str:
    """Say how long ago a moment was.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2024, 1, 1, tzinfo=UTC)
    >>> _ago(at, at + timedelta(hours=3)), _ago(at, at + timedelta(days=1, hours=2))
    ('today', '1 day ago')
    """
    days = (now - at) // timedelta(days=1)
    return "today" if days < 1 else f"{days} day{'s' * (days != 1)} ago"
