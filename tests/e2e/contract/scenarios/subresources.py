"""Status, scale, binding, eviction, logs, ephemeral paths."""

from __future__ import annotations

from typing import Any

from tests.e2e.contract.scenarios.objects import deployment, job, node, pod
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript


@scenario
def a_status_has_its_own_path(api: Transcript, space: Space) -> None:
    made = api.post(f"{space.apps}/deployments", deployment())
    where = f"{space.apps}/deployments/web"
    api.put(f"{where}/status", {**made, "spec": {**made["spec"], "replicas": 9}, "status": {"replicas": 1}})
    api.patch(where, {"status": {"replicas": 4}})
    api.patch(f"{where}/status", {"status": {"readyReplicas": 1}})
    api.get(f"{where}/status")


@scenario
def a_pods_status_is_patched(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/pods", pod())
    ready = [{"type": "Ready", "status": "True"}]
    api.patch(f"{space.core}/pods/one/status", {"status": {"phase": "Running", "conditions": ready}}, "strategic")
    more = [{"type": "Initialized", "status": "True"}]
    api.patch(f"{space.core}/pods/one/status", {"status": {"conditions": more}}, "strategic")
    api.patch(f"{space.core}/pods/one/status", {"status": {"phase": "Sleeping"}})


@scenario
def scale_is_a_window(api: Transcript, space: Space) -> None:
    api.post(f"{space.apps}/deployments", deployment())
    scale = api.get(f"{space.apps}/deployments/web/scale")
    api.put(f"{space.apps}/deployments/web/scale", {**scale, "spec": {"replicas": 4}})
    api.patch(f"{space.apps}/deployments/web/scale", {"spec": {"replicas": 5}})
    api.patch(f"{space.apps}/deployments/web/scale", {"spec": {"replicas": -5}})
    api.get(f"{space.core}/configmaps/none/scale")


@scenario
def a_binding_places_a_pod(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/pods", pod())
    binding: dict[str, Any] = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "one"}}
    binding["target"] = {"apiVersion": "v1", "kind": "Node", "name": "somewhere"}
    api.post(f"{space.core}/pods/one/binding", binding)
    api.get(f"{space.core}/pods/one")
    api.post(f"{space.core}/pods/one/binding", binding)


@scenario
def logs_of_what_does_not_run(api: Transcript, space: Space) -> None:
    api.get(f"{space.core}/pods/none/log")
    api.post(f"{space.core}/pods", pod())
    api.get(f"{space.core}/pods/one/log")
    api.get(f"{space.core}/pods/one/log?container=other")
    two = [{"name": name, "image": "x"} for name in ("a", "b")]
    api.post(f"{space.core}/pods", pod("two", containers=two))
    api.get(f"{space.core}/pods/two/log")
    api.get(f"{space.core}/pods/one/log?tailLines=-1")


@scenario
def an_eviction(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/pods", pod())
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "one"}}
    api.post(f"{space.core}/pods/one/eviction", eviction)
    api.get(f"{space.core}/pods/one")


@scenario
def nodes_are_written(api: Transcript, space: Space) -> None:
    name = f"node-{space.name}"
    api.post("/api/v1/nodes", node(name, {"wasm": "yes"}))
    taint = {"spec": {"taints": [{"key": "wasm", "effect": "NoSchedule"}], "unschedulable": True}}
    api.patch(f"/api/v1/nodes/{name}", taint, "strategic")
    capacity = {"status": {"capacity": {"cpu": "2", "memory": "4Gi"}}}
    api.patch(f"/api/v1/nodes/{name}/status", capacity, "strategic")
    api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": [{"key": "a", "effect": "Never"}]}}, "strategic")
    api.delete(f"/api/v1/nodes/{name}")


@scenario
def a_jobs_status_is_written(api: Transcript, space: Space) -> None:
    api.post(f"{space.batch}/jobs", job())
    api.patch(f"{space.batch}/jobs/task/status", {"status": {"active": 1}})
    api.patch(f"{space.batch}/jobs/task", {"spec": {"suspend": True}})
    api.patch(f"{space.batch}/jobs/task", {"spec": {"completions": 4}})
