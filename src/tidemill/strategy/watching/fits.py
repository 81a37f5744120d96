"""Fitted projections in a look: fitted once for each reference, kept as plain numbers by digest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import TidemillError
from tidemill.core.fingerprint import fingerprint
from tidemill.core.ports import Json, Lease
from tidemill.measures.fitted_projection import FittedProjection
from tidemill.monitoring.joint.points import points
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.reference import Reference, champion, reference
from tidemill.strategy.watching.sampling import Samples
from tidemill.strategy.watching.windows import Windows, first_window, rules

FACT = "projections"
BLOBS = "projections"
LEAST = 14
"""Windows of a reference with records, before anything is fitted on it."""
LONGEST = 56
ROWS = 500
"""Records of a window that are learnt from, at most."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A projection with what it learnt, and the digest of that: of another fit, another."""

    projection: FittedProjection
    learnt: Mapping[str, Any]
    digest: str

    def __call__(self, table: pa.Table) -> NDArray[np.float64]:
        """Return the values of the rows of a table of features under their own names."""
        (rows,) = points([table.select(list(self.projection.columns))])
        return self.projection.values(self.learnt, rows)


def fitted_of(turn: Turn) -> list[FittedProjection]:
    """Return the projections of a strategy that must be fitted."""
    return [p for p in turn.strategy.projections if isinstance(p, FittedProjection)]


def fit(turn: Turn, lease: Lease, starts: Iterable[datetime]) -> None:
    """Fit what is not fitted yet on the references of some windows.

    The rows are drawn by the draw of each record, so a look that is done again fits the same.
    """
    wanted, windows = fitted_of(turn), Windows.of(turn)
    if not wanted:
        return
    kept: Json = dict(turn.world.state.fact(FACT) or {})
    samples = Samples(turn, rows=ROWS, ahead=())
    for start in sorted(starts):
        ref = reference(turn, start, first_window(turn))
        for one in wanted:
            key = _key(turn, one, start)
            n = min((ref.last - ref.first) // windows.every + 1, LONGEST)
            if key in kept or n < LEAST:
                continue
            rows = _rows(samples, one, ref, [ref.last - k * windows.every for k in range(n)])
            if rows is None:
                continue
            try:
                learnt = one.fit(rows)
            except TidemillError as error:
                kept[key] = {"why": error.what}
                continue
            text = json.dumps(learnt, sort_keys=True, allow_nan=False)
            kept[key] = {"digest": turn.world.blobs.put(BLOBS, text.encode()), "on": ref.words}
    if kept != (turn.world.state.fact(FACT) or {}):
        turn.world.state.set_fact(lease, FACT, kept)


def _rows(
    samples: Samples, one: FittedProjection, ref: Reference, starts: list[datetime]
) -> NDArray[np.float64] | None:
    """Return the rows of a reference; None while it has too few windows with records."""
    tables = samples.of(s for s in starts if s >= ref.first)
    if len(tables) < LEAST:
        return None
    try:
        kept = samples.columns(tuple(one.columns), any_kind=False)
        return np.concatenate(points([kept(t) for t in tables.values()]))
    except TidemillError:
        return None  # said where its values are asked for


def fits(turn: Turn, start: datetime) -> dict[str, Fit | str]:
    """Return the fit of each projection for a window, or why there is none."""
    kept: Json = turn.world.state.fact(FACT) or {}
    found: dict[str, Fit | str] = {}
    for one in fitted_of(turn):
        entry = kept.get(_key(turn, one, start))
        if entry is None or "why" in entry:
            few = f"{LEAST} windows of a reference with records are needed to fit it"
            found[one.name] = few if entry is None else entry["why"]
            continue
        learnt = json.loads(turn.world.blobs.get(BLOBS, entry["digest"]))
        found[one.name] = Fit(projection=one, learnt=learnt, digest=entry["digest"])
    return found


def _key(turn: Turn, one: FittedProjection, start: datetime) -> str:
    """Name a fit: what is fitted, and on which reference.

    A sliding or fixed reference is fitted once; one of the live model anew with each version.
    """
    of_model = rules(turn).reference in ("validation", "training")
    version = champion(turn, start + Windows.of(turn).every) if of_model else None
    return f"{one.name} {fingerprint(one)} {version or 'first'}"
