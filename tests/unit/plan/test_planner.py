from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.errors import Refused
from aks_wasm.kube.matching import stamped
from aks_wasm.kube.runtime_users import User
from aks_wasm.plan.live import LiveObjects
from aks_wasm.plan.planner import Seen, plan_up
from aks_wasm.providers.base import (
    ChosenRoute,
    Observed,
    ObservedCluster,
    ObservedGroup,
    ObservedNodePool,
    Prerequisite,
    ProviderInfo,
)
from aks_wasm.providers.marks import marks
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.installer import ProbeImage, probe_image_key, stay_image_key
from aks_wasm.shims.labels import READY, ready_label
from aks_wasm.shims.probe import proof
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.steps.cluster import PutCluster
from aks_wasm.steps.node_pool import PutNodePool
from aks_wasm.steps.step import Step
from aks_wasm.steps.wanted import Wanted
from aks_wasm.wasm.archive import ImageArchive

AZURE = ProviderInfo(
    name="azure",
    has_resource_groups=True,
    has_preview_pools=True,
    folds_node_pools=True,
    images="registry",
    image_prefix="registry.test",
    keeps_on_failure=True,
    costs_money=True,
)
EMBEDDED = replace(AZURE, name="embedded", has_resource_groups=False, has_preview_pools=False, images="load")
TAGS = {"aks-wasm-owner": "demo"}


def wanted(route: str = "auto", **pool: Any) -> Wanted:
    spec = ClusterSpec.model_validate(
        {
            "metadata": {"name": "demo"},
            "nodePools": [{"name": "wasm", "arch": "arm64", "route": route, **pool}],
            "workloads": [{"name": "web", "source": "spin.toml", "replicas": 2}],
        }
    )
    shims = select(spec.shims)
    keys = ["web", *(probe_image_key(shim) for shim in shims)]
    images = {key: ImageArchive(f"registry.test/demo-{key}:1", Path("x.tar"), "sha256:1") for key in keys}
    probes = {
        key: ProbeImage(f"aks-wasm.local/demo-{key}:1", b"tar")
        for shim in shims
        for key in (probe_image_key(shim), stay_image_key(shim))
    }
    return Wanted(spec, shims, images, probes=probes)


def plan(what: Wanted, observed: Observed, live: LiveObjects | None = None, info: ProviderInfo = AZURE) -> list[Step]:
    return list(plan_up(what, Seen(observed, live or LiveObjects(), info), marks(what.spec)))


def names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


NOTHING = Observed(missing=frozenset({Prerequisite.FEATURE, Prerequisite.GROUP}))


def converged(what: Wanted, route: ChosenRoute = "shim") -> tuple[Observed, LiveObjects]:
    """What is seen after a run that did everything."""
    spec = what.spec.node_pools[0]
    pool = ObservedNodePool(
        name="wasm",
        state="Succeeded",
        mode="User",
        count=1,
        arch="arm64",
        labels=what.labels(route, spec),
        taints=spec.taints,
        route=route,
    )
    cluster = ObservedCluster("demo", "Succeeded", "westeurope", "1.35.5", TAGS, (pool,), api_server="https://x")
    routes = {"wasm": route}
    objects = {}
    for manifest in [
        *what.runtime_manifests(routes),
        *what.probe_manifests(routes),
        *what.workload_manifests(what.spec.workloads[0], routes),
    ]:
        live = stamped(manifest)
        live["status"] = {
            "observedGeneration": 1,
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
            "loadBalancer": {"ingress": [{"ip": "127.0.0.9"}]},
        }
        if manifest["metadata"]["name"].startswith("aks-wasm-probe-"):
            live["metadata"]["annotations"]["aks-wasm.dev/asked-by"] = "file"
        if manifest["kind"] == "DaemonSet":
            live["status"] |= {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}
            live["status"]["numberReady"] = 1
        metadata = manifest["metadata"]
        objects[manifest["kind"], metadata.get("namespace"), metadata["name"]] = live
    node: dict[str, Any] = {
        "metadata": {"name": "n0", "labels": {"kubernetes.azure.com/agentpool": "wasm"}},
        "status": {"nodeInfo": {"bootID": "b1"}},
    }
    for runtime in what.runtimes(routes):
        node["metadata"]["annotations"] = proof(node, runtime.runtime_class, runtime.shim.version)
        node["metadata"]["labels"][ready_label(runtime.handler)] = READY
    return Observed(cluster, ObservedGroup("demo", "westeurope", TAGS)), LiveObjects(objects, (node,), reachable=True)


