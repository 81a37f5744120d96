"""Is an estimate bad? Without labels only rows unlike the reference's may be alarmed on."""

from __future__ import annotations

import math

from tidemill.core.limits import Between
from tidemill.core.rule import check
from tidemill.core.signals import Judgement
from tidemill.core.verdict import Verdict
from tidemill.monitoring.estimates.protocol import Estimated
from tidemill.monitoring.estimates.support import Support

FLOOR = 0.01
"""The least excess of rows outside the reference's support that is worth an alert."""
_POWER = 0.5


def judge(found: Estimated, *, alpha: float = 0.001, floor: float = FLOOR) -> Judgement:
    """Judge an estimate: never ALERT because of the estimate itself.

    An estimate can be low because rows have become harder, and then says so; it cannot see
    that the model has become wrong. What it rests on can be seen, though: where more rows
    than by chance lie where the reference had none, by at least ``floor``, nothing is known
    of them, and that is an ALERT.

    Parameters
    ----------
    found
        What an estimator said.
    alpha
        How likely a false ALERT may be, already corrected for all tests of the window.
    floor
        The least excess of the share outside, from 0 to 1.

    Returns
    -------
    Judgement
        ALERT for rows outside. NO_VERDICT where there is no estimate, or too few rows to find
        twice the floor outside at an even chance. Else OK, which says only that the estimate
        may be used.

    Examples
    --------
    >>> import numpy as np
    >>> from tidemill.monitoring.estimates.answered import Answered
    >>> from tidemill.monitoring.estimates.constant import Constant
    >>> old = Answered(output=np.arange(2000) % 2, label=np.arange(2000) % 3 % 2)
    >>> far = Answered(output=np.where(np.arange(2000) % 20 == 0, 7, 1))
    >>> judge(Constant()(old, far, "accuracy")).verdict.value
    'ALERT'
    >>> judge(Constant()(old, old, "accuracy")).verdict.value
    'OK'
    """
    check("judge", "alpha", alpha, Between(0, 1, open_low=True))
    check("judge", "floor", floor, Between(0, 1, open_low=True))
    outside = found.support
    p, excess = outside.p, outside.share - outside.usual
    if p <= alpha and excess >= floor:
        verdict, why = Verdict.ALERT, f"{_told(outside)}: no estimate holds for them"
    elif not found.known:
        verdict, why = Verdict.NO_VERDICT, found.why
    elif outside.power(2 * floor, alpha, floor) < _POWER:
        verdict = Verdict.NO_VERDICT
        why = (
            f"{outside.n:.0f} rows against {outside.n_reference:.0f} are too few to see "
            f"{2 * floor:.1%} more of them outside the reference"
        )
    else:
        verdict, why = Verdict.OK, f"{found}, {found.why}; {_told(outside)}"
    return Judgement(
        verdict=verdict, why=why, p=p, effect=excess, low=0.0, high=outside.usual + floor
    )


def _told(outside: Support) -> str:
    if not math.isfinite(outside.share):
        return "nothing to compare with the reference"
    where = f" ({', '.join(outside.where[:3])})" if outside.where else ""
    usual = f"{outside.usual:.2%} would be by chance"
    return f"{outside.share:.2%} of rows are where the reference had none{where}, {usual}"
