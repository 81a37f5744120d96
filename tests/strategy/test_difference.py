"""What differs is told field by field; equal hash if and only if nothing relevant differs."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import pkgutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidemill.loop
import tidemill.measures
from tidemill import AUC, AtLeast, Brier, Every, NoWorseThan, Recent, Strategy
from tidemill.core.errors import BadValue
from tidemill.core.fingerprint import fingerprint
from tidemill.loop.training.function import always_the_mean
from tidemill.strategy.difference import difference
from tidemill.strategy.loading import load_text
from tidemill.testing import stage_of

FIELDS = {
    "log": "log",
    "curation": "curation",
    "labels": "labels",
    "triggers": "trigger",
    "datasets": "dataset",
    "holdout": "holdout",
    "training": "training",
    "offline": "offline",
    "online": "online",
}
"""The name of a stage -> the field of a strategy its rules go into."""
FILE = '''
"""A file."""
from tidemill import *


def clean(frame):
    return frame


def train(dataset, previous):
    """Learn."""
    return clean(dataset)


strategy = Strategy(training=train, labels=Automatic(lambda frame: frame["x"]))
'''


def examples():
    """Every example of every rule class, wherever it is."""
    found = {}
    for package in (tidemill.loop, tidemill.measures):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            for thing in vars(importlib.import_module(module.name)).values():
                if isinstance(thing, type) and dataclasses.is_dataclass(thing):
                    made = getattr(thing, "examples", tuple)
                    found[thing] = list(made())
    return [one for made in found.values() for one in made]


EXAMPLES = examples()


def pools():
    """The examples of each stage, by the field of a strategy they go into."""
    found = {}
    for one in EXAMPLES:
        stage = stage_of(one)
        if stage is not None and stage.name in FIELDS:
            found.setdefault(FIELDS[stage.name], []).append(one)
    return found


POOLS = pools()


def relevant(old, new):
    return [c for c in difference(old, new) if c.relevant]


def test_the_pools_hold_rules_of_every_stage():
    assert set(POOLS) == set(FIELDS.values())


@st.composite
def any_strategy(draw):
    rules = {name: draw(st.sampled_from(pool)) for name, pool in POOLS.items()}
    rules["offline"] = draw(st.lists(st.sampled_from(POOLS["offline"]), max_size=3))
    rules["metrics"] = draw(st.lists(st.sampled_from([AUC(), Brier()]), max_size=2))
    words = st.sampled_from(["a", "b"])
    return Strategy(**rules, name=draw(words), comment=draw(words),
                    deadline=draw(st.sampled_from(["7d", "14d"])))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(any_strategy(), any_strategy())
def test_equal_hash_if_and_only_if_nothing_relevant_differs(old, new):
    assert (old.hash == new.hash) == (not relevant(old, new))
    assert difference(old, old) == []
    there, back = difference(old, new), difference(new, old)
    assert {c.path.split("[")[0] for c in there} == {c.path.split("[")[0] for c in back}


def test_it_holds_for_every_pair_of_examples():
    for old, new in itertools.combinations_with_replacement(EXAMPLES, 2):
        assert (fingerprint(old) == fingerprint(new)) == (not relevant(old, new)), (old, new)


def other_values(value):
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value / 2, value * 0.9 + 0.05, 2)
    elif isinstance(value, str):
        yield from ("3d", "17h", value + "x", "0 3 * * *", "2024-05-05T00:00:00Z")
    elif value is None:
        yield from (1.5, 2, "9d")


def variations():
    """Every example with one of its fields changed to something else it may be."""
    for one in EXAMPLES:
        for field in dataclasses.fields(one):
            if not field.init:
                continue
            for value in other_values(getattr(one, field.name)):
                try:
                    other = dataclasses.replace(one, **{field.name: value})
                except (BadValue, TypeError, ValueError):
                    continue
                if getattr(other, field.name) == getattr(one, field.name):
                    continue
                yield pytest.param(one, other, field, id=f"{type(one).__name__}.{field.name}")
                break


VARIATIONS = list(variations())


def test_most_fields_can_be_varied():
    assert len(VARIATIONS) > 40


@pytest.mark.parametrize(("old", "new", "field"), VARIATIONS)
def test_a_changed_field_is_named(old, new, field):
    [change] = difference(old, new)
    assert change.path == field.name
    assert change.relevant == (not field.metadata.get("cosmetic"))
    assert change.relevant == (fingerprint(old) != fingerprint(new))
    assert change.old != change.new


def base(**more):
    rules = {"training": always_the_mean, "trigger": Every("7d"), "dataset": Recent("30d")}
    return Strategy(**(rules | more))


def words(old, new):
    return [str(c) for c in difference(old, new)]


def test_nested_fields_have_a_path():
    assert words(base(), base(trigger=Every("14d"))) == ["trigger.period: '7d' → '14d'"]
    gates = [AtLeast(AUC(), 0.6), NoWorseThan("champion", AUC(), margin=0.01)]
    stricter = [AtLeast(AUC(), 0.7), NoWorseThan("champion", Brier(), margin=0.01)]
    assert words(base(offline=gates), base(offline=stricter)) == [
        "offline[0].floor: 0.6 → 0.7",
        "offline[1].metric: AUC() → Brier()",
    ]


def test_gates_that_come_and_go():
    one, two = AtLeast(AUC(), 0.6), NoWorseThan("champion", AUC())
    assert words(base(offline=[two]), base(offline=[one, two])) == [
        "offline[0]: added AtLeast(AUC(), 0.6)"
    ]
    assert words(base(offline=[one, two]), base(offline=[one])) == [
        "offline[1]: removed NoWorseThan('champion', AUC())"
    ]
    assert relevant(base(offline=[one, two]), base(offline=[two, one]))


def test_another_rule_is_one_change():
    assert words(base(), base(dataset=tidemill.All())) == ["dataset: Recent('30d') → All()"]


def test_whole_numbers_and_fractions_are_told_apart_as_the_hash_does():
    old, new = AtLeast(AUC(), 1), AtLeast(AUC(), 1.0)
    assert old == new
    assert fingerprint(old) != fingerprint(new)
    assert len(relevant(old, new)) == 1


def test_a_name_and_a_comment_are_cosmetic():
    found = difference(base(), base(name="slow", comment="why not"))
    assert [(c.path, c.relevant) for c in found] == [("name", False), ("comment", False)]


def test_parameters_of_an_estimator():
    linear = pytest.importorskip("sklearn.linear_model")
    pipeline = pytest.importorskip("sklearn.pipeline").make_pipeline
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler
    old = base(training=pipeline(scaler(), linear.LogisticRegression()))
    new = base(training=pipeline(scaler(), linear.LogisticRegression(C=0.1)))
    assert words(old, new) == ["training.estimator.steps[1][1].C: 1.0 → 0.1"]
    more = base(training=pipeline(linear.LogisticRegression()))
    assert words(old, more) == [
        "training.estimator.steps[0]: removed ['standardscaler', StandardScaler()]"
    ]


def loaded(text):
    return load_text(text, Path("strategy.py"))


def test_changed_code_is_shown():
    changed = FILE.replace("return clean(dataset)", "return clean(dataset), 1")
    # The lambda may call it too: everything in the file counts for every function of it.
    training, labeller = sorted(difference(loaded(FILE), loaded(changed)), key=str, reverse=True)
    assert str(training) == "training.function: code changed"
    assert training.relevant
    assert "-    return clean(dataset)" in training.diff
    assert "+    return clean(dataset), 1" in training.diff
    assert "def clean" not in training.diff
    assert str(labeller) == "labels.labeller: code changed"


def test_code_that_is_called_is_shown():
    changed = FILE.replace("    return frame\n", "    return frame.dropna()\n")
    for change in difference(loaded(FILE), loaded(changed)):
        assert change.code
        assert "+    return frame.dropna()" in change.diff


def test_a_changed_lambda_is_shown():
    [change] = difference(loaded(FILE), loaded(FILE.replace('["x"]', '["y"]')))
    assert change.path == "labels.labeller"
    assert '+lambda frame: frame["y"]' in change.diff


def test_a_renamed_function_and_its_code():
    changed = FILE.replace("train(", "fit(").replace("=train", "=fit")
    found = {c.path: c for c in difference(loaded(FILE), loaded(changed))}
    assert (found["training.function"].old, found["training.function"].new) == ("train", "fit")


def test_comments_and_docstrings_are_no_change():
    changed = FILE.replace('"""Learn."""', '"""Learn well."""  # indeed')
    assert difference(loaded(FILE), loaded(changed)) == []


def test_the_same_file_twice_is_no_change():
    assert difference(loaded(FILE), loaded(FILE)) == []


def test_rules_of_ones_own():
    own = FILE.replace("strategy =", '''
from tidemill.core.rule import rule
from tidemill.core.verdict import Decision


@rule
class Lazy:
    """Never."""

    wants = ()
    days: int

    def __call__(self, facts, /):
        return Decision(fire=False, why="lazy")


strategy =''').replace("training=train", "training=train, trigger=Lazy(3)")  # fmt: skip
    [change] = difference(loaded(own), loaded(own.replace("Lazy(3)", "Lazy(4)")))
    assert str(change) == "trigger.days: 3 → 4"
    found = difference(loaded(own), loaded(own.replace('why="lazy"', 'why="very lazy"')))
    assert "trigger: code changed" in map(str, found)


def test_values_that_hold_themselves_come_to_an_end():
    class Loop:
        def __init__(self, n):
            self.n, self.me = n, self

        def fit(self, x, y):
            return self

        def predict(self, x):
            return x

    found = difference(base(training=Loop(1)), base(training=Loop(2)))
    assert "training.estimator.n: 1 → 2" in map(str, found)
