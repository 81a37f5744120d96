"""The door to a history in columns answers everything as the door over plain tables does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill import Newest, Outcome, Recent
from tidemill.adapters.engines.arrow import ArrowEngine
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.columns import ColumnsAsOf, History, ReplayEvents
from tidemill.core.as_of import AsOf
from tidemill.core.errors import Damaged
from tidemill.core.records import LABELS
from tidemill.core.rules import Past
from tidemill.loop.datasets import form
from tidemill.loop.datasets.nothing import Nothing
from tidemill.testing.doors import START, Final, Told, check_door, world

DUCKDB = DuckDBEngine()
END = START + timedelta(days=100)


def opened(told: Told, *, own: pa.Table | None = None) -> Callable[[datetime], ColumnsAsOf]:
    events = ReplayEvents(History(told.records, told.labels))
    for k, rows in enumerate(told.chosen):
        events.append("chosen", rows, writer="curation", sequence=k)
    if own is not None:
        events.append("labels", own, writer="labeller", sequence=1)
    engine = ArrowEngine(DUCKDB)
    return lambda now: ColumnsAsOf(events, engine, now)


def one_by_one(told: Told) -> Callable[[datetime], ColumnsAsOf]:
    """Half of the labels belong to the history, the others come from this replay."""
    half = len(told.labels) // 2
    first = Told(records=told.records, labels=told.labels.slice(0, half), chosen=told.chosen)
    return opened(first, own=told.labels.slice(half))


def digest(view: AsOf) -> str:
    labels = Outcome(final_after="1d", absent=0)
    rows = labels(view.reservoir(since=view.now - timedelta(days=9)), view.now)
    return form(view, Recent("8d")(rows, Past(now=view.now)), Newest(at_least=3, days=1)).digest


def digest_of_all(view: AsOf) -> str:
    labels = Outcome(final_after="6h")
    return form(view, labels(view.reservoir(), view.now), Nothing()).digest


FORMED = {"form": digest, "form of all": digest_of_all}


def test_a_history_in_columns_answers_as_plain_tables_do():
    check_door(opened, ArrowEngine(DUCKDB), worlds=3, also=FORMED)


def test_it_does_with_labels_of_its_own():
    check_door(one_by_one, ArrowEngine(DUCKDB), worlds=1, also=FORMED)
