"""Some records of each base window, for rules that look at many columns at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.errors import BadInput, TidemillError, unknown
from tidemill.core.records import FEATURE, features_of
from tidemill.measures.fitted_projection import FittedProjection
from tidemill.monitoring.joint.points import is_numeric
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.profiling import OUTPUTS
from tidemill.strategy.watching.windows import Windows, rules

CHUNK = 31
"""Windows read at once."""
_MADE = "made_"


class Samples:
    """Some records of the windows that are asked for; only of these are any in memory.

    Parameters
    ----------
    rows
        The most records of a window, drawn by the draw that each record was given at its birth.
    ahead
        Windows that will be asked for one after the other, the oldest first: some are read
        together.
    """

    def __init__(self, turn: Turn, *, rows: int, ahead: Iterable[datetime]) -> None:
        self._turn = turn
        self._rows = rows
        self._ahead = sorted(ahead)
        self._kept: dict[datetime, pa.Table] = {}
        self._broken: dict[str, str] = {}

    def of(self, starts: Iterable[datetime]) -> dict[datetime, pa.Table]:
        """Return the records of some windows; of one that has none there is no table."""
        wanted = sorted(set(starts))
        missing = [s for s in wanted if s not in self._kept]
        if missing:
            more = [s for s in self._ahead if s > missing[-1] and s not in self._kept]
            for start in [s for s in self._kept if s not in wanted and s < wanted[-1]]:
                del self._kept[start]
            missing = sorted({*missing, *more[: max(0, CHUNK - len(missing))]})
        for k in range(0, len(missing), CHUNK):
            self._read(missing[k : k + CHUNK])
        return {s: self._kept[s] for s in wanted if self._kept[s].num_rows}

    def _read(self, starts: list[datetime]) -> None:
        turn, windows = self._turn, Windows.of(self._turn)
        rows = turn.view.records(since=starts[0], until=starts[-1] + windows.every)
        numbers = [int((s - windows.numbered(0)) // windows.every) for s in starts]
        rows = rows.mutate(window=windows.number(rows)).filter(ibis._.window.isin(numbers))
        order = [rows.u_split, rows.record_id]
        place = ibis.row_number().over(group_by="window", order_by=order)
        rows = rows.mutate(place=place).filter(ibis._.place < self._rows)
        features = features_of(list(rows.columns))
        rows = rows.mutate(**self._projected(rows))
        made = [c for c in rows.columns if c.startswith(_MADE)]
        shown = [c for c in OUTPUTS if c in rows.columns]
        kept = rows.select("window", "place", *features, *shown, *made)
        table = turn.view.arrow(kept.order_by("window", "place")).drop_columns(["place"])
        self._kept |= {s: table.slice(0, 0).drop_columns(["window"]) for s in starts}
        first = 0
        counts = sorted(
            (c["values"], c["counts"]) for c in table["window"].value_counts().to_pylist()
        )
        for k, n in counts:
            self._kept[windows.numbered(k)] = table.slice(first, n).drop_columns(["window"])
            first += n

    def _projected(self, rows: ir.Table) -> dict[str, Any]:
        """Return the values of the projections; one that cannot be asked is said when it is wanted."""
        found: dict[str, Any] = {}
        for k, one in enumerate(self._turn.strategy.projections):
            if isinstance(one, FittedProjection):
                continue  # it is fitted first
            try:
                found[f"{_MADE}{k}"] = one(rows)
            except TidemillError as error:
                self._broken[one.name] = error.what
        return found

    def columns(
        self,
        asked: tuple[str, ...],
        *,
        any_kind: bool,
        fitted: Mapping[str, Callable[[pa.Table], Any] | str] | None = None,
    ) -> Callable[[pa.Table], pa.Table]:
        """Return what keeps some columns of a sample, under the names people know.

        Parameters
        ----------
        asked
            Names of features, outputs and projections; empty for all features that fit.
        any_kind
            Whether columns that are no numbers and no vectors fit.
        fitted
            Fitted projections by name, each what makes its values of features, or why there are none.
        """
        own = enumerate(self._turn.strategy.projections)
        made = {one.name: f"{_MADE}{k}" for k, one in own if not isinstance(one, FittedProjection)}
        ignored = rules(self._turn).ignore

        def kept(table: pa.Table) -> pa.Table:
            features = {n.removeprefix(FEATURE): n for n in features_of(table.column_names)}
            known = {**{n: n for n in OUTPUTS}, **features, **made}
            if not asked:
                fits = {
                    n: c
                    for n, c in features.items()
                    if n not in ignored and (any_kind or is_numeric(table.schema.field(c).type))
                }
                return pa.table({n: table[c] for n, c in fits.items()})
            vectors = _vectors(asked, fitted or {}, features, table)
            for name in asked:
                if name in vectors:
                    continue
                if name in self._broken:
                    raise BadInput(self._broken[name], fix="mend the projection.")
                if name not in known or known[name] not in table.column_names:
                    raise unknown("column", name, [*known, *(fitted or {})])
            return pa.table({n: vectors[n] if n in vectors else table[known[n]] for n in asked})

        return kept


def _vectors(
    asked: tuple[str, ...],
    fitted: Mapping[str, Callable[[pa.Table], Any] | str],
    features: Mapping[str, str],
    table: pa.Table,
) -> dict[str, pa.Array]:
    """Return the values of fitted projections as lists."""
    plain = pa.table({name: table[column] for name, column in features.items()})
    made: dict[str, pa.Array] = {}
    for name in asked:
        found = fitted.get(name)
        if isinstance(found, str):
            raise BadInput(found, fix="wait until its reference has records enough.")
        if found is not None:
            made[name] = pa.array(list(found(plain)), pa.list_(pa.float64()))
    return made
