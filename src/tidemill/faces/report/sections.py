"""The page of a backtest, section by section: the conclusion on top, the evidence below."""

from __future__ import annotations

from collections.abc import Iterator

from tidemill.core.ports import Json
from tidemill.faces.report import tables
from tidemill.faces.report.charts import chosen, shown
from tidemill.faces.report.curves import against, has_prices
from tidemill.faces.report.look import PAGE, Line, drawn
from tidemill.faces.report.markup import Html, el, together
from tidemill.faces.report.numbers import NOTHING, count, day, noun, score
from tidemill.faces.report.shell import card, figure
from tidemill.faces.report.standings import currency, is_hindsight, model, spent, understood


def defined() -> Html:
    """Define the hatching of the windows whose labels are still coming."""
    stroke = el("path", d="M0 6L6 0", style="stroke:var(--stripe);stroke-width:1.2")
    size = {"width": 6, "height": 6, "patternUnits": "userSpaceOnUse"}
    pattern = el("pattern", stroke, id="hatch", **size)
    tip = el("div", id="tip", hidden=True, aria_hidden="true")
    skip = el("a", "Skip to the conclusion", href="#conclusion", class_="skip")
    return together(
        [
            skip,
            el("svg", el("defs", pattern), width=0, height=0, aria_hidden="true", style=_AWAY),
            tip,
        ]
    )


_AWAY = "position:absolute"
_MANY = 10
"""From how many strategies on their names take a line of their own."""


def top(title: str) -> Html:
    """Make the bar with the name of what was read."""
    wave = el(
        "path",
        d="M2 8c3-4 5-4 8 0s5 4 8 0M2 14c3-4 5-4 8 0s5 4 8 0",
        style="fill:none;stroke:var(--accent);stroke-width:2.4;stroke-linecap:round",
    )
    sign = el("svg", wave, viewBox="0 0 20 20", aria_hidden="true")
    brand = el("span", sign, "tidemill", class_="brand")
    return el("header", el("div", brand, el("span", title, class_="file")), class_="top")


def main(backtest: Json) -> Iterator[Html]:
    """Yield the sections."""
    yield _answer(backtest)
    yield _performance(backtest)
    yield card(
        "What it came to",
        tables.lead(backtest),
        tables.totals(backtest),
        tables.notes(backtest),
    )
    yield el("div", _future(backtest), _front(backtest), class_="two")
    yield card(
        "When each strategy retrained",
        "A bar is a model that went live, a cross one that did not.",
        figure("lanes", _lanes_told(backtest)),
        tables.decisions(backtest),
    )
    yield el("div", _labels(backtest), _compute(backtest), class_="two")
    yield _validity(backtest)


def foot(backtest: Json) -> Html:
    """Say what the comparison itself took, and what it was made from."""
    made = f"Made by tidemill from a document of schema {backtest['schema']}."
    return el("footer", el("p", spent(backtest)), el("p", made), class_="foot")


def _answer(backtest: Json) -> Html:
    first, *rest = backtest["conclusion"] or ["Nothing was concluded."]
    yours = backtest["model"]["yours"]
    history = backtest["history"]
    names = ", ".join(feature["name"] for feature in history["features"])
    facts = [*understood(backtest), ("columns", names or NOTHING)]
    said = [("ASSUMED", "unsure", line) for line in history["assumed"]]
    said += [("WARNING", "worse", line) for line in history["warnings"]]
    return el(
        "section",
        el(
            "div",
            el("h1", "Should you have retrained?", id="conclusion"),
            el("p", first, class_="first"),
            el("ul", *(el("li", line) for line in rest), class_="rest") if rest else Html(),
            _said(said),
        ),
        el(
            "div",
            el("p", model(backtest), class_="pill model" if yours else "pill model unsure"),
            el("dl", *(_fact(name, value) for name, value in facts), class_="facts"),
        ),
        class_="card answer told",
    )


def _fact(name: str, value: str) -> Html:
    return together([el("dt", name), el("dd", value)])


def _said(said: list[tuple[str, str, str]]) -> Html:
    if not said:
        return Html()
    rows = (
        el("li", el("span", word, class_=f"pill {kind}"), el("span", line))
        for word, kind, line in said
    )
    return el("ul", *rows, class_="said")


def _performance(backtest: Json) -> Html:
    words, step = backtest["metric"]["words"], backtest["history"]["step"]
    better = "higher" if backtest["metric"]["higher_is_better"] else "lower"
    lead = f"{words} in each window of {step}; {better} is better."
    told = f"Lines over time: {words} of each strategy in each window. {_means(backtest)}"
    return card(
        "Performance over time",
        lead,
        _controls(backtest),
        _key(),
        figure("performance", told, caption=_opportunity(backtest)),
        el("details", el("summary", "The same as a table"), tables.windows(backtest)),
    )


