"""A backtest as one HTML file: no network, no server, readable in a browser and in an e-mail."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from tidemill.core.ports import Json
from tidemill.faces.report import charts, sections
from tidemill.faces.report.look import PAGE
from tidemill.faces.report.markup import Html, data, el, raw, together

_SCRIPTS = ("vega.min.js", "vega-lite.min.js", "vega-interpreter.js", "page.js")


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
    scripts = [_script(name) for name in _SCRIPTS]
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"Should you have retrained? {backtest['title']}"),
        raw("style", _asset("page.css")),
    )
    body = el(
        "body",
        sections.defined(),
        sections.top(backtest),
        el("main", *sections.main(backtest)),
        sections.foot(backtest),
        data("charts", specs),
        *(raw("script", script) for script in scripts),
    )
    return together([Html("<!doctype html>"), el("html", head, body, lang="en")]) + "\n"


def _policy(scripts: list[str]) -> str:
    """Allow the scripts by their hashes, styles (the charts set some), and nothing else."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return (files("tidemill.faces.report") / "assets" / name).read_text(encoding="utf-8")


def _script(name: str) -> str:
    """Read a script; the one that comes as a module is given what it imports from vega."""
    text = _asset(name)
    if name == "vega-interpreter.js":
        imports, body = text.split("\n", 1)
        body, exports = body.split("\nexport ", 1)
        taken = imports.removeprefix("import ").split(" from ")[0]
        given = exports.split(" as ")[0].removeprefix("{ ")
        text = f"const vegaInterpreter = (() => {{ const {taken} = vega; {body}\nreturn {given}; }})();"
    return "\n".join(line for line in text.splitlines() if not line.startswith("//# source"))
