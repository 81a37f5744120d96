"""Elements of the page; whatever is not an element already is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape

_VOID = {"input", "meta"}


class Html(str):
    """Text that is markup; only this module makes it from other text."""

    __slots__ = ()


def el(tag: str, *inside: str, **attributes: str | int | bool | None) -> Html:
    """Make an element.

    Parameters
    ----------
    tag
        Its name.
    *inside
        What it holds; what is not ``Html`` is escaped.
    **attributes
        Its attributes: ``class_`` is ``class``, ``aria_label`` is ``aria-label``, True is bare,
        and None and False leave it out.

    Examples
    --------
    >>> el("td", "</td><img>", class_="number")
    '<td class="number">&lt;/td&gt;&lt;img&gt;</td>'
    >>> el("p", el("b", "a"), hidden=True, title='"')
    '<p hidden title="&quot;"><b>a</b></p>'
    """
    named = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Html(f"<{tag}{named}>")
    return Html(f"<{tag}{named}>{together(inside)}</{tag}>")


def together(parts: Iterable[str]) -> Html:
    """Put parts one after the other; what is not ``Html`` is escaped.

    Examples
    --------
    >>> together([el("i", "x"), "<"])
    '<i>x</i>&lt;'
    """
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def data(name: str, document: object) -> Html:
    r"""Put a document into the page for its script to read; nothing in it can end the element.

    Examples
    --------
    >>> data("d", {"name": "</script>"})
    '<script type="application/json" id="d">{"name":"\\u003c/script\\u003e"}</script>'
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Html(f'<script type="application/json" id="{escape(name)}">{text}</script>')


def raw(tag: str, text: str) -> Html:
    """Put a script or a style sheet of our own into the page as it is."""
    return Html(f"<{tag}>{text}</{tag}>")


def _attribute(name: str, value: str | int | bool | None) -> str:  # noqa: FBT001 - bare or not
    if value is None or value is False:
        return ""
    written = name.rstrip("_").replace("_", "-")
    return f" {written}" if value is True else f' {written}="{escape(str(value))}"'
