"""``tidemill metrics``: which signals there are, and one of them over time with its band."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, count, table

FEW = 4
"""Windows without a value that are still shown one by one."""
WIDTH = 44
"""Characters from the smallest to the largest value of a series."""
MARKS = {"OK": "●", "WARN": "▲", "ALERT": "✖", "NO_VERDICT": "·", None: "○"}


def metrics(
    name: str = "",
    /,
    *,
    column: str | None = None,
    cohort: str | None = None,
    by: str = "",
    last: str = "90d",
    every: str | None = None,
    against: str = "",
    format_: Annotated[str, Parameter(name="--format")] = "text",
    options: Options = USUAL,
) -> Exit:
    """Draw a signal over time with its band; without a name, say what is measured and what is not.

    Parameters
    ----------
    name
        The signal, such as auc or drift.
    column
        Only of this column.
    cohort
        Only for this cohort; for everybody if left out.
    by
        One series for each ``cohort``, ``model`` or ``column``.
    last
        How far back.
    every
        Longer windows than base windows, such as 7d; means are merged, other metrics measured again.
    against
        Say instead whether a better metric is felt in this signal of outcomes, such as
        feedback_rate_click; ``all`` for each of them, and without a name for each metric.
    format_
        ``text``, or ``prometheus`` or ``opentelemetry`` for the latest points of all signals.
    """
    from tidemill.core.errors import BadValue
    from tidemill.strategy.watching import telling
    from tidemill.strategy.watching.standing import estimates

    if by not in ("", "cohort", "model", "column"):
        raise BadValue(f"--by {by}: it is none of cohort, model, column.", fix="give one of them.")
    if against:
        from tidemill.faces.cli.outcomes_view import against as felt

        return felt(name, against, options)
    if format_ != "text":
        return _export(format_, options)
    with options.open() as mill:
        if not name:
            return _overview(mill, options)
        telling.known(mill.world, name)
        everybody = {} if by == "cohort" else {"cohort": cohort or ""}
        every_model = {} if by == "model" else {"model": ""}
        if name.startswith("drift"):
            every_model = {}
        whose = {**everybody, **every_model}
        points = mill.signals(name, column=column, last=last, every=every, **whose)
        series = _series(telling.table(points), by)
        # What is estimated is so for everybody.
        asked = by in ("", "column") and not (cohort or column or every)
        before = estimates(mill.world, mill.strategy, name) if asked else None
    if before is not None:
        for point in series.get("everybody", []):
            point["estimate"] = before["windows"].get(point["start"])
    shown = [{"name": n, "points": p} for n, p in series.items()]
    document = {"metric": name, "series": shown, "estimated": before}
    answer(document, options, lambda out: _draw(out, series, before))
    return Exit.DONE


def _export(format_: str, options: Options) -> Exit:
    from tidemill.core.errors import BadValue
    from tidemill.faces.exposing import FORMATS, expose

    if format_ not in FORMATS:
        raise BadValue(
            f"--format {format_}: it is none of {', '.join(('text', *FORMATS))}.",
            fix="give one of them.",
        )
    with options.open() as mill:
        print(expose(mill, format_), end="")
    return Exit.DONE


def _series(points: list[Json], by: str) -> dict[str, list[Json]]:
    names = ("column", "cohort", "model") if not by else (by,)
    series: dict[str, list[Json]] = {}
    for point in points:
        name = " ".join(str(point[n]) for n in names if point[n]) or "everybody"
        series.setdefault(name, []).append(point)
    return series


def _overview(mill: Any, options: Options) -> Exit:
    from tidemill.strategy.watching import telling

    kinds = telling.coverage(mill.world, mill.strategy)
    names = [] if mill.world.events.version("signals") < 0 else telling.names(mill.world)
    shown = [
        {k: (v.isoformat() if hasattr(v, "isoformat") else v) for k, v in row.items()}
        for row in names
    ]
    answer({"kinds": kinds, "signals": shown}, options, lambda out: _kinds(out, kinds, shown))
    return Exit.DONE


def _kinds(out: Console, kinds: list[Json], names: list[Json]) -> None:
    rows = [(k["kind"], "yes" if k["measured"] else "no", k["worth"], k["do"]) for k in kinds]
    out.print(table(("kind", "measured", "what it is worth", "to measure it"), rows))
    if not names:
        return
    from tidemill.strategy.watching.telling import what

    # A version that is not in front any more leaves outputs that were never compared.
    empty = [n for n in names if n["kind"] == "drift" and n["last_value"] is None]
    out.print()
    heads = ("kind", "signal", "last value", "of", "verdict", "windows")
    cells = [
        (
            n["kind"],
            what(n) + (f" by {n['model']}" if n["model"] else ""),
            _number(n["last_value"]),
            (n["last_value_at"] or "")[:10],
            n["verdict"],
            n["windows"],
        )
        for n in names
        if n not in empty
    ]
    out.print(table(heads, cells, right=("last value", "windows")))
    if empty:
        out.print(f"and {count(len(empty), 'signal')} of drift without a value yet: --json")


def _draw(out: Console, series: dict[str, list[Json]], before: Json | None) -> None:
    if not series:
        out.print("No point in this time. A longer time: --last 365d")
        return
    for k, (name, points) in enumerate(series.items()):
        if k:
            out.print()
        out.print(name, style="bold")
        low, high = _ends(points)
        out.print(f"{'window of':<17} {'value':>9}  {low:<{WIDTH - 8}.4g}{high:>8.4g}")
        for text in _lines(points, low, high):
            out.print(text, soft_wrap=True)
    more = "   ~ estimated" if before is not None and before["windows"] else ""
    out.print(f"\n● OK   ▲ WARN   ✖ ALERT   · NO_VERDICT   ─ interval   ░ expected{more}")
    unsure = [
        p
        for points in series.values()
        for p in points
        if p["verdict"] == "NO_VERDICT" and p["value"] is not None
    ]
    if unsure:
        last = max(unsure, key=lambda p: p["start"])
        out.print(
            f"NO_VERDICT in {count(len(unsure), 'window')} with a value; the last, of "
            f"{last['start'][:10]}: {last['said']}",
            soft_wrap=True,
        )
    if before is not None:
        _standing(out, before)


def _lines(points: list[Json], low: float, high: float) -> Iterator[str]:
    """Draw each window; those that follow one another without a value, for one reason, in a line."""

    def why(point: Json) -> str | None:
        empty = point["value"] is None and not point.get("estimate")
        return point["why"] or point["said"] if empty else None

    for reason, group in groupby(points, why):
        same = list(group)
        if reason is None or len(same) < FEW:
            yield from (line(point, low, high) for point in same)
        else:
            yield line(same[0], low, high)
            yield f"  ... {len(same) - 2} more windows without a value, for the same reason"
            yield line(same[-1], low, high)


def _standing(out: Console, before: Json) -> None:
    """Say what the estimates are, and how well they have done so far."""
    used = before["used"]
    out.print(
        f"\n~ is what {used} estimates before labels are final: {before['blind']}.",
        soft_wrap=True,
    )
    rows = [
        (
            f"{s['method']} (used)" if s["used"] else s["method"],
            f"{s['windows']} of {s['of']}",
            _number(s["error"]),
            _number(s["ratio"]),
            "-" if s["covered"] is None else f"{s['covered']:.0%}",
        )
        for s in before["methods"]
    ]
    heads = ("estimated by", "windows", "mean error", "over constant's", "interval held")
    out.print(table(heads, rows, right=heads[1:]))


def _ends(points: list[Json]) -> tuple[float, float]:
    names = ("value", "low", "high")  # what was expected may reach far beyond, and is cut
    shown = [*points, *(p["estimate"] for p in points if p.get("estimate"))]
    values = [p[n] for p in shown for n in names if p[n] is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def line(point: Json, low: float, high: float) -> str:
    """Draw one window: its value, its interval and what was expected, on one scale.

    Examples
    --------
    >>> point = {"start": "2013-03-08T00:00:00+00:00", "value": 0.5, "low": 0.25, "high": 0.75,
    ...          "expected_low": None, "expected_high": None, "verdict": "OK", "why": "", "said": ""}
    >>> line(point, 0.0, 1.0).split()[:3]
    ['2013-03-08', '00:00', '0.5']
    """
    cells = [" "] * WIDTH

    def place(value: float) -> int:
        return min(WIDTH - 1, max(0, round((value - low) / (high - low) * (WIDTH - 1))))

    def fill(first: float | None, last: float | None, mark: str) -> None:
        if first is not None and last is not None:
            for k in range(place(first), place(last) + 1):
                cells[k] = mark

    fill(point["expected_low"], point["expected_high"], "░")
    guess = point.get("estimate")
    if guess is not None and point["value"] is None:
        return _estimated(point, guess, cells, fill, place)
    fill(point["low"], point["high"], "─")
    at = point["start"][:16].replace("T", " ")
    said = point["said"] if point["verdict"] in ("ALERT", "WARN") else point["why"]
    said = said or (point["said"] if point["verdict"] is None else "")
    if point["value"] is not None:
        cells[place(point["value"])] = MARKS[point["verdict"]]
    if guess is not None and guess["value"] is not None:
        number = _number(guess["value"])
        said = f"labels are not final; ~{number} estimated by {guess['method']}"
    return f"{at:<17} {_number(point['value']):>9}  {''.join(cells)}  {said or ''}".rstrip()


def _estimated(point: Json, guess: Json, cells: list[str], fill: Any, place: Any) -> str:
    """Draw a window of which there is no more than an estimate."""
    at = point["start"][:16].replace("T", " ")
    if guess["value"] is None:
        return f"{at:<17} {'-':>9}  {''.join(cells)}  {point['why']}; no estimate: {guess['why']}"
    fill(guess["low"], guess["high"], "─")
    cells[place(guess["value"])] = "~"
    said = f"estimated by {guess['method']}"
    return f"{at:<17} {'~' + _number(guess['value']):>9}  {''.join(cells)}  {said}"


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"
