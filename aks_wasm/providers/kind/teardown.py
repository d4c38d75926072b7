"""Taking away what a cluster was made of, and nothing else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable

from aks_wasm.errors import ServiceError
from aks_wasm.providers.kind import forwarding
from aks_wasm.providers.kind.engine import NETWORK, Container, Engine
from aks_wasm.providers.kind.folder import ClusterFolder
from aks_wasm.waits import Patience

_REMOVE_SECONDS = 120.0


def remove_cluster(engine: Engine, folder: ClusterFolder, name: str, patience: Patience) -> None:
    """Take away forwarder, containers with their volumes, the network if we made it and nobody uses it, the folder.

    Raises:
        ServiceError: Something of it stays.
    """
    forwarding.stop(folder, patience)
    remove_containers(engine, engine.containers(name))
    _remove_volumes(engine, rf"{re.escape(name)}-(control-plane|worker\d*)")
    if folder.own_network.exists() and not _users(engine):
        engine.run("network", "rm", NETWORK)
    shutil.rmtree(folder.root, ignore_errors=True)
    left = [container.name for container in engine.containers(name)]
    if left:
        raise ServiceError(
            f"{', '.join(left)} of the cluster `{name}` is still there after its deletion", code="NotGone"
        )


def remove_containers(engine: Engine, containers: Iterable[Container]) -> None:
    """Take away containers and the volumes that came with them.

    Raises:
        ServiceError: In the engine's words.
    """
    names = [container.name for container in containers]
    if names:
        # Podman alone gives them ten seconds to stop otherwise.
        at_once = ("--time", "0") if engine.program == "podman" else ()
        done = engine.run("rm", "--force", "--volumes", *at_once, *names, timeout=_REMOVE_SECONDS)
        done.checked(f"remove {', '.join(names)}")
        _remove_volumes(engine, "|".join(re.escape(name) for name in names))


def _remove_volumes(engine: Engine, nodes: str) -> None:
    """Take away the volumes that stay behind their containers.

    For Podman kind makes them itself, so they are not anonymous, and labels them with the node's name
    (pkg/cluster/internal/providers/podman/util.go, createAnonymousVolume).

    Args:
        engine: The engine.
        nodes: A pattern of the nodes' names.
    """
    listed = engine.run("volume", "ls", "--format", "{{.Name}} {{.Labels}}")
    labelled = re.compile(rf"(\S+) (?:.*[\[ ,])?(?:{nodes})[:=]true\b")
    names = [found[1] for line in listed.out.splitlines() if (found := labelled.match(line))]
    if names:
        engine.run("volume", "rm", "--force", *names).checked(f"remove the volumes {', '.join(names)}")


def _users(engine: Engine) -> list[str]:
    """Return the containers that are in kind's network, whether they run or not."""
    listed = engine.run("ps", "--all", "--quiet", "--filter", f"network={NETWORK}")
    return listed.out.split() if listed.code == 0 else ["unknown"]
