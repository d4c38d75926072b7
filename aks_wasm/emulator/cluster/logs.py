"""Where the API server gets the logs of containers from: the node side implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class LogUnavailable(Exception):
    """There is no such log; the text is what the API server answers, as 400 BadRequest."""


class LogSource(Protocol):
    """What the API server asks a kubelet for."""

    def open_log(  # noqa: PLR0913 - the options of `kubectl logs`
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool,
        previous: bool,
        tail_lines: int | None,
        since_seconds: int | None,
        timestamps: bool,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:
        """Yield the log's bytes; with `follow` until the container ends.

        Raises:
            LogUnavailable: The container has not started, or there was no previous one.
        """
        ...
