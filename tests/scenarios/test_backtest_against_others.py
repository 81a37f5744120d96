"""The replay comes to the numbers of RetrainOpt, and knows labels when River's replay does."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from retrainopt.config import PlannerConfig
from retrainopt.core.dp import evaluate_decision_sequence, solve_exact_schedule
from retrainopt.evaluation import EvaluationEngine
from retrainopt.interfaces import ModelAdapter, TimelineDataset
from retrainopt.types import Decision, DecisionAction
from river.stream import simulate_qa

from tidemill import AUC, MAE, Recent, Uniform
from tidemill.core.costs import Costs
from tidemill.core.machines import RELEASE
from tidemill.core.model import answer
from tidemill.core.rules import TrainingData
from tidemill.loop.datasets.manifest import Manifest
from tidemill.loop.triggers import At, Cusum, Every, Once
from tidemill.measures import Accuracy
from tidemill.strategy.backtest.references import hindsight, step_losses

sys.path.insert(0, str(Path(__file__).parent))

import backtest_worlds as tiny

# RetrainOpt: a schedule of retrains over steps, and what each model loses in each step.


@dataclass
class Timeline(TimelineDataset):
    """The same rows in RetrainOpt's words: block t is scored, what came before it is learnt."""

    backtest: Any
    past: int | None

    def __post_init__(self) -> None:
        history = self.backtest.given.history
        self.steps = self.backtest.steps
        self.label = history.labels["label"].to_numpy()
        self.features = history.features

    @property
    def num_steps(self) -> int:
        return len(self.steps)

    def get_train_block(self, step: int) -> Any:
        end = self.steps.edges[step]
        start = 0
        if self.past is not None:
            start = self.steps.first_after(self.steps.moments[step] - self.past * tiny.DAY)
        return start, end

    def get_eval_block(self, step: int) -> Any:
        return self.steps.rows(step)

    def train_size(self, step: int) -> int:
        start, end = self.get_train_block(step)
        return end - start

    def sample_train_block(self, step: int, n_samples: int, *, seed: int) -> Any:
        assert n_samples == self.train_size(step)
        return self.get_train_block(step)


@dataclass
class Adapter(ModelAdapter):
    """Fits with the same learner; the loss of a block is what the test says."""

    timeline: Timeline
    learn: Any
    loss: Any

    def fit(self, train_data: Any, *, step: int, n_samples: int, random_seed: int) -> Any:
        start, end = train_data
        data = TrainingData(
            features=self.timeline.features.slice(start, end - start),
            label=self.timeline.label[start:end],
            weight=np.ones(end - start),
        )
        return self.learn(data, None)

    def evaluate(self, model: Any, eval_data: Any, *, step: int) -> float:
        start, end = eval_data
        said = answer(model, self.timeline.features.slice(start, end - start))
        return self.loss(self.timeline.label[start:end], said)


def theirs(timeline: Timeline, learn: Any, loss: Any, seconds: Any) -> dict[Any, Any]:
    """Return what RetrainOpt measures of every model on every step."""
    engine = EvaluationEngine(
        timeline,
        Adapter(timeline, learn, loss),
        PlannerConfig(n_choices=(1.0,)),
        training_cost_fn=lambda *, step, **_: seconds[step],
    )
    found = {(-1, 0): engine.evaluate_initial_model().to_state_cost()}
    for step in range(timeline.num_steps):
        n = timeline.train_size(step)
        found[step, n] = engine.evaluate_candidate(step, n).to_state_cost()
    return found


class Priced(tiny.Open):
    """Keeps the models of retraining every step."""

    def _grid(self, run: Any) -> Any:
        self.grid = super()._grid(run)
        return self.grid


def errors(label: Any, said: Any) -> float:
    return float((label != said.output).sum())


def absolute(label: Any, said: Any) -> float:
    return float(np.abs(label - said.output).sum())


def schedules(seed: int, steps: int) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(seed)
    return [tuple(np.flatnonzero(rng.random(steps - 1) < p) + 1) for p in (0.2, 0.5, 0.8)]


