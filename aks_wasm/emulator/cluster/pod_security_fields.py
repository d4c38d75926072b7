"""Pod Security: the rules about what a pod reaches of its host and what its containers may do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from aks_wasm.emulator.cluster.trees import Tree, dig

DEFAULT_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
_SYSCTLS = (
    (0, ("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
         "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start")),
    (27, ("net.ipv4.ip_local_reserved_ports",)),
    (29, ("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
          "net.ipv4.tcp_keepalive_probes")),
    (32, ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")),
)  # fmt: skip
_VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
            "secret")  # fmt: skip
_WINDOWS_SINCE = 25  # from then on Windows pods are spared what only Linux knows

Finding = tuple[str, str]


def containers(spec: Tree) -> Iterator[Tree]:
    """Yield all of a pod's containers in the order the rules visit them."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def named(spec: Tree, wrong: Callable[[Tree], object]) -> list[str]:
    """Return the names of the containers that something is wrong with."""
    return [one.get("name", "") for one in containers(spec) if wrong(one)]


def quoted(items: Collection[str]) -> str:
    """Return `"a", "b"`."""
    return ", ".join(f'"{item}"' for item in items)


def counted(noun: str, items: Collection[str]) -> str:
    """Return `container "a"` or `containers "a", "b"`."""
    return f"{noun}{'' if len(items) == 1 else 's'} {quoted(items)}"


def setting(container: Tree, *path: str) -> object:
    """Return a member of a container's or pod's security context, None where it is not there."""
    return dig(container, "securityContext", *path)


def setters(spec: Tree, wrong: Callable[[Tree], object]) -> str:
    """Return who says something wrong in a security context: `pod and containers "a", "b"`."""
    found = ["pod"] if wrong(spec) else []
    bad = named(spec, wrong)
    return " and ".join([*found, *([counted("container", bad)] if bad else [])])


def is_windows(spec: Tree, minor: int) -> bool:
    """Tell whether the pod says that it is for Windows and this version of the policy listens."""
    return minor >= _WINDOWS_SINCE and dig(spec, "os", "name") == "windows"


def host_namespaces(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find shared host namespaces."""
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return ("host namespaces", ", ".join(shared)) if shared else None


def host_paths(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find hostPath volumes."""
    volumes = [volume["name"] for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return ("hostPath volumes", counted("volume", volumes)) if volumes else None


def host_ports(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find ports of the host."""

    def taken(container: Tree) -> list[str]:
        return [str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")]

    bad = named(spec, taken)
    if not bad:
        return None
    ports = sorted({port for one in containers(spec) for port in taken(one)})
    uses, nouns = "uses" if len(bad) == 1 else "use", "hostPort" if len(ports) == 1 else "hostPorts"
    return "hostPort", f"{counted('container', bad)} {uses} {nouns} {', '.join(ports)}"


def probe_hosts(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find probes and lifecycle handlers that name a host."""

    def hosts(container: Tree) -> set[str]:
        places = [container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
        places += [dig(container, "lifecycle", name) for name in ("postStart", "preStop")]
        asked = [dig(place, how, "host") for place in places if place for how in ("httpGet", "tcpSocket")]
        return {host for host in asked if host}

    bad = sorted(set(named(spec, hosts)))
    if not bad:
        return None
    found = sorted({host for one in containers(spec) for host in hosts(one)})
    uses = "uses" if len(bad) == 1 else "use"
    return "probe or lifecycle host", f"{counted('container', bad)} {uses} {counted('probe or lifecycle host', found)}"


def privileged(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find privileged containers."""
    bad = named(spec, lambda one: setting(one, "privileged"))
    return ("privileged", f"{counted('container', bad)} must not set securityContext.privileged=true") if bad else None


def proc_mount(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find containers that see more of /proc."""

    def wrong(container: Tree) -> object:
        return setting(container, "procMount") not in {None, "Default"}

    bad = named(spec, wrong)
    if not bad:
        return None
    kinds = sorted({str(setting(one, "procMount")) for one in containers(spec) if wrong(one)})
    return "procMount", f"{counted('container', bad)} must not set securityContext.procMount to {quoted(kinds)}"


def sysctls(_metadata: Tree, spec: Tree, minor: int) -> Finding | None:
    """Find sysctls that this version of the policy does not list."""
    allowed = {name for since, names in _SYSCTLS if since <= minor for name in names}
    asked = dig(spec, "securityContext", "sysctls") or ()
    bad = [sysctl["name"] for sysctl in asked if sysctl["name"] not in allowed]
    return ("forbidden sysctls", ", ".join(bad)) if bad else None


def capabilities_baseline(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find capabilities beyond those that containers have anyway."""
    told = _added(spec, DEFAULT_CAPABILITIES)
    return ("non-default capabilities", told) if told else None


def capabilities_restricted(_metadata: Tree, spec: Tree, minor: int) -> Finding | None:
    """Find containers that keep capabilities."""
    if is_windows(spec, minor):
        return None
    keeping = named(spec, lambda one: "ALL" not in (setting(one, "capabilities", "drop") or ()))  # type: ignore[operator]
    told = [f'{counted("container", keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    added = _added(spec, {"NET_BIND_SERVICE"})
    told += [added] if added else []
    return ("unrestricted capabilities", "; ".join(told)) if told else None


def _added(spec: Tree, allowed: Collection[str]) -> str:
    def beyond(container: Tree) -> list[str]:
        asked: list[str] = setting(container, "capabilities", "add") or []  # type: ignore[assignment]
        return [name for name in asked if name not in allowed]

    bad = named(spec, beyond)
    if not bad:
        return ""
    names = sorted({name for one in containers(spec) for name in beyond(one)})
    return f"{counted('container', bad)} must not include {quoted(names)} in securityContext.capabilities.add"


def escalation(_metadata: Tree, spec: Tree, minor: int) -> Finding | None:
    """Find containers that do not forbid privilege escalation."""
    bad = named(spec, lambda one: setting(one, "allowPrivilegeEscalation") is not False)
    if not bad or is_windows(spec, minor):
        return None
    told = f"{counted('container', bad)} must set securityContext.allowPrivilegeEscalation=false"
    return "allowPrivilegeEscalation != false", told


def restricted_volumes(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find volumes of other types than the restricted level has."""
    bad = [volume for volume in spec.get("volumes") or () if not any(name in volume for name in _VOLUMES)]
    if not bad:
        return None
    kinds = sorted({next((key for key in volume if key != "name"), "unknown") for volume in bad})
    uses = "uses" if len(bad) == 1 else "use"
    told = f"{counted('volume', [volume['name'] for volume in bad])} {uses} {counted('restricted volume type', kinds)}"
    return "restricted volume types", told


def root_group(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find containers that may run as root."""
    refused = setters(spec, lambda one: setting(one, "runAsNonRoot") is False)
    if refused:
        return "runAsNonRoot != true", f"{refused} must not set securityContext.runAsNonRoot=false"
    silent = named(spec, lambda one: setting(one, "runAsNonRoot") is None)
    if not silent or setting(spec, "runAsNonRoot"):
        return None
    return "runAsNonRoot != true", f"pod or {counted('container', silent)} must set securityContext.runAsNonRoot=true"


def root_user(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find what runs as user 0."""
    bad = setters(spec, lambda one: setting(one, "runAsUser") == 0)
    return ("runAsUser=0", f"{bad} must not set runAsUser=0") if bad else None
