"""Both distributions of a column as a small chart in Altair."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from tidemill.core.ports import Json
from tidemill.faces.report import channels
from tidemill.faces.report.look import LIGHT, Look

if TYPE_CHECKING:
    import altair as alt

HEIGHT = 120
_ROW = 26  # pixels of a category
_BEFORE, _NOW = "reference", "current"


def bars(column: Json, *, look: Look = LIGHT) -> alt.LayerChart | None:
    """Draw the reference as a filled area, the current window as a line or bar before it.

    Parameters
    ----------
    column
        A column of the document that ``Drift.to_dict()`` returns.
    look
        The colours.

    Returns
    -------
    altair.LayerChart or None
        None where the two windows cannot be drawn together.

    Raises
    ------
    MissingExtra
        When Altair is not installed.
    """
    found = column["distribution"]
    if found is None:
        return None
    shown = [b for b in found["bars"] if not b.get("rest")]
    if not shown:
        return None
    alt = channels.altair()
    if found["kind"] == "categories":
        return _categories(alt, look, shown)
    if "value" in shown[0]:
        return _values(alt, look, shown)
    return _cells(alt, look, shown)


def _cells(alt: ModuleType, look: Look, shown: list[Json]) -> Any:
    """Draw bars of equal width; the outer ones are open, and hold all beyond."""
    inner = [b for b in shown if b["from"] is not None and b["to"] is not None]
    width = inner[0]["to"] - inner[0]["from"] if inner else 1.0
    rows: list[Json] = []
    for bar in shown:
        low, high = bar["from"], bar["to"]
        words = f"{_text(low)} to {_text(high)}"
        if low is None:
            low, words = (high - width), f"below {_text(high)}"
        if high is None:
            high, words = (low + width), f"from {_text(low)}"
        rows.append({"low": low, "high": high, "bin": words, **_shares(bar)})
    steps = [{"at": r["low"], "share": r[_NOW]} for r in rows]
    steps.append({"at": rows[-1]["high"], "share": rows[-1][_NOW]})
    tips = _tips(alt, "bin")
    scale = alt.Scale(domain=[rows[0]["low"], rows[-1]["high"]], nice=False)
    across = alt.X("low:Q", title=None, scale=scale).axis(
        grid=False, tickCount=4, labelOverlap=True, format=",.5~g"
    )
    base = alt.Chart(alt.NamedData("bars"))
    before = base.mark_rect(color=look.usual).encode(
        across, alt.X2("high:Q"), y=_share(alt, f"{_BEFORE}:Q"), y2=alt.Y2Datum(0)
    )
    now = (
        alt.Chart(alt.NamedData("steps"))
        .mark_line(interpolate="step-after", color=look.strategies[0], strokeWidth=1.8)
        .encode(alt.X("at:Q"), alt.Y("share:Q"))
    )
    hover = base.mark_rect(opacity=0).encode(
        alt.X("low:Q"), alt.X2("high:Q"), y=alt.YValue(0), y2=alt.Y2Value(HEIGHT), tooltip=tips
    )
    chart = alt.layer(before, now, hover).properties(width="container", height=HEIGHT)
    return channels.looking(chart, look, bars=rows, steps=steps)


def _values(alt: ModuleType, look: Look, shown: list[Json]) -> Any:
    """Draw a bar for each of a few numbers, both windows side by side."""
    rows = _long([{**b, "value": _text(b["value"])} for b in shown])
    names = list(dict.fromkeys(r["value"] for r in rows))
    band = alt.Scale(domain=names, paddingInner=0.25, paddingOuter=0.1)
    across = alt.X("value:N", title=None, sort=names, scale=band).axis(
        labelAngle=0, labelOverlap=True, grid=False, ticks=False
    )
    chart = _side_by_side(alt, look, "xOffset").encode(across, _share(alt, "share:Q"))
    chart = alt.layer(chart).properties(width="container", height=HEIGHT)
    return channels.looking(chart, look, bars=rows)


def _categories(alt: ModuleType, look: Look, shown: list[Json]) -> Any:
    """Draw a line of the page for each value, both windows one above the other."""
    rows = _long(shown)
    names = list(dict.fromkeys(r["value"] for r in rows))
    down = alt.Y("value:N", title=None, sort=names, scale=alt.Scale(paddingInner=0.3)).axis(
        labelLimit=120, domain=False, ticks=False
    )
    across = alt.X("share:Q", title=None).axis(format="~%", tickCount=4, grid=True)
    chart = _side_by_side(alt, look, "yOffset").encode(down, across)
    chart = alt.layer(chart).properties(width="container", height=_ROW * len(names))
    return channels.looking(chart, look, bars=rows)


def _side_by_side(alt: ModuleType, look: Look, offset: str) -> Any:
    """Begin bars of both windows beside one another."""
    scale = alt.Scale(domain=[_BEFORE, _NOW], range=[look.usual, look.strategies[0]])
    beside = {"xOffset": alt.XOffset, "yOffset": alt.YOffset}[offset]
    return (
        alt.Chart(alt.NamedData("bars"))
        .mark_bar()
        .encode(
            color=alt.Color("window:N", scale=scale, legend=None),
            tooltip=_tips(alt, "value"),
            **{offset: beside("window:N", sort=[_BEFORE, _NOW])},
        )
    )


def _long(shown: list[Json]) -> list[Json]:
    """Make a row of each bar of each window."""
    return [
        {"value": b["value"], "window": w, "share": round(b[w], 6), **_shares(b)}
        for b in shown
        for w in (_BEFORE, _NOW)
    ]


def _share(alt: ModuleType, field: str) -> Any:
    return alt.Y(field, title=None).axis(format="~%", tickCount=3)


def _tips(alt: ModuleType, first: str) -> list[Any]:
    return [
        alt.Tooltip(f"{first}:N"),
        *(alt.Tooltip(f"{w}:Q", format=".2%") for w in (_BEFORE, _NOW)),
    ]


def _shares(bar: Json) -> Json:
    return {w: round(bar[w], 6) for w in (_BEFORE, _NOW)}


def _text(value: float | str | None) -> str:
    return value if isinstance(value, str) else "" if value is None else f"{value:,.6g}"
