from __future__ import annotations

import base64
import socket
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import yaml

from aks_wasm.emulator.client import ControlClient
from aks_wasm.errors import ServiceError, Unreachable
from aks_wasm.kube.client import KubeClient


@pytest.fixture
def name(emulator) -> str:
    return f"c{uuid.uuid4().hex[:8]}"


@pytest.fixture
def cluster(emulator, name):
    pools = [{"name": "system", "mode": "System"}, {"name": "wasm", "count": 2, "arch": "arm64", "zones": ["1"]}]
    yield emulator.control("PUT", f"clusters/{name}", {"labels": {"aks-wasm-owner": name}, "pools": pools})
    emulator.control("DELETE", f"clusters/{name}")


def test_the_status_tells_what_runs_without_secrets(emulator):
    known = emulator.control("GET", "status")
    assert (known["url"], known["pace"], known["serviceAge"]) == (emulator.url, 0.0, "today")
    assert "token" not in known


@pytest.mark.parametrize("token", ["", "guessed"])
def test_without_the_token_nothing_is_told_or_done(emulator, token):
    stranger = replace(emulator.client, token=token)
    for method, path in (("GET", "status"), ("GET", "environment"), ("POST", "stop"), ("GET", "nothing")):
        with pytest.raises(ServiceError) as caught:
            stranger.request(method, path)
        assert caught.value.code == "Unauthorized"
    assert emulator.control("GET", "status")


def test_a_client_that_finds_nobody_says_how_to_start_one(emulator):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        ControlClient(f"https://localhost:{port}", "x", emulator.ca_file).get("status")
    assert "aks-wasm emulator start" in caught.value.hint


def test_a_cluster_is_made_once_however_often_it_is_put(emulator, name, cluster):
    again = emulator.control("PUT", f"clusters/{name}", {})
    assert again == cluster == emulator.control("GET", f"clusters/{name}")
    assert cluster["running"]
    assert cluster["labels"] == {"aks-wasm-owner": name}
    assert name in [one["name"] for one in emulator.control("GET", "clusters")["clusters"]]


def test_a_kubeconfig_names_the_cluster_and_signs_in(emulator, name, cluster, tmp_path):
    config = yaml.safe_load(emulator.control("GET", f"clusters/{name}/kubeconfig?context=aks-wasm-{name}"))
    assert config["current-context"] == f"aks-wasm-{name}"
    assert config["clusters"][0]["cluster"]["server"] == cluster["url"]
    user = config["users"][0]["user"]
    assert user.keys() == {"client-certificate-data", "client-key-data", "token"}
    authority = authority_of(emulator, name, tmp_path)
    assert ask(cluster["url"], user["token"], authority).status_code == 200
    assert ask(cluster["url"], "wrong", authority).status_code == 401


def test_a_cluster_that_is_deleted_leaves_no_port_and_no_file(emulator, name, cluster):
    folders = {path.name for path in (emulator.home / "emulator" / "clusters").iterdir()}
    assert [one for one in folders if one.startswith(name)]
    emulator.control("DELETE", f"clusters/{name}")
    emulator.control("DELETE", f"clusters/{name}")
    with closing(socket.socket()) as client:
        assert client.connect_ex(("127.0.0.1", int(cluster["url"].rpartition(":")[2]))) != 0
    assert not [path for path in (emulator.home / "emulator" / "clusters").iterdir() if path.name.startswith(name)]
    with pytest.raises(ServiceError, match=f"there is no cluster `{name}`"):
        emulator.control("GET", f"clusters/{name}")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"pool": []}, "`pool` is not known"),
        ({"pools": [{"count": 1}]}, "an object with a `name`"),
        ({"pools": [{"name": "a", "size": "big"}]}, "pool `a`: `size` is not known"),
        ({"pools": [{"name": "a", "count": "two"}]}, "pool `a`: `count`"),
        ([], "not a JSON object"),
    ],
)
def test_a_cluster_that_makes_no_sense_is_refused_and_not_made(emulator, name, document, words):
    with pytest.raises(ServiceError, match=words) as caught:
        emulator.control("PUT", f"clusters/{name}", document)
    assert caught.value.code == "BadRequest"
    with pytest.raises(ServiceError, match="there is no cluster"):
        emulator.control("GET", f"clusters/{name}")


@pytest.mark.parametrize("odd", ["Upper", "-a", "a" * 64])
def test_a_name_that_is_no_dns_label_is_refused(emulator, odd):
    with pytest.raises(ServiceError, match="is not a cluster name"):
        emulator.control("PUT", f"clusters/{odd}", {})


