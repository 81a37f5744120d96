"""The worlds of a backtest: one history, one engine, one store of models; a mill for each run."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.adapters.engines.arrow import ArrowEngine
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.columns import ColumnsAsOf, ReplayEvents
from tidemill.adapters.stores.history import History
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryInbox
from tidemill.adapters.stores.memory_state import MemoryState
from tidemill.adapters.trainers.shared import SharedJobs, Work
from tidemill.core.clock import ReplayedClock
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Job, JobResult, World
from tidemill.core.records import MOMENT
from tidemill.core.rules import LabelRule
from tidemill.core.work import same_features
from tidemill.loop.training import Seeded
from tidemill.loop.training.resampled import Resampled
from tidemill.strategy.backtest.answers import Answers, Steps, front_of, fronts_of, segments
from tidemill.strategy.backtest.score import Truth
from tidemill.strategy.backtest.simulate import Run, lived, simulate
from tidemill.strategy.strategy import Strategy

LASTING = 400_000_000
"""Bytes of datasets kept decoded, beyond the moment."""
YOURS = "yours"
"""The name of what was answered when history happened."""
_END = datetime(9999, 1, 1, tzinfo=UTC)


class Memory:
    """Answers about the data of a moment, forgotten when all runs have passed it."""

    def __init__(self) -> None:
        self._now: datetime | None = None
        self._moment: dict[tuple[Any, ...], Any] = {}
        self._lasting: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._size = 0

    def of(self, events: ReplayEvents) -> Callable[[tuple[Any, ...], Callable[[], Any]], Any]:
        """Return the memory as seen by a run, whose own decisions are part of every question."""

        def recall(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
            if len(key) < 2 or not isinstance(key[1], datetime):  # noqa: PLR2004 - (what, when)
                return self._last(key, make)
            if self._now is None or key[1] > self._now:
                self._now = key[1]
                self._moment.clear()
            full = (events.content, *key)
            if full not in self._moment:
                self._moment[full] = make()
            return self._moment[full]

        return recall

    def forget(self) -> None:
        """Forget the moment, since time begins again."""
        self._now = None
        self._moment.clear()

    def _last(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self._lasting:
            made = make()
            self._lasting[key] = made
            self._size += _size(made)
            while self._size > LASTING and len(self._lasting) > 1:
                _, old = self._lasting.popitem(last=False)
                self._size -= _size(old)
        self._lasting.move_to_end(key)
        return self._lasting[key]


def _size(made: Any) -> int:
    """Return about how many bytes an answer takes: those of its table, if it has one."""
    return 1000 + int(getattr(getattr(made, "rows", None), "nbytes", 0))


class Bench:
    """What all runs of a backtest share, and how a run is made.

    Parameters
    ----------
    latency
        From the start of a fit until its model may meet users.
    resample
        Whether each seed also draws the rows it trains on anew.
    """

    def __init__(
        self,
        history: History,
        steps: Steps,
        work: Work,
        *,
        latency: timedelta,
        salt: str,
        resample: bool = False,
    ) -> None:
        self.history = history
        self.steps = steps
        self.work = work
        self._latency = latency
        self._salt = salt
        self._chance = Resampled if resample else Seeded
        self.engine = ArrowEngine(DuckDBEngine())
        self.blobs = MemoryBlobs()
        self._memory = Memory()
        self._slices: dict[int, pa.Table] = {}
        self._kinds: dict[str, dict[str, str]] = {}
        self._marks: dict[int, str] = {}
        self._begun: set[tuple[str, int]] = set()
        self.runs: list[Run] = []
        self._judge: ReplayEvents | None = None
        records = history.records.select(["output", "output_text", "score"])
        self.answers = Answers(self._ask, steps, given={YOURS: records})

    def run(self, name: str, strategy: Strategy, *, seed: int | None = None) -> Run:
        """Make a mill of its own for a strategy; ``seed`` None leaves training as it is."""
        if seed is not None:
            strategy = replace(strategy, training=self._chance(strategy.training, seed))
        self._memory.forget()
        clock = ReplayedClock(self.steps.moments[0])
        events = ReplayEvents(self.history)
        recall = self._memory.of(events)
        jobs = SharedJobs(self.work, clock, latency={"fit": self._latency})
        world = World(
            clock=clock,
            events=events,
            engine=self.engine,
            state=MemoryState(),
            blobs=self.blobs,
            jobs=jobs,
            inbox=MemoryInbox(),
            salt=self._salt,
            door=lambda now: ColumnsAsOf(
                events, self.engine, now, lambda low, high: self._said(world, low, high), recall
            ),
            recall=recall,
        )
        with world.state.lease("replay") as lease:
            world.state.set_fact(lease, "kinds", self.history.kinds)
        run = Run(
            name=name,
            strategy=strategy,
            seed=seed or 0,
            world=world,
            clock=clock,
            jobs=jobs,
            marks=strategy.marks,
        )
        self.runs.append(run)
        return run

    def same_twice(self, strategy: Strategy) -> bool:
        """Tell whether two seeds train models that answer alike."""
        strategy = replace(strategy, signing="auto")
        runs = [self.run(f"probe {k}", strategy, seed=k) for k in (0, 1)]
        first = self.steps.moments[0]
        simulate(runs, sorted({first, first + self._latency}))
        models = [one.model for run in runs for one in lived(run)]
        if len(models) < 2 or None in models:  # noqa: PLR2004 - one of each seed
            return True
        said = [self.answers.of(str(model), 0) for model in models]
        return bool(said[0].equals(said[1]))

    def truth(
        self,
        labels: LabelRule,
        chosen: pa.Table | None,
        *,
        now: datetime = _END,
        since: datetime | None = None,
    ) -> Truth:
        """Return the labels that count at a moment, whoever asked for them.

        ``chosen`` are the records that were chosen to be labelled when history happened, with
        their ``pi``; None when every record had the same chance.
        """
        if self._judge is None:
            self._judge = ReplayEvents(self.history)
            chosen = _everything(self.history) if chosen is None else chosen
            self._judge.append("chosen", chosen, writer="history", sequence=1)
        door = ColumnsAsOf(self._judge, self.engine, now)
        place, number, text, weight = door.final(labels, since=since)
        label = text if number.null_count == len(number) and len(number) else number
        return Truth(
            place=place,
            label=label.to_numpy(zero_copy_only=False),
            weight=weight.to_numpy(zero_copy_only=False),
        )

    def prepare(self, pairs: Sequence[tuple[str | None, int]]) -> None:
        """Start to ask models about steps, side by side, before the answers are needed."""
        if not self.work.parallel:
            return
        for model, step in pairs:
            if model is None or (model, step) in self._begun or self.answers.has(model, step):
                continue
            self._begun.add((model, step))
            self.work.submit(*self._question(model, step))

    def look_ahead(self, runs: Sequence[Run], now: datetime) -> None:
        """Start to ask the models in front about the step that begins, while mills turn.

        Whoever is in front answers at least a part of it, so nothing is asked in vain.
        """
        step = bisect_right(self.steps.moments, now) - 1
        if 0 <= step < len(self.steps):
            self.prepare([(front_of(run.world), step) for run in runs])

    def _said(self, world: World, low: int, high: int) -> pa.Table:
        """Return what the models of a run answered on the records [low, high)."""
        by = segments(fronts_of(world), self.steps, low, high)
        said = self.answers.on(by)
        who = [pa.repeat(pa.scalar(s.model, pa.string()), s.end - s.start) for s in by]
        said = said.add_column(0, "model", pa.chunked_array(who, pa.string()))
        at = self.history.records["predicted_at"].slice(low, high - low)
        return said.add_column(0, "predicted_at", at)

    def _ask(self, model: str, step: int) -> JobResult:
        """Ask a model about the records of a step, once."""
        key, job = self._question(model, step)
        self.work.submit(key, job)
        result = self.work.result(key, wait=True)
        self.work.forget(key)
        return result or JobResult(ok=False, why="it was lost")

    def _question(self, model: str, step: int) -> tuple[str, Job]:
        start, end = self.steps.rows(step)
        if step not in self._slices:
            self._slices[step] = self.history.features.slice(start, end - start)
        rows = same_features(self._slices[step], self._features(model))
        job = Job(
            id=f"{model[:12]}-{step}",
            kind="answer",
            table=rows,
            models={"candidate": self.blobs.get("models", model)},
            content=f"step {step}",
        )
        # A cache outlives this history: the key says which records were asked about.
        return f"answer {model} {self._marks_of(step)}", job

    def _marks_of(self, step: int) -> str:
        """Return a digest of the records of a step."""
        if step not in self._marks:
            start, end = self.steps.rows(step)
            hashes = self.history.records["row_hash"].slice(start, end - start)
            text = "".join(str(h) for h in hashes.to_pylist())
            self._marks[step] = hashlib.sha256(text.encode()).hexdigest()
        return self._marks[step]

    def _features(self, model: str) -> dict[str, str]:
        """Return the features a model takes, as the release that trained it says."""
        if model not in self._kinds:
            for run in self.runs:
                for m in run.world.state.machines(RELEASE):
                    kept = m.payload.get("model")
                    if kept is not None:
                        self._kinds[kept["digest"]] = kept["features"]
        return self._kinds[model]

    def close(self) -> None:
        for run in self.runs:
            run.world.close()
        self.work.close()


def _everything(history: History) -> pa.Table:
    records, n = history.records, len(history)
    return pa.table(
        {
            "record_id": records["record_id"],
            "predicted_at": records["predicted_at"],
            "available_at": pa.array(np.full(n, history.available.min(initial=0))).cast(MOMENT),
            "window": pa.array(["all"] * n, pa.string()),
            "pi": pa.array(np.ones(n)),
        }
    )
