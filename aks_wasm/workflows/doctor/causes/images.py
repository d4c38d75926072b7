"""An image cannot be pulled, unpacked or run on the node where its pod is.

Answers demands 31, 34, 37, 38 and 39 of shared/facts/demands.md.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from aks_wasm.kube.sayings import Heard
from aks_wasm.shims.installer import IMAGE
from aks_wasm.shims.labels import MANAGED_BY, MANAGER
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.workflows.doctor.edits import patched, workload_place
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import (
    Manifest,
    arch_of,
    container_statuses,
    labels_of,
    name_of,
    node_of,
    shim_of,
)
from aks_wasm.workflows.doctor.view import View

_ACR = ".azurecr."
_UNPULLED = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_REGISTRY_CODES = ("RegistryDenied", "RegistryUnreachable")
_PULL_CODES = ("ImageNotUnpacked", "NoMatchForPlatform", "ContentMissing", "ImageNotForShim", *_REGISTRY_CODES)


def unusable_images(view: View) -> Iterator[Finding]:
    """Find images that a node cannot pull or unpack, for a known reason."""
    for complaint, heard in view.heard(*_PULL_CODES):
        if heard.code in _REGISTRY_CODES and not _waits_for_image(complaint.pod):
            continue
        image = _image_of(complaint.pod)
        message, demand, command = _EXPLAINED[heard.code](view, complaint.pod, image)
        yield view.finding(
            complaint.pod, heard.code, message, evidence=complaint.evidence, command=command, demand=demand
        )


def _not_unpacked(view: View, pod: Manifest, image: str) -> tuple[str, int, str]:
    report = view.reports.get(node_of(pod) or "")
    shim = shim_of(view.handler_of(pod) or "") or "NAME"
    install = view.ways.runtime("install", "--shim", shim, "--local-image-pull")
    if view.ways.spec is not None:
        install = view.ways.up("installer.localImagePull=true")
    message = f"containerd from 2.1 on does not unpack `{image}`, an image for `wasi/wasm`, unless it pulls it itself"
    if report is not None and report.local_image_pull:
        message = f"`{image}` was pulled before containerd was told to unpack images for `wasi/wasm`; pull it again"
        return message, 31, _forgotten(view, pod, image)
    return message, 31, install


def _forgotten(view: View, pod: Manifest, image: str) -> str:
    """Return what takes an image off the pod's node, so that the kubelet pulls it again."""
    where = ("debug", f"node/{node_of(pod)}", "--profile=sysadmin", "--stdin", f"--image={IMAGE}")
    return view.ways.kubectl(*where, "--", "chroot", "/host", "ctr", "--namespace=k8s.io", "images", "rm", image)


def _no_match(view: View, pod: Manifest, image: str) -> tuple[str, int, str]:
    arch = arch_of(view.nodes.get(node_of(pod) or "", {"metadata": {}})) or "amd64"
    message = f"`{image}` has nothing for linux/{arch} nor `wasi/wasm` in a form that this containerd takes"
    return message, 37, _packaged(view, pod, image, arch)


def _not_for_shim(view: View, pod: Manifest, image: str) -> tuple[str, int, str]:
    shim = shim_of(view.handler_of(pod) or "") or "its shim"
    message = f"`{shim}` finds nothing in `{image}` that it can run: its entrypoint is no module"
    return message, 37, _packaged(view, pod, image, arch_of(view.nodes.get(node_of(pod) or "", {"metadata": {}})))


def _content_missing(view: View, pod: Manifest, image: str) -> tuple[str, int, str]:
    arch = arch_of(view.nodes.get(node_of(pod) or "", {"metadata": {}})) or "amd64"
    message = f"`{image}` was loaded into the node with one platform's layers and the list of all platforms"
    if _is_ours(pod):
        return message, 38, view.ways.up()
    saved = shlex.join(["docker", "save", "--platform", f"linux/{arch}", "--output", "image.tar", image])
    return message, 38, f"{saved} && kind load image-archive image.tar --name {_kind_cluster(view)}"


def _denied(view: View, pod: Manifest, image: str) -> tuple[str, int, str]:
    host = image.partition("/")[0]
    if _ACR in host:
        message = f"the nodes' identity may not pull from `{host}`: it lacks the role AcrPull there"
        return message, 39, view.ways.az("update", "--attach-acr", host.partition(".")[0])
    message = f"`{host}` wants a login for `{image}`, or it is not there"
    namespace = str(pod["metadata"].get("namespace"))
    secret = ("create", "secret", "docker-registry", "registry", "--docker-server", host)
    created = view.ways.kubectl("--namespace", namespace, *secret, "--docker-username", "USER")
    patch = '{"imagePullSecrets":[{"name":"registry"}]}'
    account = str(pod["spec"].get("serviceAccountName") or "default")
    patched_account = view.ways.kubectl("--namespace", namespace, "patch", "serviceaccount", account, "--patch", patch)
    return message, 39, f'{created} --docker-password "$PASSWORD" && {patched_account}'


