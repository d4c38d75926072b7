"""The nodes from within: kubectl on the control plane, and what containerd really does in each of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aks_wasm.errors import ServiceError
from aks_wasm.providers.kind.containerd import Runtimes, differences, runtimes
from aks_wasm.providers.kind.engine import Container, Engine
from aks_wasm.providers.kind.folder import PROVIDED, shim_in_node
from aks_wasm.providers.kind.process import Finished
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installer import node_script

_ADMIN = "/etc/kubernetes/admin.conf"
_FOLDER = "/run/aks-wasm/kind"  # of what the script works from
_INSTALL_SECONDS = 180.0
_AT_ONCE = 8

Document = dict[str, Any]


def control_plane(containers: Iterable[Container]) -> Container:
    """Return the node that the API server is in.

    Raises:
        ServiceError: There is none.
    """
    for container in containers:
        if container.is_control_plane:
            return container
    raise ServiceError("the cluster has no control plane", code="ClusterBroken", hint="run `aks-wasm down`")


def kubectl(engine: Engine, node: Container, *arguments: str, data: bytes | None = None) -> Finished:
    """Run the node's own kubectl as administrator."""
    return engine.inside(node.name, "kubectl", "--kubeconfig", _ADMIN, *arguments, data=data)


def read(engine: Engine, node: Container, *arguments: str) -> Document | None:
    """Return what `kubectl get ... -o json` says; None when it says nothing or the API server does not answer."""
    shown = kubectl(engine, node, "get", *arguments, "--output=json", "--ignore-not-found", "--request-timeout=10s")
    if shown.code != 0 or not shown.out.strip():
        return None
    document: Document = json.loads(shown.out)
    return document


def apply(engine: Engine, node: Container, document: Mapping[str, Any]) -> None:
    """Apply an object."""
    arguments = ("apply", "--server-side", "--force-conflicts", "--field-manager=aks-wasm", "--filename=-")
    done = kubectl(engine, node, *arguments, data=json.dumps(document).encode())
    done.checked(f"write {document['kind']} `{document['metadata']['name']}`")


def has_api(engine: Engine, node: Container) -> bool:
    """Return whether the cluster's API server answers."""
    return kubectl(engine, node, "get", "--raw=/readyz", "--request-timeout=5s").code == 0


def kubeconfig(engine: Engine, node: Container) -> str:
    """Return the administrator's kubeconfig as the node has it."""
    return engine.inside(node.name, "cat", _ADMIN).checked("read the cluster's kubeconfig")


def effective(engine: Engine, containers: Sequence[Container]) -> dict[str, Runtimes]:
    """Return the runtimes in effect in each node, asked of containerd itself.

    Raises:
        ServiceError: containerd can't read its configuration.
    """

    def dump(container: Container) -> Runtimes:
        shown = engine.inside(container.name, "containerd", "config", "dump")
        return runtimes(shown.checked(f"read containerd's configuration in `{container.name}`"))

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dump") as threads:
        return dict(zip((c.name for c in containers), threads.map(dump, containers), strict=True))


def check_effective(found: Mapping[str, Runtimes], before: Runtimes, handlers: Iterable[str]) -> None:
    """Refuse a node whose containerd lacks a runtime, or treats ordinary containers otherwise than its image did.

    Raises:
        ServiceError: Naming the node and every difference.
    """
    handlers = tuple(handlers)
    for name, after in found.items():
        wrong = differences(before, after, handlers)
        if wrong:
            raise ServiceError(
                f"containerd of the node `{name}` is not as it should be: {wrong[0]}",
                code="RuntimeNotInEffect",
                hint="give another `local.nodeImage`; `--retain` keeps the node for a look",
                details="\n".join(wrong),
            )


def install(engine: Engine, container: Container, shims: Sequence[Shim], sums: Mapping[str, str]) -> None:
    """Put shims on a node that runs, by the script that works on AKS nodes: checked before, rolled back on failure.

    Args:
        engine: The engine.
        container: The node.
        shims: All that the script is to have put there; their files are provided already. Others of its own go.
        sums: Handler -> SHA-256 of the provided file.

    Raises:
        ServiceError: In the script's words.
    """
    lines = [
        "\t".join(
            (
                shim.name,
                shim.version,
                shim.handler,
                shim.binary,
                "linux",
                engine.arch,
                f"file://{shim_in_node(shim.handler, shim.binary)}",
                sums[shim.handler],
            )
        )
        for shim in shims
    ]
    engine.inside(container.name, "mkdir", "-p", _FOLDER).checked(f"make a folder in `{container.name}`")
    # No turns: each node is worked on from here, one after the other.
    files = {
        "shims.tsv": "".join(f"{line}\n" for line in lines),
        "settings": "turns=0\n",
        "node-script.sh": node_script(),
    }
    for name, text in files.items():
        wrote = engine.inside(container.name, "cp", "/dev/stdin", f"{_FOLDER}/{name}", data=text.encode())
        wrote.checked(f"write `{name}` into `{container.name}`")
    script = ("sh", f"{_FOLDER}/node-script.sh", "install", _FOLDER)
    done = engine.inside(container.name, *script, timeout=_INSTALL_SECONDS)
    done.checked(f"put shims on the node `{container.name}`")


def sees_provided(container: Container) -> bool:
    """Return whether a node has our mount: the mark by which we know what is ours."""
    return PROVIDED in container.mounts


def has_image(engine: Engine, container: Container, name: str) -> bool:
    """Return whether a node has an image of that name."""
    shown = engine.inside(container.name, "ctr", "--namespace=k8s.io", "images", "list", "--quiet", f"name=={name}")
    return shown.code == 0 and name in shown.out.split()
