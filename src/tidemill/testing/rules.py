"""The promises of a rule, one function each; run them on your own rules.

>>> from tidemill.measures import Accuracy
>>> [check.__name__ for check in yield_checks(Accuracy())][:3]
['its_first_line_is_a_sentence', 'every_field_is_explained', 'examples_are_instances']
"""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import pickle
import re
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tidemill.core.errors import BadValue, TidemillError
from tidemill.core.fingerprint import fingerprint
from tidemill.core.ports import Engine
from tidemill.core.rule import is_rule, limits
from tidemill.testing.answers import same
from tidemill.testing.stages import Stage, stage_of

Check = Callable[[Any, Engine | None], None]
"""Takes a rule and, for rules that are expressions, an engine; raises when the promise is broken."""

_WALL_CLOCKS = {
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime"},
    "datetime": {"now", "utcnow", "today"},
}


def yield_checks(rule: object) -> Iterator[Check]:
    """Yield the promises that a rule must keep, as plain functions ``check(rule, engine)``.

    Parameters
    ----------
    rule
        An instance, such as one from ``examples()``.
    """
    yield from VALUE
    if stage_of(rule) is not None:
        yield from BEHAVIOUR


def check_rule(rule: Any, engine: Engine | None = None) -> None:
    """Hold a rule, or every example of a rule class, against all promises.

    Parameters
    ----------
    rule
        An instance or a class.
    engine
        Evaluates rules that are expressions; not needed for the others.

    Raises
    ------
    AssertionError
        At the first promise that is broken, saying which and how.

    Examples
    --------
    >>> from tidemill.measures import Accuracy
    >>> check_rule(Accuracy)
    """
    for one in rule.examples() if isinstance(rule, type) else (rule,):
        for check in yield_checks(one):
            check(one, engine)


def its_first_line_is_a_sentence(rule: Any, engine: Engine | None = None) -> None:
    """The first line of its docstring is one sentence."""
    text = (vars(type(rule)).get("__doc__") or "").strip()
    line = text.split("\n\n")[0].strip()
    # A dataclass without a docstring is given its signature as one.
    assert line, f"{_name(rule)} has no docstring"
    assert not line.startswith(f"{type(rule).__name__}("), f"{_name(rule)} has no docstring"
    assert line[-1] in ".?", f"the docstring of {_name(rule)} opens with {line!r}"


def every_field_is_explained(rule: Any, engine: Engine | None = None) -> None:
    """Its docstring names every public field."""
    text = type(rule).__doc__ or ""
    names = [f.name for f in _fields(rule) if not f.name.startswith("_")]
    missing = [n for n in names if not re.search(rf"\b{n}\b", text)]
    assert not missing, f"the docstring of {_name(rule)} does not mention {', '.join(missing)}"


def examples_are_instances(rule: Any, engine: Engine | None = None) -> None:
    """``examples()`` yields instances, for documentation and tests."""
    assert hasattr(type(rule), "examples"), f"{_name(rule)} has no examples()"
    made = list(type(rule).examples())
    assert made, f"{_name(rule)}.examples() yields nothing"
    wrong = [m for m in made if type(m) is not type(rule)]
    assert not wrong, f"{_name(rule)}.examples() yields {wrong}"


def it_is_frozen(rule: Any, engine: Engine | None = None) -> None:
    """It is a frozen value: no field can be set, none added, none is a list or a dict."""
    assert is_rule(rule), f"{_name(rule)} is not made with @rule"
    for name in [*(f.name for f in _fields(rule)), "something_else"]:
        try:
            setattr(rule, name, getattr(rule, name, None))
        except (AttributeError, TypeError):  # slots and frozen refuse in different words
            continue
        raise AssertionError(f"{_name(rule)}.{name} can be set")
    loose = [f.name for f in _fields(rule) if isinstance(getattr(rule, f.name), list | dict | set)]
    assert not loose, f"{_name(rule)}.{loose[0]} can be changed in place; keep a tuple"


