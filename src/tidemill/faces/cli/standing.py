"""``tidemill status``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, facts, table

_FATES = ("seen", "accepted", "already", "sampled_out", "waiting", "quarantined")
_MOST = 8
"""Reasons for quarantine shown before they are only counted."""


def status(
    *,
    strategy: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    options: Options = USUAL,
) -> Exit:
    """Say what is in front, what is bad since when and for whom, what waits, and what came in.

    Ends with 3 when a release waits for a signature.

    Parameters
    ----------
    strategy
        Say instead how well the loop does: the age of the model, what was spent, what became
        of the candidates, and what the releases promised and kept.
    """
    from tidemill.strategy.in_place import in_place
    from tidemill.strategy.status import status as stand

    with options.open() as mill:
        found = stand(mill.world)
        elsewhere = "records" in in_place(mill.world.events)
        waiting = [r["release"] for r in found["pending"] if r["state"] == "awaiting"]
        if strategy:
            from tidemill.strategy.standing import standing

            found = standing(mill.world, mill.strategy)
    if strategy:
        answer(found, options, lambda out: _show_standing(out, found))
    else:
        found = {
            **found,
            "waiting": waiting,
            "next": _next(found, waiting, options, elsewhere=elsewhere),
        }
        answer(found, options, lambda out: _show(out, found))
    return Exit.WAITING if waiting else Exit.DONE


def _next(found: Json, waiting: list[str], options: Options, *, elsewhere: bool) -> str:
    if waiting:
        return options.command(f"releases report {waiting[-1]}")
    if not found["intake"].get("records") and not elsewhere:
        return options.command("records import FILE")
    if found["bad"]:
        return options.command(f"alerts show {found['bad'][0]['id']}")
    return options.command("run" if found["last_turn"] is None else "plan")


def _show(out: Console, found: Json) -> None:
    states = ", ".join(f"{n} {state}" for state, n in found["releases"].items())
    front = found["front"] and f"{found['front']}, since {at(found['front_since'])}"
    rows: list[tuple[str, object]] = [
        ("in front", front or "no model yet"),
        ("last turn", at(found["last_turn"])),
        ("last retrain", at(found["last_triggered"])),
        ("releases", states or "none yet"),
        ("curated", f"{count(found['chosen'], 'record')} in {count(found['windows'], 'window')}"),
        ("training", f"{found['training_seconds']:g} s in all"),
    ]
    out.print(facts(rows))
    _show_bad(out, found)
    if found["pending"]:
        pending = [(r["release"], r["state"], r["verdict"], r["why"]) for r in found["pending"]]
        out.print()
        out.print(table(("release", "waits", "verdict", "why"), pending))
    if found["intake"]:
        out.print()
        _show_intake(out, found["intake"])
    for line in found["assumed"]:
        out.print(f"\nASSUMED: {line}", soft_wrap=True)
    for line in found["lost"]:
        out.print(f"\n{line}.", soft_wrap=True)
    if found["clock"]:
        out.print(f"\n{found['clock'][0].upper()}{found['clock'][1:]}", soft_wrap=True)
    out.print(f"\nNext: {found['next']}", soft_wrap=True)


def _show_bad(out: Console, found: Json) -> None:
    if found["bad"]:
        heads = ("bad", "since", "for", "what")
        rows = [
            (
                b["id"],
                at(b["onset"])[:10],
                ", ".join(b["cohorts"]) or "everybody",
                f"{b['what']}: {b['why']}",
            )
            for b in found["bad"]
        ]
        out.print()
        out.print(table(heads, rows))
    elif found["watched"]:
        out.print(f"\nNothing is bad, as of {at(found['watched'])}.")


def _show_intake(out: Console, intake: Json) -> None:
    heads = ("came in", *(f.replace("_", " ") for f in _FATES))
    rows = [(name, *(f"{t[f]:,}" for f in _FATES)) for name, t in sorted(intake.items())]
    out.print(table(heads, rows, right=heads[1:]))
    reasons = [(n, name, why) for name, t in intake.items() for why, n in t["reasons"].items()]
    reasons.sort(key=lambda r: (-r[0], *r[1:]))
    if reasons:
        out.print()
        out.print(table(("rows", "of", "quarantined because"), reasons[:_MOST], right=("rows",)))
    if len(reasons) > _MOST:
        out.print(f"and {count(len(reasons) - _MOST, 'more reason')}: tidemill records quarantine")


def _show_standing(out: Console, found: Json) -> None:
    front, labels, training = found["front"], found["labels"], found["training"]
    ends = ", ".join(f"{n} {k.replace('_', ' ')}" for k, n in found["candidates"].items() if n)
    model = "no model yet"
    if front is not None:
        model = f"{front['release']}, trained {_span(front['age'])} ago"
        model += f" on records up to {at(front['learnt_until'])}"
    asked = f"{labels['asked']:,} asked, {labels['come']:,} came"
    spent = [f"{asked}{_price(labels['priced'], found)}", f"{training['seconds']:g} s"]
    if labels["cost"] is not None:
        spent[0] += f", stated to cost {labels['cost']:g}"
    spent[1] += _price(training["priced"], found)
    rows: list[tuple[str, object]] = [
        ("in front", model),
        ("last retrain", _ago(found["since_retrain"])),
        ("to decide", _of(found["to_decide"], "from a change or final labels to a retrain")),
        ("to live", _of(found["to_live"], "from there to users")),
        ("labels", spent[0]),
        ("training", spent[1]),
        ("candidates", ends or "none yet"),
        ("rollbacks", found["rollbacks"]),
        ("retrain?", _worth(found["retraining"])),
    ]
    out.print(facts(rows))
    if found["promises"]:
        out.print()
        heads = ("release", "metric", "promised gain", "realised gain", "promised", "realised")
        out.print(table(heads, [_promise(p) for p in found["promises"]]))
        for p in found["promises"]:
            why = "; ".join(
                dict.fromkeys(p[k]["why"] for k in ("realised", "realised_value") if p[k]["why"])
            )
            if why:
                out.print(f"  {p['release']}: {why}", soft_wrap=True)


def _worth(found: Json) -> str:
    """Say whether to retrain and why; where it is not known, what would tell."""
    then = f"; {found['fix']}" if found["fix"] else ""
    return f"{found['answer']}: {found['why']}{then}"


def _promise(p: Json) -> tuple[object, ...]:
    cells = [p[k] for k in ("promised", "realised", "promised_value", "realised_value")]
    return (p["release"], p["metric"], *(interval(c) for c in cells))


def interval(estimate: Json | None) -> str | None:
    """Write a value and its interval, as far as they are known.

    Examples
    --------
    >>> interval({"value": 0.7, "low": 0.65, "high": 0.75})
    '0.7000 [0.6500, 0.7500]'
    """
    if estimate is None or estimate["value"] is None:
        return None
    if estimate["low"] is None:
        return f"{estimate['value']:.4f}"
    return f"{estimate['value']:.4f} [{estimate['low']:.4f}, {estimate['high']:.4f}]"


def _price(amount: float | None, found: Json) -> str:
    return f", {amount:,.2f} {found['currency']}" if amount else ""


def _ago(seconds: float | None) -> str | None:
    return None if seconds is None else f"{_span(seconds)} ago"


def _of(seconds: float | None, words: str) -> str | None:
    return None if seconds is None else f"{_span(seconds)} {words} (median)"


def _span(seconds: float) -> str:
    """Write a span as people say it.

    Examples
    --------
    >>> _span(0.2), _span(5400), _span(86400 * 9)
    ('0 s', '1.5 h', '9.0 days')
    """
    for least, unit, word in ((172_800, 86_400, "days"), (3_600, 3_600, "h"), (60, 60, "min")):
        if seconds >= least:
            return f"{seconds / unit:.1f} {word}"
    return f"{seconds:.0f} s"
