"""Two stages that sample are right together: what is kept, and of that what is chosen."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tidemill import Manual, Rate, Uniform
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.draws import draws

AT = datetime(2024, 1, 1, tzinfo=UTC)
P, N, CHOOSE, SALTS = 0.4, 60, 9, 800
IDS = [f"r{k}" for k in range(N)]


def sampled(u_log, u_label, *, p=P, choose=CHOOSE):
    """Run both real rules over many salts at once, one salt a group, in one query."""
    group = np.repeat(np.arange(SALTS), N)
    table = ibis.memtable(pa.table({"salt": group, "record_id": IDS * SALTS,
                                    "u_log": u_log, "u_label": u_label}))  # fmt: skip
    engine = DuckDBEngine()
    kept = engine.arrow(table.filter(table.u_log < Rate(p)(table)).order_by("salt"))
    out = []
    starts = np.searchsorted(kept["salt"].to_numpy(), np.arange(SALTS + 1))
    place = np.lexsort((kept["u_label"].to_numpy(), kept["salt"].to_numpy()))
    for a, b in itertools.pairwise(starts):
        rows = place[a:b]
        out.append((kept["record_id"].take(pa.array(rows[:choose])).to_pylist(), b - a))
    return out


def all_draws(same):
    parts = [draws(f"salt-{s}", IDS) for s in range(SALTS)]
    u_log = np.concatenate([d["u_log"] for d in parts])
    return u_log, u_log if same else np.concatenate([d["u_label"] for d in parts])


def covariance_with_draw(same):
    """How the chance of being chosen, once kept, hangs on the draw that kept the record."""
    u_log, u_label = all_draws(same)
    low, high = [], []
    for salt, (chosen, kept) in enumerate(sampled(u_log, u_label)):
        u = dict(zip(IDS, u_log[salt * N : (salt + 1) * N], strict=True))
        picked = set(chosen)
        for i, value in u.items():
            if value < P and kept > CHOOSE:
                (low if value < P / 2 else high).append(i in picked)
    return np.mean(low) - np.mean(high), np.sqrt(0.25 / len(low) + 0.25 / len(high))


def test_being_chosen_does_not_hang_on_the_draw_that_kept_the_record():
    difference, error = covariance_with_draw(same=False)
    assert abs(difference) < 4 * error


def test_the_same_draw_for_both_stages_would_be_caught():
    difference, error = covariance_with_draw(same=True)
    assert abs(difference) > 20 * error


def test_every_record_and_every_pair_is_included_as_often_as_the_weights_say():
    u_log, u_label = all_draws(same=False)
    one, expected, pairs, expected_pairs = np.zeros(N), 0.0, 0.0, 0.0
    for chosen, kept in sampled(u_log, u_label):
        n = min(CHOOSE, kept)
        one[[int(i[1:]) for i in chosen]] += 1
        # Given how many were kept, any of the N is chosen with kept/N * n/kept = n/N.
        expected += n / N
        expected_pairs += n * (n - 1) / (N * (N - 1))
        pairs += {"r0", "r1"} <= set(chosen)
    rate = expected / SALTS
    z = (one / SALTS - rate) / np.sqrt(rate * (1 - rate) / SALTS)
    assert np.abs(z).max() < 4.5
    assert 0.7 < z.std() < 1.3
    share = expected_pairs / SALTS
    assert abs(pairs / SALTS - share) < 4 * np.sqrt(share / SALTS)


def test_the_three_draws_of_a_record_are_uniform_and_independent_of_each_other():
    drawn = np.column_stack(list(draws("salt", [str(k) for k in range(60_000)]).values()))
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 4 / np.sqrt(60_000)
    cells = (drawn * 4).astype(int) @ [16, 4, 1]
    counts = np.bincount(cells, minlength=64)
    chi2 = ((counts - 60_000 / 64) ** 2 / (60_000 / 64)).sum()
    assert 30 < chi2 < 108  # the middle 99.98 % of 63 degrees of freedom


def through_the_mill(small, salt, n=400):
    """Take in records whose value grows, keep 60 %, choose 60 of two windows, weigh them."""
    mill = small(salt=salt, log=Rate(0.6), curation=Uniform(60, per="7d"), trigger=Manual())
    value = np.arange(n, dtype=float)
    at = [AT + timedelta(minutes=45 * k) for k in range(n)]
    mill.clock.move_to(AT + timedelta(days=14))
    counts = mill.records({"record_id": [f"r{k}" for k in range(n)], "at": at, "x": value},
                          available_at="at")  # fmt: skip
    mill.run()
    chosen, records = mill.table("chosen"), mill.table("records")
    place = pc.index_in(chosen["record_id"], records["record_id"])
    rows = records.take(place)
    weight = 1 / (rows["p_log"].to_numpy() * chosen["pi"].to_numpy())
    return counts, rows["f_x"].to_numpy(), weight, chosen


def test_weights_of_both_stages_together_estimate_totals_and_means_without_bias(small):
    n, totals, means, covered = 400, [], [], 0
    truth = np.arange(n).mean()
    for k in range(24):
        counts, x, weight, chosen = through_the_mill(small, f"salt {k}")
        assert counts.sampled_out + counts.accepted == n
        totals.append(weight.sum())
        mean = (weight * x).sum() / weight.sum()
        means.append(mean)
        windows = np.unique(chosen["window"].to_numpy(zero_copy_only=False))
        assert len(windows) == 2
        residual = weight * (x - mean) / weight.sum()
        covered += abs(mean - truth) <= 1.96 * np.sqrt((residual**2).sum())
    assert abs(np.mean(totals) - n) < 4 * np.std(totals) / np.sqrt(24)
    assert abs(np.mean(means) - truth) < 4 * np.std(means) / np.sqrt(24)
    assert covered >= 19  # 95 % of 24 is 23; 19 or fewer has a chance of 1 %, and the seeds stand


def test_a_record_that_comes_late_is_in_the_window_in_which_it_comes(small):
    mill = small(curation=Uniform(100, per="7d"), trigger=Manual())
    day = timedelta(days=1)
    mill.records({"record_id": ["a"], "at": [AT], "x": [1.0]})
    mill.run(days=7)
    mill.clock.move_to(AT + 10 * day)
    mill.records({"record_id": ["late", "new"], "at": [AT, AT + 9 * day], "x": [1.0, 2.0]})
    mill.run()
    assert mill.table("chosen").num_rows == 1
    mill.run(days=4)
    windows = {r["record_id"]: r["window"] for r in mill.table("chosen").to_pylist()}
    assert windows == {"a": "2024-01-01T00:00+00:00", "late": "2024-01-08T00:00+00:00",
                       "new": "2024-01-08T00:00+00:00"}  # fmt: skip


@pytest.mark.parametrize("steps", [("7d", "3d", "1d"), ("1d", "7d", "2d"), ("3d", "12h", "14d")])
def test_every_record_is_a_candidate_exactly_once_even_when_the_window_changes(small, steps):
    mill = small(curation=Uniform(10_000, per=steps[0]), trigger=Manual())
    rng = np.random.default_rng(3)
    ids = []
    for day in range(1, 22):
        mill.clock.move_to(AT + timedelta(days=day))
        new = [f"{day}-{k}" for k in range(int(rng.integers(0, 6)))]
        if new:
            at = [AT + timedelta(days=day, hours=-float(h)) for h in rng.uniform(0, 24 * day,
                  len(new))]  # fmt: skip
            mill.records({"record_id": new, "at": at, "x": [1.0] * len(new)})
            ids += new
        if day % 7 == 0:
            mill.with_strategy(curation=Uniform(10_000, per=steps[day // 7 % 3]))
        mill.run()
    mill.run(days=15)
    assert sorted(mill.table("chosen")["record_id"].to_pylist()) == sorted(ids)
    assert set(mill.table("chosen")["pi"].to_pylist()) == {1.0}
    assert mill.problems() == []
