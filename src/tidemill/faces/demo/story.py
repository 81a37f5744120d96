"""What the demo tells: a line a week, and at the end what the loop was worth."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from tidemill.core.as_of import AsOf
from tidemill.core.machines import INCIDENT, RELEASE
from tidemill.core.model import answer
from tidemill.core.ports import JournalRow, Json
from tidemill.core.records import bare
from tidemill.core.verdict import Estimate
from tidemill.core.work import same_features
from tidemill.faces.demo.flights import Flights
from tidemill.measures import AUC, LogLoss
from tidemill.monitoring import Window, by_window, mean_difference
from tidemill.project import Mill
from tidemill.strategy.turn import Plan

METRICS = (AUC(), LogLoss())


def line(mill: Mill, now: datetime, steps: list[JournalRow], plans: list[Plan]) -> str:
    """Say in one line what a week's turn did, why, and who is in front."""
    front = mill.world.state.front()
    champion = front.version if front and front.version else "nobody"
    told = [s for s in steps if s.kind == RELEASE and s.target in _ENDS]
    if told:
        did = "; ".join(f"{s.id} {_ENDS[s.target]}: {_short(mill, s)}" for s in told)
    else:
        notes = list(plans[-1].notes) if plans else []
        did = notes[-1] if notes else "nothing was due"
    return f"[bold]{now:%Y-%m-%d}[/]  front {champion:<7} {did}"


_ENDS = {
    "live": "went live",
    "refused": "was refused",
    "failed": "failed",
    "inconclusive": "stays behind",
    "awaiting": "waits for a signature",
}


def _short(mill: Mill, step: JournalRow) -> str:
    """Say what a candidate learnt from, and what its gates measured."""
    payload = step.payload
    rows = f"{payload['dataset']['train']:,} records"
    if step.target in ("failed", "refused") or "report" not in payload:
        return f"{rows}; {step.why}"
    card = json.loads(mill.world.blobs.get("reports", payload["report"]))
    parts = [rows]
    for gate in card["gates"]:
        numbers = gate["estimates"]
        found = numbers.get("difference") or numbers.get("candidate")
        if found is None or found["low"] is None:
            continue
        what = f"against {card['champion']}" if "difference" in numbers else "auc"
        sign = "+" if "difference" in numbers else ""
        span = f"[{found['low']:{sign}.3f}, {found['high']:{sign}.3f}]"
        mark = "" if gate["verdict"] == "OK" else f" {gate['verdict']}"
        parts.append(f"{what} {found['value']:{sign}.3f} {span}{mark}")
    return ", ".join(parts)


def tell(mill: Mill, flights: Flights, origin: datetime, week: timedelta) -> Json:
    """Compare the loop with its first model, never retrained, on all flights since it was live."""
    state = mill.world.state
    fronts = [f for f in state.fronts() if f.version]
    found = numbers(mill)
    if not fronts:
        return found | {"weeks": [], "conclusion": "No model went live, so nothing can be said."}
    first = fronts[0]
    rows = _labelled(mill, first.at)
    if not rows.num_rows:
        return found | {
            "weeks": [],
            "conclusion": f"{first.version} has not answered a flight yet.",
        }
    model, kinds = mill.model(str(first.version))
    alone = answer(model, same_features(bare(rows), kinds)).score
    at = rows["predicted_at"].to_numpy().astype("datetime64[us]")
    label, ours = rows["label"].to_numpy(), rows["score"].to_numpy(zero_copy_only=False)
    series: dict[str, tuple[list[Window], list[Window]]] = {}
    for metric in METRICS:
        how: dict[str, Any] = {"every": week, "origin": origin}
        loop = by_window(metric, at, label, ours, **how)
        series[metric.name] = (loop, by_window(metric, at, label, alone, **how))
    live = {f.at: str(f.version) for f in fronts}
    found["first"] = first.version
    found["weeks"] = _weeks(series, live)
    found["better"] = {m.name: _json(mean_difference(m, *series[m.name])) for m in METRICS}
    found["conclusion"] = conclude(found["better"]["auc"], len(found["weeks"]), str(first.version))
    return found


def numbers(mill: Mill) -> Json:
    """Return what a user asks first: retrains, labels, seconds."""
    releases = mill.world.state.machines(RELEASE)
    states: dict[str, int] = {}
    for m in releases:
        states[m.state] = states.get(m.state, 0) + 1
    fronts = [f for f in mill.world.state.fronts() if f.version]
    return {
        "retrains": len(releases),
        "went_live": len(fronts),
        "states": states,
        "labels_used": _labels_used(mill),
        "incidents": len(mill.world.state.machines(INCIDENT)),
        "training_seconds": round(sum(m.payload.get("seconds", 0.0) for m in releases), 2),
        "front": fronts[-1].version if fronts else None,
    }


def _labels_used(mill: Mill) -> int:
    view = AsOf(mill.world.events, mill.world.engine, mill.world.clock.now())
    rows = mill.strategy.labels(view.reservoir(), mill.world.clock.now())
    return int(view.arrow(rows.count().as_table()).column(0)[0].as_py())