def test_images_of_a_cluster_that_is_not_there_are_refused(emulator, name, tmp_path):
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"x")
    with archive.open("rb") as stream, pytest.raises(ServiceError, match="there is no cluster"):
        emulator.control("PUT", f"clusters/{name}/images", stream)


def test_what_is_no_image_archive_is_refused_and_leaves_no_file(emulator, name, cluster, tmp_path):
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"no tar" * 100_000)
    with archive.open("rb") as stream, pytest.raises(ServiceError):
        emulator.control("PUT", f"clusters/{name}/images", stream)
    assert list((emulator.home / "emulator" / "incoming").iterdir()) == []
    assert emulator.control("GET", f"clusters/{name}/images") == {"images": []}


def test_faults_are_scripted_listed_and_taken_back(emulator):
    fault = {"fault": "throttled", "match": {"method": "PUT", "path": "never-asked"}, "times": 2}
    first, second = (emulator.control("POST", "faults", fault) for _ in range(2))
    listed = [one["id"] for one in emulator.control("GET", "faults")["faults"]]
    assert listed == [first["id"], second["id"]]
    emulator.control("DELETE", f"faults/{first['id']}")
    assert len(emulator.control("GET", "faults")["faults"]) == 1
    emulator.control("DELETE", "faults")
    assert emulator.control("GET", "faults") == {"faults": []}


def test_a_fault_that_makes_no_sense_is_refused(emulator):
    with pytest.raises(ServiceError, match="`earthquake` is no fault"):
        emulator.control("POST", "faults", {"fault": "earthquake"})


def test_the_journal_counts_requests_but_not_the_control_apis_own(emulator):
    before = emulator.control("GET", "requests")["requests"]
    last = before[-1]["number"] if before else 0
    path = f"/subscriptions/{uuid.uuid4()}"
    requests.get(f"{emulator.url}{path}?api-version=2022-12-01&t=secret", verify=str(emulator.ca_file), timeout=20)
    emulator.control("GET", "status")
    entry = next(one for one in emulator.requests("arm", since=last) if one["path"] == path)
    assert (entry["method"], entry["status"] >= 400, entry["number"] > last) == ("GET", True, True)
    assert "secret" not in str(emulator.control("GET", f"requests?since={last}"))
    assert not [one for one in emulator.control("GET", "requests")["requests"] if "_emulator" in one["path"]]


def test_the_journal_tells_which_cluster_was_asked(emulator, name, cluster, tmp_path):
    ask(cluster["url"], "wrong", authority_of(emulator, name, tmp_path))
    asked = [entry for entry in emulator.requests("kubernetes") if entry["cluster"] == f"local/{name}"]
    assert [(entry["method"], entry["path"], entry["status"]) for entry in asked] == [("GET", "/api", 401)]


def test_the_journal_wants_a_number(emulator):
    with pytest.raises(ServiceError, match="`since`"):
        emulator.control("GET", "requests?since=yesterday")


def authority_of(emulator, name: str, folder: Path) -> Path:
    config = yaml.safe_load(emulator.control("GET", f"clusters/{name}/kubeconfig"))
    authority = folder / "ca.pem"
    authority.write_bytes(base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]))
    return authority


def ask(cluster_url: str, token: str, authority: Path) -> requests.Response:
    return requests.get(
        f"{cluster_url}/api", headers={"Authorization": f"Bearer {token}"}, verify=str(authority), timeout=20
    )


def test_a_bare_machine_can_be_put_in_a_nodes_place(emulator, name, cluster):
    def nodes():
        text = emulator.control("GET", f"clusters/{name}/kubeconfig")
        client = KubeClient.from_kubeconfig(text if isinstance(text, str) else yaml.safe_dump(text))
        with closing(client):
            client.annotate("Node", client.list("Node")[0]["metadata"]["name"], {"a": "b"})
            return {node["metadata"]["name"]: node for node in client.list("Node")}

    before = nodes()
    old = sorted(before)[0]
    emulator.control("POST", f"nodes/{old}/replace?cluster={name}")
    after = nodes()
    assert after.keys() == before.keys()
    boots = [one[old]["status"]["nodeInfo"]["bootID"] for one in (before, after)]
    assert boots[0] != boots[1]
    assert after[old]["metadata"]["uid"] != before[old]["metadata"]["uid"]
    with pytest.raises(ServiceError, match="there is no node `nothing`"):
        emulator.control("POST", "nodes/nothing/replace")
