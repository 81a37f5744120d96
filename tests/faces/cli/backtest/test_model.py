"""``tidemill backtest``: whose model it is, and what becomes of one that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from turning import FAST, KNOWN, TWO, row, table


def test_a_model_of_ones_own_travels_with_what_it_imports(place):
    """In processes of their own, which do not know the user's folder."""
    words = [table(), *KNOWN, *TWO, "--step", "7d", "--workers", "2", "--model", "mine:train"]
    main = "import sys; from tidemill.faces.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", main, "backtest", *words, "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["model"] == {"yours": True, "words": "your own training"}
    assert row(found, "never")["failed"] == 0
    assert row(found, "never")["value"] is not None


def test_what_makes_an_estimator_is_a_model(replay):
    found = replay(table(), *KNOWN, *TWO, "--model", "mine:made", "--metric", "brier")
    assert found["metric"]["name"] == "brier"
    assert row(found, "weekly")["value"] is not None


def test_a_strategy_file_brings_its_own_training(replay):
    found = replay(table(), *KNOWN, "--strategies", "never,fortnightly.py")
    assert found["model"]["words"] == ("a built-in logistic regression; fortnightly trains its own")
    assert row(found, "fortnightly")["retrains"] == 3
    alone = replay(table(), *KNOWN, "--strategies", "fortnightly.py")
    assert alone["model"]["yours"]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("mine", "expected module:function"),
        ("nowhere:train", "there is no module 'nowhere'"),
        ("mine:trian", "did you mean 'train'?"),
        ("mine:three", "takes 3 arguments"),
        ("mine:number", "is no model: 7"),
        ("broken:train", "cannot be imported: ZeroDivisionError"),
        ("lacking:train", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_model_that_is_none(refuse, place, model, told):
    (place / "broken.py").write_text("1 / 0")
    (place / "lacking.py").write_text("import no_such_thing")
    code = 2 if "expected" in told or "is no" in told or "takes" in told else 1
    code = 1 if model.startswith("nowhere") else code
    assert told in refuse(table(), *KNOWN, *TWO, "--model", model, code=code)


def test_a_training_that_fails_now_and_then(replay):
    found = replay(table(), *KNOWN, *TWO, "--model", "mine:train")
    weekly = row(found, "weekly")
    assert weekly["failed"] == 2
    assert any("2 of 6 fits failed" in n and "too many" in n for n in weekly["notes"])
    assert weekly["value"] is not None


def test_a_training_that_always_fails(tidemill):
    said = tidemill("backtest", table(), *KNOWN, *TWO, *FAST, "--model", "mine:never")
    assert said.code == 0
    assert "Nothing could be scored" in said.out
    assert "the licence ran out" in said.out
    assert "Traceback" not in said.out + said.err
