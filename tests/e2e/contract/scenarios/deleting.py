"""Deleting: what is answered, what stays for a while, preconditions."""

from __future__ import annotations

from tests.e2e.contract.scenarios.objects import config_map, deployment, job, pod
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript


@scenario
def a_deletion_is_answered(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/configmaps", config_map())
    api.delete(f"{space.core}/configmaps/settings")
    api.delete(f"{space.core}/configmaps/settings")
    api.post(f"{space.apps}/deployments", deployment())
    api.delete(f"{space.apps}/deployments/web")


@scenario
def deletions_wait_for_finalizers(api: Transcript, space: Space) -> None:
    kept = {**config_map(), "metadata": {"name": "settings", "finalizers": ["example.org/wait"]}}
    api.post(f"{space.core}/configmaps", kept)
    api.delete(f"{space.core}/configmaps/settings")
    api.get(f"{space.core}/configmaps/settings")
    api.patch(f"{space.core}/configmaps/settings", {"metadata": {"finalizers": ["other.org/more"]}})
    api.patch(f"{space.core}/configmaps/settings", {"metadata": {"finalizers": None}})
    api.get(f"{space.core}/configmaps/settings")


@scenario
def propagation_becomes_a_finalizer(api: Transcript, space: Space) -> None:
    api.post(f"{space.apps}/deployments", deployment())
    api.delete(f"{space.apps}/deployments/web", {"propagationPolicy": "Foreground"})
    api.get(f"{space.apps}/deployments/web")
    api.post(f"{space.batch}/jobs", job())
    api.delete(f"{space.batch}/jobs/task", {"propagationPolicy": "Orphan"})
    api.delete(f"{space.core}/configmaps/none", {"propagationPolicy": "Sideways"})


@scenario
def a_pod_that_was_never_placed_goes_at_once(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/pods", pod())
    api.delete(f"{space.core}/pods/one")
    api.get(f"{space.core}/pods/one")


@scenario
def a_placed_pod_gets_its_grace(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/pods", pod(nodeName="somewhere", terminationGracePeriodSeconds=7))
    api.delete(f"{space.core}/pods/one")
    api.get(f"{space.core}/pods/one")
    api.delete(f"{space.core}/pods/one", {"gracePeriodSeconds": 0})
    api.get(f"{space.core}/pods/one")


@scenario
def preconditions(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/configmaps", config_map())
    wrong = {"uid": "00000000-0000-4000-8000-000000000000"}
    api.delete(f"{space.core}/configmaps/settings", {"preconditions": wrong})
    api.delete(f"{space.core}/configmaps/settings", {"preconditions": {"resourceVersion": "1"}})
    api.delete(f"{space.core}/configmaps/settings?dryRun=All")
    api.get(f"{space.core}/configmaps/settings")


@scenario
def a_collection_goes_by_selector(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/configmaps", config_map("a", labels={"app": "a"}))
    api.post(f"{space.core}/configmaps", config_map("b", labels={"app": "b"}))
    api.delete(f"{space.core}/configmaps?labelSelector=app%3Da")
    api.get(f"{space.core}/configmaps?labelSelector=app")


@scenario
def a_namespace_ends(api: Transcript, space: Space) -> None:
    name = f"{space.name}-more"
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.delete(f"/api/v1/namespaces/{name}")
    api.get(f"/api/v1/namespaces/{name}")
    api.post(f"/api/v1/namespaces/{name}/configmaps", config_map())
    api.delete("/api/v1/namespaces/kube-system")
