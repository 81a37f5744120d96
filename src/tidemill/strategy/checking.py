"""The spot check of a release: which records it asks about, and what was seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.ports import JobResult
from tidemill.core.rules import SpotCheck
from tidemill.strategy.turn import Turn

A_DAY = timedelta(days=1)


def recent(turn: Turn, *, since: str) -> pa.Table:
    """Return the newest records: of the last day, or from as far back as the dataset reaches."""
    n, found = turn.strategy.online.sample, pa.table({})
    for start in (turn.now - A_DAY, datetime.fromisoformat(since)):
        found = turn.known(partial(turn.view.newest, n, since=start), "newest", n, start)
        if found.num_rows == n:
            break
    return found


def spot_check(result: JobResult) -> SpotCheck:
    """Sum up what was seen when the candidate, and the champion, answered."""
    if not result.ok:
        return SpotCheck(
            asked=0, answered=0, missing=0, latency_ms=0.0, agree=np.nan, error=result.why
        )
    said = result.tables["candidate"]
    missing = pc.and_(pc.is_null(said["output"]), pc.is_null(said["output_text"]))
    if said["score"].null_count < said.num_rows:
        missing = pc.or_(missing, pc.is_null(said["score"]))
    agree = np.nan
    if "champion" in result.tables and said.num_rows:
        other = result.tables["champion"]
        pairs = [
            pc.fill_null(pc.equal(said[c], other[c]), False) for c in ("output", "output_text")
        ]
        agree = float(pc.mean(pc.or_(*pairs).cast(pa.float64())).as_py())
    return SpotCheck(
        asked=said.num_rows,
        answered=said.num_rows,
        missing=int(pc.sum(missing).as_py() or 0),
        latency_ms=float(result.facts.get("candidate_ms", 0.0)),
        agree=agree,
    )
