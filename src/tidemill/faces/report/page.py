"""A backtest as one HTML file: no network, no server, readable in a browser and in an e-mail."""

from __future__ import annotations

from tidemill.core.ports import Json
from tidemill.faces.report import charts, sections
from tidemill.faces.report.look import PAGE
from tidemill.faces.report.markup import el
from tidemill.faces.report.shell import shell


def page(backtest: Json) -> str:
    """Make the page of a backtest.

    Parameters
    ----------
    backtest
        The document that ``Backtest.to_dict()`` returns.

    Returns
    -------
    str
        One HTML document with its styles, scripts and data in it. Its own policy forbids it every
        connection and every script but its own, which never call ``eval``.

    Raises
    ------
    MissingExtra
        When Altair is not installed.
    """
    made = {
        "performance": charts.performance(backtest, look=PAGE, controls=False),
        "lanes": charts.lanes(backtest, look=PAGE),
        "labels": charts.labels(backtest, look=PAGE),
        "compute": charts.compute(backtest, look=PAGE),
        "front": charts.front(backtest, look=PAGE),
    }
    # Not validated here, which takes as long as all the rest: a test does, for every kind of document.
    specs = {name: chart.to_dict(validate=False) for name, chart in made.items()}
    inside = [
        sections.defined(),
        sections.top(backtest["title"]),
        el("main", *sections.main(backtest)),
        sections.foot(backtest),
    ]
    return shell(f"Should you have retrained? {backtest['title']}", inside, specs)
