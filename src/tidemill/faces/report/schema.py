"""The keys of a backtest as JSON, as data: what documents and the reference page are held to."""

from __future__ import annotations

from typing import Any

from tidemill.core.ports import Json

SCHEMA = "tidemill.backtest/1"


def _is(kind: str, meaning: str, *, null: bool = False, **more: Any) -> Json:
    return {"type": [kind, "null"] if null else kind, "description": meaning, **more}


def _text(meaning: str, *, null: bool = False) -> Json:
    return _is("string", meaning, null=null)


def _number(meaning: str, *, null: bool = False) -> Json:
    return _is("number", meaning, null=null)


def _whole(meaning: str) -> Json:
    return _is("integer", meaning)


def _yes(meaning: str) -> Json:
    return _is("boolean", meaning)


def _time(meaning: str, *, null: bool = False) -> Json:
    return _is("string", meaning, null=null, format="date-time")


def _one_of(meaning: str, *values: str) -> Json:
    return {"enum": list(values), "type": "string", "description": meaning}


def _list(meaning: str, items: Json) -> Json:
    return _is("array", meaning, items=items)


def _object(meaning: str, *, null: bool = False, **keys: Json) -> Json:
    more = {"properties": keys, "required": list(keys), "additionalProperties": False}
    return _is("object", meaning, null=null, **more)


def _interval(meaning: str, *, null: bool = False, **keys: Json) -> Json:
    return _object(
        meaning,
        null=null,
        value=_number("the estimate; positive is better", null=True),
        low=_number("lower end of the 95 % interval", null=True),
        high=_number("upper end", null=True),
        **keys,
    )