def test_from_nothing_everything_is_planned_in_order() -> None:
    steps = names(plan(wanted(), NOTHING))
    assert set(steps) == {
        "feature/WasmNodePoolPreview",
        "group/demo",
        "cluster/demo",
        "node-pool/wasm",
        "runtimes",
        "proof",
        "image/web",
        "image/probe-spin-completes",
        "workload/web",
    }
    order = ["group/demo", "cluster/demo", "node-pool/wasm", "runtimes", "workload/web"]
    assert [name for name in steps if name in order] == order


def test_the_feature_is_registered_and_images_are_pushed_beside_the_cluster() -> None:
    steps = {step.name: step for step in plan(wanted(), NOTHING)}
    assert "feature/WasmNodePoolPreview" not in steps["cluster/demo"].depends_on
    assert steps["image/web"].depends_on == ()


def test_auto_asks_for_the_preview_pool_first() -> None:
    pool = next(step for step in plan(wanted(), NOTHING) if isinstance(step, PutNodePool))
    assert pool.preview is not None
    assert (pool.preview.route, pool.request.route) == ("wasi-preview", "shim")


def test_route_shim_folds_the_pool_into_the_cluster_and_needs_no_feature() -> None:
    steps = plan(wanted("shim"), NOTHING)
    assert "node-pool/wasm" not in names(steps)
    assert "feature/WasmNodePoolPreview" not in names(steps)
    cluster = next(step for step in steps if isinstance(step, PutCluster))
    assert [pool.name for pool in cluster.request.pools] == ["system", "wasm"]


def test_the_cluster_carries_our_mark() -> None:
    cluster = next(step for step in plan(wanted(), NOTHING) if isinstance(step, PutCluster))
    assert cluster.request.tags["aks-wasm-owner"] == "demo"


def test_a_refusal_is_remembered_by_the_pool_that_took_the_other_route() -> None:
    what = wanted()
    observed, _ = converged(what)
    more = ClusterSpec.model_validate(
        what.spec.model_dump(by_alias=True) | {"nodePools": [{"name": "wasm", "arch": "arm64"}, {"name": "more"}]}
    )
    pool = next(s for s in plan(replace(what, spec=more), observed) if isinstance(s, PutNodePool))
    assert pool.name == "node-pool/more"
    assert pool.preview is None


@pytest.mark.parametrize("route", ["shim", "wasi-preview"])
def test_when_everything_is_so_nothing_is_planned(route: ChosenRoute) -> None:
    what = wanted(route if route == "shim" else "auto")
    assert plan(what, *converged(what, route)) == []


def test_local_images_are_loaded_once_the_nodes_are_there() -> None:
    steps = {step.name: step for step in plan(wanted(), Observed(), info=EMBEDDED)}
    assert "group/demo" not in steps
    assert "cluster/demo" in steps["image/web"].depends_on


def test_a_pool_of_another_size_is_scaled_and_its_nodes_are_proved() -> None:
    what = wanted(count=3)
    observed, live = converged(what)
    steps = plan(what, observed, live)
    assert names(steps)[0] == "node-pool/wasm"
    assert "proof" in names(steps)