def it_can_be_hashed(rule: Any, engine: Engine | None = None) -> None:
    """It can be a key, and equal rules are equal keys."""
    assert hash(rule) == hash(rule)
    assert rule == dataclasses.replace(rule), f"a copy of {_name(rule)} is not equal to it"


def it_pickles(rule: Any, engine: Engine | None = None) -> None:
    """It travels to another process and is the same there: same class, same fingerprint."""
    copy = pickle.loads(pickle.dumps(rule))  # noqa: S301 - made in the same line
    assert type(copy) is type(rule)
    assert fingerprint(copy) == fingerprint(rule), f"{_name(rule)} changes when it is pickled"


def its_fingerprint_follows_its_fields(rule: Any, engine: Engine | None = None) -> None:
    """Equal rules have one fingerprint, and examples that differ have two."""
    assert fingerprint(dataclasses.replace(rule)) == fingerprint(rule)
    for other in type(rule).examples():
        if other != rule and "<" not in repr(rule):  # as its_repr_reads_back
            assert fingerprint(other) != fingerprint(rule), f"{other} has the hash of {rule}"


def its_repr_reads_back(rule: Any, engine: Engine | None = None) -> None:
    """Its repr, evaluated, is the rule again; not asked of fields that Python cannot write."""
    text = repr(rule)
    if "<" in text:  # a function or an estimator among its fields
        return
    names = {**vars(builtins), **{type(v).__name__: type(v) for v in _nested(rule)}}
    again = eval(text, names)  # noqa: S307 - the repr of a value of ours
    assert fingerprint(again) == fingerprint(rule), f"{text} reads back as {again!r}"


def bad_values_are_refused(rule: Any, engine: Engine | None = None) -> None:
    """Every limit refuses its bad values in one line that names the field and the fix."""
    for name, limit in limits(type(rule)):
        bad = list(limit.bad())
        assert bad, f"the limit of {_name(rule)}.{name} knows no bad value"
        for value in bad:
            _refused(rule, name, value)


