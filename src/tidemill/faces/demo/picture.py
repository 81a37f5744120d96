"""One picture: how the loop did, week by week, against the first model left alone."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from tidemill.core.errors import BadInput, MissingExtra

try:
    import altair as alt
    import vl_convert
except ImportError as error:
    raise MissingExtra(
        f"the picture needs the package {error.name!r}, which is not installed.",
        fix="pip install 'tidemill[demo]'",
    ) from error

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
WIDTH, HEIGHT = 780, 340
INK, QUIET, HAIR = "#171a21", "#5b6472", "#e7eaef"
LOOP, FIRST = "#1d4fd7", "#c2570c"  # blue and burnt orange: apart for every kind of colour vision
FONT = "Inter, Liberation Sans, Helvetica, Arial, sans-serif"

Rows = list[dict[str, Any]]
Point = tuple[datetime, float, float]


@dataclass(frozen=True)
class WeekRow:
    """A week of two models, measured on the same records.

    Parameters
    ----------
    start
        When the week begins; timezone-aware.
    loop, first
        What the loop's champion and the first model scored; NaN when there is no value.
    loop_low, loop_high, first_low, first_high
        The ends of their intervals; NaN when there is none.
    retrained
        Whether a new champion went live at the start of this week.
    champion
        The name of the loop's champion in this week.
    """

    start: datetime
    loop: float
    loop_low: float
    loop_high: float
    first: float
    first_low: float
    first_high: float
    retrained: bool
    champion: str


def draw(
    weeks: list[WeekRow],
    path_stem: Path,
    *,
    title: str,
    conclusion: str,
    measure: str = "AUC in the week, with its interval (0.5 is guessing, 1 is perfect)",
    higher_is_better: bool = True,
) -> list[Path]:
    """Draw the weeks and save the picture beside ``path_stem``, as SVG and as PNG.

    Parameters
    ----------
    weeks
        The weeks, in any order; at least one with a value.
    path_stem
        Where to save, without a suffix; its folder is made when missing.
    title
        What is shown.
    conclusion
        What it says, in a sentence or two.
    measure
        What the vertical axis measures, with its unit.
    higher_is_better
        Whether the loop is ahead where its line is the upper one.

    Returns
    -------
    list of Path
        The two files, ``<stem>.svg`` and ``<stem>.png``.

    Raises
    ------
    BadInput
        When no week has a value.
    """
    ordered = sorted(weeks, key=lambda week: week.start)
    spec = _chart(ordered, measure, _words(title, conclusion), upward=higher_is_better).to_dict()
    files = [path_stem.with_name(path_stem.name + suffix) for suffix in (".svg", ".png")]
    path_stem.parent.mkdir(parents=True, exist_ok=True)
    offline: dict[str, Any] = {"vl_version": VEGA_LITE, "allowed_base_urls": []}
    files[0].write_text(vl_convert.vegalite_to_svg(spec, **offline), encoding="utf-8")
    files[1].write_bytes(vl_convert.vegalite_to_png(spec, scale=2, **offline))
    return files


def _chart(
    weeks: Sequence[WeekRow], measure: str, words: alt.TitleParams, *, upward: bool
) -> alt.LayerChart:
    """Put the layers together, what matters most on top."""
    span = _range(weeks)
    scale = alt.Scale(domain=span, nice=False, zero=False)
    value = alt.Y("value:Q", scale=scale).axis(title=measure, tickCount=6)
    time = _time(weeks)
    layers = [
        *_bands(weeks, time, value),
        *_leads(weeks, time, value, upward=upward),
        *_champions(weeks, time),
        *_lines(weeks, time, value),
        *_ends(weeks, span),
    ]
    chart = alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT, title=words)
    return _look(chart.properties(background="white"))


def _words(title: str, conclusion: str) -> alt.TitleParams:
    lines = textwrap.wrap(conclusion, 128)
    if len(lines) > 1:  # lines of about one length, no word left alone
        lines = textwrap.wrap(conclusion, len(conclusion) // len(lines) + 10)
    return alt.TitleParams(text=title, subtitle=lines, anchor="start", frame="bounds", offset=12)


def _range(weeks: Sequence[WeekRow]) -> tuple[float, float]:
    """Find the span of everything drawn, with room below for the marks of the champions."""
    parts = [(w.loop, w.loop_low, w.loop_high, w.first, w.first_low, w.first_high) for w in weeks]
    seen = [value for part in parts for value in part if math.isfinite(value)]
    if not seen:
        raise BadInput("no week to draw has a value.", fix="pass at least one week with a value.")
    low, high = min(seen), max(seen)
    room = (high - low) or 0.1
    return low - 0.1 * room, high + 0.03 * room


def _time(weeks: Sequence[WeekRow]) -> alt.X:
    """Make the time axis, in UTC whatever the clock of this machine."""
    first, last = weeks[0].start.astimezone(UTC), weeks[-1].start.astimezone(UTC)
    years = f"{first.year}" if first.year == last.year else f"{first.year} to {last.year}"
    ends = [_stamp(first), _stamp(max(last, first + timedelta(days=7)))]
    return alt.X("at:T", scale=alt.Scale(type="utc", domain=ends, nice=False)).axis(
        title=f"week beginning, {years}", format="%-d %b", tickCount=12, grid=False
    )


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _leads(
    weeks: Sequence[WeekRow], time: alt.X, value: alt.Y, *, upward: bool
) -> Iterator[alt.Chart]:
    """Shade between the curves, in the colour of the one that is ahead."""
    for number, piece in enumerate(_pieces(weeks)):
        upper = sum(loop - first for _, loop, first in piece) > 0
        colour = LOOP if upper is upward else FIRST
        rows: Rows = [{"at": _stamp(at), "value": a, "other": b} for at, a, b in piece]
        area = alt.Chart(alt.Data(values=rows, name=f"lead{number}"))
        yield area.mark_area(color=colour, opacity=0.2, aria=False).encode(
            time, value, alt.Y2("other:Q")
        )


def _pieces(weeks: Sequence[WeekRow]) -> Iterator[list[Point]]:
    """Cut the space between the curves where they cross or where a value is missing."""
    piece: list[Point] = []
    for here, after in pairwise([*weeks, None]):
        if here is None or not math.isfinite(here.loop - here.first):
            continue
        gap = here.loop - here.first
        then = math.nan if after is None else after.loop - after.first
        piece.append((here.start, here.loop, here.first))
        if after is None or not math.isfinite(then):
            yield piece
            piece = []
        elif gap * then < 0:
            part = gap / (gap - then)
            level = here.loop + part * (after.loop - here.loop)
            crossing = (here.start + part * (after.start - here.start), level, level)
            yield [*piece, crossing]
            piece = [crossing]


def _bands(weeks: Sequence[WeekRow], time: alt.X, value: alt.Y) -> Iterator[alt.Chart]:
    """Show the intervals; a week without one leaves a gap."""
    for name, colour in (("first", FIRST), ("loop", LOOP)):
        rows: Rows = [
            {
                "at": _stamp(week.start),
                "value": _known(getattr(week, f"{name}_low")),
                "to": _known(getattr(week, f"{name}_high")),
            }
            for week in weeks
        ]
        band = alt.Chart(alt.Data(values=rows, name=f"{name}-interval"))
        yield band.mark_area(color=colour, opacity=0.1, aria=False).encode(
            time, value, alt.Y2("to:Q")
        )


def _lines(weeks: Sequence[WeekRow], time: alt.X, value: alt.Y) -> Iterator[alt.Chart]:
    """Draw the two lines; a dot marks each week, so that a week alone is seen too."""
    for name, colour, width in (("first", FIRST, 1.6), ("loop", LOOP, 2.4)):
        rows: Rows = [{"at": _stamp(w.start), "value": _known(getattr(w, name))} for w in weeks]
        dot = alt.OverlayMarkDef(color=colour, size=9 * width, filled=True, opacity=1)
        line = alt.Chart(alt.Data(values=rows, name=name))
        yield line.mark_line(color=colour, strokeWidth=width, strokeJoin="round", point=dot).encode(
            time, value
        )


def _champions(weeks: Sequence[WeekRow], time: alt.X) -> Iterator[alt.Chart]:
    """Mark the weeks in which a new champion went live, along the foot of the picture."""
    rows: Rows = [
        {"at": _stamp(w.start), "champion": f"{w.champion} went live on {w.start:%Y-%m-%d}"}
        for w in weeks
        if w.retrained
    ]
    if not rows:
        return
    ticks = alt.Chart(alt.Data(values=rows, name="champions"))
    yield ticks.mark_rule(color=LOOP, strokeWidth=2, strokeCap="round").encode(
        time, y=alt.value(HEIGHT - 13), y2=alt.value(HEIGHT - 4), description="champion:N"
    )
    words = f"{len(rows)} new champion{'s' if len(rows) > 1 else ''}"
    yield _label(words, HEIGHT - 8, LOOP, weight="normal", size=12)


def _ends(weeks: Sequence[WeekRow], span: tuple[float, float]) -> Iterator[alt.Chart]:
    """Name the lines where they end, moved apart when they end together."""
    low, high = span
    level = {}
    for name in ("loop", "first"):
        known = [getattr(w, name) for w in weeks if math.isfinite(getattr(w, name))]
        level[name] = HEIGHT * (high - known[-1]) / (high - low) if known else HEIGHT / 2
    upper, lower = sorted(level, key=lambda name: (level[name], name != "loop"))
    short = max(0.0, 40 - (level[lower] - level[upper])) / 2
    level[upper] = min(max(level[upper] - short, 8), HEIGHT - 90)
    level[lower] = min(max(level[lower] + short, level[upper] + 40), HEIGHT - 46)
    yield _label("the loop", level["loop"], LOOP, weight="bold", size=14)
    yield _label("first model,", level["first"], FIRST, weight="bold", size=14)
    yield _label("never retrained", level["first"] + 17, FIRST, weight="normal", size=12)


def _label(
    text: str, y: float, colour: str, *, weight: Literal["normal", "bold"], size: int
) -> alt.Chart:
    """Write beside the picture, at the end of what is named."""
    label = alt.Chart(alt.Data(values=[{"words": text}], name=text)).mark_text(
        align="left", baseline="middle", color=colour, fontWeight=weight, fontSize=size
    )
    return label.encode(x=alt.value(WIDTH + 12), y=alt.value(y), text="words:N")


def _look(chart: alt.LayerChart) -> alt.LayerChart:
    """Give the chart the look of the house."""
    title: dict[str, Any] = {"fontSize": 21, "fontWeight": 700, "color": INK}
    subtitle: dict[str, Any] = {"subtitleFontSize": 14, "subtitleColor": QUIET}
    words: dict[str, Any] = {"labelColor": QUIET, "labelFontSize": 12, "titleColor": QUIET}
    lines: dict[str, Any] = {"tickColor": HAIR, "gridColor": HAIR}
    beside: dict[str, Any] = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end"}
    return (
        chart.configure(font=FONT, padding=22)
        .configure_view(stroke=None)
        .configure_title(**title, **subtitle, subtitleLineHeight=20, subtitlePadding=8)
        .configure_axis(**words, **lines, titleFontSize=12, titleFontWeight=400)
        .configure_axisX(labelPadding=6, titlePadding=10, domainColor=HAIR)
        .configure_axisY(
            **beside,
            titleX=-36,
            titleBaseline="bottom",
            titleY=-8,
            domain=False,
            ticks=False,
            labelPadding=8,
        )
    )
