"""A cohort comes into the text of a strategy file, and nothing else changes; or it is refused."""

from __future__ import annotations

import pytest

from tidemill.core.errors import BadInput
from tidemill.strategy.watching.pasting import line_of, with_cohort

WHERE = 'r.f_z == "#1"'
LINE = 'Cohort("new", lambda r: r.f_z == "#1")'
STAR = "from tidemill import *\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (  # no cohorts, no import
            "from tidemill import AUC, Strategy\nstrategy = Strategy(training=f)",
            f"from tidemill import AUC, Cohort, Strategy\nstrategy = Strategy(training=f, cohorts=[{LINE}])",
        ),
        (  # comments stay where they are
            f"{STAR}strategy = Strategy(\n    training=f,  # how, and why\n    # the end\n)\n",
            (
                f"{STAR}strategy = Strategy(\n    training=f,  # how, and why\n"
                f"    cohorts=[{LINE}],\n    # the end\n)\n"
            ),
        ),
        (  # ends of lines of Windows, letters of more than a byte, another name
            'import tidemill as tm\r\nstrategy = tm.Strategy(training=f, cohorts=[\r\n  tm.Cohort("ä", g), # a, b\r\n])\r\n',
            (
                'import tidemill as tm\r\nstrategy = tm.Strategy(training=f, cohorts=[\r\n  tm.Cohort("ä", g), # a, b\r\n'
                f"  tm.{LINE},\r\n])\r\n"
            ),
        ),
        (  # no comma behind the last
            f"{STAR}strategy = Strategy(\n    cohorts=[\n        a,\n        b  # last\n    ],\n    training=f,\n)\n",
            (
                f"{STAR}strategy = Strategy(\n    cohorts=[\n        a,\n        b,  # last\n"
                f"        {LINE}\n    ],\n    training=f,\n)\n"
            ),
        ),
        (
            f'{STAR}x = "ä"; strategy = Strategy(training=f, cohorts=[a, b,], name="ü")\n',
            f'{STAR}x = "ä"; strategy = Strategy(training=f, cohorts=[a, b, {LINE},], name="ü")\n',
        ),
        (
            f"{STAR}strategy = Strategy(training=f, cohorts=())\n",
            f"{STAR}strategy = Strategy(training=f, cohorts=({LINE},))\n",
        ),
        (  # imported under another name, in a list of lines
            '"""Doc."""\nfrom tidemill import (\n    Cohort as C,\n    Strategy,\n)\nstrategy = Strategy(training=f)\n',
            (
                '"""Doc."""\nfrom tidemill import (\n    Cohort as C,\n    Strategy,\n)\n'
                f"strategy = Strategy(training=f, cohorts=[{LINE.replace('Cohort', 'C')}])\n"
            ),
        ),
        (  # nothing is imported from the package itself
            '"""Doc."""\nfrom tidemill.strategy.strategy import Strategy\nstrategy = Strategy(training=f)\n',
            (
                '"""Doc."""\nfrom tidemill.strategy.strategy import Strategy\nfrom tidemill import Cohort\n'
                f"strategy = Strategy(training=f, cohorts=[{LINE}])\n"
            ),
        ),
    ],
)
def test_only_the_cohort_comes_in(before, after):
    assert with_cohort(before, "new", WHERE) == after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            f"{STAR}made = []\nstrategy = Strategy(training=f, cohorts=made)\n",
            "not written as a list",
        ),
        (
            f"{STAR}strategy = Strategy(training=f, cohorts=[c for c in d])\n",
            "not written as a list",
        ),
        (f"{STAR}strategy = Strategy(training=f, cohorts=a)\n", "not written as a list"),
        (f"{STAR}strategy = Strategy(training=f, cohorts=[(a)])\n", "not laid out simply"),
        (f"{STAR}strategy = made()\n", "not assigned a call of Strategy"),
        (f"{STAR}strategy = Strategy(**given)\n", "by * or **"),
        (f"{STAR}strategy = Strategy(training=f)\nstrategy = Strategy(training=g)\n", "2 times"),
        (
            "from tidemill import Strategy\nclass Cohort: ...\nstrategy = Strategy(training=f)\n",
            "something else",
        ),
        ("strategy = Strategy(", "not laid out simply"),
        ("", "0 times"),
    ],
)
def test_a_file_that_is_not_simple_is_refused_with_the_line_to_paste(text, why):
    with pytest.raises(BadInput) as error:
        with_cohort(text, "new", WHERE)
    assert why in error.value.what
    assert LINE in error.value.fix


def test_the_condition_is_one_expression_in_one_line():
    assert line_of('a "b"', "lambda t: t.f_x > 1") == "Cohort('a \"b\"', lambda t: t.f_x > 1)"
    for wrong in ("r.f_x >", "x = 1", "", "r.f_x # all", "(r.f_x\n> 1)"):
        with pytest.raises(BadInput):
            line_of("new", wrong)
