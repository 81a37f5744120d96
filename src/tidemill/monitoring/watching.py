"""What is watched, and when it is bad: the monitoring part of a strategy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

from tidemill.core.errors import BadValue
from tidemill.core.limits import Between, Has, OneOf, Whole
from tidemill.core.rule import rule
from tidemill.core.signals import VerdictRule
from tidemill.monitoring.routes import Route
from tidemill.monitoring.verdicts import Limit, Predicted


@dataclass(frozen=True)
class Signal:
    """A rule that is measured on all records of a window, or compared on some of them."""

    def broken(self, value: object) -> str | None:
        fits = hasattr(value, "measured") or hasattr(value, "compared")
        if fits and not isinstance(value, type):
            return None
        return "a signal, such as NullRate('age', at_most=0.01) or MMD()"

    def bad(self) -> Iterator[object]:
        yield from (None, 1, object())


REFERENCES = ("validation", "training", "sliding", "fixed")


@rule
class Watch:
    """A signal with the rule that says when it is bad.

    Parameters
    ----------
    signal
        What is measured in each base window: a data quality rule, a :class:`Proxy`, a rate of
        feedback, a latency, a distance in many columns such as :class:`MMD`.
    verdict
        When it is bad. None leaves it to the signal's own judgement if it has one, and to a
        predicted range otherwise.
    alerting
        Whether it may page anybody; False keeps it for questions only, and out of the family
        of tests that share the alert budget.

    Examples
    --------
    >>> from tidemill.monitoring.quality import NullRate
    >>> Watch(NullRate("humid", at_most=0.02), alerting=False).alerting
    False
    """

    signal: Annotated[Any, Signal()]
    _: KW_ONLY
    verdict: Annotated[VerdictRule, Has("__call__", "a rule, such as Predicted()")] | None = None
    alerting: bool = True

    @classmethod
    def examples(cls) -> Iterator[Watch]:
        from tidemill.monitoring.quality import NullRate

        yield cls(NullRate("number", at_most=0.5))
        yield cls(NullRate("number", at_most=0.5), verdict=Limit(at_most=0.5), alerting=False)


@rule
class Monitoring:
    """What is watched in every base window, against what, and how often it may be wrong.

    Without any change it watches the drift of every feature and of the outputs, the strategy's
    metrics once labels are final, and what they will probably be before that.

    Parameters
    ----------
    reference
        What a window is compared with: ``"validation"`` (the windows the live model was tested
        on, with those before them until there are ``usual``), ``"training"`` (the windows it
        learnt from), ``"sliding"`` (the ``usual`` windows before) or ``"fixed"`` (the first
        ``usual`` windows there are).
    usual
        How many base windows a reference has, at least for ``"validation"``.
    spans
        How many base windows are looked at together, one such stretch after the other; several
        sizes at once find what is sudden and what is slow.
    signals
        Other signals: data quality rules, proxies, rates of feedback, latencies, distances in
        many columns; each as it is, or in a :class:`Watch` that says when it is bad.
    performance
        When a metric of the strategy is bad; only worse is bad.
    pages
        The alert budget: how many false incidents 30 days may have, on average, at most. All
        alerting tests of one base window are one family and share it.
    floor_numbers, floor_categories
        The smallest drift worth an alert: a move in robust standard deviations, and a share of
        rows that changed their category.
    ignore
        Features whose drift is not watched.
    by_cohort
        Names of the strategy's cohorts whose features are watched too, each by itself. It costs
        a profile more a window and cohort, and as many tests more that share the budget:
        ``tidemill check`` prints the cells.
    estimated
        Whether performance is estimated before labels come.
    quiet
        After how many base windows without an alert an incident is over.
    routes
        Which incidents are told where, by the names that ``[channels]`` in project.toml gives to
        addresses; none tells nobody, and ``tidemill status`` shows them all the same.

    Examples
    --------
    >>> Monitoring().alpha(window_days=1.0)
    0.03333333333333333
    """

    _: KW_ONLY
    reference: Annotated[str, OneOf(REFERENCES)] = "validation"
    usual: Annotated[int, Whole(5)] = 28
    spans: Annotated[Sequence[int], Has("__iter__", "whole numbers, such as (1, 7)")] = (1, 7)
    signals: Any = ()
    performance: Annotated[VerdictRule, Has("__call__", "a rule, such as Predicted()")] = (
        Predicted()
    )
    pages: Annotated[float, Between(0, 100, open_low=True)] = 1.0
    floor_numbers: Annotated[float, Between(0)] = 0.1
    floor_categories: Annotated[float, Between(0, 1)] = 0.05
    ignore: Any = ()
    by_cohort: Any = ()
    estimated: bool = True
    quiet: Annotated[int, Whole(1)] = 2
    routes: Any = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "signals", tuple(map(_watch, _many(self.signals))))
        object.__setattr__(self, "ignore", _many(self.ignore))
        object.__setattr__(self, "by_cohort", _many(self.by_cohort))
        object.__setattr__(self, "routes", tuple(map(_route, _many(self.routes))))
        spans: tuple[Any, ...] = tuple(self.spans)
        if not spans or any(not isinstance(s, int) or s < 1 for s in spans):
            raise BadValue(
                f"Monitoring(spans={self.spans!r}): spans must be whole numbers of base windows.",
                fix="pass spans such as (1, 7).",
            )
        object.__setattr__(self, "spans", tuple(sorted(set(spans))))

    @property
    def measured(self) -> tuple[Watch, ...]:
        """Those signals that are a number of all records of a window."""
        return tuple(w for w in self.signals if not hasattr(w.signal, "compared"))

    @property
    def joint(self) -> tuple[Watch, ...]:
        """Those that compare some records of each window, in many columns at once."""
        return tuple(w for w in self.signals if hasattr(w.signal, "compared"))

    def alpha(self, *, window_days: float) -> float:
        """Return how likely any false alert may be in one base window."""
        return min(0.5, self.pages * window_days / 30.0)

    @classmethod
    def examples(cls) -> Iterator[Monitoring]:
        from tidemill.monitoring.quality import NullRate

        yield cls()
        yield cls(reference="sliding", spans=(1,), pages=0.5, routes=[Route("chat")])
        yield cls(by_cohort=("night flights",))
        yield cls(signals=[Watch(NullRate("number", at_most=0.5))], ignore=("text",))


def kind_of(signal: object) -> str:
    """Return which of the six kinds a signal is; one of a user's own says it in ``signal_kind``.

    Examples
    --------
    >>> from tidemill.monitoring.system import Latency
    >>> kind_of(Latency(0.95))
    'system'
    """
    own = getattr(signal, "signal_kind", None)
    if own is not None:
        return str(own)
    parts = type(signal).__module__.split(".")
    return next((kind for part, kind in _HOMES.items() if part in parts), "proxy")


_HOMES = {"quality": "quality", "outcomes": "outcomes", "proxies": "proxy", "system": "system"}


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _watch(value: Any) -> Watch:
    return value if isinstance(value, Watch) else Watch(value)


def _route(value: Any) -> Route:
    return Route(value) if isinstance(value, str) else value
