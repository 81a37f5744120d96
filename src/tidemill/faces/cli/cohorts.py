"""``tidemill cohorts``: for whom is the model worse, and one command that makes them a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.console import Console

from tidemill.core.errors import BadValue, Busy
from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, count, table

if TYPE_CHECKING:
    from tidemill.project import Mill

app = App(name="cohorts", help="Groups of records: find those that do worse, add one.")

FOR = ("drop", "change")


@app.command
def find(
    *,
    metric: str = "",
    last: str = "30d",
    for_: Annotated[str, Parameter(name="--for")] = "drop",
    against: str = "",
    options: Options = USUAL,
) -> Exit:
    """Find the groups for whom the model is worse, or who explain why it got worse.

    Groups are searched in half of the days and tested in the other half; only what holds there,
    after a correction for all that were tested, is confirmed.

    Parameters
    ----------
    metric
        By which metric of the strategy; the first one if left out.
    last
        Of which time, from the newest record.
    for_
        ``drop`` for whom it is worse than elsewhere, ``change`` for whom it is worse than before.
    against
        For ``change``: how long the time before is; as long as the last one if left out.
    """
    from tidemill.strategy.watching import worse

    if for_ not in FOR:
        raise BadValue(f"--for {for_}: it is none of {', '.join(FOR)}.", fix="give one of them.")
    if against and for_ != "change":
        raise BadValue("--against is for --for change.", fix="add --for change.")
    with options.open() as mill:
        if for_ == "drop":
            document = worse.worse(mill.world, mill.strategy, metric=metric, last=last)
        else:
            document = worse.changed(
                mill.world, mill.strategy, metric=metric, last=last, against=against
            )
        document["kept"] = _kept(mill, document)
    answer(document, options, lambda out: _show(out, document, options))
    return Exit.DONE


def _kept(mill: Mill, document: Json) -> bool:
    """Keep what was found for ``cohorts add``; while a turn has the project it is only shown."""
    from tidemill.strategy.watching.worse import remember

    try:
        remember(mill.world, document)
    except Busy:
        return False
    return True


def _show(out: Console, found: Json, options: Options) -> None:
    span = f"{found['since'][:10]} to {found['until'][:10]}"
    before = "" if found["before"] is None else f", {found['before']:.4g} before"
    out.print(
        f"{found['metric']} is {found['value']:.4g}{before}: {count(found['rows'], 'record')} with "
        f"final labels in {count(found['windows'], 'base window')}, {span}.",
        soft_wrap=True,
    )
    if found["why"]:
        out.print(f"Nothing can be confirmed: {found['why']}.", soft_wrap=True)
    if not found["slices"]:
        out.print("No group stands out.")
        return
    out.print()
    drop = found["for"] == "drop"
    out.print(_drops(found["slices"]) if drop else _changes(found["slices"]))
    sure = [one for one in found["slices"] if one["confirmed"]]
    wanted = (sure or found["slices"])[0]["n"]
    if not sure:
        out.print("\nNone is confirmed: it may be chance.")
    if found["kept"]:
        out.print(f"\nNext: {options.command(f'cohorts add {wanted}')}", soft_wrap=True)


def _drops(slices: list[Json]) -> object:
    heads = ("n", "for whom", "records", "there, elsewhere", "worse by", "confirmed")
    rows = [
        (
            one["n"],
            one["where"],
            f"{one['rows']:,} ({_share(one['support'])})",
            f"{_number(one['value'])}, {_number(one['elsewhere'])}",
            _number(one["worse_by"])
            + ("" if one["at_least"] is None else f" (≥ {_number(one['at_least'])})"),
            _sure(one),
        )
        for one in slices
    ]
    return table(heads, rows, right=("n", "records", "worse by"))


def _changes(slices: list[Json]) -> object:
    heads = ("n", "for whom", "share", "value", "adds by rate, share", "confirmed")
    rows = [
        (
            one["n"],
            one["where"],
            f"{_share(one['support_before'])} → {_share(one['support'])}",
            f"{_number(one['value_before'])} → {_number(one['value'])}",
            f"{_number(one['adds_by_rate'])}, {_number(one['adds_by_share'])}",
            _sure(one),
        )
        for one in slices
    ]
    return table(heads, rows, right=("n",))


def _sure(one: Json) -> str:
    if one["p"] is None:
        return "too few windows"
    return f"{'yes' if one['confirmed'] else 'no'}, p = {one['p']:.2g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


@app.command
def add(
    wanted: str,
    /,
    *,
    where: str = "",
    found: int | None = None,
    options: Options = USUAL,
) -> Exit:
    """Make a group a cohort of the strategy; strategy.py gets one line more, and nothing else.

    The new file is loaded and asked of the records before it takes the place of the old one.

    Parameters
    ----------
    wanted
        The name of the cohort; or a number of the last ``cohorts find``, and it is named by its
        words.
    where
        Its condition, a Python expression of the records r, such as 'r.f_carrier == "9E"'.
    found
        Else a number of the last ``cohorts find``.
    """
    from tidemill.adapters.stores.files import write_whole
    from tidemill.core.errors import NotAllowed
    from tidemill.strategy.watching.cohorting import added, read_exactly

    with options.open() as mill:
        name, condition = _asked(mill, wanted, where, found)
        path = (Path(options.project) / "strategy.py").resolve()
        source = read_exactly(path)
        text, document = added(mill.world, mill.strategy, source, path, name=name, where=condition)
        if read_exactly(path) != source:
            raise NotAllowed("strategy.py was changed meanwhile.", fix="run it again.")
        mode = path.stat().st_mode
        write_whole(path, text.encode())
        path.chmod(mode)
    document["file"] = str(path)
    answer(document, options, lambda out: _added(out, document, options))
    return Exit.DONE


def _asked(mill: Mill, wanted: str, where: str, found: int | None) -> tuple[str, str]:
    """Return the name and the condition of the new cohort."""
    from tidemill.strategy.watching.worse import remembered

    if where and found is not None:
        raise BadValue("--where and --found are two conditions.", fix="give one of them.")
    if where:
        return wanted, where
    if found is None and not wanted.isdecimal():
        raise BadValue(
            "the cohort has no condition.",
            fix="give --where 'r.f_age > 60', or --found N of the last 'tidemill cohorts find'.",
        )
    one = remembered(mill.world, int(wanted) if found is None else found)
    return (one["where"] if found is None else wanted), one["condition"]


def _added(out: Console, said: Json, options: Options) -> None:
    share = said["inside"] / said["records"] if said["records"] else 0.0
    out.print(
        f"{said['name']!r} is a cohort of the strategy ({said['hash']}): "
        f"{count(said['inside'], 'record')} of {said['records']:,} in the last 30 days ({share:.1%}).",
        soft_wrap=True,
    )
    if not said["inside"]:
        out.print("No record is in it: is the condition what you meant?")
    out.print(f"{said['file']}: {said['line']}", soft_wrap=True)
    out.print(f"\nNext: {options.command('strategy diff')}", soft_wrap=True)
