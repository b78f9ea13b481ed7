"""The files that are exported to and imported from: opened, put into place, let go of.

Everything here may wait for a disk: whoever must not wait calls it in a thread. What the files hold
is the formats' own matter.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, TextIO, TypeAlias, cast

from ..errors import InvalidError, StoreError
from . import LOOKED_AT, reader, recognise
from ._base import Entry

PathOrText: TypeAlias = "str | os.PathLike[str] | TextIO"
PathOrBytes: TypeAlias = "str | os.PathLike[str] | BinaryIO"

_IN_MEMORY: Final = 1024 * 1024


class FileFailedError(InvalidError):
    """A file cannot be read or written on: no conversation in it would fare better."""


class Sink(ABC):
    """Where texts go. What stands between `begin` and `drop` is as if it was never written."""

    def __init__(self) -> None:
        self._spool: IO[str] | None = None

    @abstractmethod
    def open(self) -> None:
        """Makes ready to write."""

    @abstractmethod
    def _write(self, text: str) -> None: ...

    @abstractmethod
    def commit(self) -> None:
        """All is written."""

    def discard(self) -> None:
        """Lets go of what was not committed; calling it afterwards is fine."""
        self.drop()

    def write(self, text: str) -> None:
        """Writes what comes next."""
        if self._spool is not None:
            with _named("a temporary file", "written"):
                self._spool.write(text)
        elif text:
            self._write(text)

    def begin(self) -> None:
        """Holds back what comes, until `keep` or `drop`; much of it on disk."""
        self._spool = tempfile.SpooledTemporaryFile(  # noqa: SIM115  # closed by both
            _IN_MEMORY, "w+", encoding="utf-8", newline=""
        )

    def keep(self) -> None:
        """Writes what was held back."""
        held, self._spool = self._spool, None
        if held is not None:
            with held:
                for text in _read_back(held):
                    self._write(text)

    def drop(self) -> None:
        """Forgets what was held back."""
        held, self._spool = self._spool, None
        if held is not None:
            with suppress(OSError):  # of what it could not write, which nobody wants any more
                held.close()


def _read_back(held: IO[str]) -> Iterator[str]:
    with _named("a temporary file", "read"):
        held.seek(0)
        while text := held.read(_IN_MEMORY):
            yield text


class FileSink(Sink):
    """A file that appears under its name when it is whole: until then it is one beside it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._target = path
        self._beside: Path | None = None
        self._file: TextIO | None = None

    def open(self) -> None:
        with _named(self._path, "written"):
            self._target = _behind_links(self._path)  # else a link would be replaced by a file
            written = self._target
            if written.is_file() or not written.exists():
                written = written.with_name(f".{written.name[:200]}.{secrets.token_hex(4)}.part")
                self._beside = written
            self._file = written.open("w", encoding="utf-8", newline="")
            if self._beside is not None and self._target.exists():
                shutil.copymode(self._target, self._beside)  # who may read it stays the same

    def _write(self, text: str) -> None:
        with _named(self._path, "written"):
            cast("TextIO", self._file).write(text)

    def commit(self) -> None:
        with _named(self._path, "written"):
            file, self._file = cast("TextIO", self._file), None
            with file:
                file.flush()
                if self._beside is not None:
                    os.fsync(file.fileno())
            if self._beside is not None:
                self._beside.replace(self._target)
                self._beside = None

    def discard(self) -> None:
        super().discard()
        file, self._file = self._file, None
        with suppress(OSError):
            if file is not None:
                file.close()
        beside, self._beside = self._beside, None
        with suppress(OSError):  # as where it could not be made
            if beside is not None:
                beside.unlink()


def _behind_links(path: Path) -> Path:
    # Not `resolve`: what it does with links that lead in a circle depends on Python's version.
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


class StreamSink(Sink):
    """A stream of the caller's; it is not closed."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def open(self) -> None:
        """It is open."""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            raise FileFailedError(
                f"the stream's encoding, {error.encoding}, does not hold every sign: "
                "open it with encoding='utf-8'"
            ) from error

    def commit(self) -> None:
        self._stream.flush()


def sink_to(destination: PathOrText) -> Sink:
    """The sink of a path or of a text stream.

    Raises:
        InvalidError: It is neither.
    """
    if isinstance(destination, str | os.PathLike):
        return FileSink(_path(destination))
    if not _has(destination, "write", but=(io.RawIOBase, io.BufferedIOBase)):
        raise InvalidError(f"export to a path or a text stream, not to {destination!r}")
    return StreamSink(destination)


def _path(path: str | os.PathLike[str]) -> Path:
    if "\0" in os.fspath(path):
        raise InvalidError("no path holds a NUL character")
    return Path(path)


def _has(stream: object, method: str, *, but: tuple[type, ...]) -> bool:
    return hasattr(stream, method) and not isinstance(stream, but)


def entries_of(
    source: PathOrBytes, format: str | None = None, name: str | None = None
) -> Generator[Entry]:
    """Reads the conversations of a file, of an unpacked ChatGPT export, or of a binary stream.

    Args:
        source: Where they are; a path is closed at the end, a stream of the caller's is not.
        format: Its name; None to find it out.
        name: What an `Origin` is to call their store; see `Reader`.

    Raises:
        InvalidError: It cannot be read; the message tells why.
    """
    if format is not None:
        reader(format)
    if isinstance(source, str | os.PathLike):
        return _entries_of_path(_path(source), format, name)
    if not _has(source, "read", but=(io.TextIOBase,)):
        raise InvalidError("import from a path or a binary stream, such as sys.stdin.buffer")
    return _entries_of_stream(source, format, name)


def _entries_of_path(path: Path, format: str | None, name: str | None) -> Generator[Entry]:
    with _named(path, "read"):
        if path.is_dir():
            if format not in {None, "chatgpt"}:
                raise InvalidError(f"{path} is a folder: only a ChatGPT export is read from one")
            from .chatgpt import read_folder

            yield from read_folder(path, name)
            return
        with path.open("rb") as stream:
            yield from _entries_of_stream(stream, format, name)


def _entries_of_stream(stream: BinaryIO, format: str | None, name: str | None) -> Generator[Entry]:
    head = _head(stream)
    if stream.seekable():
        stream.seek(-len(head), io.SEEK_CUR)
    elif head.startswith(b"PK\x03\x04"):
        raise InvalidError("a zip cannot be read from a pipe: save it, then import the file")
    else:
        stream = io.BufferedReader(_Rejoined(head, stream))
    yield from reader(format or recognise(head))(stream, name)


def _head(stream: BinaryIO) -> bytes:
    """The first bytes, which a stream that is not buffered gives in pieces."""
    head = b""
    while len(head) < LOOKED_AT and (piece := stream.read(LOOKED_AT - len(head))):
        head += piece
    return head


class _Rejoined(io.RawIOBase):
    """A stream whose head was read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        chunk, self._head = self._head[:size], self._head[size:]
        chunk = chunk or self._rest.read(size)
        buffer[: len(chunk)] = chunk
        return len(chunk)


@contextmanager
def _named(path: Path | str, done: str) -> Iterator[None]:
    """Turns what the system says of a file into an error of ours that names it."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        name = path if isinstance(path, str) else repr(str(path))
        raise FileFailedError(f"{name} cannot be {done}: {error.strerror or error}") from error
