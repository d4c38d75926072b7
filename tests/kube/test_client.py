from __future__ import annotations

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.errors import NotAllowed, NotSignedIn, ServiceError, Unreachable
from aks_wasm.kube.client import KubeClient
from aks_wasm.kube.matching import APPLIED, matches
from aks_wasm.kube.workloads import Placement, workload_manifests
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.installer import Installation, ProbeImage, stay_image_key
from aks_wasm.spec.models import SecretValue, Workload
from tests.kube.running_api import RunningApi, client_of


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": {"test": name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_the_version_is_told(client: KubeClient) -> None:
    assert client.version() == "v1.35.5"


def test_an_object_is_applied_read_changed_and_deleted(client: KubeClient) -> None:
    made = client.apply(config_map("cycle", a="1", b="2"))
    assert made["metadata"]["annotations"][APPLIED]
    assert made["metadata"]["managedFields"][0]["manager"] == "aks-wasm"
    client.apply(config_map("cycle", a="3"))
    found = client.get("ConfigMap", "cycle", "default")
    assert found is not None
    assert found["data"] == {"a": "3"}
    assert client.delete("ConfigMap", "cycle", "default")
    assert not client.delete("ConfigMap", "cycle", "default")
    assert client.get("ConfigMap", "cycle", "default") is None


def test_a_dry_run_writes_nothing(client: KubeClient) -> None:
    assert client.apply(config_map("dry", a="1"), dry_run=True)["data"] == {"a": "1"}
    assert client.get("ConfigMap", "dry", "default") is None


def test_an_object_that_somebody_else_has_written_since_is_left_alone_when_asked_so(client: KubeClient) -> None:
    read = client.apply(config_map("guarded", a="1"))["metadata"]["resourceVersion"]
    written = client.apply(config_map("guarded", a="2"), version=read)
    assert written["data"] == {"a": "2"}
    with pytest.raises(ServiceError) as caught:
        client.apply(config_map("guarded", a="3"), version=read)
    assert caught.value.code == "KubernetesConflict"
    with pytest.raises(ServiceError) as caught:
        client.apply(config_map("guarded", a="3"), version="")
    assert caught.value.code == "KubernetesAlreadyExists"
    assert (client.get("ConfigMap", "guarded", "default") or {})["data"] == {"a": "2"}
    assert client.apply(config_map("guarded-new", a="1"), version="")["data"] == {"a": "1"}


def test_fields_of_other_managers_are_taken_over(client: KubeClient, api: RunningApi) -> None:
    client.apply(config_map("taken", a="ours"))
    api.do(lambda store: store.mutate("configmaps", "taken", "default", lambda o: o["data"].update(a="theirs")))
    assert client.apply(config_map("taken", a="ours"))["data"] == {"a": "ours"}


def test_lists_follow_pages_and_selectors(client: KubeClient, api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aks_wasm.kube.client._PAGE", 2)
    for number in range(5):
        client.apply(
            config_map(f"page-{number}")
            | {"metadata": {"name": f"page-{number}", "namespace": "default", "labels": {"test": "pages"}}}
        )
    start = len(api.requests)
    found = client.list("ConfigMap", labels="test=pages")
    assert [item["metadata"]["name"] for item in found] == [f"page-{number}" for number in range(5)]
    assert len(api.requests) - start == 3
    assert found[0]["kind"] == "ConfigMap"
    named = client.list("ConfigMap", namespace="default", fields="metadata.name=page-3")
    assert [item["metadata"]["name"] for item in named] == ["page-3"]


def test_labels_are_set_and_removed_and_other_fields_stay(client: KubeClient) -> None:
    client.apply(config_map("labelled", a="1"))
    client.label("ConfigMap", "labelled", {"a.dev/one": "1", "test": None}, "default")
    client.merge("ConfigMap", "labelled", {"data": {"b": "2"}}, "default")
    found = client.get("ConfigMap", "labelled", "default")
    assert found is not None
    assert found["metadata"]["labels"] == {"a.dev/one": "1"}
    assert found["data"] == {"a": "1", "b": "2"}


def test_a_list_whose_next_page_has_grown_too_old_is_taken_at_once(
    client: KubeClient, api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aks_wasm.kube.client._PAGE", 2)
    for number in range(5):
        client.apply(config_map(f"old-{number}") | {"metadata": {"name": f"old-{number}", "namespace": "default"}})
    oldest = [0]
    monkeypatch.setattr(type(api.store.log), "oldest", property(lambda _log: oldest[0]))
    first = client._json

    def then_time_passes(call: Any) -> Any:
        page = first(call)
        oldest[0] = 10**6
        return page

    monkeypatch.setattr(client, "_json", then_time_passes)
    start = len(api.requests)
    found = client.list("ConfigMap", namespace="default")
    assert {f"old-{number}" for number in range(5)} <= {item["metadata"]["name"] for item in found}
    assert [status for _, _, status in api.requests[start:]] == [200, 410, 200]


def test_annotations_are_set_and_removed(client: KubeClient) -> None:
    client.apply(config_map("marked"))
    client.annotate("ConfigMap", "marked", {"a.dev/one": "1", "a.dev/two": "2"}, "default")
    client.annotate("ConfigMap", "marked", {"a.dev/one": None}, "default")
    found = client.get("ConfigMap", "marked", "default")
    assert found is not None
    assert found["metadata"]["annotations"].get("a.dev/two") == "2"
    assert "a.dev/one" not in found["metadata"]["annotations"]


def test_a_deployment_is_scaled(client: KubeClient) -> None:
    (deployment, *_) = workload_manifests(
        Workload(name="scaled"), owner="demo", placement=Placement(), image="i:1", secrets={}
    )
    client.apply(deployment)
    client.scale("Deployment", "scaled", "default", 4)
    found = client.get("Deployment", "scaled", "default")
    assert found is not None
    assert found["spec"]["replicas"] == 4


def test_what_we_apply_matches_what_comes_back(client: KubeClient) -> None:
    env: dict[str, Any] = {"A": "", "B": 2, "KEY": SecretValue(from_environment="KEY")}
    shims = select(("spin", "wasmtime"))
    keys = {stay_image_key(shim): ProbeImage("aks-wasm.local/x:1", b"tar") for shim in shims}
    installation = Installation("demo", shims, ("aks-wasm.dev/wasm=true:NoSchedule",), keys)
    wanted = [
        *installation.manifests(),
        *installation.runtime_classes(),
        *installation.probe_daemon_sets(),
    ]
    for kind in ("service", "job"):
        workload = Workload(name=f"match-{kind}", kind=kind, env=env, args=("x",), resources={"cpu": "0.1"})
        placement = Placement(shims[0].runtime_class, ("/",), 80)
        wanted += workload_manifests(workload, owner="demo", placement=placement, image="i:1", secrets={"KEY": "s"})
    for manifest in wanted:
        client.apply(manifest)
    for manifest in wanted:
        metadata = manifest["metadata"]
        live = client.get(manifest["kind"], metadata["name"], metadata.get("namespace"))
        assert live is not None
        assert matches(live, manifest), (manifest, live)
    client.delete("DaemonSet", "shim-installer", "aks-wasm-system")  # other tests ask whether one may be made


def test_logs_come_line_by_line(client: KubeClient, api: RunningApi) -> None:
    pod = {
        "metadata": {"name": "talker", "namespace": "default"},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]},
    }
    api.do(lambda store: store.create("pods", {"apiVersion": "v1", "kind": "Pod", **pod}))
    api.logs.texts["talker", False] = "one\ntwo ☃\nthree".encode()
    api.logs.texts["talker", True] = b"before\n"
    assert list(client.logs("default", "talker")) == ["one", "two ☃", "three"]
    assert list(client.logs("default", "talker", "c", tail=1)) == ["three"]
    assert list(client.logs("default", "talker", previous=True)) == ["before"]
    assert list(client.logs("default", "talker", follow=True)) == ["one", "two ☃", "threefollowed"]


