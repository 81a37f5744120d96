"""The charts of a backtest in Altair, shared by the page and by notebooks."""

from __future__ import annotations

import math
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tidemill.core.ports import Json
from tidemill.faces.report import channels, curves
from tidemill.faces.report.look import LIGHT, Look
from tidemill.faces.report.numbers import known
from tidemill.faces.report.standings import currency, is_hindsight

if TYPE_CHECKING:
    import altair as alt

FOOT = 9
"""Height of the marks of retrains along the foot of the main chart, in pixels."""
_AT_FIRST = 5
"""Asked strategies that are shown before anyone chooses."""
_NOTEBOOK = 760
"""Width of the main chart where nothing says how wide it may be, in pixels."""
_IS_SHOWN = "indexof(shown, datum.strategy) >= 0"
_IS_CHOSEN = "datum.strategy === chosen"
_IS_COMPARED = "datum.strategy === chosen && datum.against === versus"


def performance(
    backtest: Json, *, look: Look = LIGHT, height: int = 300, controls: bool = True
) -> alt.LayerChart:
    """Draw the metric of each strategy over time, and the opportunity cost of a chosen one.

    Parameters
    ----------
    backtest
        The document that ``Backtest.to_dict()`` returns.
    look
        The colours.
    height
        Height of the plot in pixels.
    controls
        Whether the chart brings its own controls, as a notebook needs. Without them its
        parameters ``shown``, ``chosen``, ``versus`` and ``known_then`` are set from outside, and
        it is as wide as what it is shown in.

    Returns
    -------
    altair.LayerChart
        The solid lines are what is known now, the thin dashed ones what was known then; the area
        is what the chosen strategy lost (or gained) against another.

    Raises
    ------
    MissingExtra
        When Altair is not installed.
    """
    alt = channels.altair()
    words = backtest["metric"]["words"]
    value = channels.value(alt, words)
    tips = [
        alt.Tooltip("strategy:N"),
        alt.Tooltip("window:N"),
        alt.Tooltip("now:Q", title=words, format=",.4~f"),
        alt.Tooltip("then:Q", title="as known then", format=",.4~f"),
        alt.Tooltip("rows:Q", format=","),
        alt.Tooltip("labelled:Q", format=","),
        alt.Tooltip("age:Q", title="age of the model in days", format=",.0f"),
        alt.Tooltip("settled:N"),
    ]
    lines = alt.Chart(alt.NamedData("windows")).transform_filter(_IS_SHOWN)
    then = lines.transform_filter("known_then").mark_line(strokeWidth=1, strokeDash=[3, 3])
    now = lines.mark_line(strokeJoin="round")
    dots = lines.transform_filter("datum.alone && isValid(datum.now)").mark_point(
        filled=True, opacity=1, size=50
    )
    hover = lines.transform_filter("isValid(datum.now)").mark_point(
        size=140, opacity=0, filled=True, tooltip=True
    )
    encoded = {"x": channels.at(alt), "y": value, "color": channels.colour(alt, backtest, look)}
    first = {"x": channels.time(alt, backtest), "y": alt.Y("then:Q")}
    layers = [
        *_waiting(alt, look, curves.waiting(backtest)),
        *_areas(alt, look),
        then.encode(**{**encoded, **first}, detail="strategy:N"),
        now.encode(**encoded, **channels.strokes(alt, backtest, look)),
        dots.encode(**encoded),
        *_foot(alt, backtest, look, height),
        hover.encode(**encoded, tooltip=tips),
    ]
    width = _NOTEBOOK if controls else "container"
    chart = alt.layer(*layers).properties(width=width, height=height)
    return channels.looking(
        chart.add_params(*_params(alt, backtest, bound=controls)),
        look,
        windows=curves.windows(backtest),
        waiting=curves.waiting(backtest),
        gaps=curves.gaps(backtest),
        retrains=curves.marks(backtest),
    )


