"""What every provider keeps to, whatever it talks to."""

from __future__ import annotations

import pytest

from aks_wasm.errors import Refused
from aks_wasm.providers.base import Prerequisite, Provider
from aks_wasm.providers.marks import OWNER_TAG
from tests.contract.targets import Target, node_names, patience, put_up


def test_at_first_there_is_nothing(provider: Provider, target: Target) -> None:
    seen = provider.observe(target.spec())
    assert seen.cluster is None
    assert seen.group is None
    assert (Prerequisite.GROUP in seen.missing) is provider.info.has_resource_groups


def test_a_good_spec_has_no_problem(provider: Provider, target: Target) -> None:
    spec = target.spec()
    assert provider.check(spec, provider.observe(spec)) == []


def test_a_cluster_comes_up_with_our_mark(provider: Provider, target: Target) -> None:
    spec = put_up(provider, target)
    seen = provider.observe(spec)
    assert seen.cluster is not None
    assert (seen.cluster.state, seen.cluster.owner) == ("Succeeded", target.name)
    (pool,) = seen.cluster.node_pools
    assert (pool.name, pool.mode, pool.count, pool.arch) == ("system", "System", 1, "amd64")
    assert seen.missing <= {Prerequisite.FEATURE}


def test_a_pool_is_added_and_scaled(provider: Provider, target: Target) -> None:
    spec = put_up(provider, target)
    provider.put_node_pool(spec, target.pool(1, labels={"a": "b"}, taints=("w=t:NoSchedule",)), patience())
    provider.put_node_pool(spec, target.pool(3, labels={"a": "b"}, taints=("w=t:NoSchedule",)), patience())
    cluster = provider.observe(spec).cluster
    assert cluster is not None
    pool = cluster.pool("wasm")
    assert pool is not None
    assert (pool.state, pool.count, pool.arch, pool.route) == ("Succeeded", 3, "arm64", target.route)
    assert pool.labels["a"] == "b"
    assert "w=t:NoSchedule" in pool.taints


def test_the_kubeconfig_works_and_the_nodes_are_there(provider: Provider, target: Target) -> None:
    spec = put_up(provider, target)
    provider.put_node_pool(spec, target.pool(2), patience())
    names = node_names(provider.kubeconfig(spec))
    assert sum("-wasm-" in name for name in names) == 2
    assert sum("-system-" in name for name in names) == 1


def test_what_is_as_asked_is_not_written_again(provider: Provider, target: Target) -> None:
    spec = put_up(provider, target)
    provider.put_node_pool(spec, target.pool(2), patience())
    before = target.mark()
    put_up(provider, target)
    provider.put_node_pool(spec, target.pool(2), patience())
    assert [line for line in target.writes(before) if target.name in line] == []


def test_new_tags_reach_an_existing_cluster_and_others_stay(provider: Provider, target: Target) -> None:
    spec = put_up(provider, target)
    provider.put_cluster(spec, target.request(**{"aks-wasm-route": "shim"}), patience())
    provider.put_cluster(spec, target.request(color="blue"), patience())
    cluster = provider.observe(spec).cluster
    assert cluster is not None
    assert cluster.tags == {OWNER_TAG: target.name, "aks-wasm-route": "shim", "color": "blue"}


def test_a_pool_of_other_machines_is_refused(provider: Provider, target: Target) -> None:
    spec = put_up(provider, target)
    provider.put_node_pool(spec, target.pool(), patience())
    with pytest.raises(Refused, match="node pool `wasm` can't become"):
        provider.put_node_pool(spec, target.pool(arch="amd64"), patience())


def test_a_pool_is_deleted_and_deleting_it_again_is_fine(provider: Provider, target: Target) -> None:
    spec = put_up(provider, target)
    provider.put_node_pool(spec, target.pool(), patience())
    for _ in range(2):
        provider.delete(spec, "wasm", patience(), wait=True)
    cluster = provider.observe(spec).cluster
    assert cluster is not None
    assert cluster.pool("wasm") is None
    assert cluster.pool("system") is not None


def test_deleting_leaves_nothing_and_deleting_again_is_fine(provider: Provider, target: Target) -> None:
    spec = put_up(provider, target)
    for _ in range(2):
        provider.delete(spec, None, patience(), wait=True)
        seen = provider.observe(spec)
        assert (seen.cluster, seen.group) == (None, None)


def test_deleting_what_never_was_writes_nothing(provider: Provider, target: Target) -> None:
    before = target.mark()
    provider.delete(target.spec(), None, patience(), wait=True)
    provider.delete(target.spec(), "wasm", patience(), wait=True)
    assert target.writes(before) == []


def test_a_cluster_of_another_owner_is_left_alone(provider: Provider, target: Target) -> None:
    theirs = put_up(provider, target)
    document = {"metadata": {"name": target.name}}
    ours = theirs.model_validate({**document, "metadata": {"name": target.name}, "target": theirs.target})
    provider.put_cluster(theirs, target.request(**{OWNER_TAG: "somebody"}), patience())
    before = target.mark()
    with pytest.raises(Refused, match="somebody"):
        provider.put_cluster(ours, target.request(), patience())
    with pytest.raises(Refused, match="somebody"):
        provider.check(ours, provider.observe(ours))
    with pytest.raises(Refused, match="somebody"):
        provider.delete(ours, None, patience(), wait=True)
    assert target.writes(before) == []
    assert provider.observe(ours).cluster is not None
