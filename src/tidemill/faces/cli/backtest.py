"""``tidemill backtest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from tidemill.core.errors import BadValue, NotFound, unknown
from tidemill.core.ports import Json
from tidemill.faces.cli.backtest_options import FREE, GROUP, TERMS, CostOptions, TermOptions
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.pages import can_draw
from tidemill.faces.cli.printing import answer, err, facts, note
from tidemill.faces.cli.progress import progress
from tidemill.faces.cli.table_options import UNSAID, TableOptions

if TYPE_CHECKING:
    from tidemill.faces.asking import Asked, Ready
    from tidemill.project import Mill

_NARROWEST = 80


def backtest(
    *paths: Annotated[str, Parameter(name="TABLE", negative=(), show_default=False)],
    columns: TableOptions = UNSAID,
    terms: TermOptions = TERMS,
    prices: CostOptions = FREE,
    html: Annotated[Path | None, Parameter(group=GROUP, metavar="FILE")] = None,
    keep: Annotated[bool, Parameter(group=GROUP, negative=(), show_default=False)] = False,
    options: Options = USUAL,
) -> Exit:
    """Say which retraining strategy would have done best on your own history.

    With a TABLE of predictions and their outcomes nothing else is needed, and nothing is
    changed: each strategy is replayed on it, with models trained on what was known then.
    In a project the table is left out: its own strategy is replayed on what it logged,
    beside any strategy files or names that are given instead of the TABLE. What was
    understood and the progress go to standard error, the report to standard output.

    Parameters
    ----------
    paths
        A Parquet, CSV, JSON lines or Delta table, a folder, a pattern, s3:// or the address
        of a database; or, in a project, any number of strategy files and names.
    html
        Write the report as a page, too: one file that needs no network.
    keep
        In a project: keep what is concluded of its own strategy. The line of the week and
        status --strategy say it, for four weeks or until the strategy changes.
    """
    can_draw(html)
    _can_keep(keep, terms, paths)
    tables = [p for p in paths if not _strategy(p)]
    asked = terms.asked(prices.costs())
    if len(tables) > 1 or (tables and len(paths) > 1):
        raise BadValue(
            f"a backtest takes one table, not {', '.join(paths)}.",
            fix="quote a pattern such as 'logs/*.parquet'; name strategies with --strategies.",
        )
    if tables:
        ready = _of_table(tables[0], columns, asked, options)
        with progress(options) as told:
            document = ready.run(told)
    else:
        document = _of_project(paths, columns, asked, options, kept=keep)
    if html is not None:
        _write(html, document)
    answer(document, options, lambda out: _show(out, document))
    return Exit.DONE


def _can_keep(keep: bool, terms: TermOptions, paths: tuple[str, ...]) -> None:  # noqa: FBT001
    """Refuse to keep what is not of the strategy that is live."""
    changed = [f"--{n}" for n in ("model", "dataset") if getattr(terms, n) is not None]
    changed += [f"the table {p}" for p in paths if not _strategy(p)]
    if keep and changed:
        raise BadValue(
            f"--keep keeps what is said of the project's own strategy, not of {changed[0]}.",
            fix="leave one of them out.",
        )


def _strategy(word: str) -> bool:
    from tidemill.faces.finding import is_strategy

    return is_strategy(word)


def _of_table(path: str, columns: TableOptions, asked: Asked, options: Options) -> Ready:
    from tidemill.faces.asking import of_table
    from tidemill.strategy.backtest.table import understand

    _perhaps_a_strategy(path)
    from tidemill.adapters.sources.addresses import name_of

    rows = columns.read(path)
    found = understand(rows, columns.meaning(rows.column_names))
    ready = of_table(found, asked, title=name_of(path, columns.table))
    if not options.json:
        from tidemill.faces.cli.integrity import show_understood, understood

        out = err()
        out.print(_model(ready), style="bold")
        show_understood(out, understood(path, found))
        _show_plan(out, ready)
    return ready


def _perhaps_a_strategy(word: str) -> None:
    """Say so when a word is no file, but nearly the name of a strategy."""
    import difflib

    from tidemill.strategy.backtest.setting import NAMED

    if word.isidentifier() and not Path(word).exists() and difflib.get_close_matches(word, NAMED):
        raise unknown("strategy", word, NAMED)


def _of_project(
    words: tuple[str, ...], columns: TableOptions, asked: Asked, options: Options, *, kept: bool
) -> Json:
    from dataclasses import replace

    from tidemill.faces.asking import of_project
    from tidemill.project import CONFIG

    if not (options.project / CONFIG).exists():
        raise NotFound(
            f"there is no project at {options.project.resolve()}, and no table was named.",
            fix="name one: tidemill backtest TABLE --time COLUMN --label COLUMN; "
            "or give a --project.",
        )
    if columns != UNSAID:
        raise BadValue(
            "there are options for a table, but no table.",
            fix="name the table: tidemill backtest TABLE --time COLUMN --label COLUMN.",
        )
    with options.open() as mill:
        ready = of_project(mill, replace(asked, strategies=(*words, *asked.strategies)))
        if not options.json:
            out = err()
            given = ready.given
            kinds = ", ".join(f"{name} ({kind})" for name, kind in given.features) or "none"
            rows = f"{given.title}: {len(given.history):,} records"
            out.print(facts([("read", rows), ("task", given.task), ("features", kinds)]))
            _show_plan(out, ready)
        with progress(options) as told:
            document = ready.run(told)
        if kept:
            _keep(mill, document)
        return document


def _keep(mill: Mill, document: Json) -> None:
    from tidemill.strategy.worth import advice, keep

    keep(mill.world, mill.strategy, document)
    found = advice(mill.world, mill.strategy)
    note(f"kept: {found['answer']}; {found['why']}")


def _model(ready: Ready) -> str:
    from tidemill.faces.report.standings import model

    words = ready.setting.model
    return model({"model": {"yours": words is None, "words": words or "your own training"}})


def _show_plan(out: Console, ready: Ready) -> None:
    names = ", ".join(one.name for one in ready.strategies)
    out.print(facts([("replays", f"{names}, in steps of {ready.setting.step}")]))
    out.print()


def _write(html: Path, document: Json) -> None:
    from tidemill.faces.report.page import page

    html.write_text(page(document), encoding="utf-8")
    note(f"wrote {html}")


def _show(out: Console, document: Json) -> None:
    from tidemill.faces.report.terminal import lines

    for line in lines(document, width=max(out.width, _NARROWEST)):
        out.print(line)
