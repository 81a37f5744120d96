"""The strategy that ``tidemill init`` writes; the baseline anyone should start from."""

from __future__ import annotations

STRATEGY_TEXT = '''\
"""Which rule governs which stage. Change a line, then look: tidemill plan."""

from tidemill import (
    AUC, AtLeast, Every, Monitoring, NoWorseThan, Outcome, Recent, Strategy, Uniform,
)


def train(dataset, previous):
    """Return anything with predict; previous is the model in front, None at first."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    texts = make_column_selector(dtype_exclude="number")
    columns = make_column_transformer((codes, texts), remainder="passthrough")
    model = make_pipeline(columns, HistGradientBoostingClassifier(random_state=0))
    weight = {"histgradientboostingclassifier__sample_weight": dataset.weight}
    return model.fit(dataset.to_pandas(), dataset.label, **weight)


strategy = Strategy(
    curation=Uniform(1000, per="7d"),  # how many records a week you can get labels for
    labels=Outcome(final_after="1d"),  # when a label is final; absent=0 if silence means no
    trigger=Every("7d"),  # how often to retrain
    dataset=Recent("30d"),  # what to learn from; All() for everything
    training=train,  # or a scikit-learn estimator, or a command: ["python", "train.py"]
    offline=[  # what a candidate must show on the newest records, which it never learnt from
        AtLeast(AUC(), 0.6),  # a regression takes MAE() or MSE()
        NoWorseThan("champion", AUC(), margin=0.02),
    ],
    signing="auto",  # "approve" to sign every release yourself
    metrics=[AUC()],  # what good means
    monitoring=Monitoring(),  # is it bad, since when, for whom: tidemill status
)
'''