def _labelled(mill: Mill, since: datetime) -> pa.Table:
    """Return all flights the loop answered and whose outcome is known now."""
    view = AsOf(mill.world.events, mill.world.engine, mill.world.clock.now())
    labels = view.labels().select("record_id", "label")
    rows = view.records(since=since).inner_join(labels, "record_id")
    return view.arrow(rows.filter(rows.score.notnull()).order_by("predicted_at", "record_id"))


def _weeks(
    series: dict[str, tuple[list[Window], list[Window]]], live: dict[datetime, str]
) -> list[Json]:
    rows = []
    champion = ""
    for k, window in enumerate(series["auc"][0]):
        start = window.start
        changed = [v for at, v in live.items() if abs(at - start) < timedelta(minutes=1)]
        earlier = [v for at, v in live.items() if at <= start + timedelta(minutes=1)]
        champion = earlier[-1] if earlier else champion
        row: Json = {"start": start.isoformat(), "champion": champion, "new": bool(changed)}
        for name, (loop, first) in series.items():
            row[name] = {"loop": _json(loop[k].estimate), "first": _json(first[k].estimate)}
        rows.append(row)
    return rows


def _json(e: Estimate) -> Json:
    def number(value: float) -> float | None:
        return round(value, 6) if math.isfinite(value) else None

    return {"value": number(e.value), "low": number(e.low), "high": number(e.high), "n": e.n}


def conclude(better: Json, weeks: int, first: str) -> str:
    """Say which was better and by how much, or that it cannot be said."""
    value, low, high = better["value"], better["low"], better["high"]
    if value is None or low is None:
        return f"Over {weeks} weeks it cannot be said which was better: too few weeks."
    gap = f"{abs(value):.3f} AUC [{low:+.3f}, {high:+.3f}], 95 %, over {weeks} weeks"
    if low > 0:
        return f"Retraining was better than leaving {first} alone, by {gap}."
    if high < 0:
        return f"Retraining was worse than leaving {first} alone, by {gap}."
    return f"It cannot be said which was better: the difference is {value:+.3f} AUC, {gap[gap.index('[') :]}."


def paint(found: Json, folder: Path) -> list[Path]:
    """Draw the weeks; returns the files, none when there is nothing to draw."""
    if not found["weeks"]:
        return []
    from tidemill.faces.demo.picture import WeekRow, draw

    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for week in found["weeks"]:
        values: dict[str, float] = {}
        for side in ("loop", "first"):
            for name, key in (("", "value"), ("_low", "low"), ("_high", "high")):
                value = week["auc"][side][key]
                values[side + name] = np.nan if value is None else value
        start = datetime.fromisoformat(week["start"])
        rows.append(
            WeekRow(start=start, champion=week["champion"], retrained=week["new"], **values)
        )
    title = "Will this flight arrive late? The loop against its first model, never retrained"
    measure = "AUC in the week, with its 95 % interval over days"
    return draw(
        rows, folder / "weeks", title=title, conclusion=found["conclusion"], measure=measure
    )


def show(found: Json, console: Console, project: Path) -> None:
    """Print the table of weeks, the numbers, and the conclusion."""
    table = Table(title="AUC by week, 95 % interval over days", title_justify="left")
    for name in ("week of", "champion", "the loop", "the first model"):
        table.add_column(name)
    for week in found["weeks"]:
        mark = " new" if week["new"] else ""
        cells = [_cell(week["auc"][side]) for side in ("loop", "first")]
        table.add_row(week["start"][:10], week["champion"] + mark, *cells)
    if found["weeks"]:
        console.print(table)
    states = ", ".join(f"{n} {state}" for state, n in sorted(found["states"].items()))
    console.print(f"{found['retrains']} retrains ({states}), {found['went_live']} went live")
    console.print(
        f"{found['labels_used']:,} labels used, {found['training_seconds']} s of training"
    )
    console.print(
        f"{found['incidents']} incidents. What was bad, since when, for whom: "
        f"tidemill alerts list --all --project {project}"
    )
    turns = found["turns"]
    if turns["n"]:
        console.print(
            f"{turns['n']} turns in {turns['seconds']} s, median {turns['median_seconds']} s"
        )
    if "better" in found:
        loss = found["better"]["log_loss"]
        if loss["low"] is not None:
            span = f"[{loss['low']:+.3f}, {loss['high']:+.3f}]"
            console.print(
                f"In log loss the difference is {loss['value']:+.3f} {span}; above 0 the loop is better."
            )
        console.print(
            "The first model had learnt from two weeks only: what the loop gains is partly more data."
        )
    console.print(f"[bold]{found['conclusion']}[/]")
    for file in found["files"]:
        console.print(f"picture: {file}")
    console.print(f"The project is in {project}. Try: tidemill status --project {project}")


def _cell(e: Json) -> str:
    if e["value"] is None:
        return "no value"
    span = "" if e["low"] is None else f" [{e['low']:.3f}, {e['high']:.3f}]"
    return f"{e['value']:.3f}{span}"
