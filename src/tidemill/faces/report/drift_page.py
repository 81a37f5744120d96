"""What drifted, as one HTML file: the answer, the table, both distributions of each column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidemill.core.ports import Json
from tidemill.faces.report import drift_charts, sections
from tidemill.faces.report.drift_terminal import said, side, size
from tidemill.faces.report.look import PAGE
from tidemill.faces.report.markup import Html, el, together
from tidemill.faces.report.numbers import count, noun
from tidemill.faces.report.shell import card, figure, scrolled, shell

_PILLS = {
    "ALERT": ("worse", "▲ alert"),
    "WARN": ("unsure", "! warn"),
    "OK": ("better", "= ok"),
    "NO_VERDICT": ("", "? no verdict"),
}
_TALL = 40


def page(found: Json) -> str:
    """Make the page of a comparison.

    Parameters
    ----------
    found
        The document that ``Drift.to_dict()`` returns.

    Returns
    -------
    str
        One HTML document that needs no network: shares of bars and names of categories, no rows.

    Raises
    ------
    MissingExtra
        When Altair is not installed.
    """
    specs: dict[str, Any] = {}
    drawn: list[tuple[str, Json]] = []
    for k, column in enumerate(found["columns"]):
        chart = drift_charts.bars(column, look=PAGE)
        if chart is not None:
            specs[f"c{k}"] = chart.to_dict(validate=False)
            drawn.append((f"c{k}", column))
    title = f"{found['reference']['name']} → {found['current']['name']}"
    inside = [
        sections.defined(),
        sections.top(title),
        el("main", *_main(found, drawn)),
        el(
            "footer",
            el("p", f"Made by tidemill from a document of schema {found['schema']}."),
            class_="foot",
        ),
    ]
    return shell(f"Has it drifted? {title}", inside, specs)


def _main(found: Json, drawn: list[tuple[str, Json]]) -> Iterator[Html]:
    yield _answer(found)
    yield card(
        "Columns, the worst first",
        "The distance is what chance does not explain, with its 95 % interval; rows is the share "
        "of rows that would have to change for the windows to be alike.",
        _table(found),
    )
    if drawn:
        yield _charts(found, drawn)
    yield card("How a verdict is made", _verdicts(found))


def _answer(found: Json) -> Html:
    first, *rest = found["conclusion"]
    counts = found["counts"]
    pills = [
        el("span", f"{words} {count(counts[verdict])}", class_=f"pill {kind}".strip())
        for verdict, (kind, words) in _PILLS.items()
        if counts[verdict]
    ]
    facts = [("reference", side(found["reference"])), ("current", side(found["current"]))]
    return el(
        "section",
        el(
            "div",
            el("h1", "Has it drifted?", id="conclusion"),
            el("p", first, class_="first"),
            el("ul", *(el("li", line) for line in rest), class_="rest"),
        ),
        el(
            "div",
            el("p", *pills, class_="chips"),
            el("dl", *(together([el("dt", n), el("dd", v)]) for n, v in facts), class_="facts"),
        ),
        class_="card answer told",
    )


def _table(found: Json) -> Html:
    names = ("Column", "Verdict", "What changed", "Distance", "Rows", "p, all tests", "Why")
    right = {"Distance", "Rows", "p, all tests"}
    heads = (el("th", n, scope="col", class_="n" if n in right else None) for n in names)
    rows = [_row(column) for column in found["columns"]]
    return scrolled(
        "Columns",
        el("thead", el("tr", *heads)),
        el("tbody", *rows),
        tall=len(rows) > _TALL,
    )


def _row(column: Json) -> Html:
    value, interval = size(column)
    p = column["adjusted"]
    share = "" if column["share"] is None else f"{100 * column['share']:.1f} %"
    silent = column["verdict"] == "NO_VERDICT"
    return el(
        "tr",
        el("th", column["column"], el("small", column["kind"]), scope="row"),
        el("td", pill(column["verdict"])),
        el("td", column["words"], class_="long"),
        el(
            "td",
            value,
            *([el("small", f" {interval}", class_="quiet")] if interval else []),
            class_="n",
        ),
        el("td", share, class_="n"),
        el("td", "" if p is None else "< 1e-12" if p < 1e-12 else f"{p:.2g}", class_="n"),  # noqa: PLR2004
        el("td", said(column) if silent else column["why"], class_="long quiet"),
    )


def pill(verdict: str) -> Html:
    """Write a verdict as a pill: by colour, sign and word."""
    kind, words = _PILLS[verdict]
    return el("span", words, class_=f"pill {kind}".strip())


def _charts(found: Json, drawn: list[tuple[str, Json]]) -> Html:
    def box(variable: str) -> Html:
        return el(
            "span", class_="swatch-box", style=f"background:var({variable})", aria_hidden="true"
        )

    key = el(
        "p",
        el("span", box("--usual"), f"reference: {found['reference']['name']}"),
        el("span", box("--s1"), f"current: {found['current']['name']}"),
        class_="key",
    )
    left = len(found["columns"]) - len(drawn)
    lead = "Shares of all rows; what is beyond the outer bars is in them."
    if left:
        lead += f" {noun(left, 'column')} {'is' if left == 1 else 'are'} only in the table."
    return el(
        "section",
        el("h2", "Both distributions"),
        el("p", lead, class_="lead"),
        key,
        el("div", *(_drawn(name, column) for name, column in drawn), class_="columns"),
    )


def _drawn(name: str, column: Json) -> Html:
    rest = [b for b in column["distribution"]["bars"] if b.get("rest")]
    caption = ", ".join(
        f"{b['value']}: {100 * b['reference']:.1f} % → {100 * b['current']:.1f} %" for b in rest
    )
    told = f"Distribution of {column['column']} in both windows. {said(column)}"
    return el(
        "article",
        el("header", el("h3", column["column"]), pill(column["verdict"])),
        el("p", said(column)),
        figure(name, told, caption=caption),
        class_="card column",
    )


def _verdicts(found: Json) -> str:
    floors = found["floors"]
    unit = "days" if found["units"] == "days" else "rows"
    return (
        f"ALERT: chance among {unit} makes no such change in {100 * (1 - found['alpha']):g} % of "
        f"comparisons of all columns together (Holm, {count(found['tests'])} tests), and it is at "
        f"least {floors['number']:g} robust sd (numbers), {100 * floors['category']:g} % of rows "
        f"(categories, missing values) or {100 * floors['unknown']:g} % of rows the reference does "
        "not know. WARN: only one of both holds for sure; NO_VERDICT: a change twice as large as "
        "that would be missed more often than not, or nothing can be measured."
    )