def numbers(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    at = tiny.spread(9, 40, rng)
    x, w = rng.normal(size=(2, at.size))
    y = x * np.cos(np.arange(at.size) / 60) + w + 0.3 * rng.normal(size=at.size)
    return tiny.history_of(at, {"f_x": x, "f_w": w}, y)


CASES = [
    (
        "errors",
        lambda: tiny.turning(1, weeks=9, per_week=41, turn=0.3, delay=timedelta(0)),
        None,
        3.0,
    ),
    ("drift", lambda: tiny.turning(2, weeks=8, per_week=50, turn=0.5, delay=timedelta(0)), 14, 6.0),
    ("absolute", lambda: numbers(3), None, 4.0),
]


@pytest.mark.parametrize(("name", "world", "past", "dear"), CASES, ids=[c[0] for c in CASES])
def test_totals_and_the_bound_are_those_of_retrainopt(name, world, past, dear):
    learn, loss = (tiny.number, absolute) if name == "absolute" else (tiny.line, errors)
    history = world()
    moments = tiny.weekly(history)
    asked = {f"s{k}": s for k, s in enumerate(schedules(4, len(moments) - 1))}
    dataset = {} if past is None else {"dataset": Recent(f"{past}d")}
    strategies = [
        tiny.strategy_of(
            n, training=learn, trigger=At([moments[0], *(moments[k] for k in s)]), **dataset
        )
        for n, s in asked.items()
    ]
    # A second is dear enough that the best schedule does not retrain at each step.
    costs = Costs(error=1.0, second=800.0)
    metric = MAE() if name == "absolute" else Accuracy()
    terms = tiny.setting_of(costs=costs, references=True, season="0s", metric=metric)
    given = tiny.given_of(history, task="regression" if name == "absolute" else "binary")
    ours = Priced(given, strategies, terms)
    report = ours.run()
    price = np.array(ours.grid.seconds) * costs.second
    known = theirs(Timeline(ours, past), learn, loss, price)
    sizes = dict(iter(known))
    for which, schedule in asked.items():
        decisions = [
            Decision(DecisionAction.RETRAIN, n_samples=sizes[t])
            if t in schedule
            else Decision(DecisionAction.KEEP)
            for t in range(len(moments) - 1)
        ]
        total, training, losses = evaluate_decision_sequence(decisions, known)
        cost = tiny.row(report, which)["cost"]
        assert cost["errors"] == pytest.approx(losses, abs=1e-9)
        # A fit that two of them ask for is timed once, so prices agree; the first one is given.
        assert cost["compute"] == pytest.approx(training + price[0], abs=1e-9)
        assert cost["total"] == pytest.approx(total + price[0], abs=1e-9)
    total, _, _, _ = solve_exact_schedule(len(moments) - 1, known)
    assert report["hindsight"]["in_sample"] == pytest.approx(total, abs=1e-9)
    # At a price that does not depend on how busy the machine is.
    alike = {k: v | {"training_cost": 0.0 if k[0] < 0 else dear} for k, v in known.items()}
    total, decisions, _, _ = solve_exact_schedule(len(moments) - 1, alike)
    steps = range(len(moments) - 1)
    losses = step_losses(ours.grid, ours.rows.scorer, steps, sign=1.0, price=True)
    bound = hindsight(ours.grid, losses, np.full(len(steps), dear))
    assert bound is not None
    assert bound.bound == pytest.approx(total, abs=1e-9)
    retrains = [t for t, d in enumerate(decisions) if d.action == DecisionAction.RETRAIN]
    assert 0 < len(retrains) < len(steps) - 1
    assert list(bound.bound_schedule) == retrains


def test_without_prices_the_bound_is_the_best_mean_of_the_metric():
    history = tiny.turning(5, weeks=9, per_week=41, turn=0.4, delay=timedelta(0))
    moments = tiny.weekly(history)
    ours = Priced(
        tiny.given_of(history),
        [tiny.strategy_of("weekly")],
        tiny.setting_of(references=True, metric=AUC()),
    )
    report = ours.run()
    rows = ours.steps.rows
    share = [(rows(k)[1] - rows(k)[0]) / (rows(7 - 1)[1] - rows(0)[0]) for k in range(7)]
    timeline = Timeline(ours, None)

    class Shared(Adapter):
        def evaluate(self, model: Any, eval_data: Any, *, step: int) -> float:
            start, end = eval_data
            said = answer(model, timeline.features.slice(start, end - start))
            label = timeline.label[start:end]
            return share[step] * (1 - AUC()(label, said.score, np.ones(end - start)))

    engine = EvaluationEngine(
        timeline,
        Shared(timeline, tiny.line, None),
        PlannerConfig(n_choices=(1.0,)),
        training_cost_fn=lambda **_: 0.0,
    )
    known = {(-1, 0): engine.evaluate_initial_model().to_state_cost()}
    for step in range(len(moments) - 1):
        known[step, timeline.train_size(step)] = engine.evaluate_candidate(
            step, timeline.train_size(step)
        ).to_state_cost()
    total, _, _, _ = solve_exact_schedule(len(moments) - 1, known)
    assert report["hindsight"]["bound"] == pytest.approx(1 - total, abs=1e-12)
    assert -report["hindsight"]["in_sample"] == pytest.approx(1 - total, abs=1e-12)


# River: which answers have been revealed when.


def hours(n: int, seed: int) -> Any:
    """Records each whole hour, so that labels and questions often fall on the same moment."""
    rng = np.random.default_rng(seed)
    start = int(tiny.START.timestamp() * 1e6)
    return start + np.sort(rng.integers(0, 24 * 35, n)) * 3_600_000_000


def world_of_hours(delay: Any) -> Any:
    rng = np.random.default_rng(7)
    at = hours(400, 6)
    x = rng.normal(size=at.size)
    return tiny.history_of(at, {"f_x": x}, (x + rng.normal(size=at.size) > 0).astype(float),
                           delay=delay(at))  # fmt: skip


HOUR = 3_600_000_000
DELAYS = {
    "constant": lambda at: np.full(at.size, 3 * 24 * HOUR),
    "per row": lambda at: np.random.default_rng(8).integers(0, 240, at.size) * HOUR,
    "callable": lambda at: (at // HOUR) % 7 * 24 * HOUR,
}


def revealed(history: Any, name: str, by: list[datetime]) -> list[set[str]]:
    """Return which labels River has revealed before it asks something at each moment."""
    at, label = history.at, history.labels["label"].to_numpy()
    delay = history.label_available - at
    stream = [({"at": int(a), "delay": int(d), "k": k}, y)
              for k, (a, d, y) in enumerate(zip(at, delay, label, strict=True))]  # fmt: skip
    # A question at each moment: what has been revealed by then has been yielded before it.
    asked = [({"at": int(m.timestamp() * 1e6), "delay": 0, "k": -1 - j}, None)
             for j, m in enumerate(by)]  # fmt: skip
    far = 10**15
    wait: Any = {
        "constant": 3 * 24 * HOUR,
        "per row": lambda x, _: x["delay"] if x["k"] >= 0 else far,
        "callable": lambda x, _: x["delay"] if x["k"] >= 0 else far,
    }[name]
    merged = sorted([*stream, *asked], key=lambda one: (one[0]["at"], one[0]["k"] < 0))
    found: list[set[str]] = [set() for _ in by]
    seen: set[str] = set()
    for _, x, y in simulate_qa(merged, moment="at", delay=wait):
        if x["k"] < 0 and y is None and not found[-1 - x["k"]]:
            found[-1 - x["k"]] = set(seen)
        elif x["k"] >= 0 and y is not None:
            seen.add(f"r{x['k']:05d}")
    return found


@pytest.mark.parametrize("name", DELAYS)
def test_a_trainer_knows_the_labels_that_river_has_revealed(name):
    history = world_of_hours(DELAYS[name])
    moments = [tiny.START + k * tiny.DAY for k in range(8, 36, 3)]
    strategies = [tiny.strategy_of(trigger=Every("3d"), curation=Uniform(tiny.ALL, per="1d"))]

    def look(runs, bench):
        found = []
        for m in runs[0].world.state.machines(RELEASE):
            blob = runs[0].world.blobs.get("datasets", m.payload["dataset"]["blob"])
            at = datetime.fromisoformat(m.payload["triggered_at"])
            found.append((at, set(Manifest.from_bytes(blob).rows["record_id"].to_pylist())))
        return found

    learnt = tiny.driven(history, *strategies, at=moments, look=look)
    expected = revealed(history, name, [at for at, _ in learnt])
    assert len(learnt) == len(moments) - 1
    # A record of the very moment is asked about then; its window of curation is still open.
    for (at, ids), known in zip(learnt, expected, strict=True):
        now = {f"r{k:05d}" for k in np.flatnonzero(history.at == int(at.timestamp() * 1e6))}
        assert ids == known - now
    ties = np.isin(history.label_available, [int(m.timestamp() * 1e6) for m in moments])
    assert ties.any()


@pytest.mark.parametrize("name", DELAYS)
def test_a_trigger_sees_the_labels_that_river_has_revealed(name):
    history = world_of_hours(DELAYS[name])
    moments = [tiny.START + k * tiny.DAY for k in range(8, 36, 3)]
    asked = tiny.strategy_of(
        trigger=Cusum(Accuracy(), threshold=1000.0),
        curation=Uniform(tiny.ALL, per="1d"),
        window="3d",
    )
    seen: list[tuple[datetime, Any]] = []

    class Noting(Once):
        @property
        def wants(self) -> tuple[Any, ...]:
            return (Accuracy(),)

        def __call__(self, facts: Any, /) -> Any:
            seen.append((facts.now, facts.windows))
            return super().__call__(facts)

    tiny.driven(
        history, replace(asked, trigger=Noting()), at=moments, look=lambda runs, bench: None
    )
    expected = revealed(history, name, [now for now, _ in seen])
    at = {f"r{k:05d}": int(t) for k, t in enumerate(history.at)}
    compared = 0
    for (_, windows), known in zip(seen, expected, strict=True):
        for w in windows:
            low, high = (int(t.timestamp() * 1e6) for t in (w.start, w.end))
            assert w.labelled == sum(low <= at[k] < high for k in known)
            compared += w.labelled
    assert compared > 100
