"""What rules would have said of one's own past, and how often they would have paged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import check
from tidemill.core.signals import Judgement, Key, Point, VerdictRule
from tidemill.core.verdict import Verdict
from tidemill.monitoring.verdicts.series import Series

MONTH = 30.0
"""Days of a month of alerts."""


def replayed(rule: VerdictRule, points: Sequence[Point], *, alpha: float) -> list[Judgement]:
    """Judge each point as of its own time, seeing only those before it.

    Parameters
    ----------
    rule
        What judges.
    points
        The points of a signal; sorted by time, each window once, before anything else.
    alpha
        How likely a false ALERT may be at each point.

    Returns
    -------
    list of Judgement
        One for each window, the oldest first.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from tidemill.monitoring.verdicts.limit import Limit
    >>> start = datetime(2024, 1, 1, tzinfo=UTC)
    >>> points = [Point(start=start + timedelta(days=k), end=start + timedelta(days=k + 1),
    ...                 value=v, n=1000) for k, v in enumerate([0.1, 0.3, 0.4, 0.1, 0.3])]
    >>> [said.verdict.value for said in replayed(Limit(at_most=0.2), points, alpha=0.01)]
    ['OK', 'ALERT', 'ALERT', 'OK', 'ALERT']
    """
    ordered = _ordered(points)
    return [rule(ordered[: k + 1], alpha=alpha) for k in range(len(ordered))]


def incidents(said: Sequence[Judgement], *, quiet: int = 2) -> list[tuple[int, int]]:
    """Group alerts into incidents, each as (place of its first alert, place of its last).

    Parameters
    ----------
    said
        One judgement per window, the oldest first.
    quiet
        After so many windows without an alert an incident is over.

    Examples
    --------
    >>> words = {"a": Verdict.ALERT, ".": Verdict.OK}
    >>> incidents([Judgement(verdict=words[c], why="") for c in "..a.aa...a"])
    [(2, 5), (9, 9)]
    """
    check("incidents", "quiet", quiet, Whole(1))
    found: list[tuple[int, int]] = []
    for k in (k for k, one in enumerate(said) if one.verdict is Verdict.ALERT):
        if found and k - found[-1][1] <= quiet:
            found[-1] = (found[-1][0], k)
        else:
            found.append((k, k))
    return found


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one signal would have said: windows judged, and those without a verdict, counted."""

    key: Key
    judged: int
    no_verdict: int
    warns: int
    alerts: int
    incidents: tuple[tuple[datetime, datetime], ...]
    """The start of the first and of the last window of each."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What would have been paged, beside what was asked for.

    ``pages`` are incidents of all signals together: alerts of different signals at the same
    time page once.
    """

    asked: float
    days: float
    pages: tuple[tuple[datetime, datetime], ...]
    lines: tuple[Line, ...]

    @property
    def per_month(self) -> float:
        """Pages in 30 days, NaN where nothing could be judged."""
        return len(self.pages) / self.days * MONTH if self.days > 0 else math.nan

    def table(self) -> str:
        """Write one line a signal, those that would have paged most first."""
        wide = max([len("signal"), *(len(str(line.key)) for line in self.lines)])
        rows = [f"{'signal':<{wide}}  judged  no verdict  warns  alerts  incidents"]
        rows += [
            f"{line.key!s:<{wide}}  {line.judged:>6}  {line.no_verdict:>10}  {line.warns:>5}"
            f"  {line.alerts:>6}  {len(line.incidents):>9}"
            for line in self.lines
        ]
        many = f"{len(self.pages)} pages" if len(self.pages) != 1 else "1 page"
        rows.append(
            f"{many} in {self.days:g} days, {self.per_month:.2g} a month; {self.asked:g} may be false"
        )
        return "\n".join(rows)


def budget(
    watched: Iterable[tuple[Key, VerdictRule, Sequence[Point]]],
    *,
    pages: float = 1.0,
    quiet: int = 2,
) -> Budget:
    """Replay all signals that may page, and count what they would have paged.

    The tests of all windows that start together are one family and share its alpha, which is
    the pages of a month times the length of a window; so false pages are at most ``pages`` a
    month on average, whatever the number of signals. More than that is either real or a past
    that was not as the rules assume.

    Parameters
    ----------
    watched
        Each signal with its rule and its points.
    pages
        How many false incidents 30 days may have, on average.
    quiet
        After so many windows without an alert an incident is over.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from tidemill.monitoring.verdicts.limit import Limit
    >>> start = datetime(2024, 1, 1, tzinfo=UTC)
    >>> points = [Point(start=start + timedelta(days=k), end=start + timedelta(days=k + 1),
    ...                 value=v, n=1000) for k, v in enumerate([0.1, 0.3, 0.4, 0.1, 0.1, 0.3])]
    >>> key = Key(kind="quality", metric="null_rate", column="age")
    >>> print(budget([(key, Limit(at_most=0.2), points)], pages=2).table())
    signal            judged  no verdict  warns  alerts  incidents
    null_rate of age       6           0      0       3          2
    2 pages in 6 days, 10 a month; 2 may be false
    """
    check("budget", "pages", pages, Between(0, open_low=True))
    check("budget", "quiet", quiet, Whole(1))
    series = [(key, rule, _ordered(points)) for key, rule, points in watched]
    tests = Counter(p.start for _, _, points in series for p in points)
    length = {p.start: (p.end - p.start).total_seconds() / 86_400 for _, _, s in series for p in s}
    alphas = {at: min(0.5, pages * length[at] / MONTH) / n for at, n in tests.items()}
    lines: list[Line] = []
    alerted: set[datetime] = set()
    judged_at: set[datetime] = set()
    for key, rule, points in series:
        said = [rule(points[: k + 1], alpha=alphas[p.start]) for k, p in enumerate(points)]
        starts = [p.start for p in points]
        alerted |= {at for at, s in zip(starts, said, strict=True) if s.verdict is Verdict.ALERT}
        judged_at |= {
            at for at, s in zip(starts, said, strict=True) if s.verdict is not Verdict.NO_VERDICT
        }
        lines.append(_line(key, starts, said, quiet))
    lines.sort(key=lambda line: (-len(line.incidents), -line.alerts, str(line.key)))
    return Budget(
        asked=pages,
        days=sum(length[at] for at in judged_at),
        pages=_merged(sorted(tests), alerted, quiet),
        lines=tuple(lines),
    )


def _line(key: Key, starts: list[datetime], said: list[Judgement], quiet: int) -> Line:
    counts = Counter(one.verdict for one in said)
    return Line(
        key=key,
        judged=len(said) - counts[Verdict.NO_VERDICT],
        no_verdict=counts[Verdict.NO_VERDICT],
        warns=counts[Verdict.WARN],
        alerts=counts[Verdict.ALERT],
        incidents=tuple((starts[a], starts[b]) for a, b in incidents(said, quiet=quiet)),
    )


def _merged(
    starts: list[datetime], alerted: set[datetime], quiet: int
) -> tuple[tuple[datetime, datetime], ...]:
    """Group windows in which any signal alerted."""
    words = {True: Verdict.ALERT, False: Verdict.OK}
    said = [Judgement(verdict=words[at in alerted], why="any signal") for at in starts]
    return tuple((starts[a], starts[b]) for a, b in incidents(said, quiet=quiet))


def _ordered(points: Sequence[Point]) -> list[Point]:
    series = Series.of(points)
    return [] if series is None else [*series.past, series.last]
