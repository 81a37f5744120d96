"""Expected metrics: at labels they are the metrics, on average they are what labels show."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.measures import AUC, Accuracy, Brier, LogLoss
from tidemill.monitoring.estimates import Answered, realised
from tidemill.monitoring.estimates.calibration import Isotonic
from tidemill.monitoring.estimates.expected import CLASSES, Task, expected


def rows(n: int = 60) -> tuple[Task, np.ndarray]:
    rng = np.random.default_rng(1)
    score = np.round(rng.uniform(0.05, 0.95, n), 1)  # with ties
    task = Task(score=score, output=(score > 0.5) * 1.0, weight=rng.uniform(0.5, 2, n))
    return task, rng.uniform(0.1, 0.9, n)


def test_at_the_labels_it_is_the_metric_itself() -> None:
    task, mass = rows()
    label = (mass > 0.5) * 1.0
    for metric, answer in ((AUC(), task.score), (Brier(), task.score), (LogLoss(), task.score)):
        assert expected(metric.name, task, label)[0] == pytest.approx(
            metric(label, answer, task.weight)
        )
    right = Accuracy()(label, task.output, task.weight)
    assert expected("accuracy", task, label)[0] == pytest.approx(right)
    seen = Answered(score=task.score, output=task.output, label=label, weight=task.weight)
    hits = task.weight @ (task.output * label)
    precision, recall = hits / (task.weight @ task.output), hits / (task.weight @ label)
    assert realised(seen, "precision") == pytest.approx(precision)
    assert realised(seen, "recall") == pytest.approx(recall)
    assert realised(seen, "f1") == pytest.approx(2 / (1 / precision + 1 / recall))


@pytest.mark.parametrize("metric", CLASSES)
def test_on_average_it_is_what_labels_drawn_from_the_probabilities_show(metric: str) -> None:
    task, mass = rows()
    rng = np.random.default_rng(2)
    seen = [expected(metric, task, (rng.uniform(size=60) < mass) * 1.0)[0] for _ in range(2000)]
    value, gradient = expected(metric, task, mass)
    sd = float(np.sqrt(np.square(gradient) @ (mass * (1 - mass))))
    assert np.mean(seen) == pytest.approx(value, abs=0.05 * sd + 0.003)
    assert np.std(seen) == pytest.approx(sd, rel=0.06)


@pytest.mark.parametrize("metric", CLASSES)
def test_its_gradient_is_its_derivative(metric: str) -> None:
    task, mass = rows()
    _, gradient = expected(metric, task, mass)
    for k in (0, 7, 31):
        step = np.zeros(60)
        step[k] = 1e-5
        up, down = (expected(metric, task, mass + sign * step)[0] for sign in (1, -1))
        # A pair with itself is left out of the AUC's value; of its derivative only nearly.
        assert (up - down) / 2e-5 == pytest.approx(gradient[k], rel=0.05, abs=5e-4)


def test_the_auc_is_ordered_by_the_raw_score_and_weighed_by_the_calibrated_one() -> None:
    task = Task(score=np.arange(100.0), output=np.zeros(100), weight=np.ones(100))
    flat = np.where(np.arange(100) < 50, 0.2, 0.8)
    by_raw = expected("auc", task, flat)[0]
    by_calibrated = expected("auc", Task(score=flat, output=task.output, weight=task.weight), flat)
    assert by_raw == pytest.approx(by_calibrated[0], abs=1e-3)
    falling = expected("auc", task, flat[::-1])[0]
    assert falling == pytest.approx(1 - by_raw)


def test_an_isotonic_fit_rises_and_is_flat_beyond_its_ends() -> None:
    rng = np.random.default_rng(3)
    score = rng.uniform(size=5000)
    label = (rng.uniform(size=5000) < score**2) * 1.0
    fit = Isotonic.fit(score, label, np.ones(5000))
    at = np.linspace(0.05, 0.95, 50)
    assert np.all(np.diff(fit(at)) >= 0)
    assert np.abs(fit(at) - at**2).max() < 0.12
    assert np.abs(fit(at) - at**2).mean() < 0.03
    assert fit(np.array([-9.0, 9.0])).tolist() == fit(np.array([score.min(), score.max()])).tolist()
