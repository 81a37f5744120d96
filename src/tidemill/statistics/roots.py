"""Where a function crosses 0; a page of code instead of a package that is slow to load."""

from __future__ import annotations

import math
from collections.abc import Callable

from tidemill.core.errors import BadValue

_EPSILON = 2.0**-52
_STEPS = 200


def root(
    function: Callable[[float], float],
    low: float,
    high: float,
    *,
    absolute: float = 0.0,
    relative: float = 4 * _EPSILON,
) -> float:
    """Find where a continuous function crosses 0, by Brent's method.

    Parameters
    ----------
    function
        Of one number.
    low, high
        Where it has different signs.
    absolute, relative
        How near to the crossing the answer must be, at least one of them.

    Raises
    ------
    BadValue
        When the function has one sign at both ends.

    References
    ----------
    Brent, R. P. (1973). Algorithms for Minimization without Derivatives, chapter 4.

    Examples
    --------
    >>> round(root(lambda x: x**3 - 2, 0, 2), 12)
    1.259921049895
    """
    before, at = low, high
    f_before, f_at = function(before), function(at)
    if math.copysign(1, f_before) == math.copysign(1, f_at) and f_before and f_at:
        raise BadValue(
            f"the function is {f_before:g} at {low:g} and {f_at:g} at {high:g}.",
            fix="give ends between which it crosses 0.",
        )
    other, f_other = before, f_before
    step = last = at - before
    for _ in range(_STEPS):
        if (f_at > 0) == (f_other > 0):
            other, f_other = before, f_before
            step = last = at - before
        if abs(f_other) < abs(f_at):
            before, at, other = at, other, at
            f_before, f_at, f_other = f_at, f_other, f_at
        near = 2 * _EPSILON * abs(at) + max(absolute, relative * abs(at)) / 2
        half = (other - at) / 2
        if abs(half) <= near or f_at == 0:
            return at
        step, last = _step(step, last, half, near, (before, at, other), (f_before, f_at, f_other))
        before, f_before = at, f_at
        at += step if abs(step) > near else math.copysign(near, half)
        f_at = function(at)
    return at


def _step(  # noqa: PLR0917 - the state of one step
    step: float,
    last: float,
    half: float,
    near: float,
    places: tuple[float, float, float],
    values: tuple[float, float, float],
) -> tuple[float, float]:
    """Interpolate where that is safe, else halve; return this step and the one before it."""
    (before, at, other), (f_before, f_at, f_other) = places, values
    if abs(last) < near or abs(f_before) <= abs(f_at):
        return half, half
    s = f_at / f_before
    if before == other:
        p, q = 2 * half * s, 1 - s
    else:
        q, r = f_before / f_other, f_at / f_other
        p = s * (2 * half * q * (q - r) - (at - before) * (r - 1))
        q = (q - 1) * (r - 1) * (s - 1)
    p, q = (p, -q) if p > 0 else (-p, q)
    if 2 * p < min(3 * half * q - abs(near * q), abs(last * q)):
        return p / q, step
    return half, half