def lanes(backtest: Json, *, look: Look = LIGHT) -> alt.LayerChart:
    """Draw a lane for each strategy with its retrains: bars went live, crosses did not."""
    alt = channels.altair()
    names = _names(backtest)
    lane = alt.Y("strategy:N", sort=names, scale=alt.Scale(domain=names), title=None).axis(
        labelLimit=110, domain=False, ticks=False, grid=True
    )
    tips = [alt.Tooltip(f"{field}:N") for field in ("strategy", "day", "became", "why")]
    base = alt.Chart(alt.NamedData("retrains")).encode(
        channels.at(alt), lane, channels.colour(alt, backtest, look), tooltip=tips
    )
    live = base.transform_filter("datum.live").mark_tick(thickness=2.5, size=13, opacity=1)
    live = live.encode(channels.time(alt, backtest))
    kept = base.transform_filter("!datum.live").mark_point(
        shape="cross", angle=45, size=60, strokeWidth=0, filled=True, opacity=1
    )
    chart = alt.layer(live, kept).properties(width="container", height=24 * len(names))
    return channels.looking(chart, look, retrains=curves.marks(backtest))


def labels(backtest: Json, *, look: Look = LIGHT) -> alt.LayerChart:
    """Draw how many rows and labels each window has."""
    alt = channels.altair()
    bars = alt.Chart(alt.NamedData("labels"))
    amount = alt.Y("rows:Q", title=None).axis(tickCount=4, format=",")
    tips = [alt.Tooltip("window:N"), alt.Tooltip("rows:Q", format=",")]
    tips.append(alt.Tooltip("labelled:Q", format=","))
    rows = bars.mark_rect(color=look.hair, stroke=look.quiet, strokeWidth=0.4)
    labelled = bars.mark_rect(color=look.strategies[0], opacity=0.75)
    ends = bars.mark_point(opacity=0)  # brings the axis: a bar from x to x2 would widen it
    chart = alt.layer(
        ends.encode(channels.time(alt, backtest, "from"), amount),
        rows.encode(
            channels.at(alt, "from"), alt.X2("to:T"), y=amount, y2=alt.Y2Datum(0), tooltip=tips
        ),
        labelled.encode(
            channels.at(alt, "from"),
            alt.X2("to:T"),
            y=alt.Y("labelled:Q"),
            y2=alt.Y2Datum(0),
            tooltip=tips,
        ),
    )
    chart = chart.properties(width="container", height=150)
    return channels.looking(chart, look, labels=curves.labels(backtest))


def compute(backtest: Json, *, look: Look = LIGHT) -> alt.LayerChart:
    """Draw the seconds of fits as they add up; each fit of a strategy counts alike."""
    alt = channels.altair()
    tips = [alt.Tooltip("strategy:N"), alt.Tooltip("fits:Q")]
    tips.append(alt.Tooltip("seconds:Q", format=",.1f"))
    lines = alt.Chart(alt.NamedData("compute")).transform_filter(_IS_SHOWN)
    drawn_lines = lines.mark_line(interpolate="step-after").encode(
        channels.time(alt, backtest),
        alt.Y("seconds:Q", title=None).axis(tickCount=4),
        channels.colour(alt, backtest, look),
        **channels.strokes(alt, backtest, look),
    )
    hover = lines.mark_point(size=120, opacity=0, filled=True).encode(
        channels.at(alt), alt.Y("seconds:Q"), tooltip=tips
    )
    chart = alt.layer(drawn_lines, hover).properties(width="container", height=150)
    visible = alt.param(name="shown", value=shown(backtest))
    return channels.looking(chart.add_params(visible), look, compute=curves.compute(backtest))


def front(backtest: Json, *, look: Look = LIGHT, height: int = 300) -> alt.LayerChart:
    """Draw what each strategy took against what it reached, and the front nobody beats."""
    alt = channels.altair()
    money = currency(backtest)
    what = f"{money} for labels, compute and review" if money else "seconds of fits"
    words = backtest["metric"]["words"]
    effort = alt.X("effort:Q", title=what, scale=alt.Scale(nice=True, padding=24)).axis(tickCount=5)
    tips = [
        alt.Tooltip("strategy:N"),
        alt.Tooltip("effort:Q", title=what, format=",.1f"),
        alt.Tooltip("value:Q", title=words, format=",.4~f"),
        alt.Tooltip("what:N", title="Pareto front"),
    ]
    value = alt.Y("value:Q", title=words, scale=alt.Scale(zero=False, padding=20)).axis(
        tickCount=5, **channels.beside(words)
    )
    base = alt.Chart(alt.NamedData("efforts")).encode(effort, value)
    best = base.transform_filter("datum.front").mark_line(
        interpolate="step-after", color=look.quiet, strokeWidth=1.5, opacity=0.35
    )
    dots = base.mark_point(filled=True, size=95, opacity=1).encode(
        channels.colour(alt, backtest, look), shape=channels.shape(alt, backtest), tooltip=tips
    )
    names = [
        base.transform_filter(f"datum.place === '{place}'")
        .mark_text(align=align, dx=dx, dy=dy, fontSize=12, limit=150)
        .encode(channels.colour(alt, backtest, look), text="strategy:N")
        for place, (align, dx, dy) in _PLACES.items()
    ]
    chart = alt.layer(best, dots, *names).properties(width="container", height=height)
    return channels.looking(chart, look, efforts=curves.efforts(backtest))


