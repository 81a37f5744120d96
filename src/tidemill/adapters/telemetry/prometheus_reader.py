"""Read the text forms of Prometheus, whoever wrote them; what cannot be read is told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from http.client import HTTPException
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tidemill.adapters.telemetry.samples import SUFFIXES, Sample, Scrape, instant, labelled
from tidemill.core.errors import BadInput

MOST_BYTES = 16 * 2**20
MOST_SAMPLES = 100_000
MOST_PROBLEMS = 20
_LONGEST_LINE = 2**16
_KINDS = {
    "gauge": "gauge",
    "counter": "counter",
    "histogram": "histogram",
    "summary": "summary",
    "unknown": "unknown",
    "untyped": "unknown",
    "stateset": "gauge",
    "info": "gauge",
    "gaugehistogram": "unknown",
}
# Each of these looks at a character once, so no text makes them slow.
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]*")
_BLANK = re.compile(r"[ \t]*")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.IGNORECASE)
_META = re.compile(r"#[ \t]+(HELP|TYPE)[ \t]+(\"(?:[^\"\\]|\\.)*\"|\S+)[ \t]?(.*)")


class Unreadable(Exception):
    """A line that follows neither form."""


def read(text: str | bytes, *, openmetrics: bool | None = None) -> Scrape:
    r"""Read exposition text, line by line.

    A line that cannot be read is a problem and no sample; all others are read.

    Parameters
    ----------
    text
        What a ``/metrics`` page holds.
    openmetrics
        Whether it is OpenMetrics, where times are seconds and not milliseconds; None takes it
        for that when it ends with ``# EOF``.

    Raises
    ------
    BadInput
        If it is longer than 16 MiB.

    Examples
    --------
    >>> found = read('http_requests_total{code="500"} 3\nup x\n')
    >>> [(s.name, dict(s.labels), s.value) for s in found.samples], found.problems
    ([('http_requests_total', {'code': '500'}, 3.0)], ("line 2: 'x' is no number",))
    """
    if len(text) > MOST_BYTES:
        raise BadInput(
            f"the metrics are {len(text):,} bytes long.",
            fix=f"expose fewer; at most {MOST_BYTES:,} bytes are read.",
        )
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    lines = whole.split("\n")
    if openmetrics is None:
        openmetrics = whole.rstrip().endswith("# EOF")
    return _Reader(per_second=1 if openmetrics else 1000).read(lines)


class _Reader:
    """Reads lines; keeps what ``HELP`` and ``TYPE`` said of each family."""

    def __init__(self, *, per_second: int) -> None:
        self._per_second = per_second
        self._said: dict[str, dict[str, str]] = {"HELP": {}, "TYPE": {}}
        self._problems: list[str] = []

    def read(self, lines: list[str]) -> Scrape:
        found: dict[object, Sample] = {}
        for k, line in enumerate(lines, start=1):
            text = line.strip(" \t\r")
            if not text:
                continue
            if text.startswith("#"):
                self._meta(text)
                continue
            if len(found) >= MOST_SAMPLES:
                self._problem(k, f"more than {MOST_SAMPLES:,} samples")
                break
            try:
                sample = self._sample(text)
            except Unreadable as error:
                self._problem(k, str(error))
                continue
            if (sample.name, sample.labels) in found:
                self._problem(k, f"{sample.name[:60]!r} comes twice with the same labels")
                continue
            found[sample.name, sample.labels] = sample
        return Scrape(samples=tuple(found.values()), problems=tuple(self._problems))

    def _problem(self, k: int, words: str) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(f"line {k}: {words}")

    def _meta(self, text: str) -> None:
        # Comments may hold anything; only what is whole and well formed is kept.
        found = _META.match(text[:_LONGEST_LINE])
        if found is not None:
            what, name, rest = found.groups()
            self._said[what].setdefault(_unescape(name.strip('"')), rest.strip())

    def _sample(self, text: str) -> Sample:
        if len(text) > _LONGEST_LINE:
            raise Unreadable(f"it is {len(text):,} characters long")
        name, labels, rest = _series(text)
        # What follows a # is an exemplar.
        words = rest.partition("#")[0].split()
        if not 1 <= len(words) <= 2:  # noqa: PLR2004 - a value, perhaps a time
            raise Unreadable("it is no name, labels, value and time")
        kind, help_ = self._of_family(name)
        at = instant(_float(words[1]) / self._per_second) if len(words) > 1 else None
        return Sample(
            name=name,
            value=_float(words[0]),
            labels=labelled(labels),
            kind=kind,
            help=help_,
            at=at,
        )

    def _of_family(self, name: str) -> tuple[str, str]:
        kinds = self._said["TYPE"]
        for family in (name, *_families(name)):
            kind = _KINDS.get(kinds.get(family, ""), "")
            fits = family == name or name.removeprefix(family) in SUFFIXES.get(kind, ())
            if kind and fits:
                return kind, _unescape(self._said["HELP"].get(family, ""))
        return "unknown", _unescape(self._said["HELP"].get(name, ""))


def _families(name: str) -> Iterator[str]:
    for suffix in ("_total", "_bucket", "_sum", "_count", "_created"):
        if name.endswith(suffix):
            yield name.removesuffix(suffix)


def _series(text: str) -> tuple[str, dict[str, str], str]:
    """Cut a line into its name, its labels and the rest."""
    found = _NAME.match(text)
    name, k = (found.group(), found.end()) if found else ("", 0)
    k = _blank(text, k)
    labels: dict[str, str] = {}
    if k < len(text) and text[k] == "{":
        name, k = _inside(text, k + 1, name, labels)
    if not name:
        raise Unreadable("it begins with no name")
    return name, labels, text[k:]


def _inside(text: str, k: int, name: str, labels: dict[str, str]) -> tuple[str, int]:
    """Read what stands in braces: labels, and since Prometheus 3 the name in quotes."""
    while True:
        k = _blank(text, k)
        if text[k : k + 1] == "}":
            return name, k + 1
        quoted = _TEXT.match(text, k)
        found = quoted or _LABEL.match(text, k)
        if found is None:
            raise Unreadable("its labels do not end" if k >= len(text) else "a label has no name")
        label = _unescape(quoted.group(1)) if quoted else found.group()
        k = _blank(text, found.end())
        if text[k : k + 1] == "=":
            value = _TEXT.match(text, _blank(text, k + 1))
            if value is None or label in labels:
                raise Unreadable(f"the label {label[:60]!r} has no value or comes twice")
            labels[label] = _unescape(value.group(1))
            k = _blank(text, value.end())
        elif quoted and not name:
            name = label
        else:
            raise Unreadable(f"the label {label[:60]!r} has no value")
        if text[k : k + 1] == ",":
            k += 1
        elif text[k : k + 1] != "}":
            raise Unreadable("its labels do not end")


def _blank(text: str, k: int) -> int:
    found = _BLANK.match(text, k)
    return found.end() if found else k


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda m: "\n" if m.group(1) == "n" else m.group(1), text)


def _float(word: str) -> float:
    # float() alone also takes 1_000 and digits of other alphabets.
    if not word.isascii() or not _NUMBER.fullmatch(word):
        raise Unreadable(f"{word[:60]!r} is no number")
    return float(word)


def scrape(url: str, *, timeout: float = 10.0) -> Scrape:
    """Read the ``/metrics`` page of a process.

    Parameters
    ----------
    url
        Its ``http`` or ``https`` address.
    timeout
        Seconds until it is given up.

    Raises
    ------
    BadInput
        If it cannot be reached in time, or is too long.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise BadInput("the address of the metrics is not one.", fix="write http://host/metrics.")
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    request = Request(url, headers={"Accept": accept, "User-Agent": "tidemill"})  # noqa: S310
    until = time.monotonic() + timeout
    data = bytearray()
    try:
        with urlopen(request, timeout=timeout) as response:  # noqa: S310 - checked above
            kind = response.headers.get_content_type()
            while (part := response.read1(2**16)) and len(data) <= MOST_BYTES:
                data += part
                if time.monotonic() > until:
                    raise TimeoutError
    except (OSError, ValueError, HTTPException) as error:
        reason = type(getattr(error, "reason", error)).__name__
        raise BadInput(
            f"{urlsplit(url).hostname} gave no metrics ({reason}).",
            fix="see whether the process is up and its address is right.",
        ) from None
    return read(bytes(data), openmetrics=kind == "application/openmetrics-text")
