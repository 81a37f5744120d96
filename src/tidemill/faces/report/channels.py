"""What the charts have in common: time, value, the strategies' colours, the look of the house."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tidemill.core.errors import MissingExtra
from tidemill.core.ports import Json
from tidemill.faces.report import curves
from tidemill.faces.report.look import FONT, LIGHT, Look, drawn


def altair() -> ModuleType:
    """Return Altair.

    Raises
    ------
    MissingExtra
        When it is not installed.
    """
    try:
        import altair as alt
    except ImportError as error:
        raise MissingExtra(
            f"the charts need the package {error.name!r}, which is not installed.",
            fix="pip install 'tidemill[report]'",
        ) from error
    return alt


def at(alt: ModuleType, field: str = "at") -> Any:
    """Place a layer in time; the first one of a chart brings the scale and the axis."""
    return alt.X(f"{field}:T", title=None)


def time(alt: ModuleType, backtest: Json, field: str = "at") -> Any:
    """Place the first layer in time, over the whole replay whatever the layer holds."""
    scale = {"domain": ends} if (ends := curves.span(backtest)) else {}
    return alt.X(f"{field}:T", title=None, scale=alt.Scale(type="utc", nice=False, **scale)).axis(
        grid=False, labelOverlap=True, tickCount=alt.expr("max(3, width / 110)")
    )


def value(alt: ModuleType, words: str) -> Any:
    """Measure the metric on the vertical axis, which need not start at zero."""
    scale = alt.Scale(zero=False, nice=True, padding=6)
    return alt.Y("now:Q", title=words, scale=scale).axis(tickCount=6, **beside(words))


def beside(words: str) -> dict[str, Any]:
    """Put the title of the vertical axis above it, where it reads."""
    return {
        "title": words,
        "titleAngle": 0,
        "titleAlign": "left",
        "titleAnchor": "end",
        "titleBaseline": "bottom",
        "titleX": -34,
        "titleY": -11,
        "titleLimit": 240,
    }


def colour(alt: ModuleType, backtest: Json, look: Look) -> Any:
    """Paint each strategy in its colour."""
    lines = drawn(backtest, look)
    scale = alt.Scale(domain=list(lines), range=[line.colour for line in lines.values()])
    return alt.Color("strategy:N", scale=scale, legend=_legend(alt, look))


def _legend(alt: ModuleType, look: Look) -> Any:
    """Leave the legend out where the page has its own."""
    return alt.Legend(title=None, orient="top", columns=0) if look is LIGHT else None


def strokes(alt: ModuleType, backtest: Json, look: Look) -> dict[str, Any]:
    """Draw each strategy with its width and dashes."""
    lines = drawn(backtest, look)
    widths = alt.Scale(domain=list(lines), range=[line.width for line in lines.values()])
    dashes = alt.Scale(domain=list(lines), range=[list(line.dash) for line in lines.values()])
    return {
        "strokeWidth": alt.StrokeWidth("strategy:O", scale=widths, legend=None),
        "strokeDash": alt.StrokeDash("strategy:N", scale=dashes, legend=None),
    }


def shape(alt: ModuleType, backtest: Json) -> Any:
    """Mark asked strategies, yours and references by shape as well."""
    shapes = {"asked": "circle", "yours": "diamond", "reference": "square"}
    names = [shapes[strategy["kind"]] for strategy in backtest["strategies"]]
    scale = alt.Scale(domain=[strategy["name"] for strategy in backtest["strategies"]], range=names)
    return alt.Shape("strategy:N", scale=scale, legend=None)


def looking(chart: Any, look: Look, **datasets: curves.Rows) -> Any:
    """Give a chart the look of the house, and last its rows, once for all layers."""
    words = {"labelColor": look.quiet, "labelFontSize": 12, "titleColor": look.quiet}
    lines = {"tickColor": look.hair, "gridColor": look.hair, "domainColor": look.hair}
    chart = (
        chart.properties(
            background=look.paper, padding={"left": 0, "right": 8, "top": 4, "bottom": 6}
        )
        .configure(font=FONT, aria=False, autosize={"type": "fit-x", "contains": "padding"})
        .configure_mark(aria=False)  # who shows the chart describes it as a whole
        .configure_view(stroke=None)
        .configure_axis(**words, **lines, titleFontSize=12, titleFontWeight=400)
        .configure_axisX(labelPadding=6, labelFlush=True)
        .configure_axisY(domain=False, ticks=False, labelPadding=8)
        .configure_legend(labelColor=look.ink, labelFontSize=12)
        .configure_text(color=look.ink)
    )
    chart.datasets = datasets
    return chart
