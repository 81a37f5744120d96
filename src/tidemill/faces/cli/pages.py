"""Whether a page can be written, said before anything long begins."""

from __future__ import annotations

from pathlib import Path

from tidemill.core.errors import BadValue, MissingExtra


def can_draw(html: Path | None, *, option: str = "--html") -> None:
    """Say before anything long begins that the page could not be made.

    Raises
    ------
    BadValue
        If its folder does not exist.
    MissingExtra
        If Altair is not installed.
    """
    if html is None:
        return
    if not html.resolve().parent.is_dir():
        raise BadValue(
            f"{option} {html}: there is no folder {html.parent}.", fix="make it, or give another."
        )
    try:
        import altair as alt  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ModuleNotFoundError:
        raise MissingExtra(
            "the page needs Altair, which is not installed.",
            fix=f"pip install 'tidemill[report]', or leave {option} out.",
        ) from None
