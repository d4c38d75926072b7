"""The clusters behind ARM and behind local mode: each one a store, an API server, controllers and nodes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
import secrets
import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import yaml

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.controllers import Controllers
from aks_wasm.emulator.cluster.server import ApiServer
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.node.agent import NodeAgents
from aks_wasm.emulator.node.images import ImageStore, RegistryTrust
from aks_wasm.emulator.node.profile import NodePoolProfile
from aks_wasm.emulator.state import Documents

KubeconfigKind = Literal["certificate", "token", "exec"]
Tokens = Callable[[str], list[str] | None]

COLLECTION = "fleet"
ADMIN = "masterclient"  # the name in AKS's own client certificates
ADMIN_GROUP = "system:masters"
RESTART_SECONDS = 1.0  # between the crash of a control loop and its next start

log = logging.getLogger(__name__)


class EmulatedCluster:
    """One cluster: its Kubernetes API answers at `url` while it is started.

    Attributes:
        key: Names the cluster within the emulator.
        images: What its nodes have without pulling.
        store: Its objects.
    """

    def __init__(
        self,
        key: str,
        documents: Documents,
        pace: Pace,
        folder: Path,
        tokens: Tokens,
        registry_trust: RegistryTrust,
    ) -> None:
        self.key = key
        self._documents = documents
        self._folder = folder
        self._entra_tokens = tokens
        self._authority = CertificateAuthority.open(folder, "ca")
        self.store = Store(documents, store_prefix(key))
        self.images = ImageStore(folder / "images", registry_trust)
        self._agents = NodeAgents(self.store, self.images, pace, folder / "nodes", registry_trust)
        self._controllers = Controllers(self.store, pace)
        self._server = ApiServer(
            self.store,
            self._authority,
            kubernetes_version=self._record["kubernetesVersion"],
            logs=self._agents,
            tokens=self._user_of,
        )
        self._loops: list[asyncio.Task[None]] = []
        self._power = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where the Kubernetes API answers; stays the same for the cluster's life."""
        return f"https://127.0.0.1:{self._record['port']}"

    @property
    def ca_pem(self) -> bytes:
        """The certificate to trust at `url`."""
        return self._authority.certificate_pem

    @property
    def running(self) -> bool:
        """Whether the cluster is powered on."""
        return bool(self._loops)

    async def converge(self, pools: Sequence[NodePoolProfile]) -> None:
        """Make the nodes be those of the pools; remembered for the next start."""
        self._remember(pools=[asdict(pool) | {"labels": dict(pool.labels)} for pool in pools])
        if self.running:
            await self._agents.converge(pools)

    def kubeconfig(
        self, *, name: str, user: str, kind: KubeconfigKind, exec_config: dict[str, Any] | None = None
    ) -> str:
        """Return a kubeconfig (YAML) in the shape of AKS's.

        Args:
            name: The cluster's and the context's name.
            user: The user's name, for example `clusterUser_group_cluster`.
            kind: `certificate` is AKS's local account (certificate and token), `token` has the token
                only, `exec` runs a credential plugin.
            exec_config: The plugin's `exec` section; for kind `exec`.
        """
        cluster = {"certificate-authority-data": _base64(self.ca_pem), "server": self.url}
        document = {
            "apiVersion": "v1",
            "clusters": [{"cluster": cluster, "name": name}],
            "contexts": [{"context": {"cluster": name, "user": user}, "name": name}],
            "current-context": name,
            "kind": "Config",
            "preferences": {},
            "users": [{"name": user, "user": self._credentials(kind, exec_config)}],
        }
        return yaml.safe_dump(document, sort_keys=False)

    async def start(self) -> None:
        """Power on: the API answers, nodes and pods come back as they were."""
        async with self._power:
            if not self.running:
                await self._start()

    async def stop(self) -> None:
        """Power off: nothing answers, no container runs; the state is kept."""
        await self.suspend()
        self._remember(running=False)

    async def suspend(self) -> None:
        """Stop as the daemon stops: a cluster that was on is on again after the next start."""
        async with self._power:
            loops, self._loops = self._loops, []
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            if loops:
                await self._server.stop()

    async def _start(self) -> None:
        self._remember(port=await self._listen(self._record.get("port")), running=True)
        self._loops = [
            asyncio.create_task(self._keep_running("controllers", self._controllers.run)),
            asyncio.create_task(self._keep_running("nodes", self._agents.run)),
        ]
        await self._agents.converge([_profile(pool) for pool in self._record["pools"]])

    async def _listen(self, remembered: int | None) -> int:
        if remembered is not None:
            with suppress(OSError):
                return await self._server.start(remembered)
            log.warning("cluster %s: port %d is taken, kubeconfigs made before do not reach it", self.key, remembered)
        return await self._server.start(None)

    async def _keep_running(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await loop()
            except Exception:  # the cluster outlives a bug in one of its loops, as a real one does
                log.exception("cluster %s: %s crashed", self.key, name)
            await asyncio.sleep(RESTART_SECONDS)

    def _user_of(self, token: str) -> list[str] | None:
        if secrets.compare_digest(token.encode(), self._record["token"].encode()):
            return [ADMIN, ADMIN_GROUP]
        return self._entra_tokens(token)

    def _credentials(self, kind: KubeconfigKind, exec_config: dict[str, Any] | None) -> dict[str, Any]:
        if kind == "exec":
            return {"exec": exec_config or {}}
        token = {"token": self._record["token"]}
        if kind == "token":
            return token
        certificate, key = self._authority.client_certificate(ADMIN, [ADMIN_GROUP])
        return {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key), **token}

    @property
    def _record(self) -> dict[str, Any]:
        return self._documents.get(COLLECTION, self.key) or {}

    def _remember(self, **changes: object) -> None:
        self._documents.put(COLLECTION, self.key, {**self._record, **changes})


