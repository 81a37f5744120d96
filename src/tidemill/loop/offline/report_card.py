"""The report card of a candidate: what people sign, like a pull request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tidemill.core.ports import Json
from tidemill.core.rules import TestSet
from tidemill.core.verdict import Estimate, Finding, Verdict, worst
from tidemill.statistics import n_effective


def report_card(
    version: str,
    payload: Json,
    test: TestSet,
    findings: list[Finding],
    *,
    assumed: Sequence[str] = (),
    doubt: str = "",
) -> Json:
    """Write the report card of a candidate as plain JSON.

    The verdict is the worst of the gates; with no gate that measured anything it is
    NO_VERDICT, so that nothing passes because nothing was asked, unless a gate says that the
    strategy waived it. ``assumed`` is what nobody said of the data; where a ``doubt`` makes
    figures flatter, OK becomes WARN, so that a person decides.
    """
    dataset = payload["dataset"]
    verdict = worst([f.verdict for f in findings])
    measured = any(f.estimates or f.waived for f in findings)
    telling = [f for f in findings if f.verdict == verdict] or findings
    why = "; ".join(f"{f.gate}: {f.why}" for f in telling)
    if verdict == Verdict.OK and not measured:
        verdict = Verdict.NO_VERDICT
        why = "no gate measured the candidate: add AtLeast, or let a person sign"
    elif not findings:
        why = "the strategy has no gate: add AtLeast, or let a person sign"
    if doubt and verdict == Verdict.OK:
        verdict, why = Verdict.WARN, f"{why}; but {doubt}"
    return {
        "release": version,
        "champion": payload["champion"],
        "verdict": str(verdict),
        "why": why,
        "gates": [_gate(f) for f in findings],
        "test": {
            "rows": len(test.label),
            "effective": round(n_effective(test.weight), 1),
            "days": len(np.unique(test.day)),
            "look": test.look,
        },
        "dataset": {k: v for k, v in dataset.items() if k not in ("blob", "difference")},
        # None on releases of before it was kept.
        "difference": dataset.get("difference"),
        "assumed": list(assumed),
        "model": payload["model"]["digest"],
        "strategy": payload["strategy"],
    }


def _gate(finding: Finding) -> Json:
    numbers = {name: _numbers(e) for name, e in finding.estimates}
    return {
        "gate": finding.gate,
        "verdict": str(finding.verdict),
        "why": finding.why,
        "estimates": numbers,
    }


def _numbers(estimate: Estimate) -> Json:
    return {
        "value": _finite(estimate.value),
        "low": _finite(estimate.low),
        "high": _finite(estimate.high),
        "n": estimate.n,
        "effective": round(estimate.n_effective, 1),
        "days": estimate.groups,
    }


def _finite(value: float) -> Any:
    return value if math.isfinite(value) else None
