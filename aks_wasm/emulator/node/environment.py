"""A container's environment, as the kubelet puts it together."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.node.downward import field_value, resource_value

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ConfigError(Exception):
    """The container's configuration can't be made; the message is that of CreateContainerConfigError."""


@dataclass(frozen=True)
class Surroundings:
    """What an environment is made from besides the container's own spec.

    Attributes:
        store: Where ConfigMaps, Secrets and Services are.
        pod: The pod, with its status.
        allocatable: The node's.
    """

    store: Store
    pod: Mapping[str, Any]
    allocatable: Mapping[str, str]

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return str(self.pod["metadata"]["namespace"])


def container_environment(
    container: Mapping[str, Any], image_environment: list[str], around: Surroundings
) -> dict[str, str]:
    """Return all variables: the image's, those of Services, envFrom, env; later ones win.

    Raises:
        ConfigError: Something referred to is missing.
    """
    found = {"PATH": _DEFAULT_PATH, "HOSTNAME": around.pod["spec"].get("hostname") or around.pod["metadata"]["name"]}
    found |= dict(entry.partition("=")[::2] for entry in image_environment)
    if around.pod["spec"].get("enableServiceLinks", True):
        found |= _service_variables(around.store, around.namespace)
    found |= _service_variables(around.store, "default", only="kubernetes")
    for source in container.get("envFrom") or ():
        found |= _from_source(source, around)
    for entry in container.get("env") or ():
        value = _value(entry, container, around, found)
        if value is not None:
            found[entry["name"]] = value
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; unknown names stay, `$$` is a dollar sign."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replaced, text)


def config_data(store: Store, kind: str, name: str, namespace: str) -> dict[str, bytes] | None:
    """Return the data of a ConfigMap or Secret, or None when it is not there."""
    obj = store.peek("secrets" if kind == "secret" else "configmaps", name, namespace)
    if obj is None:
        return None
    if kind == "secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    data = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return data | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def _from_source(source: Mapping[str, Any], around: Surroundings) -> dict[str, str]:
    kind = "secret" if "secretRef" in source else "configmap"
    reference = source.get("secretRef") or source.get("configMapRef") or {}
    data = config_data(around.store, kind, reference.get("name", ""), around.namespace)
    if data is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{kind} "{reference.get("name")}" not found')
    prefix = source.get("prefix", "")
    return {prefix + key: value.decode("utf-8", "replace") for key, value in data.items()}


def _value(
    entry: Mapping[str, Any], container: Mapping[str, Any], around: Surroundings, so_far: Mapping[str, str]
) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return expand(str(entry.get("value") or ""), so_far)
    if "fieldRef" in source:
        path = source["fieldRef"].get("fieldPath", "")
        value = field_value(around.pod, path)
        if value is None:
            raise ConfigError(f"unsupported fieldPath: {path}")
        return value
    if "resourceFieldRef" in source:
        value = resource_value(container, source["resourceFieldRef"], around.allocatable)
        if value is None:
            raise ConfigError(f"unsupported container resource : {source['resourceFieldRef'].get('resource')}")
        return value
    kind = "secret" if "secretKeyRef" in source else "configmap"
    return _key_value(kind, source.get("secretKeyRef") or source.get("configMapKeyRef") or {}, around)


def _key_value(kind: str, reference: Mapping[str, Any], around: Surroundings) -> str | None:
    name, key = reference.get("name", ""), reference.get("key", "")
    data = config_data(around.store, kind, name, around.namespace)
    if data is not None and key in data:
        return data[key].decode("utf-8", "replace")
    if reference.get("optional"):
        return None
    if data is None:
        raise ConfigError(f'{kind} "{name}" not found')
    shown = "Secret" if kind == "secret" else "ConfigMap"
    raise ConfigError(f"couldn't find key {key} in {shown} {around.namespace}/{name}")


def _service_variables(store: Store, namespace: str, *, only: str | None = None) -> dict[str, str]:
    found: dict[str, str] = {}
    for service in store.view("services", namespace):
        address, ports = service["spec"].get("clusterIP"), service["spec"].get("ports") or ()
        name = service["metadata"]["name"]
        if not ports or address in (None, "", "None") or (only is not None and name != only):
            continue
        prefix = name.upper().replace("-", "_")
        found[f"{prefix}_SERVICE_HOST"] = address
        found[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
        found[f"{prefix}_PORT"] = f"{ports[0].get('protocol', 'TCP').lower()}://{address}:{ports[0]['port']}"
        for port in ports:
            found |= _port_variables(prefix, address, port)
    return found


def _port_variables(prefix: str, address: str, port: Mapping[str, Any]) -> dict[str, str]:
    protocol, number = port.get("protocol", "TCP"), str(port["port"])
    base = f"{prefix}_PORT_{number}_{protocol}"
    found = {
        base: f"{protocol.lower()}://{address}:{number}",
        f"{base}_PROTO": protocol.lower(),
        f"{base}_PORT": number,
        f"{base}_ADDR": address,
    }
    if port.get("name"):
        found[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = number
    return found