class Fleet:
    """All clusters of the emulator, remembered in its state."""

    def __init__(
        self, documents: Documents, pace: Pace, folder: Path, tokens: Tokens, registry_trust: RegistryTrust
    ) -> None:
        """Know of no cluster yet; `resume` brings back those of the state.

        Args:
            documents: The emulator's state.
            pace: The emulator's clock.
            folder: Where each cluster gets a folder of its own.
            tokens: Bearer token -> [user, *groups], or None for a token that is not good.
            registry_trust: Which registries the nodes believe.
        """
        self._documents = documents
        self._pace = pace
        self._folder = folder
        self._tokens = tokens
        self._registry_trust = registry_trust
        self._clusters: dict[str, EmulatedCluster] = {}

    async def create(self, key: str, *, kubernetes_version: str) -> EmulatedCluster:
        """Make the cluster and start it, or return the one of that key."""
        if key in self._clusters:
            return self._clusters[key]
        if self._documents.get(COLLECTION, key) is None:
            record = {"kubernetesVersion": kubernetes_version, "token": secrets.token_hex(64), "pools": []}
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
        if cluster is None:
            return
        await cluster.suspend()
        self._documents.delete(COLLECTION, key)
        self._documents.drop(store_prefix(key))
        await asyncio.to_thread(shutil.rmtree, self._folder_of(key), ignore_errors=True)

    async def resume(self) -> None:
        """Bring back every cluster of the state; those that were on start again, each on the port it had."""
        for key, record in self._documents.items(COLLECTION):
            cluster = self._assemble(key)
            # A record without the word is of a cluster whose making was cut short.
            if record.get("running", True):
                await cluster.start()

    async def close(self) -> None:
        """Stop every cluster; the state is kept."""
        await asyncio.gather(*(cluster.suspend() for cluster in self._clusters.values()))
        self._clusters.clear()

    def _assemble(self, key: str) -> EmulatedCluster:
        folder = self._folder_of(key)
        cluster = EmulatedCluster(key, self._documents, self._pace, folder, self._tokens, self._registry_trust)
        self._clusters[key] = cluster
        return cluster

    def _folder_of(self, key: str) -> Path:
        # Keys may be ARM resource ids; socket and file paths below the folder need a short one.
        readable = re.sub(r"[^a-z0-9]+", "-", key.lower().rpartition("/")[2]).strip("-")[:32]
        return self._folder / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def store_prefix(key: str) -> str:
    """Return what the names of a cluster's collections start with."""
    return f"cluster:{key}:"


def _profile(record: dict[str, Any]) -> NodePoolProfile:
    return NodePoolProfile(**{**record, "taints": tuple(record["taints"]), "zones": tuple(record["zones"])})


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
