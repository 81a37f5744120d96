"""``tidemill strategy tune``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter
from rich.console import Console

from tidemill.core.errors import BadValue
from tidemill.core.ports import Json
from tidemill.faces.cli.backtest_options import FREE, TERMS, CostOptions, TermOptions
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, err, facts, note, table
from tidemill.faces.cli.progress import progress
from tidemill.faces.cli.table_options import UNSAID, TableOptions

if TYPE_CHECKING:
    from tidemill.faces.asking import Asked, Ready
    from tidemill.strategy.backtest.tuned_openings import Openings

GROUP = Group("What is tried", sort_key=3)
_INCUMBENT = "monthly"
_SHOWN = 10


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The options that say what is tried.

    Parameters
    ----------
    space
        Values to try, as trigger.period=7d,14d,28d; once for each path [usually: what the
        limits of trigger and dataset allow].
    triggers
        Triggers to choose from: never, every, performance, dropped, drift; a,b or once for
        each.
    trials
        How many strategies are tried at most.
    search
        optuna, random, grid, or auto: all when they are no more than the trials.
    late_from
        Where the late part begins [usually: after six tenths of the steps].
    seed
        Of the search.
    """

    space: Annotated[
        tuple[str, ...],
        Parameter(group=GROUP, negative=(), show_default=False, metavar="PATH=VALUES"),
    ] = ()
    triggers: Annotated[
        tuple[str, ...], Parameter(group=GROUP, negative=(), show_default=False, metavar="NAME")
    ] = ()
    trials: Annotated[int, Parameter(group=GROUP, metavar="N")] = 60
    search: Annotated[str, Parameter(group=GROUP, metavar="NAME")] = "auto"
    late_from: Annotated[str | None, Parameter(group=GROUP, metavar="TIME")] = None
    seed: Annotated[int, Parameter(group=GROUP, metavar="N")] = 0


WIDE = SearchOptions()


def tune(
    path: Annotated[str | None, Parameter(name="TABLE")] = None,
    /,
    *,
    searched: SearchOptions = WIDE,
    columns: TableOptions = UNSAID,
    terms: TermOptions = TERMS,
    prices: CostOptions = FREE,
    options: Options = USUAL,
) -> Exit:
    """Search a strategy's values on the early part of history, and test them on the late part.

    In a project its own strategy is tuned on what the project logged; with a TABLE the one
    that --strategies names [usually: monthly]. Nothing of the late part is read by the search.
    Then the late part is opened once, and never retraining is recommended unless it is shown
    that the gain is above its price. Further openings of the same late part are counted, in
    the project or in the folder of --cache, and widen the intervals. Nothing is changed.

    Parameters
    ----------
    path
        A Parquet, CSV, JSON lines or Delta table, a folder, a pattern, s3:// or the address
        of a database.
    """
    asked = terms.asked(prices.costs())
    if searched.trials < 1:
        raise BadValue(f"--trials {searched.trials}: nothing is tried.", fix="give 1 or more.")
    if path is not None:
        document = _of_table(path, columns, asked, searched, options)
    elif columns != UNSAID:
        raise BadValue(
            "there are options for a table, but no table.",
            fix="name the table: tidemill strategy tune TABLE --time COLUMN --label COLUMN.",
        )
    else:
        document = _of_project(asked, searched, options)
    answer(document, options, lambda out: _show(out, document))
    return Exit.DONE


def _of_table(
    path: str, columns: TableOptions, asked: Asked, searched: SearchOptions, options: Options
) -> Json:
    from tidemill.faces.asking import of_table
    from tidemill.strategy.backtest.table import understand
    from tidemill.strategy.backtest.tuned_openings import FileOpenings

    if len(asked.strategies) > 1:
        raise BadValue(
            f"one strategy is tuned, not {len(asked.strategies)}.",
            fix="name one with --strategies; choose among triggers with --triggers.",
        )
    from tidemill.adapters.sources.addresses import name_of

    rows = columns.read(path)
    found = understand(rows, columns.meaning(rows.column_names))
    asked = replace(asked, strategies=asked.strategies or (_INCUMBENT,))
    ready = of_table(found, asked, title=name_of(path, columns.table))
    if not options.json:
        from tidemill.faces.cli.integrity import show_understood, understood

        show_understood(err(), understood(path, found))
    kept = None if asked.cache is None else FileOpenings(asked.cache)
    return _tuned(ready, searched, kept, options)


