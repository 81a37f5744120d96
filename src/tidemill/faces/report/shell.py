"""What every page is: one HTML file that needs no network, whatever stands in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from tidemill.faces.report.markup import Html, data, el, raw, together

_SCRIPTS = ("vega.min.js", "vega-lite.min.js", "vega-interpreter.js", "page.js")


def shell(title: str, inside: Iterable[Html], specs: Mapping[str, Any]) -> str:
    """Make a page.

    Parameters
    ----------
    title
        What the browser calls it.
    inside
        What stands in its body.
    specs
        The Vega-Lite specification of each chart; it is drawn in the element ``chart-NAME``.

    Returns
    -------
    str
        One HTML document with its styles, scripts and data in it. Its own policy forbids it every
        connection and every script but its own, which never call ``eval``.
    """
    scripts = [_script(name) for name in _SCRIPTS]
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        raw("style", _asset("page.css")),
    )
    body = el(
        "body", *inside, data("charts", specs), *(raw("script", script) for script in scripts)
    )
    return together([Html("<!doctype html>"), el("html", head, body, lang="en")]) + "\n"


def card(heading: str, lead: str, *inside: Html) -> Html:
    """Make a section with its heading and a sentence on how to read it."""
    said = [el("p", lead, class_="lead")] if lead else []
    return el("section", el("h2", heading), *said, *inside, class_="card")


def figure(name: str, told: str, *, caption: str = "") -> Html:
    """Make the place of a chart, told in words for those who do not see it."""
    without = el("noscript", el("p", "The chart needs scripts; the tables say the same."))
    chart = el("div", id=f"chart-{name}", class_="chart", role="img", aria_label=told)
    return el("figure", chart, without, el("figcaption", caption) if caption else Html())


def scrolled(name: str, *inside: Html, tall: bool = False) -> Html:
    """Let a wide table scroll by itself, with the keyboard too."""
    return el(
        "div",
        el("table", *inside, aria_label=name),
        class_="scroll tall" if tall else "scroll",
        tabindex=0,
        role="region",
        aria_label=name,
    )


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
