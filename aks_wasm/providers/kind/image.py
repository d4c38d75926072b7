"""The node image: which one, by digest, and what its containerd is set up to do before we add anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aks_wasm.errors import Problem, ServiceError
from aks_wasm.providers.kind.binary import Version, parse_version, releases
from aks_wasm.providers.kind.containerd import Runtimes, runtimes
from aks_wasm.providers.kind.engine import Engine
from aks_wasm.providers.kind.process import Watched, watch
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience

_MARK = "=== aks-wasm ==="
_CNI = "/kind/manifests/default-cni.yaml"
# One container for all questions. `config dump` says nothing where containerd can't read its own file.
_QUESTIONS = (
    f"cat /kind/version; echo; echo '{_MARK}'; cat /etc/containerd/config.toml; echo; echo '{_MARK}'; "
    f"containerd config dump 2>/dev/null; echo; echo '{_MARK}'; containerd --version; echo '{_MARK}'; "
    f"test -e {_CNI} && echo cni"
)
_OFFLINE = "offline, load it with `docker load` (or your engine's), or name an image that is there as `local.nodeImage`"


@dataclass(frozen=True)
class NodeImage:
    """What a node image is.

    Attributes:
        reference: How the engine knows it.
        version: Its Kubernetes version, `v1.36.4`.
        root: The text of its containerd's configuration.
        effective: The runtimes that are in effect in it.
        containerd: What `containerd --version` says in it.
        brings_network: Whether it has what kind sets up pod networking with.
    """

    reference: str
    version: str
    root: str
    effective: Runtimes
    containerd: str
    brings_network: bool


def choose(spec: ClusterSpec, cgroup: int) -> str:
    """Return the node image for a spec: its own, else the pinned one of its Kubernetes version, else the default's.

    A version whose patch is not pinned gets the one that is, since AKS' patches and kind's differ.

    Raises:
        ServiceError: No image of that version is pinned (`problems` finds that before).
    """
    if spec.local.node_image:
        return spec.local.node_image
    nodes: dict[str, str] = releases()["nodes"]
    asked = _asked(spec)
    if asked is None:
        able = [reference for version, reference in nodes.items() if cgroup >= 2 or not needs_cgroup_2(version)]
        return able[0]
    minor = _minor(asked)
    for version, reference in nodes.items():
        if version.removeprefix("v") == asked or _minor(version) == minor:
            return reference
    raise ServiceError(f"no node image is pinned for Kubernetes {asked}", code="NoNodeImage")


def problems(spec: ClusterSpec, cgroup: int) -> list[Problem]:
    """Find a Kubernetes version for which no image is pinned, or that this machine's control groups can't carry."""
    asked = _asked(spec)
    nodes: dict[str, str] = releases()["nodes"]
    field = "local.kubernetesVersion" if spec.local.kubernetes_version else "cluster.kubernetesVersion"
    found = []
    if spec.local.node_image is None and asked is not None and _minor(asked) not in {_minor(v) for v in nodes}:
        known = ", ".join(version.removeprefix("v") for version in nodes)
        found.append(
            Problem(
                field, f"no node image is pinned for Kubernetes {asked}", f"take one of {known}, or set local.nodeImage"
            )
        )
    version = spec.local.node_image or asked
    if version and cgroup < 2 and needs_cgroup_2(version):
        last = list(nodes)[-1].removeprefix("v")
        found.append(
            Problem(
                "local.nodeImage" if spec.local.node_image else field,
                f"Kubernetes from 1.35 on needs cgroup v2, this machine has v1 (`{version}`)",
                f"try `--set local.kubernetesVersion={last}`, or boot with systemd.unified_cgroup_hierarchy=1",
            )
        )
    return found


def needs_cgroup_2(text: str) -> bool:
    """Return whether a Kubernetes version, or an image named after one, needs cgroup v2."""
    least, found = parse_version(releases()["needs_cgroup_2_from"]), _version(text)
    return least is not None and found is not None and found >= least


def read(engine: Engine, reference: str, log: Path, patience: Patience) -> NodeImage:
    """Look into a node image; it is pulled where it is not there.

    Raises:
        ServiceError: It can't be pulled, or is no node image.
    """
    name = engine.find_image(reference)
    if name is None:
        name = engine.image_name(reference)
        watched = Watched(f"the pull of `{reference}`", log)
        pulled = watch((engine.program, "pull", name), watched, patience)
        pulled.checked(f"pull the node image `{reference}`", hint=_OFFLINE)
    arguments = ("run", "--rm", "--network", "none", "--entrypoint", "sh", name, "-c", _QUESTIONS)
    shown = engine.run(*arguments)
    parts = [part.strip() for part in shown.out.split(_MARK)]
    if len(parts) != 5 or parse_version(parts[0]) is None or not parts[1]:
        raise ServiceError(
            f"`{reference}` is no node image of kind",
            code="NodeImageInvalid",
            hint="give another one as `local.nodeImage`, or none",
            details=(shown.err or shown.out).strip() or None,
        )
    version, root, dump, containerd, network = parts
    return NodeImage(name, version, root, runtimes(dump or root), containerd, brings_network=bool(network))


def _asked(spec: ClusterSpec) -> str | None:
    asked = spec.local.kubernetes_version or spec.cluster.kubernetes_version
    return asked.removeprefix("v") if asked else None


def _minor(text: str) -> str:
    return ".".join(text.removeprefix("v").split(".")[:2])


def _version(text: str) -> Version | None:
    found = parse_version(text)
    if found is not None:
        return found
    numbers = text.removeprefix("v").split(".")
    if all(number.isdigit() for number in numbers) and len(numbers) >= 2:
        return int(numbers[0]), int(numbers[1]), int(numbers[2]) if len(numbers) > 2 else 0
    return None
