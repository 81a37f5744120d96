"""What init writes is a strategy that runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tidemill.faces.cli.scaffold import STRATEGY_TEXT


def test_it_is_short_and_explained():
    body = STRATEGY_TEXT.split("strategy = Strategy(")[1]
    assert body.count("#") >= 7
    assert sum(1 for line in STRATEGY_TEXT.splitlines() if line.strip()) <= 35
    assert max(map(len, STRATEGY_TEXT.splitlines())) <= 100


def test_it_loads_without_scikit_learn(tmp_path):
    path = tmp_path / "strategy.py"
    path.write_text(STRATEGY_TEXT)
    code = (
        "import sys; sys.modules['sklearn'] = None; from pathlib import Path; "
        "from tidemill.strategy.loading import load; print(load(Path(sys.argv[1])).trigger)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "Every(period='7d')"


def test_it_trains(tmp_path):
    pytest.importorskip("sklearn")
    import numpy as np
    import pyarrow as pa

    from tidemill.core.model import answer
    from tidemill.core.rules import TrainingData

    names = {}
    exec(STRATEGY_TEXT, names)
    x = np.linspace(-1, 1, 200)
    features = pa.table({"x": x, "carrier": ["AA", "UA"] * 100})
    data = TrainingData(features=features, label=(x > 0).astype(float), weight=np.ones(200))
    model = names["train"](data, None)
    said = answer(model, pa.table({"x": [0.9, -0.9, None], "carrier": ["ZZ", None, "AA"]}))
    assert said.score[0] > 0.9
    assert said.score[1] < 0.1


def test_a_strategy_that_is_there_stays(tidemill, tmp_path):
    (tmp_path / "strategy.py").write_text("# mine\n")
    said = tidemill("init", tmp_path, "--json").json
    assert said["kept_strategy"]
    assert (tmp_path / "strategy.py").read_text() == "# mine\n"
