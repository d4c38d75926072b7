"""What can be wrong with a pod or a pod template (pkg/apis/core/validation)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aks_wasm.emulator.cluster import names
from aks_wasm.emulator.cluster.causes import Cause, duplicate, forbidden, invalid, not_found, not_supported, required
from aks_wasm.emulator.cluster.quantities import amount
from aks_wasm.emulator.cluster.trees import Tree

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_PROBES = {"livenessProbe": True, "startupProbe": True, "readinessProbe": False}
_ACTIONS = ("exec", "httpGet", "tcpSocket", "grpc")


def pod_problems(obj: Tree) -> Iterator[Cause]:
    """Yield what is wrong with a pod."""
    yield from spec_problems(obj["spec"], "spec")


def template_problems(spec: Tree, place: str, policies: Sequence[str]) -> Iterator[Cause]:
    """Yield what is wrong with `spec.template`; `policies` are the restart policies the workload allows."""
    template = spec.get("template")
    if not isinstance(template, dict):
        yield required(place)
        return
    pod = template.get("spec") or {}
    for key, value in ((template.get("metadata") or {}).get("labels") or {}).items():
        for why in names.qualified(key):
            yield invalid(f"{place}.labels", key, why)
        for why in names.label_value(value):
            yield invalid(f"{place}.labels", value, why)
    yield from spec_problems(pod, f"{place}.spec")
    policy = pod.get("restartPolicy")
    if "Always" not in policies and policy == "Always":
        listed = ", ".join(f'"{name}"' for name in policies)
        yield required(f"{place}.spec.restartPolicy", f"valid values: {listed}")
    elif policy not in policies and policy in _RESTART_POLICIES:
        yield not_supported(f"{place}.spec.restartPolicy", policy, policies)


def spec_problems(spec: Tree, place: str) -> Iterator[Cause]:
    """Yield what is wrong with a pod spec."""
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _name_problems(volume.get("name"), f"{place}.volumes[{index}].name", volumes)
        if len(volume) > 2:
            yield forbidden(f"{place}.volumes[{index}]", "may not specify more than 1 volume type")
    if not spec.get("containers"):
        yield required(f"{place}.containers")
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = f"{place}.{field}[{index}]"
            yield from _name_problems(container.get("name"), f"{here}.name", seen)
            yield from _container_problems(container, here, volumes)
    yield from _placement_problems(spec, place)


def _placement_problems(spec: Tree, place: str) -> Iterator[Cause]:
    for field, allowed in (("restartPolicy", _RESTART_POLICIES), ("dnsPolicy", _DNS_POLICIES)):
        if spec.get(field) not in allowed:
            yield not_supported(f"{place}.{field}", spec.get(field), allowed)
    yield from toleration_problems(spec, f"{place}.tolerations")
    for key, value in (spec.get("nodeSelector") or {}).items():
        for why in names.qualified(key):
            yield invalid(f"{place}.nodeSelector", key, why)
        for why in names.label_value(value):
            yield invalid(f"{place}.nodeSelector[{key}]", value, why)


def toleration_problems(spec: Tree, place: str) -> Iterator[Cause]:
    """Yield what is wrong with `tolerations` of a pod's spec or a RuntimeClass's scheduling."""
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        yield from _toleration_problems(toleration, f"{place}[{index}]")


def _name_problems(name: str | None, place: str, seen: set[str]) -> Iterator[Cause]:
    if not name:
        yield required(place)
        return
    for why in names.label(name):
        yield invalid(place, name, why)
    if name in seen:
        yield duplicate(place, name)
    seen.add(name)


def _container_problems(container: Tree, place: str, volumes: set[str]) -> Iterator[Cause]:
    image = container.get("image", "")
    if not image:
        yield required(f"{place}.image")
    elif image != image.strip():
        yield invalid(f"{place}.image", image, "must not have leading or trailing whitespace")
    if container.get("imagePullPolicy") not in _PULL_POLICIES:
        yield not_supported(f"{place}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)
    yield from _ports_problems(container.get("ports") or [], f"{place}.ports")
    yield from _env_problems(container, place)
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        yield from _mount_problems(mount, f"{place}.volumeMounts[{index}]", volumes, paths)
    yield from _resource_problems(container.get("resources") or {}, f"{place}.resources")
    for name, only_one in _PROBES.items():
        if isinstance(container.get(name), dict):
            yield from _probe_problems(container[name], f"{place}.{name}", only_one=only_one)


def _env_problems(container: Tree, place: str) -> Iterator[Cause]:
    for index, variable in enumerate(container.get("env") or ()):
        here = f"{place}.env[{index}]"
        if not variable.get("name"):
            yield required(f"{here}.name")
        if variable.get("value") and variable.get("valueFrom"):
            yield invalid(f"{here}.valueFrom", "", "may not be specified when `value` is not empty")


def _ports_problems(ports: list[Tree], place: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{place}[{index}]"
        number = port.get("containerPort", 0)
        if not number:
            yield required(f"{here}.containerPort")
        elif not 1 <= number <= 65535:
            yield invalid(f"{here}.containerPort", number, "must be between 1 and 65535, inclusive")
        if port.get("protocol") not in {"TCP", "UDP", "SCTP"}:
            yield not_supported(f"{here}.protocol", port.get("protocol"), ["SCTP", "TCP", "UDP"])
        name = port.get("name")
        if not name:
            continue
        for why in names.port_name(name):
            yield invalid(f"{here}.name", name, why)
        if name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)


def _mount_problems(mount: Tree, place: str, volumes: set[str], paths: set[str]) -> Iterator[Cause]:
    name, path = mount.get("name"), mount.get("mountPath")
    if not name:
        yield required(f"{place}.name")
    elif name not in volumes:
        yield not_found(f"{place}.name", name)
    if not path:
        yield required(f"{place}.mountPath")
    elif path in paths:
        yield invalid(f"{place}.mountPath", path, "must be unique")
    paths.add(path or "")


def _resource_problems(resources: Tree, place: str) -> Iterator[Cause]:
    limits = resources.get("limits") or {}
    for field in ("limits", "requests"):
        for name, text in (resources.get(field) or {}).items():
            if amount(text) < 0:
                yield invalid(f"{place}.{field}[{name}]", text, "must be greater than or equal to 0")
    for name, text in (resources.get("requests") or {}).items():
        if name in limits and amount(text) > amount(limits[name]):
            yield invalid(f"{place}.requests", text, f"must be less than or equal to {name} limit of {limits[name]}")


def _probe_problems(probe: Tree, place: str, *, only_one: bool) -> Iterator[Cause]:
    given = [name for name in _ACTIONS if name in probe]
    if not given:
        yield required(place, "must specify a handler type")
    for name in given[1:]:
        yield forbidden(f"{place}.{name}", "may not specify more than 1 handler type")
    for name in given[:1]:
        port = probe[name].get("port")
        if isinstance(port, int) and not 1 <= port <= 65535:
            yield invalid(f"{place}.{name}.port", port, "must be between 1 and 65535, inclusive")
    if only_one and probe.get("successThreshold") != 1:
        yield invalid(f"{place}.successThreshold", probe.get("successThreshold"), "must be 1")
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"):
        if probe.get(name, 0) < 0:
            yield invalid(f"{place}.{name}", probe[name], "must be greater than or equal to 0")


def _toleration_problems(toleration: Tree, place: str) -> Iterator[Cause]:
    operator = toleration.get("operator", "Equal")
    if not toleration.get("key") and operator != "Exists":
        yield invalid(
            f"{place}.operator",
            operator,
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        )
    if operator not in {"Exists", "Equal", ""}:
        yield not_supported(f"{place}.operator", operator, ["Equal", "Exists"])
    if operator == "Exists" and toleration.get("value"):
        yield invalid(f"{place}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'")
    if toleration.get("effect", "") not in {"", "NoSchedule", "PreferNoSchedule", "NoExecute"}:
        effects = ["NoExecute", "NoSchedule", "PreferNoSchedule"]
        yield not_supported(f"{place}.effect", toleration["effect"], effects)
