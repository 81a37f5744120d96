"""What init writes is a strategy that runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tidemill.faces.cli.scaffold import STRATEGY_TEXT


def test_it_is_short_and_explained():
    body = STRATEGY_TEXT.split("strategy = Strategy(")[1]
    assert body.count("#") >= 7
    assert sum(1 for line in STRATEGY_TEXT.splitlines() if line.strip()) <= 40
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


def test_the_first_run_says_whether_anything_is_bad(tidemill, tmp_path):
    here = ("--project", tmp_path / "mill")
    assert tidemill("init", tmp_path / "mill").code == 0
    lines = ["id,time,age,city"]
    for k in range(16 * 60):
        day, age = k // 60, "" if k // 60 == 14 and k % 2 else f"{30 + k % 7}"
        time = f"2024-01-{day + 1:02}T{k % 24:02}:{k % 60:02}:00+00:00"
        lines.append(f"{k},{time},{age},{'BU'[k % 3 == 0]}")
    (tmp_path / "r.csv").write_text("\n".join(lines))
    assert tidemill("records", "import", tmp_path / "r.csv", *here).code == 0
    said = tidemill("run", "--at", "2024-01-17T01:00:00Z", *here)
    assert "\nBad since 2024-01-15: drift of age: nulls 0 % → 50 %" in said.out
    assert "\nLook: tidemill alerts show i1" in said.out
    assert "Next: tidemill alerts show i1" in tidemill("status", *here).out