_HISTORY = _object(
    "what was replayed",
    rows=_whole("predictions"),
    labelled=_whole("predictions with a label"),
    first=_time("the first prediction", null=True),
    last=_time("the last one", null=True),
    task=_one_of("what is predicted", "binary", "multiclass", "regression"),
    features=_list(
        "what models learn from",
        _object(
            "a feature",
            name=_text("its name"),
            kind=_one_of("what it holds", "number", "category", "text", "time"),
        ),
    ),
    step=_text("how often every mill turned, such as 7d"),
    steps=_whole("how many steps are scored"),
    scored_from=_time("start of the first scored step", null=True),
    scored_to=_time("end of the last one", null=True),
    label_delay=_text("the median time from a prediction to its label, such as 6h"),
    assumed=_list("what nobody stated", _text("a sentence")),
    warnings=_list("leaks, rows left out, ...", _text("a sentence")),
)
_COST = _object(
    "what it cost; the items add up exactly; null without prices",
    null=True,
    currency=_text("of all amounts"),
    labels=_number("labels asked for that came"),
    compute=_number("seconds of training"),
    review=_number("report cards read"),
    errors=_number("errors in the settled steps"),
    total=_number("the sum"),
)
_STEP = _object(
    "a scored step",
    start=_time("its start"),
    end=_time("its end"),
    n=_whole("predictions in it"),
    labelled=_whole("those with a label by now"),
    then=_number("the metric by the labels known when the step ended", null=True),
    now=_number("the metric by all labels", null=True),
    age_days=_number("age of the model in front, at the middle of the step", null=True),
    settled=_yes("whether all its labels had their time to come; others do not count"),
)
_STRATEGY = _object(
    "a strategy, your own history, or a reference",
    name=_text("its name"),
    hash=_text("its content hash; null for a schedule or a history", null=True),
    kind=_one_of("who wants it compared", "asked", "yours", "reference"),
    words=_text("what it does"),
    matched=_object(
        "what a reference was given as much of as another strategy had",
        null=True,
        to=_text("the other strategy"),
        what=_text("retrains or rows"),
    ),
    value=_number("the metric over all settled steps, each by its labels", null=True),
    retrains=_number("fits it started, the first included; mean over seeds"),
    refused=_number("candidates that did not pass their gates"),
    failed=_number("fits that failed"),
    labels=_whole("labels it asked for that came"),
    seconds=_number("seconds of its fits, as if none was shared"),
    retrained_at=_list("when it retrained, of the first seed", _time("a turn")),
    went_live_at=_list("when a new model met users, of the first seed", _time("a moment")),
    cost=_COST,
    opportunity=_number(
        "what it lost against the hindsight optimum: money where there are prices, else the metric",
        null=True,
    ),
    on_front=_yes("whether no other is both better and cheaper"),
    curve=_list("the metric over time", _STEP),
    decisions=_list(
        "its retrains, of the first seed",
        _object(
            "a retrain",
            at=_time("the turn"),
            why=_text("why it was due"),
            fired=_yes("always true"),
            became=_text("live, refused, failed, inconclusive, ..."),
        ),
    ),
    notes=_list("what has to be said of it", _text("a sentence")),
)
_COMPARISON = _object(
    "a strategy against the baseline, which is yours where it is known, else never",
    name=_text("the strategy"),
    against=_text("the baseline"),
    this_history=_interval(
        "by how much it was better on this history",
        seeds=_whole("seeds"),
        units=_whole("units resampled"),
        limit=_number("the lower limit that holds for all comparisons at once", null=True),
    ),
    periods=_interval(
        "by how much in periods like these; without ends no claim is made",
        groups=_whole("groups of consecutive periods"),
        why=_text("what the claim rests on, or why there is none"),
    ),
    verdict=_one_of("of this history", "BETTER", "WORSE", "NO_VERDICT", "SAME"),
    money_per_year=_interval(
        "what it is worth, all costs counted; null without prices",
        null=True,
        currency=_text("its currency"),
    ),
    words=_text("the same in words"),
)
DOCUMENT = _object(
    "A backtest, as `tidemill backtest --json` prints it and `Backtest.to_dict()` returns it.",
    schema=_one_of("this schema", SCHEMA),
    title=_text("what the history is called"),
    history=_HISTORY,
    model=_object(
        "who was trained",
        yours=_yes("whether it is your own training"),
        words=_text("what it is"),
    ),
    metric=_object(
        "what is scored",
        name=_text("its name, such as auc"),
        words=_text("what it is called in sentences"),
        higher_is_better=_yes("whether more is better"),
    ),
    seeds=_whole("how often each strategy was replayed"),
    deterministic=_yes("whether training falls out the same each time"),
    latency=_text("from the start of a fit until its model meets users"),
    season=_text("how long until things repeat"),
    strategies=_list("those asked for in their order, then yours, then references", _STRATEGY),
    comparisons=_list("every strategy asked for against the baseline", _COMPARISON),
    among=_list("the best strategy asked for against each of the others", _COMPARISON),
    retraining=_list("every strategy asked for against the first model left alone", _COMPARISON),
    hindsight=_object(
        "the best schedule, known afterwards; null where there is none",
        null=True,
        of=_text("whose models it chooses from"),
        retrains=_whole("how many it takes"),
        value=_number("its metric", null=True),
        bound=_number("the metric of the schedule chosen on all rows: a bound only", null=True),
        honest=_number("its loss, chosen on one half of the rows, scored on the other", null=True),
        in_sample=_number("its loss on the rows it was chosen on", null=True),
        at=_list("when it retrains", _time("a turn")),
        words=_text("the same in words"),
    ),
    validity=_list(
        "what a careful reader asks first",
        _object(
            "a question",
            question=_text("the question"),
            answer=_text("yes, no, not known, or a number in words"),
            why=_text("why"),
        ),
    ),
    conclusion=_list("what follows, the most important first", _text("a sentence")),
    effort=_object(
        "what the backtest itself took",
        strategy_steps=_whole("steps of all replays"),
        fits=_whole("distinct fits"),
        predictions=_whole("distinct predictions of a step"),
        fit_seconds=_number("seconds of the fits"),
        predict_seconds=_number("seconds of the predictions"),
        seconds=_number("seconds in all"),
    ),
)
"""What ``tidemill.backtest/1`` is, in the words of JSON Schema."""
