"""A strategy: one frozen value that names a rule for every stage of the loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Annotated, Any, cast

from tidemill.core.errors import BadValue, unknown
from tidemill.core.fingerprint import fingerprint
from tidemill.core.limits import Has, OneOf, Span, Text
from tidemill.core.rule import rule
from tidemill.core.rules import (
    CurationRule,
    DatasetRule,
    Gate,
    Holdout,
    LabelRule,
    LogRule,
    Rollout,
    Trainer,
    Trigger,
)
from tidemill.loop.curation import Outcome, Uniform
from tidemill.loop.datasets import All, Newest
from tidemill.loop.log import Everything
from tidemill.loop.offline import Unchecked
from tidemill.loop.online import Immediate
from tidemill.loop.training import Command, Estimator, Function
from tidemill.loop.training.function import always_the_mean
from tidemill.loop.triggers import Manual


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The content hashes of a strategy, computed once and handed along."""

    whole: str
    rules: Mapping[str, str]

    def of(self, *names: str) -> tuple[str, ...]:
        return tuple(self.rules[name] for name in names)


@rule
class Strategy:
    """The rules of all stages; the one thing a user improves.

    Parameters
    ----------
    training
        How to train: a function ``(dataset, previous) -> model``, a scikit-learn estimator,
        a command as a list of texts, or one of the rules of :mod:`tidemill.loop.training`.
    log, curation, labels, trigger, dataset, holdout, online
        The rule of each stage.
    offline
        The gates a candidate must pass; all must be OK.
    signing
        Who signs a report card: ``"auto"`` signs when all gates are OK; ``"approve"`` waits
        for a person; ``"suggest"`` only tells and waits for nothing.
    deadline
        How long a candidate waits for a person.
    window
        The base window of time over which signals are measured: the unit of evidence.
    metrics
        What good means, the most important first.
    cohorts, projections
        Named groups of records, and named values of a record.
    monitoring
        What is watched, against what, and how often it may be wrong,
        :class:`~tidemill.monitoring.watching.Monitoring`; None watches nothing.
    costs
        The price sheet, :class:`~tidemill.core.costs.Costs`.
    name, comment
        For people; they do not change the content hash.

    Examples
    --------
    >>> from tidemill import Every
    >>> Strategy(training=always_the_mean, trigger=Every("7d")).trigger
    Every(period='7d')
    """

    _: KW_ONLY
    training: Any
    log: Annotated[LogRule, Has("examples", "a rule, such as Everything()")] = Everything()
    curation: Annotated[CurationRule, Has("per", "a rule, such as Uniform(1000, per='7d')")] = (
        Uniform(1000)
    )
    labels: Annotated[LabelRule, Has("final_after", "a rule, such as Outcome()")] = Outcome()
    trigger: Annotated[Trigger, Has("__call__", "a rule, such as Every('7d')")] = Manual()
    dataset: Annotated[DatasetRule, Has("window", "a rule, such as Recent('30d')")] = All()
    holdout: Annotated[Holdout, Has("__call__", "a rule, such as Newest()")] = Newest()
    offline: Any = ()
    signing: Annotated[str, OneOf(("auto", "approve", "suggest"))] = "auto"
    deadline: Annotated[str, Span()] = "14d"
    online: Annotated[Rollout, Has("sample", "a rule, such as Immediate()")] = Immediate()
    window: Annotated[str, Span()] = "1d"
    metrics: Any = ()
    cohorts: Any = ()
    projections: Any = ()
    monitoring: Annotated[Any, Has("reference", "a rule, such as Monitoring()")] | None = None
    costs: Annotated[Any, Has("currency", "a price sheet, such as Costs(label=0.1)")] | None = None
    name: Annotated[str, Text()] = field(default="strategy", metadata={"cosmetic": True})
    comment: str = field(default="", metadata={"cosmetic": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "training", trainer(self.training))
        object.__setattr__(self, "offline", _gates(self.offline))
        for name in ("metrics", "cohorts", "projections"):
            object.__setattr__(self, name, _all_named(name, getattr(self, name)))
        for name in getattr(self.monitoring, "by_cohort", ()):
            if name not in (known := [cohort.name for cohort in self.cohorts]):
                raise unknown("cohort", str(name), known)

    @property
    def hash(self) -> str:
        """The content hash of everything that matters to what the strategy does."""
        return fingerprint(self)

    @property
    def tested(self) -> bool:
        """Whether any gate looks at what a candidate answers."""
        return not self.offline or not all(isinstance(g, Unchecked) for g in self.offline)

    @property
    def marks(self) -> Marks:
        """The content hash of the whole and of each rule: what a decision may depend on."""
        rules = {f.name: fingerprint(getattr(self, f.name)) for f in fields(self)}
        return Marks(whole=self.hash, rules=rules)

    @classmethod
    def examples(cls) -> Iterator[Strategy]:
        yield cls(training=always_the_mean)


def _all_named(field_name: str, value: Any) -> tuple[Any, ...]:
    """Make a tuple of named rules of one or many."""
    found = tuple(value) if isinstance(value, list | tuple) else (value,)
    for one in found:
        if isinstance(one, type) or not hasattr(one, "name"):
            raise BadValue(
                f"Strategy({field_name}={one!r}): each of the {field_name} must be a rule "
                "with a name.",
                fix=f"pass {field_name} as a list of rules.",
            )
    return found


def trainer(value: Any) -> Trainer:
    """Make a training rule of a function, an estimator, a command, or a rule itself."""
    if isinstance(value, type):
        raise _no_trainer(value)
    if hasattr(value, "memory_mb") and callable(value):
        return cast("Trainer", value)
    if hasattr(value, "fit") and hasattr(value, "predict"):
        return Estimator(value)
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
        return Command(list(value))
    if callable(value):
        return Function(value)
    raise _no_trainer(value)


def _no_trainer(value: object) -> BadValue:
    must = "a function (dataset, previous) -> model, an estimator or a list of texts"
    return BadValue(
        f"Strategy(training={value!r}): training must be {must}.", fix=f"pass training as {must}."
    )


def _gates(value: Any) -> tuple[Gate, ...]:
    gates = tuple(value) if isinstance(value, list | tuple) else (value,)
    for gate in gates:
        if isinstance(gate, type) or not callable(gate):
            raise BadValue(
                f"Strategy(offline={gate!r}): each gate must be a rule.",
                fix="pass gates such as AtLeast(Accuracy(), 0.7).",
            )
    return gates
