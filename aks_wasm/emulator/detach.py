"""The daemon's process: spawned as nobody's child, heard of through a pipe until it answers."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from aks_wasm.emulator.layout import Layout, unwritable
from aks_wasm.errors import AksWasmError, TimedOut

START_SECONDS = 30.0  # until a daemon must answer; many clusters come back in that time
LARGEST_LOG = 5 * 1024 * 1024  # bytes; a longer one moves aside when a daemon starts


def spawn(layout: Layout, options: list[str]) -> None:
    """Start a daemon with the options; return when everything of it answers.

    Raises:
        AksWasmError: What the daemon itself says (port in use, home unwritable), or that it died.
        TimedOut: It does not answer.
    """
    announcement, announce = os.pipe()
    try:
        _detach(layout, [*options, "--announce", str(announce)], announce)
    finally:
        os.close(announce)
    try:
        answer = _read(announcement)
    finally:
        os.close(announcement)
    if answer is None:
        raise TimedOut(f"the emulator did not answer after {START_SECONDS:.0f} s", hint=f"its log is `{layout.log}`")
    if "error" in answer:
        problem = answer["error"]
        raise AksWasmError(problem["message"], code=problem["code"], hint=problem["hint"], details=problem["details"])
    if "url" not in answer:
        raise died(layout)


def died(layout: Layout) -> AksWasmError:
    """Return the error for a daemon that ended while it started."""
    return AksWasmError(
        f"the emulator ended while starting: {_last_line(layout.log)}",
        code="EmulatorDied",
        hint=f"its log is `{layout.log}`",
    )


def _detach(layout: Layout, options: list[str], announce: int) -> None:
    """Let a shell start it and end: so it outlives us, and leaves no zombie with us."""
    command = [sys.executable, "-m", "aks_wasm.emulator", "--home", str(layout.root.parent), "--foreground", *options]
    # The package may be run from a checkout that is not installed.
    sources = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    try:
        if layout.log.exists() and layout.log.stat().st_size > LARGEST_LOG:
            layout.log.replace(layout.log.with_suffix(".log.1"))
        handle = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise unwritable(layout.log, error) from error
    with os.fdopen(handle, "wb") as log:
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=layout.root,
            env={**os.environ, "PYTHONPATH": sources},
            pass_fds=(announce,),
            check=True,
        )


def _read(descriptor: int) -> dict[str, Any] | None:
    """Return what the daemon announces; {} when it ended without a word, None when it says nothing in time."""
    deadline = time.monotonic() + START_SECONDS
    content = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        piece = os.read(descriptor, 65536)
        if not piece:
            document: dict[str, Any] = json.loads(content) if content else {}
            return document
        content += piece


def _last_line(path: Path) -> str:
    with suppress(OSError):
        lines = path.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it left no word")
    return "it left no word"
