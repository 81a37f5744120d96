"""docs/json.md is what the code says, and documents are what docs/json.md says."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tidemill
from tidemill.faces.report.reference import problems, reference
from tidemill.faces.report.schema import DOCUMENT

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def document():
    rng, n = np.random.default_rng(0), 500
    x = rng.normal(size=n)
    hours = np.datetime64("2024-01-01", "s") + np.arange(n) * np.timedelta64(7200, "s")
    rows = {
        "time": hours,
        "x": x,
        "p": 1 / (1 + np.exp(-x)),
        "label": (x + rng.normal(size=n) > 0).astype(int),
    }
    how = {"label_delay": "2h", "step": "7d", "score": "p", "costs": tidemill.Costs(error=1.0)}
    return tidemill.backtest(rows, ["never", "weekly"], **how).to_dict()


def test_the_page_is_what_the_code_says():
    committed = (DOCS / "json.md").read_text(encoding="utf-8")
    command = "python -m tidemill.faces.report.reference > docs/json.md"
    assert committed == reference(), f"write it again: {command}"


def test_a_document_is_as_the_page_says(document):
    assert list(problems(document)) == []
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_what_is_not_as_the_page_says_is_found(document):
    changed = copy.deepcopy(document)
    del changed["strategies"][0]["words"]
    changed["comparisons"][0]["verdict"] = "FINE"
    changed["strategies"][1]["curve"][0]["n"] = None
    changed["more"] = 1
    assert sorted(problems(changed)) == [
        "comparisons[0].verdict: 'FINE' is none of BETTER, WORSE, NO_VERDICT, SAME",
        "more: is not in the schema",
        "strategies[0].words: is missing",
        "strategies[1].curve[0].n: None is no integer",
    ]


def test_the_command_line_page_names_the_same_keys(document):
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    section = text.split("\n### backtest\n")[1].split("\n### ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == set(document)


def test_the_schema_is_one_for_other_tools():
    words = [sys.executable, "-m", "tidemill.faces.report.reference", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    assert printed.pop("$schema").startswith("https://json-schema.org/")
    assert printed == DOCUMENT
