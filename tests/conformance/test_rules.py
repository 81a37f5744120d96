"""Every rule against every promise; no rule may fall out unseen."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tidemill
import tidemill.adapters.projections
import tidemill.loop
import tidemill.measures
import tidemill.monitoring
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.costs import Costs
from tidemill.core.rule import is_rule
from tidemill.strategy.strategy import Strategy
from tidemill.testing import check_rule, stage_of, yield_checks
from tidemill.testing.rules import Check

ROSTER = Path(__file__).parent / "roster.txt"


def modules(package: Any) -> Iterator[Any]:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield importlib.import_module(found.name)


def made_by_rule(thing: type) -> bool:
    checks = getattr(thing, "__post_init__", None)
    return getattr(checks, "__module__", "") == "tidemill.core.rule"


def rules() -> list[type]:
    """Every class made with @rule, wherever it hides below the stages, the measures and monitoring."""
    floors = (tidemill.loop, tidemill.measures, tidemill.monitoring, tidemill.adapters.projections)
    everywhere = [module for floor in floors for module in modules(floor)]
    found = {
        thing
        for module in everywhere
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and made_by_rule(thing)
    }
    return sorted({*found, Costs, Strategy}, key=lambda c: (c.__module__, c.__qualname__))


def cases() -> Iterator[Any]:
    for cls in rules():
        for k, example in enumerate(cls.examples()):
            for check in yield_checks(example):
                yield pytest.param(example, check, id=f"{cls.__name__}{k or ''}-{check.__name__}")


def roster() -> list[str]:
    """One line a rule and promise, as they are found now."""
    lines = []
    for cls in rules():
        example = next(iter(cls.examples()))
        stage = stage_of(example)
        where = f"{cls.__module__.removeprefix('tidemill.')}.{cls.__qualname__}"
        kind = stage.name if stage else "no stage"
        lines += [f"{where} ({kind}) :: {check.__name__}" for check in yield_checks(example)]
    return lines


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return DuckDBEngine()


@pytest.mark.parametrize(("rule", "check"), list(cases()))
def test_rule(rule: object, check: Check, engine: DuckDBEngine) -> None:
    check(rule, engine)


def test_the_roster_is_complete() -> None:
    committed = ROSTER.read_text(encoding="utf-8").splitlines()
    found = roster()
    gone = [line for line in committed if line not in found]
    new = [line for line in found if line not in committed]
    assert (gone, new) == ([], []), "if this is meant, write the found names into roster.txt"


def test_every_rule_that_users_can_name_is_in_the_roster() -> None:
    public = {getattr(tidemill, name) for name in tidemill.__all__}
    named = {thing for thing in public if isinstance(thing, type) and hasattr(thing, "examples")}
    assert named <= set(rules())
    assert all(is_rule(example) for cls in named for example in cls.examples())


def test_a_whole_class_can_be_checked_at_once(engine: DuckDBEngine) -> None:
    check_rule(tidemill.Everything, engine)


if __name__ == "__main__":  # python tests/conformance/test_rules.py: writes what is found now
    ROSTER.write_text("".join(f"{line}\n" for line in roster()), encoding="utf-8")
