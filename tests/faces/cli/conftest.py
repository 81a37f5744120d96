"""A small project, made by running commands as a user would."""

from __future__ import annotations

import contextlib
import io
import json
import math
import random
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidemill.faces.cli import main

STRATEGY = '''
"""Signs nothing by itself."""
from tidemill import AUC, AtLeast, Every, Newest, Outcome, Recent, Strategy, Uniform


def train(dataset, previous):
    import numpy as np

    def model(frame):
        score = 1 / (1 + np.exp(-frame["x"].to_numpy()))
        return {"output": (score > 0.5).astype(float), "score": score}

    return model


strategy = Strategy(
    training=train,
    curation=Uniform(200, per="7d"),
    labels=Outcome(final_after="1d"),
    trigger=Every("7d"),
    dataset=Recent("30d"),
    holdout=Newest(at_least=50),
    offline=AtLeast(AUC(), 0.55),
    signing="approve",
    name="careful",
)
'''
START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = "2024-01-29"


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def tidemill(*words: object) -> Said:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(w) for w in words])
    return Said(int(code), out.getvalue(), err.getvalue())


@pytest.fixture(scope="session", name="tidemill")
def run_command():
    """Run a command in this process."""
    return tidemill


@dataclass(frozen=True)
class Built:
    """A project in which v1 waits for a signature, and what its imports said."""

    project: Path
    files: dict[str, Path]
    said: dict[str, Said]


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Built:
    folder = tmp_path_factory.mktemp("cli")
    project, files, said = folder / "project", _files(folder), {}
    said["init"] = tidemill("init", project, "--json")
    (project / "strategy.py").write_text(STRATEGY)
    here = ("--project", project, "--json")
    said["records"] = tidemill("records", "import", files["records"], *here)
    said["labels"] = tidemill("labels", "import", files["labels"], *here)
    said["feedback"] = tidemill("feedback", "import", files["feedback"], *here)
    said["plan"] = tidemill("plan", *here)
    said["run"] = tidemill("run", "--at", NOW, *here)
    return Built(project, files, said)


@pytest.fixture
def project(built, tmp_path) -> Path:
    """A copy of the project that a test may change."""
    shutil.copytree(built.project, tmp_path / "copy")
    return tmp_path / "copy"


def _files(folder: Path) -> dict[str, Path]:
    rng = random.Random(0)
    records = ["record_id,predicted_at,x,carrier,unit"]
    labels, feedback = ["record_id,label,happened_at"], []
    for k in range(600):
        at, x = START + timedelta(hours=k + 0.5), rng.gauss(0, 1)
        truth = int(rng.random() < 1 / (1 + math.exp(-2 * x)))
        shown = "far" if k == 599 else x
        records.append(f"{k:05},{at.isoformat()},{shown},{rng.choice(['AA', 'NA'])},u{k % 9}")
        landed = (at + timedelta(hours=3)).isoformat()
        labels.append(f"{k:05},{truth},{landed}")
        row = {"record_id": f"{k:05}", "value": k % 2, "kind": "thumb", "happened_at": landed}
        feedback.append(json.dumps(row))
    records.append("late,2999-01-01T00:00:00Z,1,AA,u1")
    files = {
        "records": folder / "records.csv",
        "labels": folder / "labels.csv",
        "feedback": folder / "feedback.jsonl",
    }
    for name, lines in (("records", records), ("labels", labels), ("feedback", feedback)):
        files[name].write_text("\n".join(lines) + "\n")
    return files
