"""Clusters of local mode: made through the control API, without the Resource Manager side."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from aks_wasm.emulator.fleet import EmulatedCluster, Fleet
from aks_wasm.emulator.node.profile import NodePoolProfile
from aks_wasm.emulator.state import Documents

COLLECTION = "local-clusters"
DEFAULT_KUBERNETES_VERSION = NodePoolProfile.kubernetes_version
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a DNS label
_KNOWN = {"name", "kubernetesVersion", "labels", "pools"}
_JSON_TYPES: dict[type, tuple[type, ...]] = {tuple: (list,), float: (float, int)}
_POOL_FIELDS = {
    field: _JSON_TYPES.get(type(default), (type(default),))
    for field, default in asdict(NodePoolProfile(name="")).items()
}


class NoSuchCluster(Exception):
    """There is no cluster of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no cluster `{name}`")


class LocalClusters:
    """What there is and what was asked for: {name, kubernetesVersion, labels, pools, url, running}."""

    def __init__(self, documents: Documents, fleet: Fleet) -> None:
        self._documents = documents
        self._fleet = fleet

    async def put(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        """Make the cluster, or change its labels and pools; harmless when repeated.

        Args:
            name: A DNS label.
            document: {kubernetesVersion, labels, pools: [fields of NodePoolProfile]}; what is left out stays.

        Raises:
            ValueError: The name or the document is off.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"`{name}` is not a cluster name: lower-case letters, digits and `-`, at most 63")
        if unknown := sorted(document.keys() - _KNOWN):
            raise ValueError(f"`{unknown[0]}` is not known; a cluster has {', '.join(sorted(_KNOWN))}")
        kept = self._documents.get(COLLECTION, name) or {"labels": {}, "pools": []}
        version = document.get("kubernetesVersion") or kept.get("kubernetesVersion") or DEFAULT_KUBERNETES_VERSION
        wanted = {**kept, **document, "name": name, "kubernetesVersion": version}
        pools = [_profile(pool, version) for pool in wanted["pools"]]
        self._documents.put(COLLECTION, name, wanted)
        cluster = await self._fleet.create(_key(name), kubernetes_version=version)
        await cluster.start()
        await cluster.converge(pools)
        return self.get(name)

    def get(self, name: str) -> dict[str, Any]:
        """Return what was asked for and where the cluster answers.

        Raises:
            NoSuchCluster: There is no cluster of that name.
        """
        document = self._documents.get(COLLECTION, name)
        if document is None:
            raise NoSuchCluster(name)
        cluster = self._fleet.get(_key(name))
        return {**document, "url": cluster.url if cluster else None, "running": bool(cluster and cluster.running)}

    def all(self) -> list[dict[str, Any]]:
        """Return every cluster as `get` does, oldest first."""
        return [self.get(name) for name, _ in self._documents.items(COLLECTION)]

    def running(self, name: str) -> EmulatedCluster:
        """Return the cluster behind the name.

        Raises:
            NoSuchCluster: There is none.
        """
        cluster = self._fleet.get(_key(name))
        if cluster is None:
            raise NoSuchCluster(name)
        return cluster

    async def delete(self, name: str) -> None:
        """Take the cluster away; nothing happens when there is none."""
        await self._fleet.delete(_key(name))
        self._documents.delete(COLLECTION, name)


def _key(name: str) -> str:
    return f"local/{name}"


def _profile(pool: object, kubernetes_version: str) -> NodePoolProfile:
    if not isinstance(pool, dict) or "name" not in pool:
        raise ValueError("each of `pools` is an object with a `name`")
    for field, value in pool.items():
        if field not in _POOL_FIELDS:
            raise ValueError(
                f"pool `{pool['name']}`: `{field}` is not known; a pool has {', '.join(sorted(_POOL_FIELDS))}"
            )
        if type(value) not in _POOL_FIELDS[field]:
            raise ValueError(f"pool `{pool['name']}`: `{field}` can't be {value!r}")
    lists = {field: tuple(value) for field, value in pool.items() if isinstance(value, list)}
    return NodePoolProfile(**{"kubernetes_version": kubernetes_version, **pool, **lists})
