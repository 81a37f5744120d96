"""``tidemill compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from rich.console import Console

from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, facts, table

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.core.ports import Json

GROUP = Group("What the tables hold", sort_key=4)
_FIGURES = 4

_Column = Annotated[str | None, Parameter(group=GROUP, metavar="COLUMN")]


def compare(
    a: Annotated[str, Parameter(name="A")],
    b: Annotated[str, Parameter(name="B")],
    /,
    *,
    label: Annotated[str, Parameter(group=GROUP, metavar="COLUMN")] = "label",
    score: _Column = None,
    output: _Column = None,
    record_id: Annotated[str | None, Parameter(name="--id", group=GROUP, metavar="COLUMN")] = None,
    time: _Column = None,
    zone: Annotated[str, Parameter(group=GROUP, metavar="ZONE")] = "UTC",
    group: _Column = None,
    table_labels: Annotated[str | None, Parameter(group=GROUP, metavar="FILE")] = None,
    metric: Annotated[str | None, Parameter(group=GROUP, metavar="NAME")] = None,
    options: Options = USUAL,
) -> Exit:
    """Say which of two sets of predictions on the same labels is better, and how sure that is.

    No project is needed and nothing is changed. B is compared with A; a difference is positive
    when B is better, with its 95 % interval. Ends with 4 when B is worse, else with 0.

    Parameters
    ----------
    a
        The predictions in use: a Parquet, CSV, JSON lines or Delta table, or any address that
        backtest takes.
    b
        The predictions that may replace them.
    label
        What was true; in A, or in --table-labels.
    score
        The probability of class 1 [usually: score].
    output
        The answer [usually: output].
    record_id
        What pairs the rows [usually: record_id, id; else they are paired in their order].
    time
        When each row was; then days are the evidence, else 20 blocks of rows are.
    zone
        Whose midnights part the days; also the zone of times that have none.
    group
        What makes rows one list to be ranked, such as a query; then ranking counts: NDCG, MRR, MAP.
    table_labels
        A table of the labels, with the ids.
    metric
        The one that counts: auc, log_loss, brier, accuracy, mae or mse; with --group also ndcg,
        mrr, map, or ndcg, mrr, precision and recall of so many places, such as ndcg_at_5 [usually:
        the first that the labels allow].
    """
    from tidemill.faces.pairing import Columns
    from tidemill.faces.predictions import comparison

    columns = Columns(
        label=label,
        score=score,
        output=output,
        record_id=record_id,
        time=time,
        zone=zone,
        group=group,
    )
    texts = [record_id or "record_id", "id"]
    sides = [_read(path, texts) for path in (a, b)]
    labels = None if table_labels is None else _read(table_labels, texts)
    one, two = (path.rstrip("/").rsplit("/", 1)[-1] or path for path in (a, b))
    names = (one, two) if one != two else (a, b)
    document = comparison(sides[0], sides[1], columns, labels=labels, metric=metric, names=names)
    answer(document, options, lambda out: _show(out, document))
    return Exit.PROBLEMS if document["verdict"] == "WORSE" else Exit.DONE


def _read(path: str, texts: list[str]) -> pa.Table:
    from tidemill.adapters.sources.addresses import read

    return read(path, texts=texts)


def _show(out: Console, found: Json) -> None:
    left = found["left_out"]
    lost = [f"{n:,} only in {name}" for name, n in left["unpaired"].items() if n]
    lost += [f"{left['without_label']:,} without a label"] if left["without_label"] else []
    lost += [f"{n:,} {name} did not answer" for name, n in left["without_answer"].items() if n]
    rows: list[tuple[str, object]] = [
        ("A", f"{found['a']['name']}: {found['a']['rows']:,} rows"),
        ("B", f"{found['b']['name']}: {found['b']['rows']:,} rows"),
        (
            "compared",
            f"{found['paired']:,} rows" + (f"; left out: {', '.join(lost)}" if lost else ""),
        ),
    ]
    rows += [("ASSUMED", text) for text in found["assumed"]]
    out.print(facts(rows))
    out.print()
    shown = [
        (
            m["name"],
            _figure(m["a"]),
            _figure(m["b"]),
            *_gap(m["difference"]),
            m["verdict"],
            m["why"],
        )
        for m in found["metrics"]
    ]
    names = ("metric", "A", "B", "B is better by", "95 % interval", "verdict", "why")
    out.print(table(names, shown, right=("A", "B", "B is better by")))
    out.print()
    for k, line in enumerate(found["conclusion"]):
        out.print(line, style="bold" if k == 0 else "", soft_wrap=True)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.{_FIGURES}g}"


def _gap(gap: Json) -> tuple[str, str]:
    value = "" if gap["value"] is None else f"{gap['value']:+.3g}"
    if gap["low"] is None or gap["high"] is None:
        return value, ""
    return value, f"[{gap['low']:+.3g}, {gap['high']:+.3g}]"