_PLACES: dict[str, tuple[Any, int, int]] = {
    "right": ("left", 9, 1),
    "left": ("right", -9, 1),
    "above": ("center", 0, -12),
    "below": ("center", 0, 14),
}


def _names(backtest: Json) -> list[str]:
    return [strategy["name"] for strategy in backtest["strategies"]]


def shown(backtest: Json) -> list[str]:
    """Choose what is shown at first: the best of what was asked for, yours, never, hindsight."""
    upward = backtest["metric"]["higher_is_better"]
    asked = [s for s in backtest["strategies"] if s["kind"] == "asked"]
    asked.sort(key=lambda s: _worth(s["value"], upward=upward), reverse=True)
    first = {s["name"] for s in asked[:_AT_FIRST]} | {"never"}
    return [
        s["name"]
        for s in backtest["strategies"]
        if s["name"] in first or s["kind"] == "yours" or is_hindsight(s)
    ]


def _worth(value: float | None, *, upward: bool) -> float:
    value = known(value)
    return -math.inf if value is None else value if upward else -value


def chosen(backtest: Json) -> str:
    """Choose whose area is shaded at first: yours, or the first one."""
    names = [s["name"] for s in backtest["strategies"] if s["kind"] == "yours"]
    return next(iter([*names, *_names(backtest)]), "")


def _params(alt: ModuleType, backtest: Json, *, bound: bool) -> list[Any]:
    names, others = _names(backtest), curves.against(backtest)
    bind = {
        "chosen": alt.binding_select(options=names, name="strategy "),
        "versus": alt.binding_select(options=others, name="against "),
        "known_then": alt.binding_checkbox(name="as known then "),
    }
    values = {"chosen": chosen(backtest), "versus": others[0], "known_then": False}
    visible = alt.param(name="shown", value=names if bound else shown(backtest))
    return [
        visible,
        *(
            alt.param(name=name, value=value, **({"bind": bind[name]} if bound else {}))
            for name, value in values.items()
        ),
    ]


def _waiting(alt: ModuleType, look: Look, rows: curves.Rows) -> list[Any]:
    late = alt.Chart(alt.NamedData("waiting")).mark_rect(fill=look.waiting, opacity=1)
    return [late.encode(channels.at(alt, "from"), alt.X2("to:T"))] if rows else []


def _areas(alt: ModuleType, look: Look) -> list[Any]:
    base = alt.Chart(alt.NamedData("gaps")).transform_filter(_IS_COMPARED)
    return [
        base.transform_filter(f"datum.side === '{side}'")
        .mark_area(color=colour, opacity=0.2)
        .encode(channels.at(alt), alt.Y("value:Q"), alt.Y2("other:Q"), detail="piece:N")
        for side, colour in (("behind", look.behind), ("ahead", look.ahead))
    ]


def _foot(alt: ModuleType, backtest: Json, look: Look, height: int) -> list[Any]:
    """Mark the retrains of the chosen strategy along the foot of the chart."""
    base = alt.Chart(alt.NamedData("retrains")).transform_filter(_IS_CHOSEN)
    ends = {"y": alt.value(height - FOOT), "y2": alt.value(height)}
    tips = [alt.Tooltip(f"{field}:N") for field in ("strategy", "day", "became", "why")]
    ticks = base.mark_rule(strokeWidth=2, strokeCap="round").encode(
        channels.at(alt),
        channels.colour(alt, backtest, look),
        opacity=alt.condition("datum.live", alt.value(1), alt.value(0.35)),
        tooltip=tips,
        **ends,
    )
    return [ticks]