def _unreachable(view: View, _pod: Manifest, image: str) -> tuple[str, int, str]:
    host = image.partition("/")[0]
    message = f"the node cannot reach `{host}`, or does not trust it"
    return message, 39, view.ways.az("check-acr", "--acr", host) if _ACR in host else f"curl -v https://{host}/v2/"


_EXPLAINED = {
    "ImageNotUnpacked": _not_unpacked,
    "NoMatchForPlatform": _no_match,
    "ImageNotForShim": _not_for_shim,
    "ContentMissing": _content_missing,
    "RegistryDenied": _denied,
    "RegistryUnreachable": _unreachable,
}


def absent_images(view: View) -> Iterator[Finding]:
    """Find images of pods that concern us which cannot be had for a reason that no text of the table names."""
    explained = {id(complaint.pod) for complaint, _ in view.heard(*_PULL_CODES)}
    for pod in view.of("Pod"):
        if id(pod) in explained or not view.concerns_us(pod):
            continue
        for status in container_statuses(pod):
            waiting = (status.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in _UNPULLED:
                continue
            image, said = str(status.get("image", "")), str(waiting.get("message") or waiting["reason"])
            events = [str(event.get("message")) for event in view.events_of(pod, "Failed") if image in str(event)]
            longest = max([said, *events], key=len)
            evidence = f"{waiting['reason']}: {longest}"
            message = f"`{image}` cannot be had: {longest.rpartition('desc = ')[2]}"
            command = view.ways.up() if _is_ours(pod) and workload_place(view, pod) else _look(view, pod)
            yield view.finding(pod, "ImageUnknown", message, evidence=evidence, command=command, demand=39)


def _look(view: View, pod: Manifest) -> str:
    return view.ways.kubectl("--namespace", str(pod["metadata"].get("namespace")), "describe", "pod", name_of(pod))


def foreign_binaries(view: View) -> Iterator[Finding]:
    """Find containers whose program the processor cannot run: Wasm without a shim, or another architecture."""
    for complaint, heard in view.heard("ExecFormatError"):
        pod, image = complaint.pod, _image_of(complaint.pod)
        node = view.nodes.get(node_of(pod) or "", {"metadata": {}})
        if not view.is_wasm(pod) and _looks_like_wasm(pod, heard, image):
            named = _some_runtime_class(view)
            message = f"`{image}` is WebAssembly, and the pod names no RuntimeClass: runc was to run it"
            command = patched(view, pod, {"op": "add", "path": "/runtimeClassName", "value": named})
            yield view.finding(pod, "NoRuntimeClass", message, evidence=complaint.evidence, command=command, demand=28)
            continue
        arch = arch_of(node) or "amd64"
        message = f"`{image}` has programs for another architecture than {arch}, which its node is"
        command = _packaged(view, pod, image, arch)
        yield view.finding(
            pod, "ImageWrongArchitecture", message, evidence=complaint.evidence, command=command, demand=34
        )


def _looks_like_wasm(pod: Manifest, heard: Heard, image: str) -> bool:
    words = [heard.found.get("file", ""), image]
    for container in pod.get("spec", {}).get("containers") or ():
        words += [*(container.get("command") or ()), *(container.get("args") or ())]
    return any("wasm" in str(word).lower() for word in words)


def _some_runtime_class(view: View) -> str:
    """Return a RuntimeClass of a Wasm shim, ours first."""
    every = [item for item in view.of("RuntimeClass") if name_of(item) != probe_class_name(str(item.get("handler")))]
    wasm = [item for item in every if shim_of(str(item.get("handler"))) or shim_of(name_of(item))]
    wasm.sort(key=lambda item: labels_of(item).get(MANAGED_BY) != MANAGER)
    return name_of(wasm[0]) if wasm else "RUNTIME_CLASS"


def _packaged(view: View, pod: Manifest, image: str, arch: str) -> str:
    if workload_place(view, pod):
        return view.ways.up()
    return shlex.join(["docker", "buildx", "build", "--platform", f"linux/{arch}", "--tag", image, "--push", "."])


def _kind_cluster(view: View) -> str:
    """Return the cluster's name for kind, whose nodes are called after it."""
    for node in view.nodes.values():
        provider = str(node.get("spec", {}).get("providerID", ""))
        if provider.startswith("kind://"):
            return provider.split("/")[-2]
    return "NAME"


def _is_ours(pod: Manifest) -> bool:
    return labels_of(pod).get(MANAGED_BY) == MANAGER


def _image_of(pod: Manifest) -> str:
    """Return the image of the container that is not well, else of the first one."""
    for status in container_statuses(pod):
        if not status.get("ready") and status.get("image"):
            return str(status["image"])
    return next((str(entry.get("image", "")) for entry in pod.get("spec", {}).get("containers") or ()), "")


def _waits_for_image(pod: Manifest) -> bool:
    reasons = [((status.get("state") or {}).get("waiting") or {}).get("reason") for status in container_statuses(pod)]
    return any(reason in _UNPULLED for reason in reasons)
