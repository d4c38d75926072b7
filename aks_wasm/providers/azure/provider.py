"""The Azure provider: the eight verbs over Resource Manager, whichever endpoint answers as it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions

from aks_wasm.errors import Problem, Refused, ServiceError, UsageError
from aks_wasm.providers.azure import models
from aks_wasm.providers.azure.clients import Clients, answer_of, document_of
from aks_wasm.providers.azure.durations import TYPICAL_SECONDS
from aks_wasm.providers.azure.errors import translated
from aks_wasm.providers.azure.features import Features, asks_preview, provider_state, register_providers
from aks_wasm.providers.azure.groups import ensure_group
from aks_wasm.providers.azure.inventory import owned
from aks_wasm.providers.azure.kubeconfig import without_kubelogin
from aks_wasm.providers.azure.operations import Send, converge, state_of
from aks_wasm.providers.azure.preflight import find_problems
from aks_wasm.providers.azure.reads import Reads
from aks_wasm.providers.azure.registry import ImageRegistry
from aks_wasm.providers.azure.subscription import find_subscription
from aks_wasm.providers.azure.teardown import Teardown
from aks_wasm.providers.base import (
    LOCAL_PREFIX,
    ClusterRequest,
    NodePoolRequest,
    Observed,
    Prerequisite,
    ProviderInfo,
)
from aks_wasm.providers.marks import OWNER_TAG, Owned, lacking
from aks_wasm.providers.ownership import refuse_foreign_cluster, refuse_foreign_group
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience

if TYPE_CHECKING:
    from aks_wasm.wasm.archive import ImageArchive

KUBERNETES_SCOPE = (
    "6dae42f8-4368-4678-94ff-3960e28e3630/.default"  # the AKS server application, the same in every cloud
)

_ABSENT = {"match_condition": MatchConditions.IfMissing}

Document = dict[str, Any]
Match = Mapping[str, Any]
"""Under which condition a write is to happen, in the SDK's words."""