def test_logs_of_a_pod_that_is_not_there_are_an_error(client: KubeClient) -> None:
    with pytest.raises(ServiceError) as caught:
        list(client.logs("default", "nobody"))
    assert caught.value.code == "KubernetesNotFound"


def test_refusals_carry_the_servers_words(client: KubeClient) -> None:
    broken = config_map("bad")
    broken["metadata"]["name"] = "Bad_Name"
    with pytest.raises(ServiceError, match=r"cannot apply ConfigMap `Bad_Name`: .*Bad_Name") as caught:
        client.apply(broken)
    assert caught.value.code == "KubernetesInvalid"
    assert caught.value.details
    with pytest.raises(ServiceError, match="not found"):
        client.annotate("ConfigMap", "nobody", {"a": "b"}, "default")


def test_a_token_works_a_wrong_one_and_a_poor_one_are_told_apart(api: RunningApi) -> None:
    with client_of(api, user={"token": "good"}) as good:
        assert good.list("Node") == []
    with client_of(api, user={"token": "wrong"}) as wrong, pytest.raises(NotSignedIn) as unknown:
        wrong.list("Node")
    assert unknown.value.exit_code == 3
    with client_of(api, user={"token": "poor"}) as poor, pytest.raises(NotAllowed) as forbidden:
        poor.list("Node")
    assert not isinstance(forbidden.value, NotSignedIn)


def test_an_exec_credential_gives_the_token(api: RunningApi, tmp_path: Path) -> None:
    document = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "good"}}
    (tmp_path / "token.json").write_text(json.dumps(document))
    code = f"print(open({str(tmp_path / 'token.json')!r}).read())"
    plugin = {"apiVersion": document["apiVersion"], "command": sys.executable, "args": ["-c", code]}
    with client_of(api, user={"exec": plugin}) as opened:
        assert opened.list("Node") == []


def test_an_exec_credential_that_fails_is_not_taken_for_nobody(api: RunningApi) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", "raise SystemExit(1)"],
    }
    with pytest.raises(NotSignedIn, match="gave no token"):
        KubeClient.from_kubeconfig(api.kubeconfig(user={"exec": plugin}))


def test_keys_do_not_stay_on_disk(api: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with client_of(api) as opened:
        assert list(tmp_path.iterdir()) == []
        assert opened.version()
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_that_does_not_answer_is_an_error_of_ours(api: RunningApi) -> None:
    with client_of(api, port=1) as gone, pytest.raises(Unreachable, match="does not answer") as caught:
        gone.version()
    assert "127.0.0.1:1" in caught.value.message


def test_a_certificate_of_another_authority_is_not_trusted(api: RunningApi, tmp_path: Path) -> None:
    other = CertificateAuthority.open(tmp_path, "somebody else")
    with client_of(api, authority=other) as client, pytest.raises(Unreachable):
        client.version()


@pytest.mark.parametrize("text", ["", "- 1", "kind: Pod", "a: b: c", "kind: Config\ncurrent-context: x\n"])
def test_what_is_no_kubeconfig_is_told(text: str) -> None:
    with pytest.raises(NotSignedIn, match="kubeconfig cannot be used"):
        KubeClient.from_kubeconfig(text)


def test_threads_share_one_client(client: KubeClient) -> None:
    def work(number: int) -> int:
        client.apply(config_map(f"thread-{number}", a=str(number)))
        return len(client.list("ConfigMap", labels=f"test=thread-{number}"))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(24))) == [1] * 24
