"""A subscription of a running emulator, as tests use it: through the real Azure SDK and through plain requests."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from azure.identity import ClientSecretCredential
from azure.mgmt.containerservice import ContainerServiceClient, models
from azure.mgmt.resource.features import FeatureClient
from azure.mgmt.resource.resources import ResourceManagementClient

from aks_wasm.emulator.identity import OWNER, READER, Principal
from tests.emulator.arm.server import ArmServer

AKS_VERSION = "2026-08-01"
RESOURCES_VERSION = "2025-04-01"
SYSTEM_POOL = {"name": "system", "count": 1, "vmSize": "Standard_D2s_v5", "osType": "Linux", "mode": "System"}


def cluster_body(**properties: Any) -> dict[str, Any]:
    """What the SDK sends for the smallest cluster."""
    return {
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "sku": {"name": "Base", "tier": "Free"},
        "properties": {"dnsPrefix": "d", "agentPoolProfiles": [dict(SYSTEM_POOL)], **properties},
    }


def pool_body(**properties: Any) -> dict[str, Any]:
    """What the SDK sends for the smallest user pool."""
    shape = {"count": 1, "mode": "User", "osType": "Linux", "vmSize": "Standard_D2ps_v5"}
    return {"properties": {**shape, "type": "VirtualMachineScaleSets", **properties}}


def cluster_model() -> models.ManagedCluster:
    """The smallest cluster in the SDK's own classes."""
    pool = models.ManagedClusterAgentPoolProfile(
        name="system", count=1, vm_size="Standard_D2ps_v5", os_type="Linux", mode="System"
    )
    return models.ManagedCluster(
        location="westeurope",
        properties=models.ManagedClusterProperties(dns_prefix="d", agent_pool_profiles=[pool]),
        identity=models.ManagedClusterIdentity(type="SystemAssigned"),
    )


