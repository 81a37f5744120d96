"""How far a long command is, shown while it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from tidemill.faces.cli.options import Options
from tidemill.faces.cli.printing import err

Told = Callable[[float, str], None]


@contextmanager
def progress(options: Options) -> Generator[Told | None]:
    """Give what is to be told how far it is, from 0 to 1; None where nobody watches."""
    if not sys.stderr.isatty() or options.json:
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    shown = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    words = TextColumn("{task.description}")
    with Progress(*shown, words, console=err(), transient=True) as bar:
        task = bar.add_task("begins", total=1.0)
        yield lambda done, what: bar.update(task, completed=done, description=what)