def _means(backtest: Json) -> str:
    parts = (f"{s['name']} {score(s['value'])}" for s in backtest["strategies"])
    return f"Over all steps: {', '.join(parts)}."


def _controls(backtest: Json) -> Html:
    lines, on, first = drawn(backtest, PAGE), shown(backtest), chosen(backtest)
    chips = (_chip(name, line, on=name in on) for name, line in lines.items())
    options = (
        el("option", s["name"], selected=s["name"] == first, data_opportunity=_cost(backtest, s))
        for s in backtest["strategies"]
    )
    others = (el("option", name) for name in against(backtest))
    box = el("input", type="checkbox", id="known-then")
    return el(
        "div",
        el(
            "fieldset",
            el("legend", "Show"),
            el("div", *chips, class_="chips"),
            class_="many" if len(lines) > _MANY else None,
        ),
        el("label", el("span", "Shade"), el("select", *options, id="chosen"), class_="pick"),
        el("label", el("span", "against"), el("select", *others, id="versus"), class_="pick"),
        el("label", box, "as known then", class_="tick"),
        class_="controls",
    )


def _chip(name: str, line: Line, *, on: bool) -> Html:
    box = el("input", type="checkbox", name="shown", value=name, checked=on, autocomplete="off")
    return el("label", box, tables.swatch(line), el("span", name), class_="chip", title=name)


def _key() -> Html:
    def area(colour: str) -> Html:
        style = f"fill:var(--{colour});opacity:.3"
        return el("svg", el("rect", width=20, height=12, rx=2, style=style), aria_hidden="true")

    hatched = el("rect", width=20, height=12, rx=2, style="fill:url(#hatch);stroke:var(--stripe)")
    tick = el("path", d="M10 0V12", style="stroke:var(--ink);stroke-width:2")
    entries = (
        (area("behind"), "behind: opportunity cost"),
        (area("ahead"), "ahead"),
        (el("svg", tick, aria_hidden="true"), "retrain of the shaded one"),
        (el("svg", hatched, aria_hidden="true"), "labels still coming"),
    )
    return el("div", *(el("span", sign, words) for sign, words in entries), class_="key")


def _cost(backtest: Json, strategy: Json) -> str:
    if is_hindsight(strategy):
        return f"{strategy['name']} is the bound itself: chosen knowing what came."
    if strategy["opportunity"] is None:
        return f"{strategy['name']}: no opportunity cost is known."
    unit = currency(backtest) or backtest["metric"]["words"]
    amount = (
        count(strategy["opportunity"]) if currency(backtest) else score(strategy["opportunity"])
    )
    return (
        f"{strategy['name']} cost {amount} {unit} more than the hindsight optimum, "
        "which is a bound nobody could have reached."
    )


def _opportunity(backtest: Json) -> Html:
    first = chosen(backtest)
    told = [_cost(backtest, s) for s in backtest["strategies"] if s["name"] == first]
    return el("span", *told, id="opportunity", aria_live="polite")


def _future(backtest: Json) -> Html:
    lead = (
        "The interval above is about this history. This one asks what periods like these would "
        "bring; without enough of them, or with a trend, nothing is claimed."
    )
    return card("In periods like these", lead, tables.periods(backtest))


def _front(backtest: Json) -> Html:
    what = "money" if has_prices(backtest) else "seconds of fits"
    best = [s["name"] for s in backtest["strategies"] if s["on_front"]]
    names = ", ".join(best) or "none"
    lead = f"What each took, in {what}, against what it reached. On the front: {names}."
    told = f"Points: {what} against {backtest['metric']['words']}. On the front: {names}."
    return card("Effort against performance", lead, figure("front", told))


def _lanes_told(backtest: Json) -> str:
    parts = (f"{s['name']} {noun(s['retrains'], 'time')}" for s in backtest["strategies"])
    return f"Marks over time, a lane for each strategy. Retrained: {', '.join(parts)}."


def _labels(backtest: Json) -> Html:
    history = backtest["history"]
    lead = f"Rows of each window of {history['step']}, and in colour those with a label."
    total = f"{count(history['labelled'])} of {count(history['rows'])} rows have a label"
    told = f"Bars over time. {total}, {day(history['first'])} to {day(history['last'])}."
    return card("Labels", lead, figure("labels", told))


def _compute(backtest: Json) -> Html:
    parts = (f"{s['name']} {score(s['seconds'])}" for s in backtest["strategies"])
    told = f"Rising lines over time. Seconds of fits in the end: {', '.join(parts)}."
    lead = "Seconds of fits, added up; every fit of a strategy counts alike."
    return card("Compute", lead, figure("compute", told))


def _validity(backtest: Json) -> Html:
    rows = (
        el(
            "div",
            el("h3", row["question"]),
            el("p", row["answer"], class_="reply"),
            el("p", row["why"], class_="quiet"),
        )
        for row in backtest["validity"]
    )
    return card("Can it be trusted?", "", el("div", *rows, class_="validity"))
