"""Samples in the text forms of Prometheus: the exposition format 0.0.4, and OpenMetrics 1.0."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from tidemill.adapters.telemetry.samples import KINDS, Labels, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CONTENT_TYPE_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_NOT_NAME = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_LABEL = re.compile(r"[^a-zA-Z0-9_]")


def write(samples: Iterable[Sample], *, openmetrics: bool = False, times: bool = False) -> str:
    """Write samples as text that Prometheus scrapes.

    Names are made fit by replacing what they must not hold with ``_``. Of several samples that
    have the same name and labels then, the last counts, since Prometheus would refuse all.

    Parameters
    ----------
    samples
        In any order; families are written together, in the order they first come.
    openmetrics
        Whether to write OpenMetrics instead of 0.0.4.
    times
        Whether to write when each was measured. Prometheus refuses samples that are hours old,
        as those of daily windows are, so usually not.

    References
    ----------
    .. [1] Prometheus documentation, "Exposition formats".
    .. [2] OpenMetrics 1.0, "The OpenMetrics project: creating a standard for exposing metrics".

    Examples
    --------
    >>> print(write([Sample(name="tidemill_signal_value", value=0.5, help="The signal.",
    ...                     labels=(("metric", "auc"),))]), end="")
    # HELP tidemill_signal_value The signal.
    # TYPE tidemill_signal_value gauge
    tidemill_signal_value{metric="auc"} 0.5
    """
    families: dict[str, dict[tuple[str, Labels], Sample]] = {}
    for sample in samples:
        family = _name(sample.family)
        series = (_name(sample.name), _labels(sample.labels))
        families.setdefault(family, {})[series] = sample
    lines: list[str] = []
    for family, series in families.items():
        lines += _family(family, series, openmetrics=openmetrics, times=times)
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _family(
    family: str, series: dict[tuple[str, Labels], Sample], *, openmetrics: bool, times: bool
) -> Sequence[str]:
    first = next(iter(series.values()))
    kind = first.kind if first.kind in KINDS else "unknown"
    # In 0.0.4 the family of a counter has the name of its samples, _total and all.
    total = next((name for name, _ in series if name == f"{family}_total"), family)
    shown = total if kind == "counter" and not openmetrics else family
    if kind == "unknown" and not openmetrics:
        kind = "untyped"
    lines = [f"# HELP {shown} {_help(first.help)}"] if first.help else []
    lines.append(f"# TYPE {shown} {kind}")
    for (name, labels), sample in series.items():
        # OpenMetrics knows no counter whose samples do not end so.
        fit = f"{name}_total" if openmetrics and kind == "counter" and name == family else name
        lines.append(_line(fit, labels, sample, openmetrics=openmetrics, times=times))
    return lines


def _line(name: str, labels: Labels, sample: Sample, *, openmetrics: bool, times: bool) -> str:
    inside = ",".join(f'{label}="{_escape(value)}"' for label, value in labels)
    line = (
        f"{name}{{{inside}}} {number(sample.value)}" if inside else f"{name} {number(sample.value)}"
    )
    if not times or sample.at is None:
        return line
    seconds = sample.at.timestamp()
    return f"{line} {seconds:.3f}" if openmetrics else f"{line} {round(1000 * seconds)}"


def number(value: float) -> str:
    """Return a number as both forms write it.

    Examples
    --------
    >>> [number(v) for v in (0.1, float("nan"), float("-inf"), 5e-324)]
    ['0.1', 'NaN', '-Inf', '5e-324']
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))


def _name(text: str) -> str:
    name = _NOT_NAME.sub("_", text)
    return f"_{name}" if not name or name[0].isdigit() else name


def _labels(labels: Labels) -> Labels:
    """Make names of labels fit; ``__`` at the front is Prometheus's own."""
    fit: dict[str, str] = {}
    for name, value in labels:
        made = _NOT_LABEL.sub("_", name)
        made = f"label_{made}" if not made or made[0].isdigit() or made.startswith("__") else made
        while made in fit:
            made += "_"
        fit[made] = value
    return tuple(fit.items())


def _escape(value: str) -> str:
    return _help(value).replace('"', '\\"')


def _help(text: str) -> str:
    # Half a surrogate pair cannot be written as UTF-8.
    whole = text.encode("utf-8", "replace").decode()
    return whole.replace("\\", "\\\\").replace("\n", "\\n")
