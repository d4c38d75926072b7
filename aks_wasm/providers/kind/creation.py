"""Making a cluster: everything is checked and fetched before the first container exists."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from aks_wasm.errors import ServiceError
from aks_wasm.providers.base import ClusterRequest
from aks_wasm.providers.kind import config, containerd, image, shims
from aks_wasm.providers.kind.binary import kind_program
from aks_wasm.providers.kind.engine import NETWORK, Container, Engine
from aks_wasm.providers.kind.folder import ClusterFolder
from aks_wasm.providers.kind.process import Watched, failed, watch
from aks_wasm.shims.catalogue import Shim
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience

_JOINING = "Joining worker nodes"  # kind's last step, once the control plane stands


@dataclass(frozen=True)
class Workshop:
    """What a cluster is made with.

    Attributes:
        engine: The container engine.
        home: AKS_WASM_HOME.
        folder: The cluster's folder.
        lock: The descriptor of the lock that we hold; it is held on until kind ends when we are killed.
    """

    engine: Engine
    home: Path
    folder: ClusterFolder
    lock: int


@dataclass(frozen=True)
class Prepared:
    """What kind is about to be run with.

    Attributes:
        program: kind.
        node: What the nodes are made from.
        configuration: kind's, as YAML.
    """

    program: str
    node: image.NodeImage
    configuration: str


def prepare(
    shop: Workshop, spec: ClusterSpec, request: ClusterRequest, wanted: tuple[Shim, ...], patience: Patience
) -> Prepared:
    """Check and fetch what the cluster is made from, side by side.

    Raises:
        ServiceError: The image, a shim or kind is not what it should be.
        Unreachable: One can't be had.
    """
    engine, folder = shop.engine, shop.folder
    folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.provided.mkdir(parents=True, exist_ok=True)
    folder.owner.write_text(spec.name, encoding="utf-8")
    with ThreadPoolExecutor(3, thread_name_prefix="prepare") as threads:
        reading = threads.submit(
            image.read, engine, image.choose(spec, engine.cgroup), folder.root / "pull.log", patience
        )
        providing = threads.submit(shims.provide, wanted, engine.arch, shop.home, folder, patience.on_state)
        network = threads.submit(engine.run, "network", "inspect", NETWORK)
        program = kind_program(shop.home, patience.on_state)
        node = reading.result()
        providing.result()
    if network.result().code != 0:
        folder.own_network.touch()
    wish = config.Wish(
        name=spec.name,
        image=node.reference,
        pools=request.pools,
        provided=folder.provided,
        patches=_patches(node, wanted),
        default_network=node.brings_network,
    )
    return Prepared(program, node, config.cluster_config(wish))


def create(shop: Workshop, name: str, prepared: Prepared, patience: Patience, on_api: Callable[[], None]) -> None:
    """Make the cluster's containers and set Kubernetes up in them.

    Args:
        shop: What it is made with.
        name: The cluster's.
        prepared: What kind is run with.
        patience: How long.
        on_api: Called, perhaps more than once, when the API server answers: workers join it then, which takes a while.

    Raises:
        ServiceError: kind or the engine said no.
    """
    folder = shop.folder

    def hear(step: str) -> None:
        if step.startswith(_JOINING):
            on_api()
        patience.on_state(step)

    # kind merges the context into a kubeconfig; ours comes from the cluster when it is asked for.
    unused = folder.root / "kind-kubeconfig.yaml"
    command = (prepared.program, "create", "cluster", "--config", "-", "--retain", "--kubeconfig", str(unused))
    environment = shop.engine.environment
    watched = Watched(f"the cluster `{name}`", folder.log, keep=shop.lock, environment=environment)
    done = watch(command, watched, replace(patience, on_state=hear), data=prepared.configuration.encode())
    unused.unlink(missing_ok=True)
    if done.code != 0:
        raise failed(f"create the cluster `{name}`", done.err, code="KindFailed", hint=_hint(folder))


def _patches(node: image.NodeImage, wanted: tuple[Shim, ...]) -> tuple[str, ...]:
    if not wanted:
        return ()
    systemd = containerd.systemd_for_shims(node.effective, node.containerd)
    return (containerd.patch(node.root, shims.in_node(wanted), systemd_cgroup=systemd),)


def _hint(folder: ClusterFolder) -> str:
    return f"`--verbose` shows its last lines, all of it is in `{folder.log}`; `--retain` keeps the nodes for a look"


def reachable_kubeconfig(text: str, node: Container) -> str:
    """Return the administrator's kubeconfig of a node with the address that the host reaches it at.

    Raises:
        ServiceError: The node's API server is not published to the host.
    """
    if node.api_server is None:
        raise ServiceError(
            f"the API server of `{node.name}` can't be reached from here", code="NotPublished", hint="run `aks-wasm up`"
        )
    document = yaml.safe_load(text)
    for cluster in document.get("clusters") or ():
        cluster["cluster"]["server"] = f"https://{node.api_server}"
    return str(yaml.safe_dump(document, sort_keys=False))
