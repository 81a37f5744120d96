"""What a backtest found, as a value to look at: printed, in a notebook, as a page, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from tidemill.core.errors import MissingExtra
from tidemill.core.ports import Json

_ROWS = pa.schema(
    [
        ("name", pa.string()),
        ("kind", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("against", pa.string()),
        ("gain", pa.float64()),
        ("verdict", pa.string()),
        ("retrains", pa.float64()),
        ("refused", pa.float64()),
        ("failed", pa.float64()),
        ("labels", pa.int64()),
        ("seconds", pa.float64()),
        ("cost", pa.float64()),
        ("opportunity", pa.float64()),
    ]
)


class Backtest:
    """The report of a backtest.

    Shown by itself at the end of a notebook's cell; ``print`` it anywhere else.

    Parameters
    ----------
    document
        The plain report, as :meth:`to_dict` returns it.
    """

    def __init__(self, document: Json) -> None:
        self._document = document

    @property
    def table(self) -> pa.Table:
        """One row a strategy: what it reached, against whom, and what it took.

        ``gain`` is the difference to ``against``, positive is better, and ``low`` and ``high``
        are the ends of its interval; null where a row was not compared.
        """
        compared = {c["name"]: c for c in self._document["comparisons"]}
        rows = []
        for one in self._document["strategies"]:
            found = compared.get(one["name"])
            gain = {} if found is None else found["this_history"]
            rows.append(
                {
                    **{name: one.get(name) for name in _ROWS.names},
                    "low": gain.get("low"),
                    "high": gain.get("high"),
                    "gain": gain.get("value"),
                    "against": None if found is None else found["against"],
                    "verdict": None if found is None else found["verdict"],
                    "cost": None if one["cost"] is None else one["cost"]["total"],
                }
            )
        return pa.Table.from_pylist(rows, schema=_ROWS)

    @property
    def comparisons(self) -> list[Json]:
        """Every strategy against the baseline, with both intervals."""
        return list(self._document["comparisons"])

    @property
    def conclusion(self) -> list[str]:
        """What follows, in plain sentences, the most important first."""
        return list(self._document["conclusion"])

    def to_dict(self) -> Json:
        """Return the report as plain JSON; its keys are in docs/json.md."""
        return self._document

    def save_html(self, path: str | Path) -> Path:
        """Write the report as one HTML file that needs no network.

        Raises
        ------
        MissingExtra
            If Altair is not installed.
        """
        try:
            from tidemill.faces.report.page import page

            text = page(self._document)
        except ModuleNotFoundError as error:
            raise _no_altair(error) from None
        Path(path).write_text(text, encoding="utf-8")
        return Path(path)

    def plot(self) -> Any:
        """Return the chart of performance over time, an Altair chart that can be changed.

        Raises
        ------
        MissingExtra
            If Altair is not installed.
        """
        try:
            from tidemill.faces.report import charts
        except ModuleNotFoundError as error:
            raise _no_altair(error) from None
        return charts.performance(self._document)

    def __str__(self) -> str:
        from tidemill.faces.report.terminal import text

        return text(self._document)

    def __repr__(self) -> str:
        names = ", ".join(
            s["name"] for s in self._document["strategies"] if s["kind"] != "reference"
        )
        return f"<Backtest of {names} on {self._document['title']}>"

    def _repr_html_(self) -> str:
        """Return a small static table for a notebook; whatever users named is escaped."""
        from tidemill.faces.report.markup import el
        from tidemill.faces.report.standings import baseline, currency, model, standings

        money = currency(self._document)
        heads = ["strategy", self._document["metric"]["words"]]
        heads += [f"against {baseline(self._document) or '-'}", "verdict", "retrains"]
        heads += ["labels", "fit s", *([money] if money else [])]
        rows = []
        for row in standings(self._document):
            gain = f"{row.gain} {row.interval}".strip()
            name = f"{row.name} ({row.short})" if row.short else row.name
            spent = [row.retrains, row.labels, row.seconds, *([row.cost] if money else [])]
            cells = [row.value, gain, row.verdict, *spent]
            rows.append(el("tr", el("th", name, scope="row"), *(el("td", c) for c in cells)))
        return str(
            el(
                "div",
                el("p", el("strong", model(self._document))),
                *(el("p", line) for line in self.conclusion),
                el(
                    "table",
                    el("thead", el("tr", *(el("th", h, scope="col") for h in heads))),
                    el("tbody", *rows),
                ),
            )
        )


def _no_altair(error: ModuleNotFoundError) -> Exception:
    if error.name != "altair":
        return error
    return MissingExtra(
        "charts need Altair, which is not installed.", fix="pip install 'tidemill[report]'."
    )
