"""Starts the process of one container, watches it and ends it. Runs inside the agent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aks_wasm
from aks_wasm.emulator.node.container_config import ContainerConfig
from aks_wasm.emulator.node.logs import ContainerLog

_MODULE = "aks_wasm.emulator.node.container"
_LEAST_GRACE = 0.2  # seconds
_PACKAGES = str(Path(aks_wasm.__file__).parent.parent)


class ContainerProcess:
    """One running container.

    Attributes:
        started: Done once the module is compiled and about to run, or the process has ended.
        ended: Done with the exit code, 128 + n for signal n.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self.pid = process.pid
        self._process = process
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls, config: ContainerConfig, folder: Path, log: ContainerLog, on_listen: Callable[[int, int], None]
    ) -> ContainerProcess:
        """Start the process.

        Args:
            config: What it is to run.
            folder: A folder of its own, for its configuration.
            log: Where its output goes; closed when it ends.
            on_listen: Called with (the pod's port, the local port) when it serves.
        """
        file = folder / "config.json"
        file.write_text(config.to_json())
        file.chmod(0o600)  # the environment may hold secrets
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-s", "-m", _MODULE, str(file), str(writing),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(writing,),
                env=_own_environment(),
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        running = cls(process)
        running._tasks.append(asyncio.create_task(running._supervise(reading, log, on_listen)))
        return running

    def signal(self, number: int) -> None:
        """Send a signal to the container, unless it has ended."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    async def stop(self, grace_seconds: float) -> int:
        """End the container: SIGTERM, after `grace_seconds` of wall time SIGKILL; return its exit code.

        However quick the pace, what does heed SIGTERM gets the moment it takes to end by itself.
        """
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(grace_seconds, _LEAST_GRACE)):
                return await asyncio.shield(self.ended)
        return await self.kill()

    async def kill(self) -> int:
        """End the container at once; return its exit code."""
        self.signal(signal.SIGKILL)
        return await asyncio.shield(self.ended)

    async def _supervise(self, reading: int, log: ContainerLog, on_listen: Callable[[int, int], None]) -> None:
        process = self._process
        assert process.stdout is not None  # noqa: S101 - both are pipes
        assert process.stderr is not None  # noqa: S101
        try:
            await asyncio.gather(
                log.pump("stdout", process.stdout),
                log.pump("stderr", process.stderr),
                self._read_reports(reading, on_listen),
            )
            code = await process.wait()
        finally:
            log.close()
            if not self.started.done():
                self.started.set_result(None)
        self.ended.set_result(code if code >= 0 else 128 - code)

    async def _read_reports(self, reading: int, on_listen: Callable[[int, int], None]) -> None:
        reader = asyncio.StreamReader()
        pipe = os.fdopen(reading, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while line := await reader.readline():
                message: dict[str, Any] = json.loads(line)
                if message.get("started") and not self.started.done():
                    self.started.set_result(None)
                if "listening" in message:
                    on_listen(message["as"], message["listening"])
        finally:
            transport.close()


def _own_environment() -> dict[str, str]:
    """The process needs Python and this package, nothing of the user's environment."""
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return {**keep, "PYTHONPATH": _PACKAGES, "PYTHONUNBUFFERED": "1"}
