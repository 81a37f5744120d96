"""``tidemill records``: import predictions, look at what was set aside."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.console import Console

from tidemill.core.errors import BadValue
from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, table

if TYPE_CHECKING:
    from tidemill.faces.cli.reading import Loaded
    from tidemill.faces.cli.understanding import Understood
    from tidemill.loop.log.columns import Columns
    from tidemill.project import Mill

app = App(
    name="records", help="Predictions: import them or profiles of them, see what was quarantined."
)

Names = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False, metavar="COLUMN")]
Column = Annotated[str | None, Parameter(metavar="COLUMN")]
IDS = ("record_id", "id")
TIMES = ("predicted_at", "time", "timestamp")


app.command("tidemill.faces.cli.erasing:erase", name="erase")


@app.command(name="import")
def import_records(
    file: Path,
    /,
    *,
    record_id: Annotated[str | None, Parameter(name="--id", metavar="COLUMN")] = None,
    time: Column = None,
    available_at: Column = None,
    model: Annotated[
        str | None, Parameter(name=("--model", "--model-column"), metavar="COLUMN")
    ] = None,
    unit: Column = None,
    output: Column = None,
    score: Column = None,
    latency: Column = None,
    tags: Names = (),
    features: Names = (),
    known: Names = (),
    text: Names = (),
    timezone: str | None = None,
    source: str = "import",
    options: Options = USUAL,
) -> Exit:
    """Take in a table of predictions: Parquet, CSV or JSON lines.

    Options name columns of the file; columns with the usual names are found without. All
    that are left are features. Importing a file again changes nothing. Rows that cannot be
    taken in are quarantined with the reason.

    Parameters
    ----------
    file
        The file; its ending says what it is.
    record_id
        The column with the record's id [usually: record_id, id].
    time
        When it was predicted [usually: predicted_at, time, timestamp].
    available_at
        When the row could first be seen [usually: available_at].
    model
        The version of the model that answered [usually: model].
    unit
        Who is randomised, such as a user [usually: unit].
    output
        What the model answered [usually: output].
    score
        Its probability of class 1 [usually: score].
    latency
        How long the answer took, in ms [usually: latency_ms].
    tags
        Columns to tell cohorts apart; a,b or once for each.
    features
        The features, if not all the other columns.
    known
        FEATURE=COLUMN: when its value became known, if after the prediction.
    text
        Columns to keep as text, whatever they look like.
    timezone
        How to read times without a zone, such as Europe/Paris.
    source
        A name for where the rows come from.
    """
    from tidemill.faces.cli.reading import load
    from tidemill.faces.cli.understanding import Understood, listed, pairs
    from tidemill.loop.log.columns import Columns
    from tidemill.strategy.in_place import refuse

    wanted, extra, late = listed(features), listed(tags), pairs(known, "--known")
    ids = (record_id,) if record_id else IDS
    with options.open() as mill:
        refuse(mill.world.events, "records")  # before a large file is read
        texts = [*ids, model or "model", unit or "unit", *extra, *listed(text)]
        loaded = load(file, texts=texts)
        named = wanted or list(loaded.features or ())
        found = Understood(path=file, names=loaded.rows.column_names)
        leave = {*named, *extra, *late.values()}
        given = {
            "id": found.take("id", record_id, IDS, leave=leave),
            "time": found.take("time", time, TIMES, need="--time", leave=leave),
        }
        optional = {"model": model, "unit": unit, "output": output, "score": score}
        for name, column in (*optional.items(), ("latency_ms", latency)):
            given[name] = found.take(name, column, (name,), leave=leave)
        given["available_at"] = found.arrival(mill, available_at, given["time"])
        if given["id"] is None:
            found.assumed.append("no column is the id: ids are made from what each row holds")
        more: Json = {"tags": extra, "features": named or None, "known": late}
        columns = Columns(
            **given,
            **more,
            timezone=timezone,
            tags_json=_tags(loaded, leave),
            numbers=loaded.numbers,
        )
        found.columns |= {k: v for k, v in more.items() if v and k != "features"}
        return _take_in(mill, loaded, columns, found, source=source, options=options)


def _tags(loaded: Loaded, leave: set[str]) -> str | None:
    return loaded.tags_json if loaded.tags_json not in leave else None


def _take_in(
    mill: Mill,
    loaded: Loaded,
    columns: Columns,
    found: Understood,
    *,
    source: str,
    options: Options,
) -> Exit:
    from tidemill.faces.cli.understanding import report
    from tidemill.loop.log.values import safe_name

    counts = mill.import_records(loaded.given, columns, source=source)
    kinds = mill.world.state.fact("kinds") or {}
    named = set(columns.named())
    names = columns.features or [n for n in loaded.rows.column_names if n not in named]
    kept = {safe_name(n): kinds[safe_name(n)] for n in names if safe_name(n) in kinds}
    return report(counts, found, options, features=kept, notes=loaded.notes)


@app.command
def reference(
    file: Path,
    /,
    *,
    last: Annotated[str, Parameter(metavar="DURATION")] = "30d",
    options: Options = USUAL,
) -> Exit:
    """Write the profile that services count like, with tidemill.EdgeProfile.

    Parameters
    ----------
    file
        Where to; another process reads it with Profile.from_bytes.
    last
        How far back from the newest base window.
    """
    with options.open() as mill:
        made = mill.profile(last=last)
    file.write_bytes(made.to_bytes())
    document = {
        "file": str(file),
        "rows": made.rows,
        "columns": [{"column": c, "kind": kind} for c, kind in made.kinds.items()],
    }
    says = f"wrote {file}: {count(len(made.columns), 'column')}, from {count(made.rows, 'row')}"
    answer(document, options, lambda out: out.print(says))
    return Exit.DONE


@app.command
def profiles(
    *files: Annotated[Path, Parameter(name="FILE", negative=(), show_default=False)],
    model: str = "",
    options: Options = USUAL,
) -> Exit:
    """Take in profiles that services counted at the edge; importing one again changes nothing.

    A file must lie in one base window. Of each window, either its records or its files are
    used for drift, null rates and row counts, whichever counted more rows: they are never
    added, since a row may be in both. Ends with 4 when a file was refused.

    Parameters
    ----------
    files
        Files that EdgeProfile.save wrote, in any order.
    model
        The version of the model that answered, where the files count outputs.
    """
    if not files:
        raise BadValue("no file is named.", fix="name them: tidemill records profiles *.profile.")
    with options.open() as mill:
        counts = mill.import_profiles(files, model=model)
    document: Json = {
        "files": counts.seen,
        "accepted": counts.accepted,
        "already": counts.already,
        "refused": [{"reason": why, "files": n} for why, n in (counts.reasons or {}).items()],
        "next": options.command("run"),
    }
    answer(document, options, lambda out: _show_profiles(out, document))
    return Exit.PROBLEMS if document["refused"] else Exit.DONE


def _show_profiles(out: Console, found: Json) -> None:
    out.print(
        f"{count(found['files'], 'file')}: {found['accepted']} taken in, {found['already']} known "
        f"before, {sum(r['files'] for r in found['refused'])} refused."
    )
    if found["refused"]:
        rows = [(f"{r['files']:,}", r["reason"]) for r in found["refused"]]
        out.print(table(("files", "refused because"), rows, right=("files",)))
    if found["accepted"]:
        out.print(f"\nNext: {found['next']}", soft_wrap=True)


@app.command
def quarantine(*, limit: int = 20, options: Options = USUAL) -> Exit:
    """Show rows that could not be taken in, the newest first, with the reason.

    Parameters
    ----------
    limit
        How many rows to show.
    """
    from tidemill.core.as_of import AsOf

    with options.open() as mill:
        view = AsOf(mill.world.events, mill.world.engine, datetime(9999, 1, 1, tzinfo=UTC))
        rows = view.arrow(view.table("quarantine")).to_pylist()
    rows.sort(key=lambda r: (r["available_at"], r["quarantine_id"]), reverse=True)
    reasons: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["table"], row["reason"])
        reasons[key] = reasons.get(key, 0) + 1
    counted = sorted(reasons.items(), key=lambda r: (-r[1], r[0]))
    document = {
        "total": len(rows),
        "reasons": [{"table": t, "reason": why, "rows": n} for (t, why), n in counted],
        "rows": [
            {
                "id": r["quarantine_id"],
                "at": r["available_at"].astimezone(UTC).isoformat(),
                "table": r["table"],
                "source": r["source"],
                "reason": r["reason"],
                "row": r["row"],
            }
            for r in rows[: max(limit, 0)]
        ],
    }
    answer(document, options, lambda out: _show_quarantine(out, document))
    return Exit.DONE


def _show_quarantine(out: Console, found: Json) -> None:
    if not found["total"]:
        out.print("Nothing was ever quarantined.")
        return
    out.print(f"{count(found['total'], 'row')} quarantined.\n")
    reasons = [(f"{r['rows']:,}", r["table"], r["reason"]) for r in found["reasons"]]
    out.print(table(("rows", "of", "because"), reasons, right=("rows",)))
    out.print(f"\nThe newest {len(found['rows'])}:\n")
    rows = [(at(r["at"]), r["source"], r["reason"], r["row"]) for r in found["rows"]]
    out.print(table(("when", "source", "because", "row"), rows))
