from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aks_wasm.errors import Refused
from aks_wasm.shims.catalogue import Platform, select
from aks_wasm.shims.node_report import NodeReport
from aks_wasm.shims.runtime_class_manager import (
    installs_alike,
    not_in_effect,
    shim_name,
    shim_of,
    shim_problems,
    shim_resource,
    why_dropped,
    why_unfit,
)
from aks_wasm.steps.shim_controller import refuse_in_vain
from tests.kube.shim_controller import definition

SPIN, WASMTIME = select(("spin", "wasmtime"))
AZURE = "azure:///subscriptions/1/resourceGroups/mc/providers/Microsoft.Compute/virtualMachineScaleSets/x/1"


def node(runtime: str, image: str, provider: str = AZURE, name: str = "n") -> dict[str, Any]:
    info = {"containerRuntimeVersion": f"containerd://{runtime}", "osImage": image}
    return {"metadata": {"name": name}, "spec": {"providerID": provider}, "status": {"nodeInfo": info}}


def report(version: int, plugin: str, containerd: str = "2.3.2") -> NodeReport:
    return NodeReport(
        "n", containerd, "/etc/containerd/config.toml", version, plugin, False, (), None, None, (), True, None
    )


def test_everything_is_called_after_the_binary() -> None:
    assert [shim_name(shim) for shim in (SPIN, WASMTIME)] == ["spin-v2", "wasmtime-v1"]
    made = shim_resource(SPIN, owner="demo")
    assert made["metadata"]["name"] == made["spec"]["runtimeClass"]["handler"] == "spin-v2"
    assert made["spec"]["runtimeClass"]["name"] == "aks-wasm-spin-v0-25-1"
    assert made["spec"]["rolloutStrategy"] == {"type": "recreate"}
    assert made["spec"]["containerdRuntimeOptions"] == {"SystemdCgroup": "true"}
    assert [one["arch"] for one in made["spec"]["fetchStrategy"]["platforms"]] == ["amd64", "arm64"]


@pytest.mark.parametrize(
    ("runtime", "image", "provider", "dropped"),
    [
        ("2.3.2-1", "Ubuntu 24.04.3 LTS", AZURE, True),
        ("2.2.4", "Microsoft Azure Linux 3.0", AZURE, True),
        ("1.7.30-1", "Ubuntu 22.04.5 LTS", AZURE, False),
        ("2.3.4", "Debian GNU/Linux 12 (bookworm)", "kind://docker/demo/worker", False),
        ("2.3.4", "Ubuntu 24.04.3 LTS", "aws:///eu-west-1a/i-1", False),
    ],
)
def test_where_its_block_is_dropped_is_told_by_the_nodes_image(
    runtime: str, image: str, provider: str, dropped: bool
) -> None:
    assert bool(why_dropped(node(runtime, image, provider), None)) == dropped


def test_what_our_installer_says_of_a_node_counts_more_than_its_image() -> None:
    there = node("2.3.2-1", "Ubuntu 24.04.3 LTS")
    assert why_dropped(there, report(2, "io.containerd.cri.v1.runtime"))
    assert why_dropped(there, report(2, "io.containerd.grpc.v1.cri")) is None
    assert why_dropped(there, report(3, "io.containerd.cri.v1.runtime")) is None


def test_the_refusal_names_every_node_the_reason_and_two_ways_out() -> None:
    nodes = tuple(node("2.3.2-1", "Ubuntu 24.04.3 LTS", name=f"n{number}") for number in range(5))
    with pytest.raises(Refused) as refused:
        refuse_in_vain((SPIN,), (*nodes, node("1.7.30-1", "Ubuntu 22.04.5 LTS", name="old")))
    assert (refused.value.exit_code, refused.value.code) == (7, "BlockDropped")
    assert "nodes `n0`, `n1`, `n2` and 2 more: containerd 2.3.2-1 of Ubuntu 24.04.3 LTS drops" in refused.value.message
    assert "old" not in refused.value.message
    assert "`daemonset`" in (refused.value.hint or "")
    assert "--os-sku Ubuntu2204" in (refused.value.hint or "")


def test_two_versions_of_a_shim_and_what_is_no_archive_at_an_address_are_refused() -> None:
    older = select(("spin@v0.24.0",))[0]
    (twice,) = shim_problems((SPIN, older))
    assert "keeps one version of `spin-v2` on a node" in twice.message
    local = replace(SPIN, platforms=(Platform("amd64", "parts://0123456789ab", "0" * 64),))
    assert "no public address" in shim_problems((local,))[0].message
    with pytest.raises(Refused, match="can't install what is asked for"):
        refuse_in_vain((SPIN, older), ())


def test_a_shim_is_known_again_by_its_resource() -> None:
    for shim in (SPIN, WASMTIME, select(("spin@v0.24.0",))[0]):
        assert shim_of(shim_resource(shim, owner="demo")) == replace(shim, pinned=True)


def test_a_shim_of_others_is_known_by_what_it_fetches_or_by_its_binary() -> None:
    live = shim_resource(SPIN, owner="demo")
    live["metadata"]["annotations"] = {}
    del live["spec"]["fetchStrategy"]["platforms"][1]
    live["spec"]["runtimeClass"]["name"] = "wasmtime-spin-v2"
    assert (shim_of(live).name, shim_of(live).version) == ("spin", SPIN.version)
    live["spec"]["fetchStrategy"]["platforms"][0] |= {"location": "https://mirror.test/spin.tar.gz", "arch": "x86_64"}
    found = shim_of(live)
    assert (found.name, found.version, found.probe, found.platforms[0].arch) == ("spin", "", SPIN.probe, "amd64")
    live["metadata"]["name"] = "own-v1"
    live["spec"]["fetchStrategy"] = {"anonHttp": {"location": "https://mirror.test/own.tar.gz"}}
    assert (shim_of(live).name, shim_of(live).version, shim_of(live).platforms) == ("own-v1", "", ())


def test_labels_alone_are_no_reason_to_install_anew() -> None:
    live, wanted = shim_resource(SPIN, owner="demo"), shim_resource(SPIN, owner="other")
    assert installs_alike(live, wanted)
    assert not installs_alike(live, shim_resource(select(("spin@v0.24.0",))[0], owner="demo"))


def test_definitions_that_our_shims_do_not_fit_are_told() -> None:
    fit = definition()
    assert why_unfit(fit) is None
    (version,) = fit["spec"]["versions"]
    fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["fetchStrategy"]
    del fields["properties"]["platforms"]
    assert why_unfit(fit) == "it knows no `fetchStrategy.platforms`, as before v0.2.0"
    version["name"] = "v1beta1"
    assert why_unfit(fit) == "it serves v1beta1, not `v1alpha1`"


def test_a_kubelet_that_lists_no_handlers_says_nothing() -> None:
    there = node("2.3.2-1", "Ubuntu 24.04.3 LTS")
    assert not not_in_effect(there, "spin-v2")
    there["status"]["runtimeHandlers"] = [{"name": ""}, {"name": "runc"}]
    assert not_in_effect(there, "spin-v2")
    there["status"]["runtimeHandlers"].append({"name": "spin-v2"})
    assert not not_in_effect(there, "spin-v2")
