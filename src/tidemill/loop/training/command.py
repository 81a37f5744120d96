"""Train with a command, in any environment."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, Texts, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import TrainingData

_ROW_SUMS = (
    "import operator, pickle, sys\n"
    "model = operator.methodcaller('sum', axis=1, numeric_only=True)\n"
    "with open(sys.argv[2], 'wb') as file: pickle.dump(model, file)\n"
)
"""A training script for tests and examples: its model answers the sum of all numbers."""


@rule
class Command:
    """Train with a command that reads a Parquet file and writes a pickled model.

    ``{dataset}`` in an argument becomes the path of a Parquet file with the features, a
    column ``label`` and a column ``weight``; ``{model}`` the path to write the model to.
    No shell is involved. The command runs on your machine, as you: its model is trusted
    like its code.

    Parameters
    ----------
    arguments
        The program and its arguments.
    seconds, memory_mb
        Limits of one fit.

    Examples
    --------
    >>> Command(["python", "train.py", "{dataset}", "{model}"]).arguments[0]
    'python'
    """

    arguments: Annotated[Sequence[str], Texts("a list of texts, the program first")]
    _: KW_ONLY
    seconds: Annotated[float, Between(0, open_low=True)] = 3600
    memory_mb: Annotated[int, Whole(16)] = 4096

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", tuple(self.arguments))

    @property
    def continues(self) -> bool:
        return False

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
            places = {
                "dataset": Path(folder, "dataset.parquet"),
                "model": Path(folder, "model.pkl"),
            }
            for name in ("label", "weight"):
                if name in dataset.features.column_names:
                    raise BadInput(
                        f"a feature is called {name!r}, as is a column of the command's dataset.",
                        fix="rename the feature, or train with a function.",
                    )
            table = dataset.features.append_column("label", pa.array(dataset.label))
            pq.write_table(
                table.append_column("weight", pa.array(dataset.weight)), places["dataset"]
            )
            filled = list(self.arguments)
            for name, place in places.items():
                filled = [a.replace(f"{{{name}}}", str(place)) for a in filled]
            done = subprocess.run(filled, check=False)
            if done.returncode:
                raise BadInput(
                    f"the training command ended with exit code {done.returncode}.",
                    fix="read the log of the fit.",
                )
            if not places["model"].exists():
                raise BadInput(
                    "the training command wrote no model.",
                    fix="write a pickled model to the path given as {model}.",
                )
            return pickle.loads(places["model"].read_bytes())  # noqa: S301 - just written by it

    @classmethod
    def examples(cls) -> Iterator[Command]:
        yield cls([sys.executable, "-c", _ROW_SUMS, "{dataset}", "{model}"])
