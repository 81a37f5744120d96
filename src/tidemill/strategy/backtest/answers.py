"""What a strategy's models would have answered: asked once per model and step, by whoever."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.core.machines import RELEASE
from tidemill.core.ports import Front, JobResult, World

Ask = Callable[[str, int], JobResult]
"""Asks a model, by its digest, about the records of a step."""
Fronts = Sequence[tuple[datetime, str | None]]
"""From when on which model, by its digest, was in front; in order."""


@dataclass(frozen=True)
class Segment:
    """Records [start, end) that one model answered; None where no model was in front."""

    start: int
    end: int
    model: str | None


class Steps:
    """The steps of a replay: step k holds the records predicted in [moments[k], moments[k+1]).

    Parameters
    ----------
    moments
        The borders of the steps, one more than there are steps.
    at
        When each record was predicted, sorted, in microseconds since 1970.
    """

    def __init__(self, moments: Sequence[datetime], at: npt.NDArray[np.int64]) -> None:
        self.moments = tuple(moments)
        self._at = at
        self.edges = [self.first_after(m) for m in moments]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def rows(self, k: int) -> tuple[int, int]:
        """Return the places [start, end) of the records of a step."""
        return self.edges[k], self.edges[k + 1]

    def of(self, place: int) -> int:
        """Return the step that holds a record; -1 before the first."""
        return int(np.searchsorted(self.edges, place, side="right")) - 1

    def first_after(self, at: datetime) -> int:
        """Return the place of the first record predicted at a moment or later."""
        moment = np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")
        return int(np.searchsorted(self._at, moment.astype(np.int64)))


class Answers:
    """Answers of models on steps, kept once they are known.

    Parameters
    ----------
    given
        Answers that are there already for all records, by the name of who gave them.
    """

    def __init__(self, ask: Ask, steps: Steps, *, given: Mapping[str, pa.Table]) -> None:
        self._ask = ask
        self.steps = steps
        self._given = given
        self._kept: dict[tuple[str, int], pa.Table] = {}
        self.failed: dict[str, str] = {}
        """Models that could not answer a step, and why."""

    def of(self, model: str, step: int) -> pa.Table:
        """Return ``output``, ``output_text`` and ``score`` on the records of a step."""
        key = (model, step)
        start, end = self.steps.rows(step)
        if model in self._given:
            return self._given[model].slice(start, end - start)
        if key not in self._kept:
            result = self._ask(model, step)
            if result.ok:
                self._kept[key] = _slim(result.tables["candidate"])
            else:
                self.failed[model] = result.why
                self._kept[key] = nothing(end - start)
        return self._kept[key]

    def has(self, model: str, step: int) -> bool:
        """Tell whether an answer is there already."""
        return (model, step) in self._kept or model in self._given

    def on(self, segments: Sequence[Segment]) -> pa.Table:
        """Return the answers on neighbouring segments."""
        parts = [self._part(one, step) for one in segments for step in self._steps(one)]
        return pa.concat_tables(parts) if parts else nothing(0)

    def _steps(self, one: Segment) -> range:
        return range(self.steps.of(one.start), self.steps.of(one.end - 1) + 1)

    def _part(self, one: Segment, step: int) -> pa.Table:
        """Return the answers on the part of a segment that lies in a step."""
        inside = 0 <= step < len(self.steps)
        low = self.steps.edges[step] if step >= 0 else 0
        high = self.steps.edges[step + 1] if step < len(self.steps) else one.end
        start, end = max(low, one.start), min(high, one.end)
        if one.model is None or not inside:
            return nothing(end - start)
        return self.of(one.model, step).slice(start - low, end - start)


def segments(fronts: Fronts, steps: Steps, start: int, end: int) -> tuple[Segment, ...]:
    """Say which model answered each of the records [start, end).

    Parameters
    ----------
    fronts
        From when on which model was in front, in order.
    """
    found: list[Segment] = []
    place, model = start, None
    for at, after in fronts:
        edge = min(max(steps.first_after(at), start), end)
        if edge > place:
            found.append(Segment(place, edge, model))
            place = edge
        model = after
    if end > place:
        found.append(Segment(place, end, model))
    return tuple(found)


def fronts_of(world: World) -> Fronts:
    """Return from when on which model, by its digest, was in front."""
    return [(front.at, _digest(world, front)) for front in world.state.fronts()]


def front_of(world: World) -> str | None:
    """Return the model, by its digest, that is in front now."""
    front = world.state.front()
    return None if front is None else _digest(world, front)


def _digest(world: World, front: Front) -> str | None:
    machine = world.state.machine(RELEASE, front.version) if front.version else None
    return None if machine is None else machine.payload["model"]["digest"]


def _slim(said: pa.Table) -> pa.Table:
    """Let go of a column that holds nothing: there are thousands of these tables."""
    if said["output_text"].null_count == said.num_rows:
        place = said.column_names.index("output_text")
        said = said.set_column(place, "output_text", nothing(said.num_rows)["output_text"])
    return said.combine_chunks()


def nothing(n: int) -> pa.Table:
    """Return the answers of nobody to n records."""
    numbers = pa.nulls(n, pa.float64())
    return pa.table({"output": numbers, "output_text": pa.nulls(n, pa.string()), "score": numbers})
