from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.admission import validate
from aks_wasm.emulator.cluster.statuses import ApiFailure
from aks_wasm.emulator.fleet import Fleet
from aks_wasm.emulator.node.images import RegistryTrust
from aks_wasm.emulator.node.profile import NodePoolProfile
from aks_wasm.emulator.state import Documents

KEY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/Demo"


@pytest.fixture
async def documents(tmp_path) -> AsyncIterator[Documents]:
    opened = Documents(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
async def fleet(documents, tmp_path) -> AsyncIterator[Fleet]:
    one = new_fleet(documents, tmp_path)
    yield one
    await one.close()


def new_fleet(documents: Documents, tmp_path: Path) -> Fleet:
    return Fleet(documents, Pace(0), tmp_path / "clusters", lambda _token: None, RegistryTrust())


def is_open(url: str) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


async def test_creating_a_cluster_twice_gives_the_same_one(fleet):
    first = await fleet.create(KEY, kubernetes_version="1.35.5")
    assert await fleet.create(KEY, kubernetes_version="1.35.5") is first
    assert fleet.get(KEY) is first
    assert fleet.keys() == [KEY]
    assert fleet.get("other") is None
    assert is_open(first.url)


async def test_nodes_are_those_of_the_pools_and_come_back_with_the_cluster(fleet, documents, tmp_path):
    cluster = await fleet.create(KEY, kubernetes_version="1.35.5")
    await cluster.converge([NodePoolProfile(name="wasm", count=2, taints=("a=b:NoSchedule",), zones=("1", "2"))])
    names = [node["metadata"]["name"] for node in cluster.store.list("nodes")]
    assert len(names) == 2
    url = cluster.url
    await fleet.close()
    assert not is_open(url)
    again = new_fleet(documents, tmp_path)
    await again.resume()
    back = again.get(KEY)
    assert back is not None
    assert back.url == url
    assert [node["metadata"]["name"] for node in back.store.list("nodes")] == names
    await back.converge([])
    assert back.store.list("nodes") == []
    await again.close()


async def test_aks_automatic_denies_workloads_that_reach_their_host_but_for_its_own(fleet, documents, tmp_path):
    await fleet.create(KEY, kubernetes_version="1.35.5", automatic=True)
    await fleet.close()
    again = new_fleet(documents, tmp_path)
    await again.resume()
    store = again.get(KEY).store
    containers = [{"name": "install", "image": "x:1", "securityContext": {"privileged": True}}]
    pods = {"spec": {"containers": containers, "volumes": [{"name": "host", "hostPath": {"path": "/"}}]}}
    meta = {"name": "shim-installer", "namespace": "aks-wasm-system"}

    with pytest.raises(ApiFailure) as refused:
        validate(store, "daemonsets.apps", None, {"metadata": meta, "spec": {"template": pods}})
    assert refused.value.code == 403
    assert refused.value.message == (
        'daemonsets.apps "shim-installer" is forbidden: ValidatingAdmissionPolicy '
        "'aks-managed-baseline-hostpath-volumes' with binding 'aks-managed-baseline-hostpath-volumes-binding' denied "
        "request: HostPath volumes are forbidden under restricted security policy unless containers mounting them are "
        "from allowed images"
    )
    with pytest.raises(ApiFailure, match="Privileged containers are disallowed"):
        validate(store, "pods", None, {"metadata": meta, "spec": {"containers": containers}})
    assert validate(store, "pods", None, {"metadata": meta, "spec": {"containers": [{"name": "a"}]}}) == []
    assert validate(store, "pods", None, {"metadata": {**meta, "namespace": "kube-system"}, **pods}) == []
    await again.close()


async def test_a_cluster_that_was_off_stays_off_until_it_is_started(fleet, documents, tmp_path):
    cluster = await fleet.create(KEY, kubernetes_version="1.35.5")
    await cluster.stop()
    await cluster.stop()
    assert not cluster.running
    assert not is_open(cluster.url)
    await fleet.close()
    again = new_fleet(documents, tmp_path)
    await again.resume()
    back = again.get(KEY)
    assert back is not None
    assert not back.running
    await back.start()
    await back.start()
    assert is_open(back.url)
    assert back.url == cluster.url
    await again.close()


async def test_a_cluster_whose_port_was_taken_meanwhile_gets_another(fleet, documents, tmp_path):
    cluster = await fleet.create(KEY, kubernetes_version="1.35.5")
    url = cluster.url
    await fleet.close()
    with closing(socket.create_server(("127.0.0.1", int(url.rpartition(":")[2])))):
        again = new_fleet(documents, tmp_path)
        await again.resume()
        back = again.get(KEY)
        assert back is not None
        assert back.url != url
        assert is_open(back.url)
        await again.close()


async def test_a_deleted_cluster_leaves_no_port_no_file_and_no_document(fleet, documents, tmp_path):
    kept = await fleet.create("kept", kubernetes_version="1.35.5")
    cluster = await fleet.create(KEY, kubernetes_version="1.35.5")
    url = cluster.url
    await cluster.converge([NodePoolProfile(name="wasm")])
    await fleet.delete(KEY)
    await fleet.delete(KEY)
    assert not is_open(url)
    assert [path.name.rpartition("-")[0] for path in (tmp_path / "clusters").iterdir()] == ["kept"]
    assert [name for name in documents.collections() if KEY in name] == []
    assert [key for key, _ in documents.items("fleet")] == ["kept"]
    assert is_open(kept.url)


async def test_a_broken_cluster_does_not_keep_the_others_away_and_can_be_deleted(fleet, documents, tmp_path, caplog):
    await fleet.create(KEY, kubernetes_version="1.35.5")
    await fleet.create("good", kubernetes_version="1.35.5")
    await fleet.close()
    folder = next(path for path in (tmp_path / "clusters").iterdir() if path.name.startswith("demo"))
    (folder / "ca.pem").write_text("torn")
    again = new_fleet(documents, tmp_path)
    await again.resume()
    assert again.keys() == ["good"]
    assert f"cluster {KEY} does not come back" in caplog.text
    await again.delete(KEY)
    assert not folder.exists()
    await again.close()


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("certificate", {"client-certificate-data", "client-key-data", "token"}),
        ("token", {"token"}),
        ("exec", {"exec"}),
    ],
)
async def test_a_kubeconfig_has_the_shape_of_akss(fleet, kind, held):
    cluster = await fleet.create(KEY, kubernetes_version="1.35.5")
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "kubelogin"}
    text = cluster.kubeconfig(name="demo", user="clusterUser_g_demo", kind=kind, exec_config=plugin)
    config = yaml.safe_load(text)
    assert config["contexts"] == [{"name": "demo", "context": {"cluster": "demo", "user": "clusterUser_g_demo"}}]
    assert config["current-context"] == "demo"
    assert config["clusters"][0]["cluster"]["server"] == cluster.url
    assert config["users"][0]["user"].keys() == held
    if kind == "exec":
        assert config["users"][0]["user"]["exec"] == plugin
