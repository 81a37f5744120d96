"""``tidemill init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.placing import UNPLACED, Placing
from tidemill.faces.cli.printing import answer
from tidemill.faces.cli.scaffold import STRATEGY_TEXT


def init(
    path: Path = Path(),
    /,
    *,
    state: Annotated[str | None, Parameter(metavar="URL")] = None,
    events: Annotated[str | None, Parameter(metavar="URL")] = None,
    tables: Placing = UNPLACED,
    options: Options = USUAL,
) -> Exit:
    """Make a project: project.toml, and a strategy.py of about 20 lines to change.

    Several machines turn one mill when each has a copy of both files and both options are
    given: docs/machines.md. With --records it works on a table that stays where it is:
    docs/sources.md.

    Parameters
    ----------
    path
        The folder; --project means the same here.
    state
        A PostgreSQL database for the state, such as 'postgresql://user:${PGPASSWORD}@host/db':
        the variable is read when the project is opened.
    events
        A place for tables and models, such as s3://bucket/prefix, or a folder all machines see.
    """
    from tidemill.project import CONFIG, STRATEGY, create_project

    folder = options.project if path == Path() else path
    kept = (folder / STRATEGY).exists()
    records, labels = tables.tables()
    where = {"state": state, "events": events}
    create_project(folder, strategy=STRATEGY_TEXT, records=records, labels=labels, **where)
    there = Options(project=folder)
    steps = [
        f"say what to change in {folder / STRATEGY}",
        *([there.command("check")] if state or events else []),
        *([there.command("records import FILE")] if records is None else []),
        *([there.command("labels import FILE")] if labels is None else []),
        there.command("plan"),
        there.command("run"),
    ]
    document = {
        "project": str(folder),
        "files": [str(folder / CONFIG), str(folder / STRATEGY)],
        "kept_strategy": kept,
        "next": steps,
    }

    def show(out: Console) -> None:
        out.print(f"Made a project at {folder}.")
        if kept:
            out.print(f"{folder / STRATEGY} was there already and stays as it is.")
        out.print("\nNext:", style="bold")
        for k, step in enumerate(steps, start=1):
            out.print(f"  {k}. {step}", soft_wrap=True)

    answer(document, options, show)
    return Exit.DONE
