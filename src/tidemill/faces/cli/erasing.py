"""``tidemill records erase``: a person's data goes, and who saw it is told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from tidemill.core.errors import BadValue
from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, err, note, table

if TYPE_CHECKING:
    from tidemill.strategy.erasing import Whose


def erase(
    *,
    unit: str | None = None,
    record: str | None = None,
    yes: Annotated[bool, Parameter(negative=())] = False,
    who: str | None = None,
    options: Options = USUAL,
) -> Exit:
    """Erase what is stored of a person, for ever, and say which models saw it.

    Records, labels, feedback and what was quarantined go, from tables, spools, datasets and
    job folders, with the bytes in files. Models and aggregates stay. Run again after it was
    stopped, it goes on.

    Parameters
    ----------
    unit
        All records of this unit, such as a user.
    record
        One record, by its id.
    yes
        Do not ask.
    who
        Who asks for it; the user of this machine if left out.
    """
    from tidemill.project import default_user
    from tidemill.strategy import erasing

    if (unit is None) == (record is None):
        raise BadValue("name one of --unit and --record.", fix="tidemill records erase --unit ID.")
    whose = erasing.Whose(unit=unit, record=record)
    with options.open() as mill:
        if not yes:
            _ask(whose, erasing.look(mill.world, whose).to_dict())
        told = None if options.json else (lambda what: note(f"erasing {what}"))
        found = erasing.erase(mill.world, whose, who=who or default_user(), told=told)
    document = {"unit": unit, "record": record, **found}
    document["next"] = options.command("run") if found["releases"] else None
    answer(document, options, lambda out: _show(out, whose.words, document))
    return Exit.DONE


def _ask(whose: Whose, found: Json) -> None:
    """Let a person say yes; where there is none to ask, refuse."""
    again = f"say --yes to erase {whose.words}."
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadValue(f"nothing was erased: {_counts(found)} would be, for ever.", fix=again)
    err().print(f"Of {whose.words}, for ever: {_counts(found)}.", soft_wrap=True)
    err().print("Erase it? [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadValue("nothing was erased.", fix=again)


def _counts(found: Json) -> str:
    rows = [f"{n:,} of {name.replace('_', ' ')}" for name, n in found["rows"].items()]
    rows += [f"{found['waiting']:,} in the spool"] if found["waiting"] else []
    return ", ".join(rows) or "no row"


def _show(out: Console, words: str, found: Json) -> None:
    if found["rows"] or found["waiting"] or found["datasets"]:
        out.print(f"Erased of {words}: {_counts(found)}.", soft_wrap=True)
    else:
        out.print(
            f"Nothing is left of {words}: erased at {at(found['erased_at'])}.", soft_wrap=True
        )
    for one in found["theirs"]:
        told = f"{count(one['rows'], 'row')} of {one['table']} in {one['where']}"
        out.print(
            f"Not erased: {told}, which tidemill only reads. Delete them there.", soft_wrap=True
        )
    if not found["releases"]:
        out.print("No model learnt from it or was tested on it.")
        return
    learnt = sum(1 for r in found["releases"] if r["learnt_from"])
    out.print(f"\n{count(learnt, 'release')} learnt from it: retrain, or retire them.\n")
    heads = ("release", "state", "dataset", "rows to train", "to test")
    rows = [
        (r["release"], r["state"], r["dataset"], f"{r['learnt_from']:,}", f"{r['tested_on']:,}")
        for r in found["releases"]
    ]
    out.print(table(heads, rows, right=("rows to train", "to test")))
    out.print(f"\nNext: {found['next']}", soft_wrap=True)
