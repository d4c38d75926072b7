"""Pod Security admission: a namespace's labels say which pods may be in it (plugin PodSecurity of kube-apiserver)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aks_wasm.emulator.cluster.causes import Cause, invalid
from aks_wasm.emulator.cluster.guards import Guard
from aks_wasm.emulator.cluster.pod_security_checks import Finding, detailed, findings, short
from aks_wasm.emulator.cluster.pod_templates import TEMPLATES
from aks_wasm.emulator.cluster.statuses import Invalid, Rejected
from aks_wasm.emulator.cluster.trees import Tree, dig

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store

PREFIX = "pod-security.kubernetes.io/"
_LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")


@dataclass(frozen=True)
class Standard:
    """One mode of a policy: how strict, and as of which version."""

    level: str = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    def findings(self, latest: int, metadata: Tree, spec: Tree) -> list[Finding]:
        """Return what it forbids in a pod; `latest` is the server's own minor version."""
        minor = latest if self.version == "latest" else int(self.version.removeprefix("v1."))
        return findings(self.level, min(minor, latest), metadata, spec)


@dataclass(frozen=True)
class Policy:
    """What a namespace's labels ask for, and which of them can't be read."""

    enforce: Standard = Standard()
    warn: Standard = Standard()
    problems: tuple[Cause, ...] = ()


def policy_of(labels: Mapping[str, str]) -> Policy:
    """Read a namespace's labels; what can't be read is enforced as restricted and not warned of."""
    problems: list[Cause] = []
    enforce = _standard(labels, "enforce", "restricted", problems)
    _standard(labels, "audit", "privileged", problems)
    warn = _standard(labels, "warn", "privileged", problems)
    asked = labels.get(f"{PREFIX}enforce")
    stricter = asked in _LEVELS and _LEVELS.index(enforce.level) > _LEVELS.index(warn.level)
    if stricter and f"{PREFIX}warn" not in labels:
        version = warn.version if f"{PREFIX}warn-version" in labels else enforce.version
        warn = Standard(enforce.level, version)
    return Policy(enforce, warn, tuple(problems))


def _standard(labels: Mapping[str, str], mode: str, unreadable: str, problems: list[Cause]) -> Standard:
    level, version = labels.get(f"{PREFIX}{mode}", "privileged"), labels.get(f"{PREFIX}{mode}-version", "latest")
    if level not in _LEVELS:
        problems.append(_bad(f"{PREFIX}{mode}", level, f"must be one of {', '.join(_LEVELS)}"))
        level = unreadable
    if version != "latest" and not _VERSION.fullmatch(version):
        problems.append(_bad(f"{PREFIX}{mode}-version", version, 'must be "latest" or "v1.x"'))
        version = "latest"
    return Standard(level, version)


def _bad(label: str, value: str, why: str) -> Cause:
    return invalid(f"metadata.labels[{label}]", value, why)


def guard(kubernetes_version: str) -> Guard:
    """Return the plugin of an API server of that version, for example `1.35.5`."""
    minor = int(kubernetes_version.split(".")[1])

    def look(store: Store, plural: str, old: Tree | None, new: Tree) -> list[str]:
        return admit(store, minor, plural, old, new)

    return look


def admit(store: Store, minor: int, plural: str, old: Tree | None, new: Tree) -> list[str]:
    """Check a created or changed object; return what its writer is warned of.

    Args:
        store: Where namespaces and pods are.
        minor: The server's own version, 1.minor.
        plural: Of the object.
        old: What it was; None for a new one.
        new: What it is to be.

    Raises:
        Rejected: A pod does what its namespace's level forbids.
        Invalid: A namespace's labels can't be read.
    """
    if plural == "namespaces":
        return _namespace(store, minor, old, new)
    namespace = new["metadata"].get("namespace")
    if not namespace or (plural != "pods" and plural not in TEMPLATES):
        return []
    policy = policy_of(dig(store.peek("namespaces", namespace) or {}, "metadata", "labels") or {})
    if plural == "pods":
        if old is not None and _images(old) == _images(new):
            return []
        _enforce(policy, minor, new)
        pod = new
    else:
        pod = dig(new, *TEMPLATES[plural]) or {}
    found = policy.warn.findings(minor, pod.get("metadata") or {}, pod.get("spec") or {})
    return [f'would violate PodSecurity "{policy.warn}": {detailed(found)}'] if found else []


def _enforce(policy: Policy, minor: int, pod: Tree) -> None:
    found = policy.enforce.findings(minor, pod["metadata"], pod["spec"])
    if found:
        why = f'violates PodSecurity "{policy.enforce}": {detailed(found)}'
        raise Rejected("pods", pod["metadata"].get("name", ""), why)


def _images(pod: Tree) -> list[str]:
    fields = ("containers", "initContainers", "ephemeralContainers")
    return [container.get("image", "") for field in fields for container in pod["spec"].get(field) or ()]


def _namespace(store: Store, minor: int, old: Tree | None, new: Tree) -> list[str]:
    policy = policy_of(new["metadata"].get("labels") or {})
    before = policy_of(old["metadata"].get("labels") or {}) if old is not None else Policy()
    if policy.problems and policy.problems != before.problems:
        raise Invalid("Namespace", new["metadata"]["name"], policy.problems)
    if old is None or policy.enforce == before.enforce:
        return []
    same = policy.enforce.version == before.enforce.version
    if same and _LEVELS.index(policy.enforce.level) <= _LEVELS.index(before.enforce.level):
        return []
    return _existing(store, minor, new["metadata"]["name"], policy.enforce)


def _existing(store: Store, minor: int, namespace: str, standard: Standard) -> list[str]:
    """Return what is to be said of the pods that a namespace's new level would not take."""
    pods: dict[str, list[str]] = {}
    for pod in store.view("pods", namespace):
        found = standard.findings(minor, pod["metadata"], pod["spec"])
        if found:
            pods.setdefault(short(found), []).append(pod["metadata"]["name"])
    if not pods:
        return []
    told = f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"'
    return [told, *sorted(f"{_first(sorted(names))}: {why}" for why, names in pods.items())]


def _first(names: list[str]) -> str:
    more = len(names) - 1
    return f"{names[0]} (and {more} other pod{'' if more == 1 else 's'})" if more else names[0]
