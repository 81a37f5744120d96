"""A backtest in the terminal: the same words at every width, and never as markup.

After a change that is meant: ``TIDEMILL_REWRITE=1 pytest tests/faces/report/test_terminal.py``.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from tidemill.faces.report.terminal import lines, text

HERE = Path(__file__).parent


def shown(made: ModuleType, name: str, width: int) -> str:
    documents = {
        "rich": made.example,
        "no-costs": lambda: made.example(costs=False),
        "empty": lambda: made.example(empty=True),
        "one-step": lambda: made.example(steps=1, nulls=False),
        "hostile": made.hostile,
    }
    return text(documents[name](), width=width)


@pytest.mark.parametrize(("name", "width"), [("rich", 80), ("no-costs", 110), ("empty", 80)])
def test_as_it_was(made: ModuleType, name: str, width: int) -> None:
    path = HERE / "terminal" / f"{name}-{width}.txt"
    now = shown(made, name, width)
    if os.environ.get("TIDEMILL_REWRITE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    assert now == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["rich", "no-costs", "empty", "one-step", "hostile"])
@pytest.mark.parametrize("width", [80, 100, 140])
def test_it_fits_and_has_no_nan(made: ModuleType, name: str, width: int) -> None:
    told = shown(made, name, width)
    assert max(len(line) for line in told.splitlines()) <= width
    assert "nan" not in told.lower().replace("finance", "")
    assert "None" not in told


def test_the_first_line_says_whose_model_it_is(made: ModuleType) -> None:
    backtest = made.example()
    first = text(backtest).splitlines()[0]
    assert first == "This is not your model: a built-in logistic regression."
    backtest["model"] = {"yours": True, "words": "models:train"}
    assert text(backtest).splitlines()[0] == "Your model: models:train."


def test_references_are_marked_without_colour_and_the_conclusion_is_last(made: ModuleType) -> None:
    told = shown(made, "rich", 120)
    for line in (
        "~ never",
        "~ calendar: as many retrains as performance",
        "bound, in sample",
        "+0.009 [0.001, 0.017]",
        "ASSUMED  rows without a label are censored",
        "no claim: a trend in the difference",
    ):
        assert line in told, line
    assert "~ yours" not in told
    # The bound is that of the document, not the mean of the curve.
    hindsight = next(line for line in told.splitlines() if line.startswith("~ hindsight "))
    assert "0.738" in hindsight
    assert told.rstrip().endswith("History holds about 3 independent episodes.")
    assert told.index("Can it be trusted?") < told.index("Conclusion")


def test_references_are_dim_where_there_is_colour(made: ModuleType) -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system="standard")
    for line in lines(made.example(), width=120):
        console.print(line)
    told = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert any("\x1b[2m" in line and "never" in line for line in told)
    assert not any("\x1b[2m" in line and "monthly " in line[:20] for line in told)


def test_names_are_no_markup(made: ModuleType) -> None:
    backtest = made.renamed(made.example(), "weekly", "[bold red]weekly[/] :smile:")
    told = text(backtest, width=140)
    assert "[bold red]weekly[/] :smile:" in told


def test_hindsight_without_a_row_of_its_own_is_told_as_a_bound(made: ModuleType) -> None:
    backtest = made.example()
    backtest["strategies"] = [s for s in backtest["strategies"] if s["name"] != "hindsight"]
    told = text(backtest, width=120)
    assert "~ hindsight" in told
    assert "bound, in sample" in told
