"""`python -m aks_wasm.emulator`: the daemon itself in the foreground, or a detached one that is waited for."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aks_wasm.emulator.clock import DEFAULT_FACTOR
from aks_wasm.errors import AksWasmError
from aks_wasm.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aks_wasm.emulator", description=__doc__)
    parser.add_argument("--home", type=Path, default=Settings.from_environment().home, help="AKS_WASM_HOME")
    parser.add_argument("--port", type=int, help="of the front door; default: the one of last time, or any free one")
    parser.add_argument("--pace", help=f"0, a factor, or `real`; default {DEFAULT_FACTOR}")
    parser.add_argument("--service-age", choices=["today", "2022"], help="2022 still grants WASI node pools")
    parser.add_argument("--foreground", action="store_true", help="stay in the foreground, log to stderr")
    parser.add_argument("--announce", type=int, metavar="FD", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    announce = _announcer(options.announce)
    try:
        if options.foreground:
            _stay(options, announce)
        else:
            _detach(options)
    except AksWasmError as error:
        announce({"error": error.to_dict()})
        hint = f"\n\nhint: {error.hint}" if error.hint else ""
        sys.stderr.write(f"error: {error.message}{hint}\n")
        return error.exit_code
    return 0


def _stay(options: argparse.Namespace, announce: Callable[[dict[str, Any]], None]) -> None:
    # The launcher's side must not pay for the servers' imports.
    import asyncio
    import logging

    from aks_wasm.emulator.daemon import DaemonOptions, run
    from aks_wasm.emulator.launch import hold_daemon_lock, parse_pace

    if options.announce is not None:
        os.setsid()  # the terminal's signals are not for a detached daemon
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    pace = parse_pace(options.pace or str(DEFAULT_FACTOR))
    daemon = DaemonOptions(options.home, options.port, pace, options.service_age or "today")
    lock = hold_daemon_lock(options.home)
    try:
        asyncio.run(run(daemon, announce))
    except AksWasmError:
        lock.release()  # the launcher that hears of it may start another at once
        raise
    # Else it is not released here: who sees it free may take the process to be gone.


def _detach(options: argparse.Namespace) -> None:
    from aks_wasm.emulator.launch import Wanted, start

    running = start(Settings(home=options.home), Wanted(options.port, options.pace, options.service_age))
    sys.stdout.write(f"{running.url}\n")


def _announcer(descriptor: int | None) -> Callable[[dict[str, Any]], None]:
    def announce(document: dict[str, Any]) -> None:
        """Tell the launcher, which may have gone away; after an error it waits for the end of this process."""
        if descriptor is None:
            return
        with suppress(OSError):
            os.write(descriptor, json.dumps(document).encode())
            if "error" not in document:
                os.close(descriptor)

    return announce


if __name__ == "__main__":
    sys.exit(main())
