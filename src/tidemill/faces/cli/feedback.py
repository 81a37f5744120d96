"""``tidemill feedback``: import what users did with an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.records import IDS, Column, Names

app = App(name="feedback", help="What users did with an answer: import it.")


@app.command(name="import")
def import_feedback(
    file: Path,
    /,
    *,
    record_id: Annotated[str | None, Parameter(name="--id", metavar="COLUMN")] = None,
    value: Column = None,
    kind: Column = None,
    time: Column = None,
    available_at: Column = None,
    source: str = "import",
    text: Names = (),
    timezone: str | None = None,
    options: Options = USUAL,
) -> Exit:
    """Take in a table of feedback: thumbs, clicks, corrections.

    Options name columns of the file; columns with the usual names are found without.

    Parameters
    ----------
    file
        Parquet, CSV or JSON lines; its ending says what it is.
    record_id
        The column with the id of the record [usually: record_id, id].
    value
        What the user did, a number or a text [usually: value].
    kind
        What kind of feedback it is [usually: kind].
    time
        When it happened [usually: happened_at].
    available_at
        When it could first be seen [usually: available_at].
    source
        A name for where it comes from.
    text
        Columns to keep as text, whatever they look like.
    timezone
        How to read times without a zone, such as Europe/Paris.
    """
    from tidemill.faces.cli.reading import load
    from tidemill.faces.cli.understanding import Understood, listed, report
    from tidemill.loop.log.columns import FactColumns

    with options.open() as mill:
        loaded = load(file, texts=[*([record_id] if record_id else IDS), *listed(text)])
        found = Understood(path=file, names=loaded.rows.column_names)
        key = found.take("id", record_id, IDS, need="--id")
        said = found.take("value", value, ("value",), need="--value")
        sort = found.take("kind", kind, ("kind",))
        happened = found.take("time", time, ("happened_at",))
        columns = FactColumns(
            id=str(key),
            value=str(said),
            kind=sort,
            happened_at=happened,
            available_at=found.arrival(mill, available_at, happened),
            timezone=timezone,
            numbers=loaded.numbers,
        )
        counts = mill.import_labels(loaded.given, columns, source=source, name="feedback")
        return report(counts, found, options, notes=loaded.notes)
