"""The process of one container: `python -m aks_wasm.emulator.node.container CONFIG REPORT_FD`.

It imports nothing heavy but wasmtime. stdout and stderr are the container's; REPORT_FD takes one JSON object a line:
`{"started": true}` once the module is compiled, `{"listening": port, "as": port}` for a server.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from aks_wasm.emulator.node.confinement import MemoryWatch, die_with
from aks_wasm.emulator.node.container_config import ContainerConfig
from aks_wasm.emulator.node.errors import ShimError

SHIM_FAILED = 137  # runwasi ends the container with 137 when run_wasi returns an error (containerd-shim-wasm)


def main() -> int:
    """Run the container; return its exit code."""
    config = ContainerConfig.from_json(Path(sys.argv[1]).read_text())
    die_with(config.parent)
    report_fd = int(sys.argv[2])

    def report(**message: object) -> None:
        os.write(report_fd, json.dumps(message).encode() + b"\n")

    try:
        return run(config, report)
    except ShimError as error:
        sys.stderr.write(f"Error: {error}\n")
        return SHIM_FAILED


def run(config: ContainerConfig, report: Callable[..., None]) -> int:
    """Run the container with the engine that its shim stands for.

    Raises:
        ShimError: The shim can't run it.
    """
    # Each engine brings its own modules; a command needs no HTTP server.
    if config.engine == "spin":
        from aks_wasm.emulator.node.engines import spin

        return spin.run(config, report, MemoryWatch)
    from aks_wasm.emulator.node.engines import command

    return command.run(config, report, MemoryWatch)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Worker threads and wasmtime's own would only delay the end.
    os._exit(code)
