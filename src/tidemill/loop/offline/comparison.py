"""From labelled rows and answers to what a gate looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.core.rules import TestSet
from tidemill.measures.grouped import grouping


def answered(table: pa.Table) -> dict[str, npt.NDArray[Any]]:
    """Turn the columns of an answer into arrays: ``output`` and ``score``."""
    texts = table["output"].null_count == table.num_rows and table.num_rows > 0
    output = table["output_text" if texts else "output"].to_numpy(zero_copy_only=False)
    return {"output": output, "score": table["score"].to_numpy(zero_copy_only=False)}


def compare_on(
    rows: pa.Table, answers: dict[str, dict[str, npt.NDArray[Any]]], *, look: int = 1
) -> TestSet:
    """Put the rows of a test manifest beside what each model answered on them."""
    texts = rows["label"].null_count == rows.num_rows and rows.num_rows > 0
    label = rows["label_text" if texts else "label"].to_numpy(zero_copy_only=False)
    at = rows["predicted_at"].to_numpy().astype("datetime64[us]")
    return TestSet(
        label=label,
        weight=np.asarray(rows["weight"].to_numpy(), dtype=float),
        day=at.astype("datetime64[D]"),
        answers=answers,
        look=look,
        groups=grouping(rows),
    )