class Azure:
    """Clients of one emulator, signed in as the built-in owner."""

    def __init__(self, server: ArmServer) -> None:
        self.server = server
        self.url = server.url
        self.ca = str(server.ca_file)
        environment = server.context.tokens.environment()
        self.tenant = environment["AZURE_TENANT_ID"]
        self.secret = environment["AZURE_CLIENT_SECRET"]
        self.subscription = environment["AZURE_SUBSCRIPTION_ID"]
        self.http = requests.Session()
        self.http.verify = self.ca
        self.credential = self.sign_in(self.secret)
        options: dict[str, Any] = {
            "base_url": self.url,
            "credential_scopes": [f"{self.url}/.default"],
            "connection_verify": self.ca,
            "polling_interval": 0,
            "retry_backoff_factor": 0,
        }
        self.aks = ContainerServiceClient(self.credential, self.subscription, **options)
        self.resources = ResourceManagementClient(self.credential, self.subscription, **options)
        self.features = FeatureClient(self.credential, self.subscription, **options)
        self._tokens: dict[str, str] = {}
        self.register("Microsoft.ContainerService")

    def close(self) -> None:
        for client in (self.aks, self.resources, self.features, self.credential, self.http):
            client.close()

    def sign_in(self, secret: str, *, tenant: str | None = None) -> ClientSecretCredential:
        return ClientSecretCredential(
            tenant or self.tenant,
            OWNER.client_id,
            secret,
            authority=self.url,
            disable_instance_discovery=True,
            connection_verify=self.ca,
        )

    def token(self, principal: Principal = OWNER, scope: str | None = None) -> str:
        """Return a token of a principal; only the owner's secret is public, the reader signs in by assertion."""
        key = f"{principal.name} {scope}"
        if key not in self._tokens:
            self._tokens[key] = self.sign_in_raw(principal, scope or f"{self.url}/.default").json()["access_token"]
        return self._tokens[key]

    def sign_in_raw(self, principal: Principal, scope: str, **fields: str) -> requests.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": principal.client_id,
            "scope": scope,
            **(fields or {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion()}),
        }
        return self.http.post(f"{self.url}/{self.tenant}/oauth2/v2.0/token", data=form, timeout=20)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Send a plain request; `version`, `headers`, `params`, `principal` may be given."""
        version = options.get("version", AKS_VERSION if "ContainerService" in path else RESOURCES_VERSION)
        headers = {"Authorization": f"Bearer {self.token(options.get('principal', OWNER))}"}
        url = path if path.startswith("https://") else f"{self.url}{path}"
        params = {**({"api-version": version} if version and "?" not in path else {}), **options.get("params", {})}
        return self.http.request(
            method, url, json=body, params=params, headers={**headers, **options.get("headers", {})}, timeout=20
        )

    def ended(self, response: requests.Response) -> dict[str, Any]:
        """Poll the operation of an answer until it has ended; return its document."""
        while True:
            status: dict[str, Any] = self.call("GET", response.headers["azure-asyncoperation"]).json()
            if "endTime" in status:
                return status

    def register(self, namespace: str) -> None:
        path = f"/subscriptions/{self.subscription}/providers/{namespace}"
        self.call("POST", f"{path}/register", version=RESOURCES_VERSION)

    @contextmanager
    def fault(self, name: str, path: str, **parameters: Any) -> Iterator[None]:
        """Script a fault for the length of a `with`."""
        match = {"path": path, "method": parameters.pop("method", None)}
        document = {"fault": name, "match": match, **parameters}
        faults = self.server.context.faults
        scripted = self.server.do(lambda: faults.add(document))
        try:
            yield
        finally:
            self.server.do(lambda: faults.remove(scripted.id))


ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def assertion(*, lifetime: int = 300) -> str:
    """Return what a pipeline's identity provider would hand out."""
    claims = {"iss": "https://ci.example", "sub": "repo:x", "exp": int(time.time()) + lifetime}
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@dataclass(frozen=True)
class Place:
    """A resource group of a test's own."""

    azure: Azure
    group: str

    @property
    def path(self) -> str:
        return f"/subscriptions/{self.azure.subscription}/resourceGroups/{self.group}"

    def cluster(self, name: str = "c") -> str:
        return f"{self.path}/providers/Microsoft.ContainerService/managedClusters/{name}"

    def pool(self, name: str, cluster: str = "c") -> str:
        return f"{self.cluster(cluster)}/agentPools/{name}"

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.azure.call(method, path, body, **options)

    def make_cluster(self, name: str = "c", **properties: Any) -> dict[str, Any]:
        """Make a cluster and wait for it; return it."""
        answer = self.call("PUT", self.cluster(name), cluster_body(**properties))
        assert answer.status_code == 201, answer.text
        assert self.azure.ended(answer)["status"] == "Succeeded"
        made: dict[str, Any] = self.call("GET", self.cluster(name)).json()
        return made

    def make_pool(self, name: str = "wasm", **properties: Any) -> dict[str, Any]:
        """Make a pool and wait for it; return it."""
        answer = self.call("PUT", self.pool(name), pool_body(**properties))
        assert answer.status_code == 201, answer.text
        assert self.azure.ended(answer)["status"] == "Succeeded"
        made: dict[str, Any] = self.call("GET", self.pool(name)).json()
        return made

    def vanish(self) -> None:
        answer = self.call("DELETE", self.path)
        while answer.status_code == 202:
            answer = self.call("GET", answer.headers["location"])


@contextmanager
def place_in(azure: Azure) -> Iterator[Place]:
    """Make a group with a name of its own, and take it away with everything in it."""
    place = Place(azure, f"rg-{uuid.uuid4().hex[:8]}")
    made = azure.call("PUT", place.path, {"location": "westeurope"})
    assert made.status_code == 201, made.text
    try:
        yield place
    finally:
        place.vanish()


__all__ = ["AKS_VERSION", "OWNER", "READER", "Azure", "Place", "assertion", "cluster_body", "place_in", "pool_body"]
