"""The bytes of a text file, a part at a time; what is no UTF-8 is refused where it stands."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tidemill.core.errors import BadInput

MARK = codecs.BOM_UTF8


class Text(io.RawIOBase):
    """A file, unpacked where its name ends in .gz, without the mark at its start.

    Raises
    ------
    BadInput
        While it is read: if it is no gzip, or no UTF-8 text.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = (gzip.open if path.suffix == ".gz" else open)(path, "rb")
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._line, self._begun = 1, False

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - the buffers there are
        data = self._read(len(buffer))
        if not self._begun:
            if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise no_utf8(self._path, "it is UTF-16")
            while data and len(data) < len(MARK) and (more := self._read(len(MARK) - len(data))):
                data += more
            self._begun = True
            if data.startswith(MARK):
                data = data.removeprefix(MARK) or self._read(len(buffer))
        self._look(data)
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise unreadable(self._path, "gzip", error) from None

    def _look(self, data: bytes) -> None:
        """Look whether bytes go on as text."""
        if b"\x00" in data:
            raise BadInput(
                f"{self._path} holds bytes that are no text.", fix="give CSV or JSON lines."
            )
        try:
            self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = self._line + error.object.count(b"\n", 0, error.start)
            why = f"byte 0x{error.object[error.start]:02x} in line {line}"
            raise no_utf8(self._path, why) from None
        self._line += data.count(b"\n")


@contextmanager
def opened(path: Path) -> Generator[io.BufferedReader[Text]]:
    """Open a text file to be read by lines or in parts.

    Examples
    --------
    >>> file = getfixture("tmp_path") / "a.csv"
    >>> _ = file.write_bytes(MARK + b"id,x")
    >>> with opened(file) as text:
    ...     text.readline()
    b'id,x'
    """
    with Text(path) as text, io.BufferedReader(text, 1 << 20) as file:
        yield file


def no_utf8(path: Path, why: str) -> BadInput:
    """Say that a file is in another encoding."""
    return BadInput(f"{path} is not UTF-8: {why}.", fix="convert it, for example with iconv.")


def unreadable(path: Path, kind: str, error: Exception) -> BadInput:
    """Say what a reader said, in one line."""
    said = " ".join(str(error).split())[:300].rstrip(".")
    return BadInput(f"{path} cannot be read as {kind}: {said}.", fix="export it again.")
