"""``tidemill rows`` and ``tidemill sql``: from a number to the records behind it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tidemill.core.errors import BadValue
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, count, note, table

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.project import Mill

WIDEST = 60
"""Characters of a value that are shown in a table."""
MOST_COLUMNS = 8
"""Columns shown to a person; more would be a letter wide each."""


_HIDDEN = ("p_log", "u_log", "u_label", "u_split", "row_hash", "payload_digest", "available_at")


def sql(query: str, /, *, most: int = 1000, options: Options = USUAL) -> Exit:
    """Ask a question in SQL over documented views: records, labels, feedback, signals, incidents, releases.

    Parameters
    ----------
    query
        One SELECT of DuckDB, such as "select carrier, avg(label) from records group by all".
    most
        Rows shown at most; --json has them too.
    """
    from tidemill.strategy.views import left_out

    with options.open() as mill:
        lost = left_out(mill.world, mill.strategy)
        for name, why in lost.items():
            note(f"projection {name!r} is not in records: {why}")
        found = mill.sql(query)
    _answer(found, most, options, left_out=lost)
    return Exit.DONE


def rows(
    *,
    incident: str | None = None,
    metric: str = "drift",
    column: str = "",
    cohort: str = "",
    window: str | None = None,
    most: int = 20,
    options: Options = USUAL,
) -> Exit:
    """Show the records behind a number: those first that made it what it is.

    Parameters
    ----------
    incident
        The records of an incident, such as i3.
    metric
        Else those of a signal in one window.
    column
        The column that the signal is of, if it is of one.
    cohort
        The cohort that it is of; everybody if left out.
    window
        When the window begins, such as 2013-03-08; the last one if left out.
    most
        Records shown, at most.
    """
    if incident is None and window is None and not column and metric == "drift":
        raise BadValue(
            "no number was named.",
            fix="give --incident i3, or --metric NAME --window 2013-03-08.",
        )
    with options.open() as mill:
        found = _behind(mill, incident, (metric, column, cohort), window, most)
    _answer(found, most, options)
    return Exit.DONE


def _behind(
    mill: Mill, incident: str | None, named: tuple[str, str, str], window: str | None, most: int
) -> pa.Table:
    from tidemill.core.as_of import AsOf
    from tidemill.strategy.turn import moment_of
    from tidemill.strategy.watching.rows import behind

    key, where, start, end = _asked(mill, incident, named, window)
    view = AsOf(mill.world.events, mill.world.engine, moment_of(mill.world))
    found = behind(view, mill.strategy, key, start=start, end=end, where=where)
    shown = view.arrow(found.drop(*[c for c in _HIDDEN if c in found.columns]).limit(most))
    asked = [c for c in (f"f_{key.column}", key.column) if c in shown.column_names]
    first = [
        "record_id",
        "predicted_at",
        *asked,
        "label",
        "score",
        "output",
        "output_text",
        "model",
    ]
    names = [c for c in dict.fromkeys([*first, *shown.column_names]) if c in shown.column_names]
    names = [c for c in names if c in asked or shown[c].null_count < shown.num_rows]
    return shown.select(names).rename_columns([c.removeprefix("f_") for c in names])


def _asked(
    mill: Mill, incident: str | None, named: tuple[str, str, str], window: str | None
) -> tuple[Any, Any, datetime, datetime]:
    """Find which signal in which window is meant, and where in its column to look."""
    from tidemill.core.clock import instant
    from tidemill.core.durations import duration
    from tidemill.core.signals import Key
    from tidemill.strategy.watching import telling

    every = duration(mill.strategy.window)
    if incident is not None:
        found = telling.incident(telling.found_incident(mill.world.state, incident))
        signal = found["signals"][0]  # the most valuable kind
        start = datetime.fromisoformat(signal["start"])
        named_ = {n: signal[n] for n in ("kind", "metric", "column", "cohort", "model")}
        return Key(**named_), signal.get("where"), start, start + every
    metric, column, cohort = named
    telling.known(mill.world, metric)
    points = mill.signals(metric, column=column or None, cohort=cohort).to_pylist()
    at = None if window is None else instant(window)
    points = [p for p in points if at is None or p["start"] <= at < p["end"]]
    if not points:
        raise BadValue(
            f"{metric} was not measured in the window {window}.",
            fix="see 'tidemill metrics' for what was measured when.",
        )
    last = points[-1]
    key = Key(**{n: last[n] for n in ("kind", "metric", "column", "cohort", "model")})
    return key, None, last["start"], last["end"]


def _answer(found: pa.Table, most: int, options: Options, **more: object) -> None:
    shown = found.slice(0, most)
    document = {"columns": found.column_names, "rows": shown.to_pylist(), "n": found.num_rows}
    document |= more

    def show(out: Console) -> None:
        every = {n: [_cell(row[n]) for row in document["rows"]] for n in found.column_names}
        names = _fitting(every, out.width)
        numbers = [n for n in names if all(_is_number(row[n]) for row in document["rows"])]
        out.print(table(names, zip(*(every[n] for n in names), strict=True), right=numbers))
        if len(names) < found.num_columns:
            rest = ", ".join(found.column_names[len(names) :])
            out.print(f"and, with --json: {rest}", soft_wrap=True)
        if found.num_rows > most:
            out.print(f"and {count(found.num_rows - most, 'more row')}: --most {found.num_rows}")

    _finite(document["rows"])
    answer(document, options, show)


def _fitting(columns: dict[str, list[str | None]], width: int) -> list[str]:
    """Return as many of the first columns as are read without breaking their values.

    Examples
    --------
    >>> _fitting({"id": ["2013-01-01T1300"], "temp": ["39.02"], "city": ["Bonn"]}, 24)
    ['id', 'temp']
    """
    names: list[str] = []
    left = width
    for name, cells in columns.items():
        left -= max(len(name), *(len(cell or "-") for cell in cells), 0) + 3
        if names and (left + 3 < 0 or len(names) == MOST_COLUMNS):
            break
        names.append(name)
    return names


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _finite(rows: list[dict[str, Any]]) -> None:
    """JSON knows no NaN and no infinity: they are null."""
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float) and value - value != 0:
                row[name] = None


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