class AzureProvider:
    """Clusters of one subscription. Safe to use from several threads.

    Attributes:
        features: The preview feature, for the `feature` command.
        typical_seconds: How long the service takes for steps of a plan.
    """

    typical_seconds = TYPICAL_SECONDS

    def __init__(
        self,
        clients: Clients,
        spec: ClusterSpec,
        registry: ImageRegistry | None = None,
        exec_environment: Mapping[str, str] | None = None,
    ) -> None:
        """Take the clients; the subscription is looked up with the first request.

        Args:
            clients: How to reach Resource Manager.
            spec: Names the subscription, if it does.
            registry: Where images are pushed; None when none is configured.
            exec_environment: What `aks-wasm kube-token` needs to find the same account from a kubeconfig.
        """
        self._unbound = clients
        self._named = spec.azure.subscription
        self._registry = registry
        self._exec_environment = exec_environment or {}

    @property
    def info(self) -> ProviderInfo:
        """Groups, preview pools, pools inside the cluster's request; keeps what a failed run made."""
        return ProviderInfo(
            name="azure",
            has_resource_groups=True,
            has_preview_pools=True,
            folds_node_pools=True,
            images="registry" if self._registry else "none",
            image_prefix=self._registry.prefix if self._registry else LOCAL_PREFIX,
            keeps_on_failure=True,
            costs_money=not self._unbound.connection.is_loopback,
        )

    @cached_property
    def _clients(self) -> Clients:
        self._unbound.subscription = find_subscription(self._unbound, self._named)
        return self._unbound

    @cached_property
    def features(self) -> Features:
        """The preview feature, for the `feature` command."""
        return Features(self._clients)

    @cached_property
    def _reads(self) -> Reads:
        return Reads(self._clients)

    def observe(self, spec: ClusterSpec) -> Observed:
        """Look at the group, the cluster, and at registrations where they still matter: 2 to 4 reads.

        A group that is being deleted counts as missing, and its cluster as gone although it can still be read.
        """
        group = self._reads.group(spec)
        stays = group is not None and state_of(group) != "Deleting"
        document = self._reads.cluster(spec) if stays else None
        cluster = models.observed_cluster(document) if document else None
        missing: set[Prerequisite] = set() if stays else {Prerequisite.GROUP}
        provider, feature = None, None
        if cluster is None:
            provider = provider_state(self._clients)
        if asks_preview(spec, cluster):
            feature = self.features.show().state
        if provider not in (None, "Registered"):
            missing.add(Prerequisite.PROVIDER)
        if feature not in (None, "Registered"):
            missing.add(Prerequisite.FEATURE)
        return Observed(
            cluster=cluster,
            group=models.observed_group(group) if group else None,
            missing=frozenset(missing),
            feature_state=feature,
            provider_state=provider,
        )

    def check(self, spec: ClusterSpec, observed: Observed) -> list[Problem]:
        """Find what would fail later.

        Raises:
            Refused: The group or the cluster is somebody else's.
        """
        if observed.group is not None:
            refuse_foreign_group(observed.group, spec.name, unmarked_is_fine=spec.azure.resource_group is not None)
        if observed.cluster is not None:
            refuse_foreign_cluster(observed.cluster, spec.name)
        return find_problems(self._clients, spec, observed)

    def ensure(self, prerequisite: Prerequisite, spec: ClusterSpec, patience: Patience) -> None:
        """Put a prerequisite in place and wait for it."""
        match prerequisite:
            case Prerequisite.PROVIDER:
                register_providers(self._clients, patience)
            case Prerequisite.FEATURE:
                self.features.register(patience=patience)
            case Prerequisite.GROUP:
                ensure_group(self._reads, spec, patience)

    def put_cluster(self, spec: ClusterSpec, request: ClusterRequest, patience: Patience) -> None:
        """Create the cluster, or bring an existing one's tags up to date; joins what is under way."""

        def decide(live: Document | None) -> Send | None:
            if live is None:
                return self._create_cluster(spec, request)
            refuse_foreign_cluster(models.observed_cluster(live), spec.name)
            return self._update_cluster(spec, request, live)

        subject = self._reads.cluster_subject(spec)
        converge(self._clients, subject, decide, f"create the cluster `{spec.name}`", patience)

    def put_node_pool(self, spec: ClusterSpec, request: NodePoolRequest, patience: Patience) -> None:
        """Create a pool, or bring an existing one to the request; joins what is under way.

        Raises:
            PreviewRetired: A WASI pool was asked for and refused.
            Refused: The pool is there with machines that can't be changed into these.
        """

        def decide(live: Document | None) -> Send | None:
            if live is None:
                properties = models.pool_properties(request, spec.name)
                return self._send_pool(spec, request.name, properties, _ABSENT)
            if (why := models.unchangeable(live, request)) is not None:
                raise Refused(
                    f"the node pool `{request.name}` can't become what the file asks for: {why}",
                    code="PropertyChangeNotAllowed",
                    hint=f"add a pool of another name, or delete it: `aks-wasm nodepool delete {request.name}`",
                )
            change = models.pool_change(live, request)
            match = unchanged(live["properties"].get("eTag"))
            return None if change is None else self._send_pool(spec, request.name, change, match)

        subject = self._reads.pool_subject(spec, request.name)
        converge(self._clients, subject, decide, f"create the node pool `{request.name}`", patience)

    def delete(self, spec: ClusterSpec, node_pool: str | None, patience: Patience, *, wait: bool) -> None:
        """Delete a pool, or the cluster and the group that carries our mark; absent is fine."""
        teardown = Teardown(self._reads)
        if node_pool is not None:
            teardown.node_pool(spec, node_pool, patience, wait=wait)
        else:
            teardown.everything(spec, patience, wait=wait)

    def kubeconfig(self, spec: ClusterSpec) -> str:
        """Return the user's kubeconfig; that of an Entra cluster gets its tokens from `aks-wasm kube-token`."""
        with translated(f"fetch the credentials of the cluster `{spec.name}`"):
            document = self._clients.aks.managed_clusters.list_cluster_user_credentials(
                spec.resource_group, spec.name, format="exec", cls=document_of
            )
        files = document.get("kubeconfigs") or ()
        if not files:
            raise ServiceError(
                f"AKS gives no credentials for the cluster `{spec.name}`",
                code="NoCredentials",
                hint="the role `Azure Kubernetes Service Cluster User Role` is needed",
            )
        return without_kubelogin(base64.b64decode(files[0]["value"]).decode(), self._exec_environment)

    def deliver_image(self, spec: ClusterSpec, image: ImageArchive, patience: Patience) -> None:
        """Push the image to the registry.

        Raises:
            UsageError: No registry is configured.
        """
        del spec
        if self._registry is None:
            raise UsageError(
                f"there is no registry to push `{image.name}` to",
                code="NoRegistry",
                hint="set `registry.login` in the file or AKS_WASM_REGISTRY, for example `myregistry.azurecr.io`",
            )
        self._registry.push(image, patience)

    def owned(self) -> list[Owned]:
        """Return everything in the subscription that carries our mark."""
        return owned(self._clients)

    def token(self, scope: str = KUBERNETES_SCOPE) -> tuple[str, int]:
        """Return a bearer token and when it ends (seconds since 1970), for `kube-token` and registries."""
        with translated("get a token"):
            token = self._unbound.credential.get_token(scope)
        return token.token, token.expires_on

    def close(self) -> None:
        """Close every connection."""
        self._unbound.close()

    def _create_cluster(self, spec: ClusterSpec, request: ClusterRequest) -> Send:
        if request.tags.get(OWNER_TAG) != spec.name:
            raise ValueError("a cluster is only made with our mark")  # a bug: the planner sets it
        return self._send_cluster(spec, models.cluster_body(request), _ABSENT)

    def _update_cluster(self, spec: ClusterSpec, request: ClusterRequest, live: Document) -> Send | None:
        tags = live.get("tags") or {}
        if state_of(live) != "Succeeded":
            return self._send_cluster(spec, models.cluster_retry(live, request.tags), unchanged(live.get("eTag")))
        missing = lacking(tags, request.tags)
        if not missing:
            return None
        clusters = self._clients.aks.managed_clusters
        body: Any = {"tags": {**tags, **missing}}
        match = unchanged(live.get("eTag"))
        names = (spec.resource_group, spec.name)

        def send() -> Any:
            return clusters.begin_update_tags(*names, body, polling=False, cls=answer_of, **match).result()

        return send

    def _send_cluster(self, spec: ClusterSpec, document: Document, match: Match) -> Send:
        clusters = self._clients.aks.managed_clusters
        body: Any = document
        names = (spec.resource_group, spec.name)

        def send() -> Any:
            return clusters.begin_create_or_update(*names, body, polling=False, cls=answer_of, **match).result()

        return send

    def _send_pool(self, spec: ClusterSpec, pool: str, properties: Document, match: Match) -> Send:
        pools = self._clients.aks.agent_pools
        body: Any = {"properties": properties}
        names = (spec.resource_group, spec.name, pool)

        def send() -> Any:
            return pools.begin_create_or_update(*names, body, polling=False, cls=answer_of, **match).result()

        return send


def unchanged(etag: str | None) -> Match:
    """Write only over what was read; what is there and has no eTag yet (a creation that failed) is written as it is."""
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
