"""Shims by way of runtime-class-manager, where that is installed: its Shim resources, and where its work is in vain.

What it does with a Shim was read in its sources, tag v0.2.0: the node installer names containerd's runtime after the
binary, so that the resource, the handler and the node's label all bear the binary's name without `containerd-shim-`.
Answers demands 29, 30 and 33.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aks_wasm.errors import Problem
from aks_wasm.shims.catalogue import Platform, Shim, every_version
from aks_wasm.shims.labels import INSTALLED, SHIMS, owned
from aks_wasm.shims.node_report import NodeReport
from aks_wasm.shims.own_binary import as_catalogued
from aks_wasm.spec.models import Arch

CRD = "shims.runtime.spinkube.dev"
API_VERSION = "runtime.spinkube.dev/v1alpha1"
VERSION_ANNOTATION = "aks-wasm.dev/shim"
"""On a Shim of ours: `NAME@VERSION`, since its own fields tell neither."""

NODE_SELECTOR = {SHIMS: INSTALLED}
"""Labels of the nodes that our Shims are for; they go into the RuntimeClass as well."""

OPTIONS = {"SystemdCgroup": "true"}
"""Of the runtime, as AKS's and kind's runc have it: runtime-class-manager asks no node."""

CONTROLLER_LABELS = "app.kubernetes.io/name=runtime-class-manager"
PROVISIONED, FAILED = "provisioned", "failed"
"""Values of the label that it sets on a node, under the Shim's name."""

SHIM_LABEL, OPERATION_LABEL = "spinkube.dev/shimName", "spinkube.dev/operation"
"""Labels of its Jobs; the operation is `install` or `uninstall`."""

HELM = (
    "helm upgrade --install rcm oci://ghcr.io/spinframework/charts/runtime-class-manager --version 0.2.0 "
    "--namespace rcm --create-namespace --wait"
)
# helm leaves definitions alone that are there: https://helm.sh/docs/chart_best_practices/custom_resource_definitions
UPDATE_DEFINITION = (
    "helm show crds oci://ghcr.io/spinframework/charts/runtime-class-manager --version 0.2.0 | "
    "kubectl apply --server-side --force-conflicts --filename -"
)

_ARCH: Mapping[str, Arch] = {"x86_64": "amd64", "aarch64": "arm64"}
_BINARY = "containerd-shim-"
_OLD_PLUGIN = "io.containerd.grpc.v1.cri"  # under which it writes, unless the file has the text `version = 3`
_NEW_PLUGIN = "io.containerd.cri.v1.runtime"
_ARCHIVE = re.compile(r"https?://.+\.(tar\.gz|tgz)")
# AKS node images whose root file has `version = 2` with the plugin ids of containerd 2 (AgentBaker; AKS vhd-notes).
_AKS_NEW = re.compile(r"Ubuntu 24\.04|Azure Linux 3|AzureLinux", re.IGNORECASE)

Node = Mapping[str, Any]
Manifest = dict[str, Any]


def shim_name(shim: Shim) -> str:
    """Return what the Shim resource, the handler and the nodes' label are called, for example `spin-v2`."""
    return shim.binary.removeprefix(_BINARY)


def shim_resource(shim: Shim, *, owner: str) -> Manifest:
    """Return the Shim resource.

    Args:
        shim: What is to be put on the nodes.
        owner: The cluster's name.
    """
    platforms = [
        {"os": one.os, "arch": one.arch, "location": one.location, **({"sha256": one.sha256} if one.sha256 else {})}
        for one in shim.platforms
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": "Shim",
        "metadata": {
            "name": shim_name(shim),
            "labels": owned(owner),
            "annotations": {VERSION_ANNOTATION: f"{shim.name}@{shim.version}"},
        },
        "spec": {
            "nodeSelector": dict(NODE_SELECTOR),
            "fetchStrategy": {"platforms": platforms},
            "runtimeClass": {"name": shim.runtime_class, "handler": shim_name(shim)},
            "rolloutStrategy": {"type": "recreate"},  # the other one is not implemented there
            "containerdRuntimeOptions": dict(OPTIONS),
        },
    }


def managed_runtime_class(shim: Shim) -> Manifest:
    """Return the RuntimeClass as runtime-class-manager makes it of our Shim: no tolerations, none of our marks."""
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": shim.runtime_class},
        "handler": shim_name(shim),
        "scheduling": {"nodeSelector": dict(NODE_SELECTOR)},
    }


