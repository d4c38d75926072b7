"""The clusters behind ARM and behind local mode, remembered from one run of the emulator to the next."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.emulated_cluster import COLLECTION, EmulatedCluster, Surroundings, Tokens, store_prefix
from aks_wasm.emulator.journal import Journal
from aks_wasm.emulator.node.images import RegistryTrust
from aks_wasm.emulator.state import Documents

__all__ = ["EmulatedCluster", "Fleet"]

log = logging.getLogger(__name__)


class Fleet:
    """All clusters of the emulator, remembered in its state."""

    def __init__(
        self,
        documents: Documents,
        pace: Pace,
        folder: Path,
        tokens: Tokens,
        registry_trust: RegistryTrust,
        journal: Journal | None = None,
    ) -> None:
        """Know of no cluster yet; `resume` brings back those of the state.

        Args:
            documents: The emulator's state.
            pace: The emulator's clock.
            folder: Where each cluster gets a folder of its own.
            tokens: Bearer token -> [user, *groups], or None for a token that is not good.
            registry_trust: Which registries the nodes believe.
            journal: Where requests to the clusters are written down.
        """
        self._documents = documents
        self._folder = folder
        self._around = Surroundings(documents, pace, tokens, registry_trust, journal or Journal())
        self._clusters: dict[str, EmulatedCluster] = {}

    async def create(self, key: str, *, kubernetes_version: str, automatic: bool = False) -> EmulatedCluster:
        """Make the cluster and start it, or return the one of that key.

        Args:
            key: Names it.
            kubernetes_version: For example `1.35.5`.
            automatic: Whether it is of AKS Automatic, which denies pods that reach their host.
        """
        if key in self._clusters:
            return self._clusters[key]
        if self._documents.get(COLLECTION, key) is None:
            record: dict[str, Any] = {"kubernetesVersion": kubernetes_version, "automatic": automatic, "pools": []}
            record["token"] = secrets.token_hex(64)
            self._documents.put(COLLECTION, key, record)
        cluster = self._assemble(key)
        try:
            await cluster.start()
        except BaseException:
            await self.delete(key)
            raise
        return cluster

    def get(self, key: str) -> EmulatedCluster | None:
        """Return the cluster, or None."""
        return self._clusters.get(key)

    def keys(self) -> list[str]:
        """Return the keys of all clusters, oldest first."""
        return list(self._clusters)

    async def delete(self, key: str) -> None:
        """Take the cluster away; no process, port or file of it is left."""
        cluster = self._clusters.pop(key, None)
        if cluster is not None:
            await cluster.suspend()
        self._documents.delete(COLLECTION, key)
        self._documents.drop(store_prefix(key))
        await asyncio.to_thread(shutil.rmtree, self._folder_of(key), ignore_errors=True)

    async def resume(self) -> None:
        """Bring back every cluster of the state; those that were on start again, each on the port it had."""
        for key, record in self._documents.items(COLLECTION):
            try:
                cluster = self._assemble(key)
                # A record without the word is of a cluster whose making was cut short.
                if record.get("running", True):
                    await cluster.start()
            except Exception:  # one broken cluster must not keep the others and the front door away
                log.exception("cluster %s does not come back", key)

    async def close(self) -> None:
        """Stop every cluster; the state is kept."""
        await asyncio.gather(*(cluster.suspend() for cluster in self._clusters.values()))
        self._clusters.clear()

    def _assemble(self, key: str) -> EmulatedCluster:
        cluster = EmulatedCluster(key, self._folder_of(key), self._around)
        self._clusters[key] = cluster
        return cluster

    def _folder_of(self, key: str) -> Path:
        # Keys may be ARM resource ids; socket and file paths below the folder need a short one.
        readable = re.sub(r"[^a-z0-9]+", "-", key.lower().rpartition("/")[2]).strip("-")[:32]
        return self._folder / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
