"""The first strategy anyone should start from: retrain every week on the last month.

This is the whole strategy. Change a line, run ``tidemill demo --project other``, and compare.
"""

from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from tidemill import (
    AUC,
    AtLeast,
    Cohort,
    Estimator,
    Every,
    Everything,
    Immediate,
    LogLoss,
    Monitoring,
    Newest,
    NoWorseThan,
    NullRate,
    Outcome,
    OutputShare,
    Recent,
    RowCount,
    Strategy,
    Uniform,
    Watch,
)

places = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
model = make_pipeline(
    make_column_transformer(
        (places, ["carrier", "origin", "dest"]),
        ("drop", ["month"]),  # a month seen once says nothing about the next
        remainder="passthrough",
    ),
    HistGradientBoostingClassifier(
        categorical_features=[0, 1, 2],
        max_iter=60,
        max_leaf_nodes=8,
        min_samples_leaf=40,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    ),
)

strategy = Strategy(
    name="weekly on the last month",
    log=Everything(),  # keep every flight
    curation=Uniform(5000, per="7d"),  # label 5,000 flights a week, chosen at random
    labels=Outcome(final_after="36h"),  # the flight lands; every one has by then
    trigger=Every("7d"),
    dataset=Recent("30d"),
    holdout=Newest(share=0.2, at_least=500, days=6),  # never trained on
    training=Estimator(model, seconds=120, memory_mb=2048),
    offline=[
        AtLeast(AUC(), 0.55),
        NoWorseThan("champion", AUC(), margin=0.03),
    ],
    signing="auto",  # or "approve": a person signs every release
    online=Immediate(sample=200, latency_ms=2000),
    metrics=[AUC(), LogLoss()],
    cohorts=[
        Cohort("from JFK", lambda flight: flight.f_origin == "JFK"),
        Cohort("from LGA", lambda flight: flight.f_origin == "LGA"),
    ],
    monitoring=Monitoring(  # what is going on, and is it bad: tidemill status, tidemill alerts list
        signals=[
            RowCount(at_least=500),  # flights scheduled a day
            NullRate("temp", at_most=0.02),  # no weather report of the hour before
            Watch(OutputShare(1.0), alerting=False),  # how often it says "late": for questions
        ],
        ignore=["month"],  # it changes by its nature
    ),
)
