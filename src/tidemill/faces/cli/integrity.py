"""``tidemill check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from tidemill.core.errors import BadValue, TidemillError
from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, count, facts, table
from tidemill.faces.cli.table_options import GROUP, UNSAID, TableOptions

if TYPE_CHECKING:
    from tidemill.project import Mill
    from tidemill.strategy.backtest.table import Understood


def check(
    path: Annotated[str | None, Parameter(name="TABLE")] = None,
    /,
    *,
    columns: TableOptions = UNSAID,
    step: Annotated[str | None, Parameter(group=GROUP, metavar="DURATION")] = None,
    repair: Annotated[bool, Parameter(negative=())] = False,
    options: Options = USUAL,
) -> Exit:
    """Look again at every invariant of the project; or say what a table can tell.

    With a TABLE nothing else is needed or touched: it says what the columns were taken for,
    what can be concluded from them by a backtest, and what is missing. Else it looks at the
    project, its data and its strategy file; the digest says what was decided: two projects
    that decided the same on the same data have the same one. Ends with 4 when something is
    wrong, or makes a backtest meaningless.

    Parameters
    ----------
    path
        A Parquet, CSV, JSON lines or Delta table, a folder, a pattern, s3:// or the address
        of a database.
    step
        How long a step of the replay is, such as 7d; chosen from the table without.
    repair
        Mend what can be mended without losing anything, and say what was left and why.
    """
    if path is not None and not repair:
        return _check_table(path, columns, step, options)
    if path is not None:
        raise BadValue("a table is not repaired.", fix="leave out --repair, or the table.")
    if columns != UNSAID or step is not None:
        raise BadValue(
            "there are options for a table, but no table.",
            fix="name the table: tidemill check TABLE --time COLUMN --label COLUMN.",
        )
    return _check_project(options, mending=repair)


def _check_project(options: Options, *, mending: bool) -> Exit:
    from tidemill.strategy.check import problems, repair
    from tidemill.strategy.decided import digest
    from tidemill.strategy.watching.costing import costs

    strategy, monitoring, mended, notes = None, None, [], list[str]()
    with options.open() as mill:
        source = _source(mill)
        found = problems(mill.world, source=source)
        if mending and any(flaw.mend for flaw in found):
            with mill.world.state.lease("repair"):  # what is half done by somebody is no flaw
                mended = repair(problems(mill.world, source=source))
            found = problems(mill.world, source=source)
        told = [{"what": f.what, "fix": f.fix, "mendable": f.mend is not None} for f in found]
        try:
            strategy = mill.strategy.hash
            notes, wrong = _unfit(mill)
            told += wrong
            monitoring = costs(mill.world, mill.strategy)
        except TidemillError as error:
            told.append({"what": error.what, "fix": error.fix, "mendable": False})
        try:
            decided = digest(mill.world)
        except TidemillError:
            decided = None  # what keeps it from being read is among the problems
    document: Json = {
        "ok": not told,
        "problems": told,
        "mended": [flaw.what for flaw in mended],
        "notes": notes,
        "digest": decided,
        "strategy": strategy,
        "monitoring": monitoring,
    }

    def show(out: Console) -> None:
        for what in document["mended"]:
            out.print(f"Mended: {what}", soft_wrap=True)
        if not told:
            out.print(f"All is well. Digest of all that was decided: {decided}")
        else:
            out.print(f"{count(len(told), 'problem')}:", style="bold")
        for one in told:
            out.print(f"  {one['what']}\n    Fix: {one['fix']}", soft_wrap=True)
        for text in notes:
            out.print(f"note: {text}.", soft_wrap=True)
        if monitoring is not None:
            show_costs(out, monitoring)

    answer(document, options, show)
    return Exit.PROBLEMS if told else Exit.DONE


def _unfit(mill: Mill) -> tuple[list[str], list[Json]]:
    """Say what in the strategy has no part, or cannot work, as tables stay where they are."""
    from tidemill.strategy.doubts import idle, nowhere
    from tidemill.strategy.in_place import in_place

    here = in_place(mill.world.events)
    parted = [text.partition(" Fix: ") for text in nowhere(mill.strategy, here)]
    wrong = [{"what": what, "fix": f"{fix}.", "mendable": False} for what, _, fix in parted]
    return list(idle(mill.strategy, here)), wrong


def _source(mill: Mill) -> bytes | None:
    from tidemill.project import STRATEGY

    path = mill.path / STRATEGY
    return path.read_bytes() if path.exists() else None


def show_costs(out: Console, found: Json) -> None:
    """Print what monitoring keeps of a base window, and what is not measured."""
    profiles, signals = found["profiles"], found["signals"]
    by_cohort = ", ".join(
        f"{one['cohort'] or 'everybody'} {one['rows']:.0f}" for one in signals["by_cohort"]
    )
    some = [one for one in profiles["by_cohort"] if one["cohort"]]
    of_cohorts = "".join(
        f"; of them {one['cohort']}: {one['cells']:,.0f} cells, {one['bytes']:,.0f} bytes"
        for one in some
    )
    every = found["window"]
    rows: list[tuple[str, object]] = [
        (
            f"profiles in {every}",
            f"{profiles['cells']:,.0f} cells, {profiles['bytes']:,.0f} bytes{of_cohorts}",
        ),
        (
            f"signals in {every}",
            f"{signals['rows']:,.0f} rows: {by_cohort}" if by_cohort else "0 rows",
        ),
    ]
    rows += [("not measured", f"{one['kind']}: {one['worth']}") for one in found["missing"]]
    out.print("\nMonitoring keeps, on average over the last windows:")
    out.print(facts(rows))


def _check_table(path: str, columns: TableOptions, step: str | None, options: Options) -> Exit:
    from tidemill.strategy.backtest.conclusions import conclude
    from tidemill.strategy.backtest.table import understand
    from tidemill.strategy.backtest.table_steps import suggest_step

    rows = columns.read(path)
    found = understand(rows, columns.meaning(rows.column_names))
    chosen = step or suggest_step(found)
    conclusions = conclude(found, step=chosen)
    hindered = any(c.hinders for c in conclusions)
    document: Json = {
        "ok": not hindered,
        **understood(path, found),
        "step": chosen,
        "conclusions": [c.to_dict() for c in conclusions],
    }
    answer(document, options, lambda out: _show_table(out, document))
    return Exit.PROBLEMS if hindered else Exit.DONE


def understood(path: str, found: Understood) -> Json:
    """Say what a table was taken for, as ``--json`` prints it."""
    from tidemill.adapters.sources.addresses import without_login

    columns = {option.removeprefix("--"): name for option, name in found.meaning.named().items()}
    return {
        "table": without_login(path),
        "rows": found.records.num_rows,
        "labels": found.labels.num_rows,
        "quarantined": found.quarantined,
        "task": found.task,
        "columns": columns,
        "features": dict(found.features),
        "leaks": list(found.leaks),
        "assumed": list(found.assumed),
        "warnings": list(found.warnings),
    }


def show_understood(out: Console, found: Json) -> None:
    """Print what a table was taken for."""
    columns = ", ".join(m if m == c else f"{m} = {c}" for m, c in found["columns"].items())
    counts = f"{count(found['rows'], 'row')}, {count(found['labels'], 'label')}"
    if found["quarantined"]:
        counts += f", {found['quarantined']:,} quarantined"
    kinds = ", ".join(f"{name} ({kind})" for name, kind in found["features"].items()) or "none"
    rows: list[tuple[str, object]] = [
        ("read", f"{found['table']}: {counts}"),
        ("task", found["task"]),
        ("columns", columns),
        ("features", kinds),
    ]
    rows += [("ASSUMED", text) for text in found["assumed"]]
    rows += [("note", text) for text in found["warnings"]]
    out.print(facts(rows))


def _show_table(out: Console, found: Json) -> None:
    show_understood(out, found)
    shown = [
        (c["question"], c["answer"], c["why"] + (f"\nFix: {c['fix']}" if c["fix"] else ""))
        for c in found["conclusions"]
    ]
    out.print()
    out.print(table(("question", "answer", "why"), shown))
    out.print()
    if found["ok"]:
        out.print(f"Nothing hinders a backtest in steps of {found['step']}.")
        return
    out.print("A backtest would be meaningless:", style="bold")
    for c in found["conclusions"]:
        if c["hinders"]:
            out.print(f"  {c['question']} {c['answer']}: {c['fix']}", soft_wrap=True)
