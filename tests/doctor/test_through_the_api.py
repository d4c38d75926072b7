"""Every cause through the command line and a real API server on a socket, by `--kubeconfig`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.main import app
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.kube.kinds import KINDS
from aks_wasm.settings import Settings
from tests.doctor.demands import DEMANDS, Objects
from tests.kube.running_api import RunningApi, client_of, running_api
from tests.unit.workflows.doctor.scenes import node, pod, runtime_class, unconfigured

CUSTOM = ("Shim", "SpinApp", "SpinAppExecutor")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    """A cluster of this test's own, where SpinKube's kinds are defined."""
    with running_api(tmp_path / "api") as running:
        yield running


def define(api: RunningApi, kind: str) -> None:
    described = KINDS[kind]
    group, _, version = described.api_version.partition("/")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{described.plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced" if described.namespaced else "Cluster",
            "names": {"plural": described.plural, "singular": kind.lower(), "kind": kind},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
    with client_of(api) as client:
        client.apply(definition)


def put(api: RunningApi, objects: Objects) -> None:
    """Put objects into the cluster as they are, status and all: what a controller or a node would have made of them."""
    for kind in {thing["kind"] for thing in objects} & set(CUSTOM):
        define(api, kind)
    for thing in objects:
        kind_of = KINDS[thing["kind"]]
        group = kind_of.api_version.rpartition("/")[0]
        plural = f"{kind_of.plural}.{group}" if group else kind_of.plural
        whole = {"apiVersion": kind_of.api_version, **thing}
        api.do(partial(Store.insert, plural=plural, obj=whole))


def doctor(api: RunningApi, folder: Path, *arguments: str) -> tuple[int, str]:
    path = folder / "config"
    path.write_text(api.kubeconfig())
    context = AppContext(Settings.from_environment({"AKS_WASM_HOME": str(folder)}))
    result = CliRunner().invoke(app, ["doctor", "--kubeconfig", str(path), *arguments], obj=context)
    return result.exit_code, result.stdout


def document(api: RunningApi, folder: Path, code: int = 1) -> dict[str, Any]:
    exit_code, stdout = doctor(api, folder, "-o", "json")
    assert exit_code == code, stdout
    told: dict[str, Any] = json.loads(stdout)
    return told


@pytest.mark.parametrize("demand", DEMANDS)
def test_each_cause_is_found_through_the_api(api: RunningApi, tmp_path: Path, demand: int) -> None:
    code, scene = DEMANDS[demand]
    put(api, scene())
    told = document(api, tmp_path)
    assert (told["kind"], told["ok"], told["error"]) == ("DoctorResult", False, None)
    assert [(one["code"], one["demand"]) for one in told["findings"]] == [(code, demand)]
    finding = told["findings"][0]
    assert all(finding[member] for member in ("object", "message", "evidence", "command"))
    assert "NAME" not in finding["command"].split()


def test_a_healthy_cluster_is_told_with_what_was_looked_at(api: RunningApi, tmp_path: Path) -> None:
    put(api, [node(), runtime_class()])
    told = document(api, tmp_path, code=0)
    assert (told["ok"], told["findings"]) == (True, [])
    states = {check["name"]: check["state"] for check in told["checks"]}
    assert {"nodes", "runtimes", "images", "placing", "running"} <= {n for n, s in states.items() if s == "ok"}
    assert states["spinkube"] == "skipped"


def test_people_get_cause_and_command_unbroken(api: RunningApi, tmp_path: Path) -> None:
    put(api, DEMANDS[28][1]())
    code, stdout = doctor(api, tmp_path)
    assert code == 1
    assert "error: NoRuntime" in stdout
    assert f"\nmend   aks-wasm runtime install --kubeconfig {tmp_path}/config --shim spin\n" in stdout


def test_the_worst_comes_first(api: RunningApi, tmp_path: Path) -> None:
    put(api, DEMANDS[35][1]())
    web = pod(on="n2")
    put(api, [web, unconfigured(web, "aks-wasm-spin-v0-25-1"), runtime_class()])
    assert [one["severity"] for one in document(api, tmp_path)["findings"]] == ["error", "warning"]


def test_500_pods_take_a_handful_of_requests(api: RunningApi, tmp_path: Path) -> None:
    pods = [pod(f"web-{number}") for number in range(500)]
    put(api, [node(), runtime_class(), *pods, *(unconfigured(one, "aks-wasm-spin-v0-25-1") for one in pods)])
    before = len(api.requests)
    (finding,) = document(api, tmp_path)["findings"]
    assert finding["count"] == 500
    assert len(api.requests) - before < 20


def as_user(api: RunningApi, folder: Path, token: str) -> tuple[int, dict[str, Any]]:
    path = folder / "config"
    path.write_text(api.kubeconfig(user={"token": token}))
    context = AppContext(Settings.from_environment({"AKS_WASM_HOME": str(folder)}))
    result = CliRunner().invoke(app, ["doctor", "--kubeconfig", str(path), "-o", "json"], obj=context)
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize(("token", "code"), [("bad", "KubernetesUnauthorized"), ("poor", "KubernetesForbidden")])
def test_a_cluster_that_may_not_be_looked_into_is_an_error_and_never_well(
    api: RunningApi, tmp_path: Path, token: str, code: str
) -> None:
    exit_code, told = as_user(api, tmp_path, token)
    assert (exit_code, told["error"]["code"]) == (3, code)


def test_what_may_not_be_read_is_told_and_the_rest_is_looked_at(api: RunningApi, tmp_path: Path) -> None:
    put(api, DEMANDS[28][1]())
    groups = {"": ["nodes", "pods", "pods/log", "events"], "node.k8s.io": ["runtimeclasses"]}
    rules = [{"apiGroups": [group], "resources": names, "verbs": ["get", "list"]} for group, names in groups.items()]
    about = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "looker"}}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "looker"}
    with client_of(api) as client:
        client.apply({**about, "kind": "ClusterRole", "rules": rules})
        client.apply({**about, "kind": "ClusterRoleBinding", "subjects": [subject], "roleRef": role})
    exit_code, told = as_user(api, tmp_path, "poor")
    assert exit_code == 1
    assert [one["code"] for one in told["findings"]] == ["NoRuntime"]
    unread = {check["name"]: check["about"] for check in told["checks"] if check["name"].startswith("read ")}
    assert {"read DaemonSet", "read Job", "read Namespace"} <= set(unread)
    assert "forbidden" in unread["read DaemonSet"]
