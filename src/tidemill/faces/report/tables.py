"""The tables of the page: totals with intervals, periods, windows, decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidemill.core.ports import Json
from tidemill.faces.report.look import PAGE, Line, drawn
from tidemill.faces.report.markup import Html, el
from tidemill.faces.report.numbers import known, moment, noun, score
from tidemill.faces.report.shell import scrolled
from tidemill.faces.report.standings import (
    Standing,
    baseline,
    currency,
    future,
    standings,
    yearly,
)

_PILLS = {
    "BETTER": ("better", "▲ better"),
    "WORSE": ("worse", "▼ worse"),
    "SAME": ("", "= same"),
    "NO_VERDICT": ("unsure", "? no verdict"),
}
_WIDE, _HIGH = 150.0, 18.0


def lead(backtest: Json) -> str:
    """Say how the table of totals is read."""
    against = baseline(backtest)
    if not against:
        return "No strategy could be compared."
    return f"The difference is to {against}, positive is better, with its 95 % interval."


def totals(backtest: Json) -> Html:
    """Make the table of totals: asked ones, then references, each said to be one."""
    money, words = currency(backtest), backtest["metric"]["words"]
    against = baseline(backtest)
    heads = [
        el("th", "Strategy", scope="col"),
        el("th", words, scope="col", class_="n"),
        el("th", f"Against {against}" if against else "Difference", scope="col", colspan=2),
        *(el("th", name, scope="col", class_="n") for name in ("Retrains", "Labels", "Fits, s")),
        *([el("th", f"Cost, {money}", scope="col", class_="n")] if money else []),
        el("th", "Verdict", scope="col"),
    ]
    rows = list(standings(backtest))
    asked = [row for row in rows if row.kind in {"asked", "yours"}]
    others = [row for row in rows if row not in asked]
    said = "For reference, on the same rows"
    group = el("tr", el("th", said, scope="colgroup", colspan=len(heads) + 1), class_="group")
    return scrolled(
        "Totals of each strategy",
        el("thead", el("tr", *heads)),
        el("tbody", *(_total(row, backtest, money=bool(money)) for row in asked)),
        el("tbody", group, *(_total(row, backtest, money=bool(money)) for row in others)),
    )


def _total(row: Standing, backtest: Json, *, money: bool) -> Html:
    line = drawn(backtest, PAGE).get(row.name)
    name = el("span", *([swatch(line)] if line else []), row.name, class_="swatched")
    mark = [el("small", row.mark)] if row.mark else []
    kind, words = _PILLS.get(row.verdict, ("", ""))
    verdict = el("span", words, class_=f"pill {kind}") if words else Html()
    interval = [el("small", _minus(row.interval))] if row.interval else []
    return el(
        "tr",
        el("th", name, el("small", row.words), *mark, scope="row"),
        el("td", row.value, class_="n"),
        el("td", _minus(row.gain), *interval, class_="gain"),
        el("td", _whisker(row.name, backtest)),
        *(el("td", text, class_="n") for text in (row.retrains, row.labels, row.seconds)),
        *([el("td", row.cost, class_="n")] if money else []),
        el("td", verdict),
        class_=None if row.kind in {"asked", "yours"} else "reference",
    )


def _minus(text: str) -> str:
    """Write a proper minus before figures; a dash that stands for nothing stays one."""
    return re.sub(r"(?<![\w-])-(?=[\d.])", "\N{MINUS SIGN}", text)


def swatch(line: Line) -> Html:
    """Draw a short piece of a strategy's line."""
    dash = " ".join(str(part) for part in line.dash)
    style = f"stroke:{line.colour};stroke-width:{line.width + 0.4};stroke-dasharray:{dash}"
    path = el("path", d="M0 4H22", class_="swatch", style=style)
    return el("svg", path, viewBox="0 0 22 8", aria_hidden="true")