def _refused(rule: Any, name: str, value: object) -> None:
    call = f"{type(rule).__name__}({name}={value!r})"
    try:
        dataclasses.replace(rule, **{name: value})
    except BadValue as error:
        text = str(error)
    except Exception as error:
        raise AssertionError(f"{call} raises {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"{call} is not refused")
    fix = text.partition("Fix:")[2]
    assert name in fix, f"{call}: the fix does not name {name}: {text}"
    assert "\n" not in text, f"{call}: the message is more than a line: {text}"


def it_answers_as_its_stage_asks(rule: Any, engine: Engine | None = None) -> None:
    """Its answer has the shape, the type and the range that its stage states."""
    stage = _stage(rule)
    for name, given in stage.inputs().items():
        with _telling(rule, name):
            answer = stage.ask(rule, given, engine)
            stage.holds(rule, name, given, answer)


def it_survives_awkward_data(rule: Any, engine: Engine | None = None) -> None:
    """Empty, one row, nulls, late, twice: an answer, or an error that names the fix."""
    stage = _stage(rule)
    for name, given in stage.inputs().items():
        with _telling(rule, name):
            try:
                stage.ask(rule, given, engine)
            except TidemillError as error:
                if name == "plain":
                    raise AssertionError(f"plain data is refused: {error}") from error


def it_answers_the_same_twice(rule: Any, engine: Engine | None = None) -> None:
    """Asked again, or asked of a copy that came from another process, it says the same."""
    stage = _stage(rule)
    copy = pickle.loads(pickle.dumps(rule))  # noqa: S301 - made in the same line
    for name, given in stage.inputs().items():
        with _telling(rule, name):
            first, *others = [_said(stage, r, given, engine) for r in (rule, rule, copy)]
            for other in others:
                assert same(first, other), f"first {first!r}, then {other!r}"


def it_leaves_its_input_alone(rule: Any, engine: Engine | None = None) -> None:
    """What it is given is after the call what it was before."""
    stage = _stage(rule)
    for name, given in stage.inputs().items():
        before = pickle.dumps(given)
        with _telling(rule, name):
            _said(stage, rule, given, engine)
            assert pickle.dumps(given) == before, "its input is not what it was"


def it_does_not_mind_the_order(rule: Any, engine: Engine | None = None) -> None:
    """Rows in another order give the same answer; engines promise no order."""
    stage = _stage(rule)
    if stage.shuffled is None:
        return
    for name, given in stage.inputs().items():
        with _telling(rule, name):
            there = _said(stage, rule, given, engine)
            other, back = stage.shuffled(given)
            here = _said(stage, rule, other, engine)
            assert same(there, back(here)), f"in order {there!r}, shuffled {here!r}"


def it_reads_no_clock(rule: Any, engine: Engine | None = None) -> None:
    """It does not ask what time it is, in Python or in an expression.

    Seen are ``time.time`` and its kin, ``datetime.now``, ``date.today`` and what stands on
    them, and ``now()`` in an expression; not seen is a clock read in compiled code.
    """
    stage = _stage(rule)
    for name, given in stage.inputs().items():
        with _telling(rule, name):
            with wall_clock() as read:
                answer = _asked(stage, rule, given, engine)
            assert not read, f"it reads a clock: {read[0]}"
            clocks = stage.clocks(answer)
            assert not clocks, f"its expression reads a clock: {clocks[0]}"


@contextmanager
def wall_clock() -> Generator[list[str]]:
    """Yield a list that fills with every look at the wall clock in this thread.

    Examples
    --------
    >>> import time
    >>> with wall_clock() as read:
    ...     moment = time.time()
    >>> read[0].split(" in ")[0]
    'time.time'
    """
    read: list[str] = []

    def look(frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call":
            return
        owner = getattr(called, "__self__", None)
        module = getattr(owner, "__module__" if isinstance(owner, type) else "__name__", None)
        if called.__name__ in _WALL_CLOCKS.get(str(module), ()):
            code = frame.f_code
            read.append(f"{module}.{called.__name__} in {code.co_filename}:{frame.f_lineno}")

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield read
    finally:
        sys.setprofile(before)


@contextmanager
def _telling(rule: object, name: str) -> Generator[None]:
    """Say of which rule and on which data a promise is broken."""
    try:
        yield
    except Exception as error:
        if isinstance(error, TidemillError) and name != "plain":
            return
        where = f"{_name(rule)} on {name} data"
        raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error


def _asked(stage: Stage, rule: Any, given: Any, engine: Engine | None) -> Any:
    try:
        return stage.call(rule, given, engine)
    except TidemillError as error:
        return str(error)


def _said(stage: Stage, rule: Any, given: Any, engine: Engine | None) -> Any:
    """Ask; an error that names the fix is an answer too."""
    try:
        return stage.ask(rule, given, engine)
    except TidemillError as error:
        return str(error)


def _stage(rule: object) -> Stage:
    stage = stage_of(rule)
    assert stage is not None, f"{_name(rule)} fits the protocol of no stage"
    return stage


def _nested(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for part in value:
            yield from _nested(part)
    elif is_rule(value):
        yield value
        for field in _fields(value):
            yield from _nested(getattr(value, field.name))


def _fields(rule: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(rule) if dataclasses.is_dataclass(rule) else ()


def _name(rule: object) -> str:
    return inspect.unwrap(type(rule)).__qualname__


VALUE: tuple[Check, ...] = (
    its_first_line_is_a_sentence,
    every_field_is_explained,
    examples_are_instances,
    it_is_frozen,
    it_can_be_hashed,
    it_pickles,
    its_fingerprint_follows_its_fields,
    its_repr_reads_back,
    bad_values_are_refused,
)
"""The promises of every rule as a value."""

BEHAVIOUR: tuple[Check, ...] = (
    it_answers_as_its_stage_asks,
    it_survives_awkward_data,
    it_answers_the_same_twice,
    it_leaves_its_input_alone,
    it_does_not_mind_the_order,
    it_reads_no_clock,
)
"""The promises of every rule that a stage asks."""