@pytest.mark.parametrize(
    ("pool", "why"),
    [
        ({"arch": "amd64"}, "its machines are arm64, not amd64"),
        ({"spot": True}, "its machines are no spot machines"),
        ({"zones": ["1", "2"]}, "it is in the zones none, not in 1, 2"),
        ({"route": "wasi-preview"}, "its route is shim, not wasi-preview"),
    ],
)
def test_a_pool_that_can_not_become_what_is_wanted_is_refused_before_anything_is_done(
    pool: dict[str, Any], why: str
) -> None:
    observed, live = converged(wanted())
    with pytest.raises(Refused, match=why):
        plan(wanted(**pool), observed, live)


def test_a_reimaged_node_is_proved_again() -> None:
    what = wanted()
    observed, live = converged(what)
    node = {**live.nodes[0], "status": {"nodeInfo": {"bootID": "b2"}}}
    steps = plan(what, observed, replace(live, nodes=(node,)))
    assert names(steps) == ["proof"], "the installer brings the probe's image itself"


def test_a_node_that_lost_its_mark_is_looked_after() -> None:
    what = wanted()
    observed, live = converged(what)
    labels = {"kubernetes.azure.com/agentpool": "wasm"}
    node = {**live.nodes[0], "metadata": {**live.nodes[0]["metadata"], "labels": labels}}
    assert names(plan(what, observed, replace(live, nodes=(node,)))) == ["proof"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Lease", "shim-installer-0"),
        ("ConfigMap", "shim-installer"),
        ("ConfigMap", "shim-installer-probe"),
        ("DaemonSet", "shim-installer"),
        ("DaemonSet", "shim-probe-aks-wasm-spin-v0-25-1"),
        ("RuntimeClass", "aks-wasm-spin-v0-25-1"),
        ("RuntimeClass", "aks-wasm-probe-aks-wasm-spin-v0-25-1"),
    ],
)
def test_what_somebody_took_from_the_installer_is_put_back(kind: str, name: str) -> None:
    what = wanted()
    observed, live = converged(what)
    assert names(plan(what, observed, live)) == []
    left = {key: found for key, found in live.objects.items() if (key[0], key[2]) != (kind, name)}
    assert len(left) < len(live.objects)
    assert names(plan(what, observed, replace(live, objects=left))) == ["runtimes", "proof"]


def test_an_installer_that_was_edited_is_put_right() -> None:
    what = wanted()
    observed, live = converged(what)
    key = ("DaemonSet", "aks-wasm-system", "shim-installer")
    edited = copy.deepcopy(dict(live.objects[key]))
    edited["spec"]["template"]["spec"]["containers"][0]["image"] = "elsewhere/busybox"
    steps = plan(what, observed, replace(live, objects={**live.objects, key: edited}))
    assert names(steps) == ["runtimes", "proof"]


def test_pools_that_may_have_no_node_say_for_their_nodes_that_they_will_be_ready() -> None:
    label = "handler.aks-wasm.dev/aks-wasm-spin-v0-25-1"
    (grown,) = [s for s in plan(wanted("shim", min=0, max=3), NOTHING) if isinstance(s, PutCluster)]
    assert grown.request.pools[1].labels[label] == "ready"
    (fixed,) = [s for s in plan(wanted("shim"), NOTHING) if isinstance(s, PutCluster)]
    assert label not in fixed.request.pools[1].labels


def test_an_old_version_that_something_of_the_file_uses_goes_last() -> None:
    old = "aks-wasm-spin-v0-24-0"
    observed, live = converged(wanted())
    moving = replace(wanted(), outdated=frozenset({old}))
    key = ("Deployment", "default", "web")
    left = {k: found for k, found in live.objects.items() if k != key}
    steps = plan(moving, observed, replace(live, objects=left))
    assert names(steps)[-1] == "old-runtimes"
    assert "workload/web" in steps[-1].depends_on


def test_an_old_version_that_others_use_stays() -> None:
    old = frozenset({"aks-wasm-spin-v0-24-0"})
    observed, live = converged(wanted())
    assert names(plan(replace(wanted(), outdated=old, used_by_others=old), observed, live)) == []


