"""What is served, as clients ask for it: /version, /api, /apis and their aggregated form."""

from __future__ import annotations

from typing import Any

from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.resources import Kinds
from aks_wasm.emulator.cluster.statuses import UnknownPath

AGGREGATED = "g=apidiscovery.k8s.io"
# Subresources that speak another kind than their parent.
_SUBRESOURCE_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "binding": ("", "v1", "Binding"),
    "exec": ("", "v1", "PodExecOptions"),
    "attach": ("", "v1", "PodAttachOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
    "proxy": ("", "v1", "PodProxyOptions"),
}


def version_info(version: str) -> dict[str, str]:
    """Return what `kubectl version` shows of the server."""
    major, minor, *_ = version.split(".")
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"v{version}",
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.25.5",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def core_versions(address: str) -> dict[str, Any]:
    """Return the answer of /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(kinds: Kinds) -> dict[str, Any]:
    """Return the answer of /apis."""
    groups = [_group(kinds, group) for group in kinds.groups()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(kinds: Kinds, name: str) -> dict[str, Any]:
    """Return the answer of /apis/GROUP.

    Raises:
        UnknownPath: There is no such group.
    """
    if name not in kinds.groups():
        raise UnknownPath
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(kinds, name)}


def resource_list(kinds: Kinds, group_name: str, version: str) -> dict[str, Any]:
    """Return the answer of /api/v1 or /apis/GROUP/VERSION.

    Raises:
        UnknownPath: There is no such version.
    """
    served = [kind for kind in kinds if (kind.group, kind.version) == (group_name, version)]
    if not served:
        raise UnknownPath
    api_version = f"{group_name}/{version}" if group_name else version
    resources = [entry for kind in served for entry in _entries(kind)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}


def aggregated(kinds: Kinds, version: str, *, core: bool) -> dict[str, Any]:
    """Return /api or /apis in the aggregated form of `apidiscovery.k8s.io`."""
    groups = [""] if core else kinds.groups()
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [
                {
                    "version": served,
                    "resources": [
                        _aggregated_entry(kind) for kind in kinds if (kind.group, kind.version) == (name, served)
                    ],
                    "freshness": "Current",
                }
                for served in kinds.versions(name)
            ],
        }
        for name in groups
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _group(kinds: Kinds, name: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in kinds.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _entries(kind: Kind) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": kind.resource,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    entries = [entry]
    for name, verbs in sorted(kind.subresources.items()):
        group_name, version, spoken = _SUBRESOURCE_KINDS.get(name, (kind.group, kind.version, kind.kind))
        below = {
            "name": f"{kind.resource}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": spoken,
            "verbs": list(verbs),
        }
        if (group_name, version) != (kind.group, kind.version):
            below |= {"group": group_name, "version": version}
        entries.append(below)
    return entries


def _aggregated_entry(kind: Kind) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": kind.resource,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": kind.scope,
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    below = []
    for name, verbs in sorted(kind.subresources.items()):
        group_name, version, spoken = _SUBRESOURCE_KINDS.get(name, (kind.group, kind.version, kind.kind))
        response = {"group": group_name, "version": version, "kind": spoken}
        below.append({"subresource": name, "responseKind": response, "verbs": list(verbs)})
    if below:
        entry["subresources"] = below
    return entry
