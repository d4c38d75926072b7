"""A pod's volumes as folders of this machine, and the mounts of a container made from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aks_wasm.emulator.cluster.service_accounts import DEFAULT_SECONDS, TokenIssuer
from aks_wasm.emulator.node.container_config import Mount
from aks_wasm.emulator.node.downward import field_value, resource_value
from aks_wasm.emulator.node.environment import Surroundings, config_data
from aks_wasm.emulator.node.layers import inside

_KINDS = ("configMap", "secret", "emptyDir", "downwardAPI", "projected")


class MountError(Exception):
    """A volume can't be set up; the message is that of the FailedMount event."""


def materialise(around: Surroundings, folder: Path, *, leave_out: str = "") -> None:
    """Write every volume of the pod below `folder`, one folder each; an emptyDir that is there stays.

    Volumes of the kind `leave_out` are not made.

    ConfigMaps and Secrets are written once; the kubelet's later refresh is not emulated.

    Raises:
        MountError: What a volume refers to is missing, or its kind is not emulated.
    """
    for volume in around.pod["spec"].get("volumes") or ():
        if volume.get(leave_out) is not None:
            continue
        target = folder / volume["name"]
        kind = next((name for name in _KINDS if volume.get(name) is not None), None)
        if kind is None:
            shown = next((name for name in volume if name != "name"), "emptyDir")
            raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {shown} is not emulated')
        target.mkdir(parents=True, exist_ok=True)
        if kind == "emptyDir":
            continue
        try:
            sources = volume["projected"].get("sources") or () if kind == "projected" else ({kind: volume[kind]},)
            for source in sources:
                _write(_files(source, around), target)
        except MountError as error:
            raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error


def container_mounts(container: Mapping[str, Any], folder: Path, root: Path) -> tuple[Mount, ...]:
    """Return the container's mounts; single files (subPath) are copied into `root`, for WASI opens folders only.

    Raises:
        MountError: A volumeMount names no volume of the pod.
    """
    mounts = []
    for entry in container.get("volumeMounts") or ():
        volume = folder / entry["name"]
        host = inside(volume, entry.get("subPath") or "/")
        if not volume.is_dir() or host is None:
            raise MountError(f'volume "{entry["name"]}" of a volumeMount is not in the pod')
        if host.is_file():
            place = inside(root, entry["mountPath"])
            if place is not None:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(host, place)
            continue
        host.mkdir(parents=True, exist_ok=True)
        mounts.append(Mount(str(host), entry["mountPath"], read_only=bool(entry.get("readOnly"))))
    return tuple(mounts)


def _files(source: Mapping[str, Any], around: Surroundings) -> dict[str, bytes]:
    for name, make in _SOURCES.items():
        if source.get(name) is not None:
            return make(source[name], around)
    raise MountError(f"{next(iter(source), 'an empty source')} is not emulated")


def _config_files(source: Mapping[str, Any], around: Surroundings) -> dict[str, bytes]:
    return _keyed("configmap", source.get("name", ""), source, around)


def _secret_files(source: Mapping[str, Any], around: Surroundings) -> dict[str, bytes]:
    return _keyed("secret", source.get("secretName") or source.get("name", ""), source, around)


def _keyed(kind: str, name: str, source: Mapping[str, Any], around: Surroundings) -> dict[str, bytes]:
    data = config_data(around.store, kind, name, around.namespace)
    if data is None:
        if source.get("optional"):
            return {}
        raise MountError(f'{kind} "{name}" not found')
    items = source.get("items")
    if not items:
        return data
    found = {}
    for item in items:
        if item["key"] not in data:
            if source.get("optional"):
                continue
            raise MountError(f"references non-existent {kind} key: {item['key']}")
        found[item["path"]] = data[item["key"]]
    return found


def _downward_files(source: Mapping[str, Any], around: Surroundings) -> dict[str, bytes]:
    containers = {container["name"]: container for container in around.pod["spec"]["containers"]}
    found = {}
    for item in source.get("items") or ():
        if "fieldRef" in item:
            value = field_value(around.pod, item["fieldRef"].get("fieldPath", ""))
        else:
            reference = item.get("resourceFieldRef") or {}
            container = containers.get(reference.get("containerName", ""), {})
            value = resource_value(container, reference, around.allocatable)
        if value is None:
            raise MountError(f"{item['path']}: the field can't be selected")
        found[item["path"]] = value.encode()
    return found


def _token_files(source: Mapping[str, Any], around: Surroundings) -> dict[str, bytes]:
    name = around.pod["spec"].get("serviceAccountName", "default")
    account = around.store.peek("serviceaccounts", name, around.namespace)
    if account is None:
        raise MountError(f'failed to fetch token: serviceaccounts "{name}" not found')
    audiences = [source["audience"]] if source.get("audience") else []
    seconds = int(source.get("expirationSeconds") or DEFAULT_SECONDS)
    token = TokenIssuer(around.store).issue(account, seconds=seconds, audiences=audiences)
    return {source["path"]: token.encode()}


_SOURCES: dict[str, Callable[[Mapping[str, Any], Surroundings], dict[str, bytes]]] = {
    "configMap": _config_files,
    "secret": _secret_files,
    "downwardAPI": _downward_files,
    "serviceAccountToken": _token_files,
}


def _write(files: Mapping[str, bytes], target: Path) -> None:
    for path, content in files.items():
        place = inside(target, path)
        if place is None or ".." in Path(path).parts:
            raise MountError(f"{path}: must not contain '..'")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o600)
