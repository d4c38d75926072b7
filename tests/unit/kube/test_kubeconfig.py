from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from aks_wasm.errors import AksWasmError, TimedOut, UsageError
from aks_wasm.kube.exec_credential import V1, V1BETA1, asked_version, exec_credential
from aks_wasm.kube.kubeconfig import (
    context_name,
    default_file,
    merge,
    own_file,
    remove,
    renamed,
    write,
)
from tests.unit.clocks import FakeClock

FROM_AKS = """
apiVersion: v1
kind: Config
clusters:
- name: hello
  cluster: {server: https://hello.hcp.westeurope.azmk8s.io:443, certificate-authority-data: Q0E=}
users:
- name: clusterUser_hello_hello
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
contexts:
- name: hello
  context: {cluster: hello, user: clusterUser_hello_hello}
current-context: hello
"""

OTHERS = """# mine
apiVersion: v1
kind: Config
clusters:
- name: work
  cluster: {server: https://work.example}
users:
- name: work
  user: {token: x}
contexts:
- name: work
  context: {cluster: work, user: work, namespace: team}
current-context: work
preferences: {colors: true}
"""


def test_all_names_become_ours() -> None:
    document = yaml.safe_load(renamed(FROM_AKS, "hello"))
    assert document["current-context"] == context_name("hello") == "aks-wasm-hello"
    assert [entry["name"] for entry in document["clusters"] + document["users"] + document["contexts"]] == [
        "aks-wasm-hello"
    ] * 3
    assert document["users"][0]["user"]["client-key-data"] == "S0VZ"


def test_merging_leaves_everything_else_and_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHERS)
    assert merge(path, FROM_AKS, "hello") == "aks-wasm-hello"
    once = path.read_text()
    merge(path, FROM_AKS, "hello")
    assert path.read_text() == once
    document = yaml.safe_load(once)
    assert [entry["name"] for entry in document["contexts"]] == ["work", "aks-wasm-hello"]
    assert document["contexts"][0]["context"]["namespace"] == "team"
    assert document["preferences"] == {"colors": True}
    assert document["current-context"] == "aks-wasm-hello"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config"]


def test_removing_takes_ours_only(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHERS)
    merge(path, FROM_AKS, "hello")
    assert remove(path, "hello")
    document = yaml.safe_load(path.read_text())
    assert [entry["name"] for entry in document["clusters"]] == ["work"]
    assert document["current-context"] == ""
    assert not remove(path, "hello")
    assert not remove(tmp_path / "none", "hello")


def test_merging_into_nothing_makes_the_file_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / ".kube" / "config"
    merge(path, FROM_AKS, "hello")
    assert yaml.safe_load(path.read_text())["current-context"] == "aks-wasm-hello"
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text(OTHERS)
    (tmp_path / "config").symlink_to(tmp_path / "real")
    merge(tmp_path / "config", FROM_AKS, "hello")
    assert (tmp_path / "config").is_symlink()
    assert "aks-wasm-hello" in (tmp_path / "real").read_text()


def test_a_lock_of_another_program_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "config"
    lock = tmp_path / "config.lock"
    lock.touch()
    with pytest.raises(TimedOut, match="locked by another program") as caught:
        merge(path, FROM_AKS, "hello", clock=FakeClock())
    assert str(lock) in (caught.value.hint or "")
    assert not path.exists()

    def release(seconds: float) -> bool:
        if seconds > 3:
            lock.unlink(missing_ok=True)
        return False

    merge(path, FROM_AKS, "hello", clock=FakeClock(release))
    assert path.exists()
    assert not lock.exists()


def test_a_file_that_is_no_kubeconfig_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config"
    for text in ("kind: Pod\n", "a: b: c", "- 1"):
        path.write_text(text)
        with pytest.raises(UsageError):
            merge(path, FROM_AKS, "hello")
        assert path.read_text() == text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config"]


def test_a_context_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="names the user"):
        renamed(FROM_AKS.replace("- name: clusterUser", "- name: other"), "hello")


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AksWasmError, match="cannot be written"):
        write(tmp_path / "file" / "config", FROM_AKS)
    with pytest.raises(AksWasmError, match="cannot be written"):
        merge(tmp_path / "file" / "config", FROM_AKS, "hello")


def test_our_own_file_is_apart_and_private(tmp_path: Path) -> None:
    path = own_file(tmp_path, "hello")
    write(path, FROM_AKS)
    assert path.read_text() == FROM_AKS
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_kubectl_would_change_is_found(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    assert default_file({"KUBECONFIG": f"{first}:{second}"}) == second
    second.touch()
    assert default_file({"KUBECONFIG": f"{first}:{second}"}) == second
    first.touch()
    assert default_file({"KUBECONFIG": f"{first}:{second}"}) == first
    assert default_file({}).parts[-2:] == (".kube", "config")


def test_the_exec_credential_is_in_the_version_that_was_asked_for() -> None:
    document = json.loads(exec_credential("secret", 1_790_000_000.7, api_version=V1BETA1))
    assert document == {
        "apiVersion": V1BETA1,
        "kind": "ExecCredential",
        "status": {"token": "secret", "expirationTimestamp": "2026-09-21T14:13:20Z"},
    }
    assert asked_version({"KUBERNETES_EXEC_INFO": json.dumps({"apiVersion": V1BETA1})}) == V1BETA1
    for text in ("", "{", "[]", '{"apiVersion": "other"}'):
        assert asked_version({"KUBERNETES_EXEC_INFO": text}) == V1
    assert asked_version({}) == V1
