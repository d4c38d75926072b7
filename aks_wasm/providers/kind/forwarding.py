"""The forwarder's life: started with the cluster, found by the lock it holds, ended with the cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from aks_wasm.errors import ServiceError
from aks_wasm.providers.kind.folder import ClusterFolder
from aks_wasm.providers.kind.lock import holder
from aks_wasm.waits import Patience, Seen, wait_until

START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_PACKAGE = Path(__file__).parents[3]


def lock_of(folder: ClusterFolder) -> Path:
    """Return the file whose lock a forwarder holds for its life; its pid is inside."""
    return folder.forwarder / "lock"


def is_forwarding(folder: ClusterFolder) -> bool:
    """Return whether a forwarder runs."""
    return holder(lock_of(folder)) is not None


def start(program: str, cluster: str, folder: ClusterFolder, kubeconfig: str, patience: Patience) -> None:
    """Start the forwarder of a cluster unless it runs; it outlives us.

    Args:
        program: The engine's client.
        cluster: The cluster's name.
        folder: Its folder.
        kubeconfig: What it reaches the cluster with; kept where only we can read it.
        patience: How long to wait until it runs.

    Raises:
        ServiceError: It does not come up.
    """
    if is_forwarding(folder):
        return
    folder.forwarder.mkdir(parents=True, exist_ok=True, mode=0o700)
    credentials = folder.forwarder / "kubeconfig.yaml"
    credentials.touch(0o600)
    credentials.write_text(kubeconfig, encoding="utf-8")
    log = folder.forwarder / "log"
    command = [sys.executable, "-m", "aks_wasm.providers.kind.forwarder", str(folder.root), program, cluster]
    sources = os.pathsep.join(filter(None, [str(_PACKAGE), os.environ.get("PYTHONPATH")]))
    with log.open("ab") as output:
        # A shell starts it and ends: so it is nobody's child and leaves no zombie with us.
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={**os.environ, "PYTHONPATH": sources},
            start_new_session=True,
            check=True,
        )
    at_most = Patience(min(START_SECONDS, patience.timeout), patience.clock, patience.on_state)
    hint = f"its log is `{log}`"
    wait_until(
        lambda: Seen("starting the forwarder", done=is_forwarding(folder), pause=0.05),
        what="the forwarder of Services",
        patience=at_most,
        hint=hint,
    )


def stop(folder: ClusterFolder, patience: Patience) -> None:
    """End the forwarder of a cluster; none is fine.

    Raises:
        ServiceError: It can't be ended.
    """
    for sent in (signal.SIGTERM, signal.SIGKILL):
        pid = holder(lock_of(folder))
        if pid is None:
            return
        if not pid.isdigit():
            break
        with suppress(ProcessLookupError):
            os.kill(int(pid), sent)
        with suppress(ServiceError):
            _await_end(folder, patience)
    if is_forwarding(folder):
        raise ServiceError("the forwarder of Services can't be stopped", code="ForwarderRuns")


def _await_end(folder: ClusterFolder, patience: Patience) -> None:
    start_time = patience.clock.now()

    def look() -> Seen[None]:
        over = patience.clock.now() - start_time > _STOP_SECONDS
        return Seen("stopping the forwarder", done=over or not is_forwarding(folder), pause=0.05)

    wait_until(look, what="the forwarder's end", patience=patience)
