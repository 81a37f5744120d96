"""Put the candidate in front of users at once, after a spot check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import SpotCheck
from tidemill.core.verdict import Finding, Verdict


@rule
class Immediate:
    """Roll out at once when the candidate loads and answers recent records as it should.

    Parameters
    ----------
    sample
        How many recent records it is asked about.
    latency_ms
        The most that one answer may take, as the median over single records. It is measured
        where the spot check runs; a replay does not measure it.

    Examples
    --------
    >>> check = SpotCheck(asked=200, answered=200, missing=3, latency_ms=2.0, agree=0.9)
    >>> Immediate()(check).why
    '3 of 200 answers are missing or NaN'
    """

    _: KW_ONLY
    sample: Annotated[int, Whole(1)] = 200
    latency_ms: Annotated[float, Between(0, open_low=True)] = 1000.0

    def __call__(self, check: SpotCheck, /) -> Finding:
        wrong = self._wrong(check)
        if wrong:
            return Finding(gate="spot check", verdict=Verdict.ALERT, why=wrong)
        if not check.asked:
            why = "there are no recent records to ask about"
            return Finding(gate="spot check", verdict=Verdict.NO_VERDICT, why=why)
        agree = "" if check.agree != check.agree else f", {check.agree:.0%} as the champion"
        why = f"answered {check.asked} recent records{agree}"
        return Finding(gate="spot check", verdict=Verdict.OK, why=why)

    def _wrong(self, check: SpotCheck) -> str:
        if check.error:
            return check.error
        if check.answered != check.asked:
            return f"answered {check.answered} of {check.asked} records"
        if check.missing:
            return f"{check.missing} of {check.asked} answers are missing or NaN"
        if check.latency_ms > self.latency_ms:
            return f"one answer takes too long: over the limit of {self.latency_ms:g} ms"
        return ""

    @classmethod
    def examples(cls) -> Iterator[Immediate]:
        yield cls()
        yield cls(sample=10, latency_ms=50)
