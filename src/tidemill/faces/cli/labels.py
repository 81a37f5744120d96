"""``tidemill labels``: import what turned out to be true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.records import IDS, Column, Names

app = App(name="labels", help="Truths: import them.")


@app.command(name="import")
def import_labels(
    file: Path,
    /,
    *,
    record_id: Annotated[str | None, Parameter(name="--id", metavar="COLUMN")] = None,
    label: Column = None,
    time: Column = None,
    available_at: Column = None,
    cost: Column = None,
    kind: Literal["human", "outcome", "model"] = "outcome",
    source: str | None = None,
    text: Names = (),
    timezone: str | None = None,
    options: Options = USUAL,
) -> Exit:
    """Take in a table of labels: Parquet, CSV or JSON lines.

    Options name columns of the file; columns with the usual names are found without. A label
    whose record has not come yet waits for it. A later label of a record counts, from when it
    arrives; importing a file again changes nothing.

    Parameters
    ----------
    file
        The file; its ending says what it is.
    record_id
        The column with the id of the record [usually: record_id, id].
    label
        The truth, a number or a text [usually: label].
    time
        When it happened [usually: happened_at].
    available_at
        When the label could first be seen [usually: available_at].
    cost
        What it cost.
    kind
        Who says so; people count before outcomes, outcomes before models.
    source
        A name for where the labels come from [default: the kind].
    text
        Columns to keep as text, whatever they look like.
    timezone
        How to read times without a zone, such as Europe/Paris.
    """
    from tidemill.faces.cli.reading import load
    from tidemill.faces.cli.understanding import Understood, listed, report
    from tidemill.loop.log.columns import FactColumns
    from tidemill.strategy.in_place import refuse

    with options.open() as mill:
        refuse(mill.world.events, "labels")  # before a large file is read
        loaded = load(file, texts=[*([record_id] if record_id else IDS), *listed(text)])
        found = Understood(path=file, names=loaded.rows.column_names)
        key = found.take("id", record_id, IDS, need="--id")
        value = found.take("label", label, ("label",), need="--label")
        happened = found.take("time", time, ("happened_at",))
        arrival = found.arrival(mill, available_at, happened)
        paid = found.take("cost", cost)
        columns = FactColumns(
            id=str(key),
            value=str(value),
            happened_at=happened,
            available_at=arrival,
            cost=paid,
            timezone=timezone,
            numbers=loaded.numbers,
        )
        counts = mill.import_labels(loaded.given, columns, source=source or kind, kind=kind)
        return report(counts, found, options, notes=loaded.notes)