def shim_of(live: Mapping[str, Any]) -> Shim:
    """Return what a Shim resource puts on nodes; one that others made is known by what it fetches, or by its binary.

    What is not known to the catalogue has no version, and its own name.
    """
    metadata, spec = live["metadata"], live["spec"]
    binary = _BINARY + str(metadata["name"])
    fetch = (spec.get("fetchStrategy") or {}).get("platforms") or ()
    platforms = tuple(
        Platform(_ARCH.get(one["arch"], one["arch"]), one["location"], one.get("sha256")) for one in fetch
    )
    places = {platform.location for platform in platforms}
    alike = [shim for shim in every_version() if shim.binary == binary]
    known = next((shim for shim in alike if places and places <= {one.location for one in shim.platforms}), None)
    noted = str((metadata.get("annotations") or {}).get(VERSION_ANNOTATION, ""))
    name, _, version = noted.partition("@") if noted else (alike[0].name if alike else metadata["name"], "", "")
    if known is not None and noted in ("", f"{known.name}@{known.version}"):
        return known
    handler = str(spec["runtimeClass"]["name"])
    return as_catalogued(Shim(name, version, handler, "", binary, platforms, runs=None, probe="completes"))


def installs_alike(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether two Shim resources put the same on the nodes, whatever else differs."""
    parts = ("fetchStrategy", "runtimeClass", "containerdRuntimeOptions")
    return all((live["spec"].get(part) or {}) == (wanted["spec"].get(part) or {}) for part in parts)


def is_provisioned(node: Node, name: str) -> bool:
    """Tell whether runtime-class-manager says that a node has a Shim."""
    return (node["metadata"].get("labels") or {}).get(name) == PROVISIONED


def why_unfit(definition: Mapping[str, Any]) -> str | None:
    """Return why Shims of ours can't be applied under the cluster's definition of them; None when they can.

    The definition of v0.1.0 demands `fetchStrategy.anonHttp` and drops `platforms`, which came with v0.2.0.
    """
    version = API_VERSION.rpartition("/")[2]
    served = {str(one["name"]): one for one in definition["spec"].get("versions") or () if one.get("served")}
    if version not in served:
        return f"it serves {', '.join(sorted(served)) or 'nothing'}, not `{version}`"
    fields: Any = (served[version].get("schema") or {}).get("openAPIV3Schema") or {}
    for name in ("spec", "fetchStrategy"):
        fields = (fields.get("properties") or {}).get(name) or {}
    if "platforms" not in (fields.get("properties") or {}):
        return "it knows no `fetchStrategy.platforms`, as before v0.2.0"
    return None


def shim_problems(shims: Iterable[Shim]) -> list[Problem]:
    """Return what runtime-class-manager can't do with these shims."""
    found: list[Problem] = []
    seen: dict[str, Shim] = {}
    for shim in shims:
        name, field = shim_name(shim), f"shim `{shim.name}`"
        if not shim.binary.startswith(_BINARY):
            found.append(Problem(field, f"its binary `{shim.binary}` is not called `{_BINARY}NAME`"))
        other = seen.setdefault(name, shim)
        if other != shim:
            what = f"runtime-class-manager keeps one version of `{name}` on a node, asked for are {other.version} and "
            found.append(Problem(field, what + shim.version, "leave one out, or use the installer `daemonset`"))
        for platform in shim.platforms:
            if not _ARCHIVE.fullmatch(platform.location):
                what = f"`{platform.location}` is no public address of a .tar.gz file, which it fetches alone"
                found.append(Problem(field, what, "use the installer `daemonset`"))
    return found


def why_dropped(node: Node, report: NodeReport | None) -> str | None:
    """Return why a node's containerd drops what runtime-class-manager writes; None when it takes it, or nobody knows.

    It writes under the plugin id of containerd 1 unless the file says `version = 3`. A containerd 2 whose file uses the
    new ids under `version = 2`, as AKS writes it, drops such a block without a word: seen with 2.2 and 2.3, and by
    others on AKS with 2.3.3, where Shim, label and Job all said that it was done.

    Args:
        node: The v1.Node.
        report: What our own installer says of the node, where it is there.
    """
    info = node.get("status", {}).get("nodeInfo") or {}
    runtime = str(info.get("containerRuntimeVersion", "")).replace("://", " ")
    if report is not None and report.version:
        if report.version <= 2 and report.plugin == _NEW_PLUGIN:
            return f"containerd {report.containerd} drops its block under `{_OLD_PLUGIN}`: {report.config} uses another"
        return None
    azure = str(node.get("spec", {}).get("providerID", "")).startswith("azure:")
    image = str(info.get("osImage", ""))
    if azure and _AKS_NEW.search(image) and _major(runtime) >= 2:
        return f"{runtime} of {image} drops its block under `{_OLD_PLUGIN}`"
    return None


def not_in_effect(node: Node, handler: str) -> bool:
    """Tell whether the kubelet lists its runtimes (from Kubernetes 1.30 on) and a handler is not among them."""
    listed = node.get("status", {}).get("runtimeHandlers")
    return bool(listed) and all(one.get("name") != handler for one in listed)


def _major(runtime: str) -> int:
    match = re.search(r"containerd (\d+)\.", runtime)
    return int(match[1]) if match else 0
