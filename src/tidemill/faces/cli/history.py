"""``tidemill history``: where something came from, and where it went."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, facts, table


def history(name: str, /, *, kind: str | None = None, options: Options = USUAL) -> Exit:
    """Say where a record, dataset, model or release came from, and where it went.

    Parameters
    ----------
    name
        The id of a record; a release, such as v3; a dataset, such as ds-03b60e92b917; or the
        first digits of a model's digest.
    kind
        record, dataset, model or release, where a name may be several.
    """
    from tidemill.strategy import lineage

    with options.open() as mill:
        found = lineage.history(mill.world, name, kind=kind)
    answer(found, options, lambda out: _SHOWN[found["kind"]](out, found))
    return Exit.DONE


def _record(out: Console, found: Json) -> None:
    if found["erased"] is not None:
        _erased(out, found)
        return
    record = found["record"]
    features = {k.removeprefix("f_"): v for k, v in record.items() if k.startswith("f_")}
    said = [record[k] for k in ("output", "output_text", "score") if k in record]
    rows = [
        ("record", found["id"]),
        ("predicted", at(record["predicted_at"])),
        ("arrived", at(record["available_at"])),
        ("answer", ", ".join(map(str, said))),
        ("unit", record.get("unit")),
        ("tags", record.get("tags")),
        ("features", ", ".join(f"{k}={v}" for k, v in features.items())),
        ("incidents", ", ".join(found["incidents"])),
        ("chosen", _chosen(found["chosen"])),
    ]
    out.print(facts(rows))
    _heading(out, "Answered by")
    if found["answered_by"]:
        out.print(facts(_made(found["answered_by"])))
    else:
        out.print(f"  {record.get('model') or 'a model without a name'}, which is no release")
    _listed(
        out,
        "Labels",
        ("label", "source", "kind", "arrived", "counts"),
        map(_label, found["labels"]),
    )
    told = ((f["kind"], _value(f, "value"), at(f["available_at"])) for f in found["feedback"])
    _listed(out, "Feedback", ("kind", "value", "arrived"), told)
    heads = ("release", "state", "dataset", "label", "weight")
    for title, key in (("Learnt from by", "learnt_by"), ("Tested on by", "tested_by")):
        _listed(out, title, heads, map(_place, found[key]))


def _erased(out: Console, found: Json) -> None:
    gone = found["erased"]
    out.print(facts([("record", found["id"]), ("erased", f"{at(gone['at'])} by {gone['who']}")]))
    heads = ("release", "state", "dataset", "rows to train", "to test")
    rows = (
        (r["release"], r["state"], r["dataset"], r["learnt_from"], r["tested_on"])
        for r in gone["releases"]
    )
    _listed(out, "Seen before by", heads, rows)


def _dataset(out: Console, found: Json) -> None:
    held = found["held"]
    rows = [
        ("dataset", found["id"]),
        ("digest", found["digest"]),
        ("formed", at(found["formed_at"])),
        ("rows", f"{held['train']:,} to train, {held['test']:,} to test"),
        ("erased since", count(found["erased"], "row") if found["erased"] else None),
        ("from", f"{at(held['first'])} to {at(held['last'])}"),
        ("labels", _counted(held["sources"])),
        ("answered by", _counted(found["answered_by"])),
        ("strategy", _strategy(found["strategy"])),
        ("such as", ", ".join(found["records"])),
    ]
    out.print(facts(rows))
    learnt = ((r["release"], r["state"]) for r in found["releases"])
    _listed(out, "Learnt from by", ("release", "state"), learnt)


def _release(out: Console, found: Json) -> None:
    told = found["answered"]
    rows = [
        *_made(found),
        ("in front from", ", ".join(at(t) for t in found["in_front_from"])),
        ("answered", count(told["records"], "record")),
    ]
    if told["records"]:
        rows.append(("", f"{at(told['first'])} to {at(told['last'])}"))
    out.print(facts(rows))
    steps = ((at(s["at"]), s["to"], s["why"], s["by"]) for s in found["steps"])
    _listed(out, "Steps", ("at", "became", "why", "by"), steps)
    signed = ((at(s["at"]), s["who"], s["decision"], s["why"]) for s in found["signatures"])
    _listed(out, "Signatures", ("at", "who", "said", "why"), signed)


_SHOWN = {"record": _record, "dataset": _dataset, "release": _release}


def _made(made: Json) -> list[tuple[str, Any]]:
    return [
        ("release", f"{made['release']}, {made['state']}"),
        ("model", made["model"]),
        ("dataset", made["dataset"] and f"{made['dataset']}, {made['rows']:,} rows to train"),
        ("labels", _counted(made["labels"] or {})),
        ("triggered", at(made["triggered_at"])),
        ("compared with", made["compared_with"]),
        ("strategy", _strategy(made["strategy"])),
    ]


def _strategy(made: Json | None) -> str:
    if not made or "author" not in made:
        return "" if not made else str(made["hash"])
    by = f" by {made['author']}" if made["author"] else ""
    said = f": {made['comment']}" if made["comment"] else ""
    return f"{made['hash'][:8]}, live since {at(made['first_seen'])}{by}{said}"


def _chosen(chosen: Json | None) -> str:
    if chosen is None:
        return "not for labelling"
    return f"in the window of {chosen['window']}, with probability {chosen['pi']:.3g}"


def _label(label: Json) -> tuple[Any, ...]:
    value = _value(label, "label")
    counts = "yes" if label["counts"] else ""
    return value, label.get("source"), label.get("source_kind"), at(label["available_at"]), counts


def _place(one: Json) -> tuple[Any, ...]:
    return (
        one["release"],
        one["state"],
        one["dataset"],
        _value(one, "label"),
        f"{one['weight']:.3g}",
    )


def _value(row: Json, name: str) -> Any:
    return row[f"{name}_text"] if row.get(name) is None else row[name]


def _counted(counts: Json) -> str:
    return ", ".join(f"{n:,} {name or 'without a name'}" for name, n in counts.items())


def _heading(out: Console, title: str) -> None:
    out.print(f"\n{title}", style="bold")


def _listed(
    out: Console, title: str, heads: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    told = list(rows)
    if told:
        _heading(out, title)
        out.print(table(heads, told))
