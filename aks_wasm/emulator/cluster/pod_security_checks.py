"""The Pod Security Standards: what each level forbids in a pod, in the words of k8s.io/pod-security-admission."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from aks_wasm.emulator.cluster.pod_security_fields import (
    capabilities_baseline,
    capabilities_restricted,
    escalation,
    host_namespaces,
    host_paths,
    host_ports,
    privileged,
    probe_hosts,
    proc_mount,
    restricted_volumes,
    root_group,
    root_user,
    sysctls,
)
from aks_wasm.emulator.cluster.pod_security_profiles import (
    app_armor,
    host_process,
    se_linux,
    seccomp_baseline,
    seccomp_restricted,
)
from aks_wasm.emulator.cluster.trees import Tree

Finding = tuple[str, str]
"""What is forbidden, and where it was found."""


@dataclass(frozen=True)
class PodCheck:
    """One rule.

    Attributes:
        look: Takes the pod's metadata, its spec and the minor version of the policy; None when nothing is wrong.
        since: The minor Kubernetes version that brought it.
    """

    look: Callable[[Tree, Tree, int], Finding | None]
    since: int = 0


# In the order of their names, which is that of the message.
_BASELINE: dict[str, PodCheck] = {
    "appArmorProfile": PodCheck(app_armor),
    "capabilities_baseline": PodCheck(capabilities_baseline),
    "hostNamespaces": PodCheck(host_namespaces),
    "hostPathVolumes": PodCheck(host_paths),
    "hostPorts": PodCheck(host_ports),
    "hostProbesAndHostLifecycle": PodCheck(probe_hosts, since=34),
    "privileged": PodCheck(privileged),
    "procMount": PodCheck(proc_mount),
    "seLinuxOptions": PodCheck(se_linux),
    "seccompProfile_baseline": PodCheck(seccomp_baseline),
    "sysctls": PodCheck(sysctls),
    "windowsHostProcess": PodCheck(host_process),
}
_RESTRICTED: dict[str, PodCheck] = {
    "allowPrivilegeEscalation": PodCheck(escalation, since=8),
    "capabilities_restricted": PodCheck(capabilities_restricted, since=22),
    "restrictedVolumes": PodCheck(restricted_volumes),
    "runAsNonRoot": PodCheck(root_group),
    "runAsUser": PodCheck(root_user, since=23),
    "seccompProfile_restricted": PodCheck(seccomp_restricted, since=19),
}
# A restricted rule takes the place of a baseline one where it is in force.
_REPLACED = {
    "capabilities_baseline": "capabilities_restricted",
    "hostPathVolumes": "restrictedVolumes",
    "seccompProfile_baseline": "seccompProfile_restricted",
}


def findings(level: str, minor: int, metadata: Tree, spec: Tree) -> list[Finding]:
    """Return everything that a level forbids in a pod.

    Args:
        level: `privileged`, `baseline` or `restricted`.
        minor: The policy's Kubernetes version, 1.minor.
        metadata: The pod's metadata.
        spec: The pod's spec.
    """
    return [found for check in _checks(level, minor) if (found := check.look(metadata, spec, minor)) is not None]


def detailed(found: Iterable[Finding]) -> str:
    """Return findings as a refusal tells them."""
    return ", ".join(f"{what} ({where})" if where else what for what, where in found)


def short(found: Iterable[Finding]) -> str:
    """Return findings as a warning about a whole namespace tells them."""
    return ", ".join(what for what, _ in found)


def _checks(level: str, minor: int) -> Iterator[PodCheck]:
    if level == "privileged":
        return
    restricted = {name: check for name, check in _RESTRICTED.items() if level == "restricted" and check.since <= minor}
    for name, check in _BASELINE.items():
        if check.since <= minor and _REPLACED.get(name) not in restricted:
            yield check
    yield from restricted.values()
