"""The options that every command takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from tidemill.core.clock import Clock
    from tidemill.project import Mill

EVERY = Group("Options of every command", sort_key=10)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that every command takes.

    Parameters
    ----------
    project
        The folder of the project.
    json
        Print one JSON document on standard output.
    debug
        Show the traceback of an error.
    """

    project: Annotated[Path, Parameter(group=EVERY)] = Path()
    json: Annotated[bool, Parameter(group=EVERY, negative=(), show_default=False)] = False
    debug: Annotated[bool, Parameter(group=EVERY, negative=(), show_default=False)] = False

    def open(self, *, clock: Clock | None = None, show_sql: bool = False) -> Mill:
        """Open the project; with ``show_sql`` queries on tables of the user's go to stderr."""
        from tidemill.faces.cli.printing import note
        from tidemill.project import open_project

        return open_project(self.project, clock=clock, show_sql=note if show_sql else None)

    def command(self, words: str) -> str:
        """Write a command as the user would type it for this project."""
        where = "" if self.project == Path() else f" --project {self.project}"
        return f"tidemill {words}{where}"


USUAL = Options()
