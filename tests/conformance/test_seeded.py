"""A promise nobody can break is no promise: each check catches the rule that breaks it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import ibis
import numpy as np
import pytest
from ibis.expr import types as ir

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryEvents, MemoryInbox
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.inline import Inline
from tidemill.core.limits import Whole
from tidemill.core.ports import JobResult, Parcel
from tidemill.core.rule import rule
from tidemill.core.rules import Facts, TestSet
from tidemill.core.verdict import Decision, Finding, Verdict
from tidemill.testing import (
    check_blob_store,
    check_event_store,
    check_inbox,
    check_jobs,
    check_rule,
    check_state_store,
    stage_of,
    yield_checks,
)

ENGINE = DuckDBEngine()
_count = itertools.count()


class Soft(Whole):
    """A limit that lets through what it calls bad."""

    def broken(self, value: object) -> str | None:
        return None


class Base:
    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls()


@rule
class Good(Base):
    """Fire when asked."""

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=bool(facts.asked), why="asked or not")


@rule
class Undocumented(Base):
    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why="no")


@rule
class NoSentence(Base):
    """fires now and then"""

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why="no")


@rule
class HiddenField(Base):
    """Fire never."""

    patience: int = 3

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why="no")


@rule
class NoExamples:
    """Fire never."""

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why="no")


class Thawed(Base):
    """Fire never."""

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why="no")


@rule
class ListInside(Base):
    """Fire on some days, ``days`` of the week."""

    days: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "days", [1, 2])

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why="no")


@rule
class SoftLimit(Base):
    """Fire after ``n`` turns."""

    n: Annotated[int, Soft(1)] = 3

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why="no")


@rule
class NoFix(Base):
    """Fire after ``n`` turns."""

    n: Annotated[int, Soft(1)] = 3

    def __post_init__(self) -> None:
        if self.n not in (2, 3):
            raise ValueError("n is wrong")

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why="no")


@rule
class ReadsTime(Base):
    """Fire in the evening."""

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=time.time() < 0, why="no")


@rule
class ReadsNow(Base):
    """Fire in the evening."""

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=datetime.now(UTC) < facts.now, why="no")


@rule
class ReadsNowInSql(Base):
    """Learn from what is old."""

    @property
    def window(self) -> None:
        return None

    def __call__(self, reservoir: ir.Table, now: datetime, /) -> ir.Table:
        return reservoir.filter(reservoir.predicted_at < ibis.now())


@rule
class DrawsItself(Base):
    """Learn from a half."""

    @property
    def window(self) -> None:
        return None

    def __call__(self, reservoir: ir.Table, now: datetime, /) -> ir.Table:
        return reservoir.filter(ibis.random() < 0.5)


@rule
class TakesTheFirst(Base):
    """Learn from the first ten rows, whichever they are."""

    @property
    def window(self) -> None:
        return None

    def __call__(self, reservoir: ir.Table, now: datetime, /) -> ir.Table:
        return reservoir.limit(10)


@rule
class Overconfident(Base):
    """Choose all, with a probability of two."""

    @property
    def per(self) -> str:
        return "7d"

    def __call__(self, records: ir.Table, /) -> ir.Table:
        return records.select("record_id", "predicted_at", pi=ibis.literal(2.0))


@rule
class Counts(Base):
    """Say something else each time."""

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=False, why=f"asked {next(_count)} times")


@rule
class Scribbles(Base):
    """Score, and leave the labels at zero."""

    @property
    def name(self) -> str:
        return "scribbles"

    @property
    def higher_is_better(self) -> bool:
        return True

    @property
    def needs(self) -> str:
        return "output"

    def __call__(self, label: Any, answer: Any, weight: Any) -> float:
        if label.dtype.kind == "f":
            label[:] = 0.0
        return float("nan")


@rule
class EmptyPasses(Base):
    """Pass everything."""

    def __call__(self, test: TestSet, /) -> Finding:
        return Finding(gate="open", verdict=Verdict.OK, why="why not")


@rule
class NeedsRows(Base):
    """Look at the first row."""

    def __call__(self, test: TestSet, /) -> Finding:
        why = f"the first label is {test.label[0]}"
        return Finding(gate="first", verdict=Verdict.NO_VERDICT, why=why)


@rule
class NeverSaysWhy(Base):
    """Fire always."""

    def __call__(self, facts: Facts, /) -> Decision:
        return Decision(fire=True, why="")


BROKEN = [
    (Undocumented(), "its_first_line_is_a_sentence"),
    (NoSentence(), "its_first_line_is_a_sentence"),
    (HiddenField(), "every_field_is_explained"),
    (NoExamples(), "examples_are_instances"),
    (Thawed(), "it_is_frozen"),
    (ListInside(), "it_is_frozen"),
    (ListInside(), "it_can_be_hashed"),
    (SoftLimit(), "bad_values_are_refused"),
    (NoFix(), "bad_values_are_refused"),
    (ReadsTime(), "it_reads_no_clock"),
    (ReadsNow(), "it_reads_no_clock"),
    (ReadsNowInSql(), "it_reads_no_clock"),
    (DrawsItself(), "it_answers_the_same_twice"),
    (TakesTheFirst(), "it_does_not_mind_the_order"),
    (Overconfident(), "it_answers_as_its_stage_asks"),
    (Counts(), "it_answers_the_same_twice"),
    (Scribbles(), "it_leaves_its_input_alone"),
    (EmptyPasses(), "it_answers_as_its_stage_asks"),
    (NeedsRows(), "it_survives_awkward_data"),
    (NeverSaysWhy(), "it_answers_as_its_stage_asks"),
]


def test_a_good_rule_passes() -> None:
    check_rule(Good, ENGINE)


@pytest.mark.parametrize(
    ("broken", "name"), BROKEN, ids=lambda v: v if isinstance(v, str) else type(v).__name__
)
def test_a_broken_rule_is_caught(broken: object, name: str) -> None:
    checks = {check.__name__: check for check in yield_checks(broken)}
    with pytest.raises((AssertionError, TypeError)):
        checks[name](broken, ENGINE)
    with pytest.raises((AssertionError, TypeError)):
        check_rule(broken, ENGINE)


def test_a_rule_that_does_not_pickle_is_caught() -> None:
    @rule
    class Local(Base):
        """Fire never."""

        def __call__(self, facts: Facts, /) -> Decision:
            return Decision(fire=False, why="no")

    with pytest.raises(Exception, match="pickle"):
        check_rule(Local, ENGINE)


def test_a_rule_of_no_stage_is_held_as_a_value_only() -> None:
    assert stage_of(object()) is None
    assert [stage_of(r).name for r in (Good(), EmptyPasses())] == ["triggers", "offline"]


class AppendsTwice(MemoryEvents):
    def append(self, table: str, rows: Any, *, writer: str, sequence: int) -> bool:
        return super().append(table, rows, writer=f"{writer}{next(_count)}", sequence=sequence)


class LosesTheEdge(MemoryEvents):
    def snapshot(self, table: str, *, arrived: datetime | None = None, **more: Any) -> Any:
        moved = None if arrived is None else arrived.replace(tzinfo=UTC)
        return super().snapshot(table, arrived=moved, **more)


class Unchecked(MemoryBlobs):
    def get(self, kind: str, digest: str) -> bytes:
        return self._kept[kind][digest]


class Forgetful(MemoryInbox):
    def discard(self, done: Any) -> dict[str, int]:
        self._parcels = []
        return {}


class NeverLost(Inline):
    def poll(self, job_id: str) -> JobResult | None:
        return self._results.get(job_id, JobResult(ok=False, why="who knows"))


class Unfenced(SqlState):
    def _fence(self, db: Any, held: Any) -> None:
        return


def forgetful(folder: Path) -> Any:
    inbox = Forgetful()

    def put(ids: list[str]) -> None:
        rows = __import__("pyarrow").table({"record_id": ids})
        name = f"w{next(_count)}"
        inbox.put(
            Parcel(table="records", rows=rows, columns={}, writer=name, sequence=1, source="t")
        )

    return inbox, put


def test_broken_adapters_are_caught() -> None:
    suites = [
        lambda: check_event_store(lambda _: AppendsTwice(), ENGINE, lasting=False),
        lambda: check_event_store(lambda _: LosesTheEdge(), ENGINE, lasting=False),
        lambda: check_blob_store(lambda _: Unchecked(), lasting=False),
        lambda: check_inbox(forgetful),
        lambda: check_jobs(lambda _: NeverLost(), apart=False),
        lambda: check_state_store(lambda _: Unfenced(None), lasting=False),
    ]
    for suite in suites:
        with pytest.raises((AssertionError, KeyError)):
            suite()


def test_looks_at_the_clock_are_seen_however_it_is_named() -> None:
    from datetime import date
    from time import time as clock

    from tidemill.core.clock import SystemClock
    from tidemill.testing.rules import wall_clock

    looks = [clock, time.time_ns, time.gmtime, datetime.now, date.today, SystemClock().now]
    for look in looks:
        with wall_clock() as read:
            look()
        assert read, look
    with wall_clock() as read:
        np.arange(3).sum()
        datetime(2024, 1, 1, tzinfo=UTC).isoformat()
    assert read == []
