"""Container logs: one file for each attempt in CRI's format, written by the agent, read as the kubelet serves them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aks_wasm.emulator.cluster.logs import LogQuery

LARGEST_FILE = 10 << 20  # bytes; kubelet's containerLogMaxSize
_LONGEST_LINE = 16 << 10  # bytes; longer ones are split, as containerd does
_TIME_WIDTH = 30  # 2026-11-22T14:00:00.123456000Z


class ContainerLog:
    """The log of one attempt of a container, while it is written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab")
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._file.closed

    def write(self, stream: str, line: bytes, *, complete: bool = True) -> None:
        """Append one line (without its line feed); not `complete` = the next one goes on in the same line."""
        if self._file.closed:
            return
        if self._file.tell() > LARGEST_FILE:
            self._rotate()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        self._file.write(f"{now} {stream} {'F' if complete else 'P'} ".encode() + line + b"\n")
        self._file.flush()
        self._wake()

    async def pump(self, stream: str, reader: asyncio.StreamReader) -> None:
        """Append everything that comes out of a pipe."""
        rest = b""
        while chunk := await reader.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.write(stream, line)
            while len(rest) > _LONGEST_LINE:
                self.write(stream, rest[:_LONGEST_LINE], complete=False)
                rest = rest[_LONGEST_LINE:]
        if rest:
            self.write(stream, rest, complete=False)

    def close(self) -> None:
        """End the log; whoever follows it gets the end."""
        self._file.close()
        self._wake()

    async def changed(self) -> None:
        """Wait until something was written or the log ended."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_suffix(".log.1"))
        self._file = self.path.open("ab")

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


async def read_log(path: Path, query: LogQuery, live: ContainerLog | None) -> AsyncIterator[bytes]:
    """Yield a log, and with `follow` what is still to come; `live` is the log while it is being written."""
    left = query.limit_bytes
    offset, first = 0, True
    while True:
        ended = live is None or live.closed
        offset = 0 if _size(path) < offset else offset  # it was rotated
        raw = _read(path, offset)
        offset += len(raw)
        lines = _selected(raw, query) if first else raw.splitlines()
        first = False
        for line in lines:
            text = _rendered(line, timestamps=query.timestamps)
            if left is not None:
                text = text[:left]
                left -= len(text)
            if text:
                yield text
        if ended or not query.follow or left == 0 or live is None:
            return
        if not live.closed and _size(path) <= offset:
            await live.changed()


def tail_text(path: Path, *, lines: int, size: int) -> str:
    """Return the end of a log as text: at most so many lines and bytes."""
    chosen = _read(path, 0).splitlines()[-lines:]
    return b"".join(_rendered(line, timestamps=False) for line in chosen)[-size:].decode("utf-8", "replace")


def _read(path: Path, offset: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _selected(raw: bytes, query: LogQuery) -> list[bytes]:
    lines = raw.splitlines()
    if query.since_seconds is not None:
        since = (datetime.now(UTC) - timedelta(seconds=query.since_seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        lines = [line for line in lines if line[:_TIME_WIDTH] >= since.encode()]
    if query.tail_lines is not None:
        lines = lines[-query.tail_lines :] if query.tail_lines else []
    return lines


def _rendered(line: bytes, *, timestamps: bool) -> bytes:
    time, _, rest = line.partition(b" ")
    _stream, _, rest = rest.partition(b" ")
    tag, _, text = rest.partition(b" ")
    end = b"\n" if tag == b"F" else b""
    return (time + b" " if timestamps else b"") + text + end