def _of_project(asked: Asked, searched: SearchOptions, options: Options) -> Json:
    from tidemill.faces.asking import of_project
    from tidemill.strategy.backtest.tuned_openings import StateOpenings

    if asked.strategies:
        raise BadValue(
            "in a project its own strategy is tuned.",
            fix="leave --strategies out; choose among triggers with --triggers.",
        )
    with options.open() as mill:
        ready = of_project(mill, asked)
        return _tuned(ready, searched, StateOpenings(mill.world.state), options)


def _tuned(ready: Ready, searched: SearchOptions, kept: Openings | None, options: Options) -> Json:
    from tidemill.core.clock import instant
    from tidemill.faces.cli.understanding import listed
    from tidemill.strategy.backtest.setting import metric_for
    from tidemill.strategy.backtest.tune import tune as search
    from tidemill.strategy.backtest.tuned_space import triggers

    metric = ready.setting.metric or metric_for(ready.given.task)
    choices = triggers(listed(searched.triggers), metric, ready.setting.step)
    space = _space(searched.space)
    if space and choices:
        space = {"trigger": [ready.strategies[0].trigger, *choices], **space}
    for line in ready.given.warnings:
        note(f"note: {line}")
    with progress(options) as told:
        return search(
            ready.given,
            ready.strategies[0],
            setting=replace(ready.setting, told=told),
            space=space or None,
            choices=choices,
            trials=searched.trials,
            search=searched.search,
            seed=searched.seed,
            late_from=None if searched.late_from is None else instant(searched.late_from),
            openings=kept,
        )


def _space(given: Sequence[str]) -> dict[str, list[Any]]:
    """Read texts like PATH=VALUE,VALUE.

    Examples
    --------
    >>> _space(["trigger.period=7d,14d", "dataset.n=500,1000", "trigger.slack=0.5"])
    {'trigger.period': ['7d', '14d'], 'dataset.n': [500, 1000], 'trigger.slack': [0.5]}
    """
    found: dict[str, list[Any]] = {}
    for text in given:
        path, mark, values = text.partition("=")
        words = [word.strip() for word in values.split(",") if word.strip()]
        if not (path.strip() and mark and words):
            raise BadValue(
                f"--space {text}: expected PATH=VALUES.",
                fix="write it like --space trigger.period=7d,14d,28d.",
            )
        found.setdefault(path.strip(), []).extend(_value(word) for word in words)
    return found


def _value(word: str) -> str | float:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _show(out: Console, found: Json) -> None:
    split, chosen = found["split"], found["recommendation"]
    for line in found["conclusion"]:
        out.print(line, soft_wrap=True)
    out.print()
    early, late = count(split["early_steps"], "step"), count(split["late_steps"], "step")
    out.print(
        facts(
            [
                ("early part", f"{at(split['early_from'])}, {early} of {split['step']}: searched"),
                ("late part", f"{at(split['late_from'])}, {late}, to {at(split['late_to'])}"),
                *((path, ", ".join(map(str, tried))) for path, tried in found["space"].items()),
            ]
        )
    )
    out.print()
    _show_trials(out, found)
    _show_late(out, found)
    if chosen["rules"]:
        out.print("To have it, paste into strategy.py:\n")
        out.print(chosen["rules"], soft_wrap=True)


def _show_trials(out: Console, found: Json) -> None:
    shown = found["trials"][:_SHOWN]
    rows = [(t["words"], _number(t["value"]), f"{t['retrains']:g}") for t in shown]
    heading = ("tried on the early part", found["unit"], "retrains")
    out.print(table(heading, rows, right=heading[1:]))
    if len(found["trials"]) > len(shown):
        out.print(f"and {found['tried'] - len(shown)} more: --json")
    out.print()


def _show_late(out: Console, found: Json) -> None:
    early, late = found["early"], found["late"]
    rows = [(name, _number(early[name]), _number(late[name])) for name in late]
    out.print(table((found["unit"], "early", "late"), rows, right=("early", "late")))
    out.print()
    rows = [
        (
            f"{c['name']} over {c['against']}",
            _number(c["value"]),
            f"[{_number(c['low'])}, {_number(c['high'])}]",
            "" if c["limit"] is None else _number(c["limit"]),
        )
        for c in found["comparisons"]
    ]
    level = f"{100 * found['openings']['confidence']:.4g} %"
    heading = (f"gain on the late part, {found['unit']}", "gain", level, "all at once, at least")
    out.print(table(heading, rows, right=heading[1:]))
    out.print()


def _number(value: float | None) -> str:
    """Write a number with as many digits as people read.

    Examples
    --------
    >>> _number(1234.5), _number(0.81234), _number(None)
    ('1,234', '0.8123', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"  # noqa: PLR2004 - three digits
