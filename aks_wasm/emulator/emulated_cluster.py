"""One emulated cluster: a store, an API server, controllers and nodes on a port of its own."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster import managed_policies
from aks_wasm.emulator.cluster.controllers import Controllers
from aks_wasm.emulator.cluster.server import ApiServer
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.journal import Journal
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


@dataclass(frozen=True)
class Surroundings:
    """What all clusters of an emulator share.

    Attributes:
        documents: The emulator's state.
        pace: The emulator's clock.
        tokens: Bearer token -> [user, *groups], or None for a token that is not good.
        registry_trust: Which registries the nodes believe.
        journal: Where requests are written down.
    """

    documents: Documents
    pace: Pace
    tokens: Tokens
    registry_trust: RegistryTrust
    journal: Journal


class EmulatedCluster:
    """One cluster: its Kubernetes API answers at `url` while it is started.

    Attributes:
        key: Names the cluster within the emulator.
        images: What its nodes have without pulling.
        store: Its objects.
    """

    def __init__(self, key: str, folder: Path, around: Surroundings) -> None:
        """Put the parts together; nothing runs before `start`.

        Args:
            key: Names it; the state has a record of it.
            folder: Its own.
            around: What it shares with the others.
        """
        self.key = key
        self._documents = around.documents
        self._tokens = around.tokens
        self._authority = CertificateAuthority.open(folder, "ca")
        self.store = Store(around.documents, store_prefix(key))
        if self._record.get("automatic"):
            self.store.guards["ManagedPolicies"] = managed_policies.guard
        self.images = ImageStore(folder / "images", around.registry_trust)
        self._agents = NodeAgents(self.store, self.images, around.pace, folder / "nodes", around.registry_trust)
        self._controllers = Controllers(self.store, around.pace)
        self._server = ApiServer(
            self.store,
            self._authority,
            kubernetes_version=self._record["kubernetesVersion"],
            logs=self._agents,
            tokens=self._user_of,
        )
        self._server.on_request = around.journal.listener("kubernetes", key)
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

    async def replace_node(self, name: str) -> bool:
        """Put a bare machine in a node's place; return whether the cluster runs and has such a node."""
        return self.running and await self._agents.replace(name, [_profile(pool) for pool in self._record["pools"]])

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
        return self._tokens(token)

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


def store_prefix(key: str) -> str:
    """Return what the names of a cluster's collections start with."""
    return f"cluster:{key}:"


def _profile(record: dict[str, Any]) -> NodePoolProfile:
    return NodePoolProfile(**{**record, "taints": tuple(record["taints"]), "zones": tuple(record["zones"])})


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
