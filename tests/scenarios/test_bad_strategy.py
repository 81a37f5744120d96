"""Strategy files that cannot be used: one line, with the place and the fix."""

from __future__ import annotations

import pytest

from tidemill.core.errors import TidemillError
from tidemill.project import create_project, open_project
from tidemill.strategy.loading import load

GOOD = "strategy = Strategy(training=lambda data, previous: None)\n"


def refused(tmp_path, text):
    path = tmp_path / "strategy.py"
    path.write_text(text)
    with pytest.raises(TidemillError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert " Fix: " in message
    return message.replace(str(path), "strategy.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from tidemill import *\nstrategy = Strategy(\n", "strategy.py, line 2: SyntaxError: "),
        ("from tidemill import Strategy, Unifrm\n",
         "strategy.py, line 1: ImportError: cannot import name 'Unifrm' from 'tidemill'"),
        ("from tidemill import Strategy, Unifrm\n", "Fix: did you mean 'Uniform'?"),
        ("from tidemill import *\nx = Unifrm(3)\n",
         "strategy.py, line 2: NameError: name 'Unifrm' is not defined Fix: did you mean 'Uniform'?"),
        ("import tidemill\nx = tidemill.Unifrm(3)\n", "Fix: did you mean 'Uniform'?"),
        ("from tidemil import *\n", "Fix: did you mean 'tidemill'?"),
        ("import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found' Fix: mend that"),
        ("from tidemill import *\nx = Uniform(3, pre='7d')\n", "Fix: did you mean 'per'?"),
        ("from tidemill import *\nx = Uniform(0)\n",
         "strategy.py, line 2: Uniform(n=0): n must be a whole number, at least 1. Fix: pass n as"),
        ("from tidemill import *\nx = Uniform(3, per='soon')\n", "per must be a duration like '7d'"),
        ("from tidemill import *\nx = Every('7')\n", "line 2: Every(period='7'): period must be"),
        ("from tidemill import *\nx = AtLeast('auc', 0.7)\n", "metric must be a metric, such as"),
        ("from tidemill import *\nx = NoWorseThan('chamipon', AUC())\n",
         "other must be one of 'champion'. Fix: "),
        ("from tidemill import *\nstrategy = Strategy(training=3)\n",
         "training must be a function (dataset, previous) -> model, an estimator or a list of text"),
        ("from tidemill import *\nstrategy = Strategy(training=dict)\n", "training must be a func"),
        ("from tidemill import *\n" + GOOD.replace(")\n", ", offline=AtLeast)\n"),
         "each gate must be a rule. Fix: pass gates such as"),
        ("from tidemill import *\n" + GOOD.replace(")\n", ", curation=100)\n"),
         "curation must be a rule, such as Uniform(1000, per='7d')"),
        ("from tidemill import *\n" + GOOD.replace(")\n", ", signing='maybe')\n"),
         "signing must be one of 'auto', 'approve', 'suggest'"),
        ("x = 1\n", "strategy.py defines no strategy (got nothing). Fix: end it with: strategy = "),
        ("strategy = 1\n", "strategy.py defines no strategy (got int). Fix: end it with"),
        ("from tidemill import *\nstratgy = 1\n", "defines no strategy (got nothing)"),
        ("def f():\n    1 / 0\nf()\n", "strategy.py, line 2: ZeroDivisionError: division by zero"),
        ("raise RuntimeError('a\\nb')\n", "strategy.py, line 1: RuntimeError: a b Fix: "),
        ("import sys\nsys.exit(3)\n", "strategy.py, line 2: SystemExit: 3 Fix: mend that line."),
        ("x = '\0'\n", "null bytes"),
    ],
)  # fmt: skip
def test_a_strategy_file_that_cannot_be_used_says_where_and_what_to_do(tmp_path, text, message):
    assert message in refused(tmp_path, text)


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path):
    with pytest.raises(TidemillError, match=r"cannot be read.*Fix: create it; 'tidemill init'"):
        load(tmp_path / "nowhere.py")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TidemillError, match=r"cannot be read"):
        load(tmp_path / "binary.py")


def test_a_project_with_a_broken_strategy_still_opens_logs_and_says_so_when_turned(tmp_path):
    create_project(tmp_path / "p", strategy="strategy = ")
    with open_project(tmp_path / "p") as mill:
        assert mill.log({"x": 1.0}, record_id="a") == ["a"]
        with pytest.raises(TidemillError, match=r"line 1: SyntaxError"):
            mill.run()
        (tmp_path / "p" / "strategy.py").write_text("from tidemill import *\n" + GOOD)
        mill.run()
        assert mill.world.events.version("records") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [("name = ", "project.toml cannot be read"), ("name = 'x'", "it needs a name and a salt")],
)
def test_a_broken_project_file_is_refused(tmp_path, text, message):
    (tmp_path / "project.toml").write_text(text)
    with pytest.raises(TidemillError, match=message):
        open_project(tmp_path)


def test_no_project_and_one_already_there_are_told(tmp_path):
    with pytest.raises(TidemillError, match=r"there is no project at .* Fix: run 'tidemill init"):
        open_project(tmp_path)
    create_project(tmp_path, strategy=GOOD)
    with pytest.raises(TidemillError, match=r"there is a project at .* Fix: choose another"):
        create_project(tmp_path, strategy=GOOD)
