"""Files of exports and imports: output files that appear when they are complete, and input streams.

Everything here may block on a disk: async callers use a thread. The contents of the files belong to
the formats.
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
from . import HEAD_SIZE, reader, recognise
from ._base import Entry

PathOrText: TypeAlias = "str | os.PathLike[str] | TextIO"
PathOrBytes: TypeAlias = "str | os.PathLike[str] | BinaryIO"

_IN_MEMORY: Final = 1024 * 1024


class FileFailedError(InvalidError):
    """A file cannot be read or written further: the error is not one of a single conversation."""


class Sink(ABC):
    """A target of texts; what is written between `begin` and `drop` is discarded."""

    def __init__(self) -> None:
        self._spool: IO[str] | None = None

    @abstractmethod
    def open(self) -> None:
        """Open the target for writing."""

    @abstractmethod
    def _write(self, text: str) -> None: ...

    @abstractmethod
    def commit(self) -> None:
        """Finish: everything is written."""

    def discard(self) -> None:
        """Discard what was not committed, and close the target; do nothing after `commit`."""
        self.drop()

    def write(self, text: str) -> None:
        """Write the next text."""
        if self._spool is not None:
            with _name_in_errors("a temporary file", "write"):
                self._spool.write(text)
        elif text:
            self._write(text)

    def begin(self) -> None:
        """Hold back what is written until `keep` or `drop`, in a temporary file if it is long."""
        self._spool = tempfile.SpooledTemporaryFile(  # noqa: SIM115  # closed by both
            _IN_MEMORY, "w+", encoding="utf-8", newline=""
        )

    def keep(self) -> None:
        """Write what was held back."""
        spool, self._spool = self._spool, None
        if spool is not None:
            with spool:
                for text in _read_back(spool):
                    self._write(text)

    def drop(self) -> None:
        """Discard what was held back."""
        spool, self._spool = self._spool, None
        if spool is not None:
            with suppress(OSError):  # closing flushes, which may fail; the text is not needed
                spool.close()


def _read_back(spool: IO[str]) -> Iterator[str]:
    with _name_in_errors("a temporary file", "read"):
        spool.seek(0)
        while text := spool.read(_IN_MEMORY):
            yield text


class FileSink(Sink):
    """A file that appears under its name when it is complete; until then it has another name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._target = path
        self._partial: Path | None = None
        self._file: TextIO | None = None

    def open(self) -> None:
        with _name_in_errors(self._path, "write"):
            self._target = _follow_links(self._path)  # else the file would replace a link
            written = self._target
            if written.is_file() or not written.exists():
                written = written.with_name(f".{written.name[:200]}.{secrets.token_hex(4)}.part")
                self._partial = written
            self._file = written.open("w", encoding="utf-8", newline="")
            if self._partial is not None and self._target.exists():
                shutil.copymode(self._target, self._partial)  # with the same permissions

    def _write(self, text: str) -> None:
        with _name_in_errors(self._path, "write"):
            cast("TextIO", self._file).write(text)

    def commit(self) -> None:
        with _name_in_errors(self._path, "write"):
            file, self._file = cast("TextIO", self._file), None
            with file:
                file.flush()
                if self._partial is not None:
                    os.fsync(file.fileno())
            if self._partial is not None:
                self._partial.replace(self._target)
                self._partial = None

    def discard(self) -> None:
        super().discard()
        file, self._file = self._file, None
        with suppress(OSError):
            if file is not None:
                file.close()
        partial, self._partial = self._partial, None
        with suppress(OSError):  # it may not exist
            if partial is not None:
                partial.unlink()


def _follow_links(path: Path) -> Path:
    # Not `resolve`: what it does with circular links depends on Python's version.
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


class StreamSink(Sink):
    """A stream of the caller; it is not closed."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def open(self) -> None:
        """Do nothing: the stream is open."""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            raise FileFailedError(
                f"the stream's encoding, {error.encoding}, lacks a character of the text: "
                "open it with encoding='utf-8'"
            ) from error

    def commit(self) -> None:
        self._stream.flush()


def sink_to(destination: PathOrText) -> Sink:
    """Return a sink that writes to a path or to a text stream.

    Raises:
        InvalidError: The destination is neither.
    """
    if isinstance(destination, str | os.PathLike):
        return FileSink(_path(destination))
    if not _has(destination, "write", but=(io.RawIOBase, io.BufferedIOBase)):
        raise InvalidError(
            f"destination must be a path or a text stream, got {type(destination).__name__}"
        )
    return StreamSink(destination)


def _path(path: str | os.PathLike[str]) -> Path:
    if "\0" in os.fspath(path):
        raise InvalidError("path must not contain NUL")
    return Path(path)


def _has(stream: object, method: str, *, but: tuple[type, ...]) -> bool:
    return hasattr(stream, method) and not isinstance(stream, but)


def entries_of(
    source: PathOrBytes, format: str | None = None, name: str | None = None
) -> Generator[Entry]:
    """Yield the conversations of a file, of an unpacked ChatGPT export, or of a binary stream.

    Args:
        source: The path or stream; a stream of the caller is not closed.
        format: The name of the format; None to recognise it.
        name: The name of the conversations' store for their `Origin`; see `Reader`.

    Raises:
        InvalidError: The source cannot be read.
    """
    if format is not None:
        reader(format)
    if isinstance(source, str | os.PathLike):
        return _entries_of_path(_path(source), format, name)
    if not _has(source, "read", but=(io.TextIOBase,)):
        raise InvalidError(
            "source must be a path or a binary stream such as sys.stdin.buffer, "
            f"got {type(source).__name__}"
        )
    return _entries_of_stream(source, format, name)


def _entries_of_path(path: Path, format: str | None, name: str | None) -> Generator[Entry]:
    with _name_in_errors(path, "read"):
        if path.is_dir():
            if format not in {None, "chatgpt"}:
                raise InvalidError(
                    f"{path} is a folder: only a ChatGPT export can be read from one"
                )
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
    """Return the first bytes; an unbuffered stream returns them in pieces."""
    head = b""
    while len(head) < HEAD_SIZE and (piece := stream.read(HEAD_SIZE - len(head))):
        head += piece
    return head


class _Rejoined(io.RawIOBase):
    """A stream whose head was read already, put before the rest."""

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
def _name_in_errors(path: Path | str, action: str) -> Iterator[None]:
    """Convert an OSError to an error of ours that names the file.

    Args:
        path: The file, or words for it.
        action: ``"read"`` or ``"write"``.

    Raises:
        FileFailedError: The operating system refused.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        name = path if isinstance(path, str) else repr(str(path))
        raise FileFailedError(f"cannot {action} {name}: {error.strerror or error}") from error
