"""What a strategy does is said in words, and what in it cannot work is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill import (
    AUC,
    All,
    AtLeast,
    Automatic,
    Every,
    Manual,
    Newest,
    NoWorseThan,
    Outcome,
    Recent,
    Strategy,
    Uniform,
)
from tidemill.core.costs import Costs
from tidemill.faces.cli.scaffold import STRATEGY_TEXT
from tidemill.loop.curation.automatic import label_all_zero
from tidemill.loop.training.function import always_the_mean
from tidemill.strategy.doubts import notes, problems, stages
from tidemill.strategy.loading import load_text


def sound(**more):
    rules = {"training": always_the_mean, "trigger": Every("7d"), "dataset": Recent("60d"),
             "offline": [AtLeast(AUC(), 0.6)]}  # fmt: skip
    return Strategy(**(rules | more))


def test_nothing_is_wrong_with_what_init_writes():
    strategy = load_text(STRATEGY_TEXT, Path("strategy.py"))
    assert problems(strategy) == []
    assert notes(strategy) == []
    assert problems(sound()) == notes(sound()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"offline": []}, "there is no gate"),
        ({"offline": [NoWorseThan("champion", AUC())]}, "all gates compare with the champion"),
        ({"labels": Outcome(final_after="60d")}, "never anything to learn from"),
        ({"labels": Outcome(final_after="90d")}, "final after 90d"),
    ],
)
def test_what_can_never_work(changes, words):
    [said] = problems(sound(**changes))
    assert words in said
    assert "Fix: " in said


@pytest.mark.parametrize(
    "changes",
    [
        {"offline": [], "signing": "approve"},
        {"offline": [AtLeast(AUC(), 0.6), NoWorseThan("champion", AUC())]},
        {"labels": Outcome(final_after="59d")},
        {"labels": Outcome(final_after="90d"), "dataset": All()},
    ],
)
def test_what_may_work(changes):
    assert problems(sound(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trigger": Manual()}, "never fires by itself"),
        ({"curation": Uniform(1000, per="14d")}, "once in 14d and a retrain is due every 7d"),
        ({"curation": Uniform(9000, per="61d"), "trigger": Every("90d")}, "only 60d"),
        ({"signing": "approve", "deadline": "8d"}, "no retrain starts meanwhile"),
        ({"signing": "suggest"}, "until a person signs it"),
        ({"curation": Uniform(90)}, "chooses about 900 in reach"),
        ({"labels": Outcome(final_after="50d")}, "only 10d of Recent('60d') are labelled"),
        (
            {"labels": Automatic(label_all_zero, price=2.0), "costs": Costs(label=1.0)},
            "the labeller says a label costs 2",
        ),
    ],
)
def test_what_is_hardly_meant(changes, words):
    assert problems(sound(**changes)) == []
    [said] = notes(sound(**changes))
    assert words in said


@pytest.mark.parametrize(
    "changes",
    [
        {"curation": Uniform(100), "holdout": Newest(at_least=500)},
        {"dataset": All(), "curation": Uniform(1)},
        {"signing": "approve", "deadline": "7d"},
        {"labels": Automatic(label_all_zero, price=1.0), "costs": Costs(label=1.0)},
    ],
)
def test_what_may_be_meant(changes):
    assert notes(sound(**changes)) == []


def test_triggers_made_of_triggers_are_looked_into():
    from tidemill.core.rule import rule

    @rule
    class Both:
        """Fire when both do."""

        parts: tuple
        wants = ()

        def __call__(self, facts, /):
            return self.parts[0](facts)

    assert "never fires" in notes(sound(trigger=Both((Manual(), Manual()))))[0]
    assert notes(sound(trigger=Both((Manual(), Every("7d"))))) == []


def test_each_stage_is_told_in_words():
    told = {s["stage"]: s for s in stages(sound())}
    assert list(told) == ["log", "curation", "labels", "trigger", "dataset", "holdout",
                          "training", "offline", "signing", "online"]  # fmt: skip
    assert told["trigger"]["rule"] == "Every('7d')"
    assert told["trigger"]["does"] == "Fire when so much time has passed since the last retrain."
    assert "Train the model that always answers the weighted mean" in told["training"]["does"]
    assert all(s["does"] for s in told.values())


def test_every_gate_is_told_and_the_lack_of_one():
    gates = [AtLeast(AUC(), 0.6), NoWorseThan("champion", AUC())]
    assert [s["stage"] for s in stages(sound(offline=gates))].count("offline") == 2
    assert "No gate measures a candidate." in [s["does"] for s in stages(sound(offline=[]))]
    waiting = stages(sound(signing="approve", deadline="3d"))
    assert "After 3d it expires." in {s["stage"]: s["does"] for s in waiting}["signing"]
