"""Where the API server gets the logs of containers from: the node side implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class LogQuery:
    """What part of a log is asked for, in the words of `kubectl logs`."""

    follow: bool = False
    previous: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


class LogUnavailable(Exception):
    """There is no such log; the text is what the API server answers, as 400 BadRequest."""


class LogSource(Protocol):
    """What the API server asks a kubelet for."""

    def open_log(self, namespace: str, pod: str, container: str, query: LogQuery) -> AsyncIterator[bytes]:
        """Yield the log's bytes; with `query.follow` until the container ends.

        Raises:
            LogUnavailable: The container has not started, or there was no previous one.
        """
        ...
