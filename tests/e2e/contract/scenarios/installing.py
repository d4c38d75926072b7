"""What the shim installer and its node script ask for: turns by leases, binaries in ConfigMaps, labels on nodes."""

from __future__ import annotations

import base64
from typing import Any

from tests.e2e.contract.scenarios.objects import Body, config_map, daemon_set, node
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript

MOMENT = "2026-11-22T18:00:00.000000Z"


def lease(name: str = "shim-installer-0", **spec: Any) -> Body:
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}


def taken(holder: str, was: str) -> list[Body]:
    """The patch by which a node takes a turn; it fails where another was faster."""
    return [
        {"op": "test", "path": "/spec/holderIdentity", "value": was},
        {"op": "replace", "path": "/spec/holderIdentity", "value": holder},
        {"op": "add", "path": "/spec/renewTime", "value": MOMENT},
    ]


@scenario
def a_turn_is_taken_and_given_back(api: Transcript, space: Space) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{space.name}/leases"
    api.post(leases, lease(holderIdentity=""))
    api.patch(f"{leases}/shim-installer-0", taken("node-1", ""), "json")
    api.post(leases, lease("shim-installer-1", leaseDurationSeconds=600))
    where = f"{leases}/shim-installer-1"
    api.patch(where, [{"op": "test", "path": "/spec/holderIdentity", "value": None}], "json")
    api.patch(where, [{"op": "add", "path": "/spec/holderIdentity", "value": "node-1"}], "json")
    api.patch(where, taken("node-2", "node-1"), "json")
    api.patch(where, taken("node-3", "node-1"), "json")
    api.patch(where, [{"op": "add", "path": "/spec/renewTime", "value": "yesterday"}], "json")
    api.patch(where, [{"op": "remove", "path": "/spec/holderIdentity"}], "json")
    api.get(where)
    api.apply(where, lease("shim-installer-1", holderIdentity="node-9", leaseDurationSeconds=600))
    api.apply(where, lease("shim-installer-1", leaseDurationSeconds=0))


@scenario
def binaries_lie_in_config_maps(api: Transcript, space: Space) -> None:
    maps = f"{space.core}/configmaps"
    part = base64.b64encode(bytes(range(256)) * 4).decode()
    whole = {**config_map("shim-0"), "immutable": True, "binaryData": {"part-000": part}}
    del whole["data"]
    api.post(maps, whole)
    api.get(f"{maps}/shim-0")
    api.patch(f"{maps}/shim-0", {"binaryData": {"part-000": "AAAA"}})
    api.patch(f"{maps}/shim-0", {"immutable": False})
    api.patch(f"{maps}/shim-0", {"metadata": {"labels": {"a": "b"}}})
    api.apply(f"{maps}/shim-0", whole)
    api.post(maps, {**config_map("odd"), "binaryData": {"part": "no base64!"}})
    api.post(maps, {**config_map("both", part="text"), "binaryData": {"part": "AAAA"}})
    api.delete(f"{maps}/shim-0")


@scenario
def a_daemon_sets_status_is_written_by_its_controller(api: Transcript, space: Space) -> None:
    api.post(f"{space.apps}/daemonsets", daemon_set())
    where = f"{space.apps}/daemonsets/agent"
    counts = {"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberMisscheduled": 0, "numberReady": 1}
    more = {"numberAvailable": 1, "numberUnavailable": 2, "updatedNumberScheduled": 3, "observedGeneration": 1}
    api.patch(f"{where}/status", {"status": {**counts, **more}})
    api.patch(f"{where}/status", {"status": {"numberReady": -1}})
    api.patch(where, {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "50%", "maxSurge": 0}}}})
    api.patch(where, {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}})
    api.patch(where, {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "half"}}}})
    api.patch(where, {"spec": {"updateStrategy": {"type": "Slowly"}}})
    api.patch(where, {"spec": {"template": {"spec": {"nodeSelector": {"aks-wasm.dev/shims": "installed"}}}}})
    api.get(where)


@scenario
def nodes_are_labelled_by_patches(api: Transcript, space: Space) -> None:
    api.post("/api/v1/nodes", node("labelled", {"a": "1"}))
    where = "/api/v1/nodes/labelled"
    handler = "handler.aks-wasm.dev/aks-wasm-spin-v0-25-1"
    api.patch(where, {"metadata": {"labels": {handler: "ready"}}})
    api.patch(where, {"metadata": {"labels": {handler: "ready"}}}, "strategic")
    escaped = handler.replace("~", "~0").replace("/", "~1")
    api.patch(where, [{"op": "test", "path": f"/metadata/labels/{escaped}", "value": "ready"}], "json")
    api.patch(where, [{"op": "remove", "path": f"/metadata/labels/{escaped}"}], "json")
    api.patch(where, [{"op": "remove", "path": f"/metadata/labels/{escaped}"}], "json")
    api.patch(where, {"metadata": {"labels": {"a": None}, "annotations": {"aks-wasm.dev/proof": "{}"}}})
    api.patch(where, {"metadata": {"labels": {"a": "not valid!"}}})
    api.get("/api/v1/nodes?labelSelector=handler.aks-wasm.dev%2Faks-wasm-spin-v0-25-1=ready")
    api.delete(where)


@scenario
def an_account_has_just_its_leases(api: Transcript, space: Space) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{space.name}/leases"
    for name in ("mine", "other"):
        api.post(leases, lease(name, holderIdentity=""))
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space.name}"
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "turns"}}
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["mine"]}
    api.post(f"{rbac}/roles", {**head, "kind": "Role", "rules": [{**rule, "verbs": ["get", "patch"]}]})
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader-id"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "turns"}
    api.post(f"{rbac}/rolebindings", {**head, "kind": "RoleBinding", "subjects": [subject], "roleRef": reference})
    api.settle()
    with api.as_token("reader") as reader:
        reader.patch(f"{leases}/mine", taken("node-1", ""), "json")
        reader.patch(f"{leases}/other", taken("node-1", ""), "json")
        reader.get(leases)
        reader.delete(f"{leases}/mine")
        reader.patch("/api/v1/nodes/labelled", {"metadata": {"labels": {"a": "b"}}})
