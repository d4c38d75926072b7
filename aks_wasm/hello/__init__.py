"""The built-in hello workload: an HTTP service, a job and a probe, each real wasm32-wasi code built from C."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path


@dataclass(frozen=True)
class HelloFiles:
    """Where the workload's files are on this machine.

    Attributes:
        service: The service's `spin.toml` (manifest 2, http trigger, WAGI executor); `hello.wasm` lies beside it.
        job: The job's `spin.toml` (manifest 2, command trigger); `task.wasm` lies beside it.
        task: The job's module, a WASI p1 command; `--exit N` makes it end with code N.
        probe: A WASI p1 command that prints `ok` and ends with 0.
    """

    service: Path
    job: Path
    task: Path
    probe: Path


@contextmanager
def hello_files() -> Iterator[HelloFiles]:
    """Lend the files as paths; they may be temporary copies when the package lies in a zip."""
    with ExitStack() as stack:
        folder = stack.enter_context(as_file(files(__name__)))
        yield HelloFiles(
            service=folder / "service" / "spin.toml",
            job=folder / "job" / "spin.toml",
            task=folder / "job" / "task.wasm",
            probe=folder / "probe" / "probe.wasm",
        )


def probe_module() -> bytes:
    """Return the probe's bytes, to be put into an image or run in place."""
    return files(__name__).joinpath("probe", "probe.wasm").read_bytes()