def _whisker(name: str, backtest: Json) -> Html:
    """Draw the intervals of all comparisons on one scale; the numbers stand beside it."""
    intervals = {row["name"]: row["this_history"] for row in backtest["comparisons"]}
    ends = [known(row[end]) for row in intervals.values() for end in ("low", "value", "high")]
    reach = max((abs(end) for end in ends if end is not None), default=0.0) or 1.0
    own = intervals.get(name, {})
    low, value, high = (known(own.get(end)) for end in ("low", "value", "high"))
    if value is None:
        return Html()

    def x(at: float) -> str:
        return f"{_WIDE / 2 + at / reach * (_WIDE / 2 - 6):.1f}"

    colour = "good" if (low or 0) > 0 else "bad" if (high or 0) < 0 else "quiet"
    axis = el("path", d=f"M{x(0)} 0V{_HIGH:g}", style="stroke:var(--stripe)")
    style = f"stroke:var(--{colour});stroke-width:2"
    bar = (
        [] if low is None or high is None else [el("path", d=f"M{x(low)} 9H{x(high)}", style=style)]
    )
    dot = el("circle", cx=x(value), cy=9, r=4, style=f"fill:var(--{colour})")
    box = f"0 0 {_WIDE:g} {_HIGH:g}"
    return el("svg", axis, *bar, dot, viewBox=box, class_="whisker", aria_hidden="true")


def notes(backtest: Json) -> Html:
    """List what has to be said of single strategies."""
    rows = [f"{s['name']}: {note}" for s in backtest["strategies"] for note in s["notes"]]
    if backtest["hindsight"] is not None:
        rows.append(f"hindsight: {backtest['hindsight']['words']}")
    return el("ul", *(el("li", row) for row in rows), class_="notes") if rows else Html()


def periods(backtest: Json) -> Html:
    """Make the table of what may be claimed of periods like these."""
    rows = backtest["comparisons"]
    if not rows:
        return el("p", "No strategy could be compared.", class_="quiet")
    is_worth = any(row["money_per_year"] is not None for row in rows)
    heads = ["Strategy", "In periods like these", *(["Worth"] if is_worth else [])]
    body = (
        el(
            "tr",
            el("th", row["name"], scope="row"),
            el("td", _minus(future(row)), class_="long"),
            *([el("td", _minus(yearly(row)), class_="long")] if is_worth else []),
        )
        for row in rows
    )
    return scrolled("Periods like these", _heads(heads), el("tbody", *body))


def windows(backtest: Json) -> Html:
    """Make the table of every window and strategy: the chart in numbers."""
    strategies = [s for s in backtest["strategies"] if s["curve"]]
    steps = sorted({window["start"] for s in strategies for window in s["curve"]})
    values = {s["name"]: {w["start"]: w["now"] for w in s["curve"]} for s in strategies}
    late = {w["start"] for s in strategies for w in s["curve"] if not w["settled"]}
    body = (
        el(
            "tr",
            el(
                "th",
                f"{start[:10]}{' (labels still coming)' if start in late else ''}",
                scope="row",
            ),
            *(el("td", score(curve.get(start)), class_="n") for curve in values.values()),
        )
        for start in steps
    )
    return scrolled(
        "Performance in each window",
        _heads(["Window from", *values], numbers=True),
        el("tbody", *body),
        tall=True,
    )


def decisions(backtest: Json) -> Html:
    """List each retrain with its reason, folded by strategy."""
    folds = (
        el(
            "details",
            el("summary", s["name"], " ", el("span", noun(len(fired), "retrain"))),
            _decided(s["name"], fired),
            class_="fold",
        )
        for s in backtest["strategies"]
        if (fired := [decision for decision in s["decisions"] if decision["fired"]])
    )
    made = list(folds)
    return el("div", el("h3", "Why"), *made, class_="why") if made else Html()


def _decided(name: str, fired: Iterable[Json]) -> Html:
    rows = (
        el(
            "tr",
            el("th", f"{moment(decision['at']):%Y-%m-%d %H:%M}", scope="row"),
            el("td", decision["why"], class_="long"),
            el("td", decision["became"]),
        )
        for decision in fired
    )
    heads = _heads(["When, UTC", "Why", "What became of it"])
    return scrolled(f"Retrains of {name}", heads, el("tbody", *rows), tall=True)


def _heads(names: Iterable[str], *, numbers: bool = False) -> Html:
    cells = (
        el("th", name, scope="col", class_="n" if numbers and n else None)
        for n, name in enumerate(names)
    )
    return el("thead", el("tr", *cells))
