"""Search without a plan: all combinations in random order, none twice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tidemill.core.errors import BadValue
from tidemill.core.ports import Json

_LISTED = 100_000
"""Up to so many combinations are shuffled as a whole; of more some are drawn."""


class RandomSearch:
    """All combinations of values in random order; a grid, when all of them are asked for.

    Parameters
    ----------
    space
        For each name the values that may be tried.
    seed
        Of the order.

    References
    ----------
    Bergstra, J. and Bengio, Y. (2012). Random search for hyper-parameter optimization.
    Journal of Machine Learning Research 13, 281-305.

    Examples
    --------
    >>> search = RandomSearch({"period": ["7d", "14d"], "past": ["30d"]}, seed=0)
    >>> first, second = search.ask(), search.ask()
    >>> sorted(one["period"] for one in (first, second)), search.ask()
    (['14d', '7d'], None)
    """

    def __init__(self, space: Mapping[str, Sequence[object]], *, seed: int = 0) -> None:
        empty = next((name for name, values in space.items() if not values), None)
        if empty is not None:
            raise BadValue(f"{empty!r} has no value to try.", fix="give it one or more.")
        self._space = {name: list(values) for name, values in space.items()}
        self._size = math.prod(len(values) for values in self._space.values())
        self._rng = np.random.default_rng(seed)
        self._order = (
            iter(self._rng.permutation(self._size).tolist()) if self._size <= _LISTED else None
        )
        self._seen: set[int] = set()

    def ask(self) -> Json | None:
        k = self._draw() if self._order is None else next(self._order, None)
        if k is None:
            return None
        found: Json = {}
        for name, values in self._space.items():
            k, place = divmod(k, len(values))
            found[name] = values[place]
        return found

    def tell(self, tried: Mapping[str, object], value: float) -> None:
        """Learn nothing: the order is drawn beforehand."""

    def _draw(self) -> int | None:
        if len(self._seen) == self._size:
            return None
        # Far fewer are ever asked for than there are, so few are drawn twice.
        while (k := int(self._rng.integers(self._size))) in self._seen:
            pass
        self._seen.add(k)
        return k
