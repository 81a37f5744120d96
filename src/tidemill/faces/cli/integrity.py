"""``tidemill check``."""

from __future__ import annotations

from rich.console import Console

from tidemill.core.errors import TidemillError
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, count


def check(*, options: Options = USUAL) -> Exit:
    """Look again at every invariant of the project, its data and its strategy file.

    Ends with 4 when something is wrong. The digest says what was decided: two projects that
    decided the same on the same data have the same one.
    """
    from tidemill.strategy.check import digest, problems

    with options.open() as mill:
        found, strategy = problems(mill.world), None
        try:
            strategy = mill.strategy.hash
        except TidemillError as error:
            found.append(str(error))
        try:
            decided = digest(mill.world)
        except TidemillError:
            decided = None  # what keeps it from being read is among the problems
    document = {
        "ok": not found,
        "problems": found,
        "digest": decided,
        "strategy": strategy,
    }

    def show(out: Console) -> None:
        if not found:
            out.print(f"All is well. Digest of all that was decided: {decided}")
            return
        out.print(f"{count(len(found), 'problem')}:", style="bold")
        for line in found:
            out.print(f"  {line}", soft_wrap=True)

    answer(document, options, show)
    return Exit.PROBLEMS if found else Exit.DONE