def test_a_shim_that_left_the_file_goes_last_and_says_so() -> None:
    gone = "aks-wasm-wasmtime-v0-6-0"
    observed, live = converged(wanted())
    steps = plan(replace(wanted(), leaving=frozenset({gone})), observed, live)
    assert [step.describe() for step in steps] == [f"remove `{gone}` (no longer in the file)"]


def test_a_shim_that_left_the_file_and_is_used_by_others_is_refused() -> None:
    gone = "aks-wasm-wasmtime-v0-6-0"
    theirs = tuple(User("Deployment", "shop", f"web{n}", gone, runs=False, owner=None) for n in range(7))
    observed, live = converged(wanted())
    with pytest.raises(Refused, match=r"`deployment/web0 in shop`.* and 2 more"):
        plan(replace(wanted(), leaving=frozenset({gone}), leaving_users=theirs), observed, live)


def test_a_runtime_that_no_file_is_noted_to_have_asked_for_is_noted() -> None:
    what = wanted()
    observed, live = converged(what)
    key = ("RuntimeClass", None, "aks-wasm-probe-aks-wasm-spin-v0-25-1")
    by_hand = copy.deepcopy(dict(live.objects[key]))
    del by_hand["metadata"]["annotations"]["aks-wasm.dev/asked-by"]
    assert "runtimes" in names(plan(what, observed, replace(live, objects={**live.objects, key: by_hand})))


def test_a_deployment_that_was_changed_by_hand_is_put_right() -> None:
    what = wanted()
    observed, live = converged(what)
    key = ("Deployment", "default", "web")
    changed = {**live.objects[key], "spec": {**live.objects[key]["spec"], "replicas": 5}}
    steps = plan(what, observed, replace(live, objects={**live.objects, key: changed}))
    assert names(steps) == ["image/web", "workload/web"]


def test_what_is_being_deleted_is_not_there_any_more() -> None:
    what = wanted("shim")
    observed, live = converged(what)
    key = ("Deployment", "default", "web")
    going = copy.deepcopy(dict(live.objects[key]))
    going["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    assert names(plan(what, observed, replace(live, objects={**live.objects, key: going}))) == [
        "image/web",
        "workload/web",
    ]


def test_a_workload_that_left_the_file_is_deleted() -> None:
    what = wanted()
    observed, live = converged(what)
    fewer = replace(what, spec=what.spec.model_copy(update={"workloads": ()}))
    steps = plan(fewer, observed, live)
    assert [step.describe() for step in steps] == ["delete the workload `web` (no longer in the file)"]


def test_a_cluster_that_is_being_created_is_waited_for() -> None:
    what = wanted()
    observed, _ = converged(what)
    assert observed.cluster is not None
    creating = replace(observed, cluster=replace(observed.cluster, state="Creating"))
    assert "cluster/demo" in names(plan(what, creating))


def test_what_the_preview_can_not_run_brings_our_installer_onto_preview_pools() -> None:
    what = replace(wanted(), beyond_preview=frozenset({"web"}))
    routes: dict[str, ChosenRoute] = {"wasm": "wasi-preview"}
    kinds = [manifest["kind"] for manifest in what.runtime_manifests(routes)]
    assert "DaemonSet" in kinds
    assert kinds.count("RuntimeClass") == 3, "the service's, ours, and ours for probes"
    deployment = what.workload_manifests(what.spec.workloads[0], routes)[0]
    assert deployment["spec"]["template"]["spec"]["runtimeClassName"].startswith("aks-wasm-spin-")


def test_on_preview_pools_the_services_own_names_are_used() -> None:
    what = wanted()
    routes: dict[str, ChosenRoute] = {"wasm": "wasi-preview"}
    deployment = what.workload_manifests(what.spec.workloads[0], routes)[0]
    assert deployment["spec"]["template"]["spec"]["runtimeClassName"] == "wasmtime-spin-v2"
    assert "DaemonSet" not in [manifest["kind"] for manifest in what.runtime_manifests(routes)]
