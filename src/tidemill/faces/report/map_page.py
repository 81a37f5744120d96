"""Two tables on one map, as one HTML file."""

from __future__ import annotations

from typing import Any

from tidemill.core.ports import Json
from tidemill.faces.report import channels, sections
from tidemill.faces.report.look import PAGE
from tidemill.faces.report.markup import el
from tidemill.faces.report.numbers import count
from tidemill.faces.report.shell import card, figure, shell

HEIGHT = 480
_WARNING = (
    "Rows that are alike lie near each other. How large a cluster is, and how far clusters are "
    "apart, means nothing, and a map is no evidence: the verdicts of tidemill drift are."
)


def page(found: Json) -> str:
    """Make the page of a map.

    Parameters
    ----------
    found
        The document that ``map_of`` returns.

    Raises
    ------
    MissingExtra
        When Altair is not installed.
    """
    sides = [p["side"] for p in found["points"]]
    counts = {side: sides.count(side) for side in ("reference", "current")}
    told = " and ".join(f"{count(n)} rows of {side}" for side, n in counts.items())
    left = f" Without {', '.join(found['left_out'])}." if found["left_out"] else ""
    title = f"{found['reference']} → {found['current']}"
    caption = f"{found['method']} of {', '.join(found['columns'])}.{left}"
    body = card("Which rows are alike", _WARNING, figure("map", told, caption=caption))
    heading = el("h1", "Reference and current on one map", id="conclusion")
    inside = [
        sections.defined(),
        sections.top(title),
        el("main", el("section", heading, el("p", told), class_="card"), body),
    ]
    return shell(f"Map of {title}", inside, {"map": chart(found).to_dict(validate=False)})


def chart(found: Json) -> Any:
    """Draw each row as a point, the reference behind."""
    alt = channels.altair()
    colours = alt.Scale(domain=["reference", "current"], range=[PAGE.quiet, PAGE.strategies[1]])
    bare: dict[str, Any] = {"title": None, "axis": None}
    rows = sorted(found["points"], key=lambda p: p["side"] != "reference")
    drawn = (
        alt.Chart(alt.NamedData("rows"))
        .mark_point(filled=True, size=28, opacity=0.55)
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(zero=False), **bare),
            y=alt.Y("y:Q", scale=alt.Scale(zero=False), **bare),
            color=alt.Color("side:N", scale=colours, title=None),
            shape=alt.Shape("side:N", title=None),
        )
        .properties(width="container", height=HEIGHT)
    )
    return channels.looking(drawn, PAGE, rows=rows)
