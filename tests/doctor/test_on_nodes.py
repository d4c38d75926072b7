"""Causes that the emulator's own nodes, scheduler and admission bring about, told by `doctor` on the file's cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests

from aks_wasm.emulator.node.installer import FAULT_LABEL
from aks_wasm.emulator.node.profile import HANDLERS_ANNOTATION
from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.installer import INSTALLER
from aks_wasm.shims.labels import COMPONENT, INSTALLED, SHIMS, SYSTEM_NAMESPACE
from aks_wasm.waits import Patience, Seen, SystemClock, wait_until
from aks_wasm.workflows.doctor.diagnose import examine
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.gather import gather
from aks_wasm.workflows.doctor.ways import Ways
from tests.emulator.node.oci_archives import ImageArchive
from tests.emulator.node.rehearsal import ENDLESS, MEMORY_HOG, TRAPS, exits_with
from tests.journeys.conftest import Tool, fields_of
from tests.running_emulator import RunningEmulator, running_emulator

MODULES = {"trap": TRAPS, "hog": MEMORY_HOG, "seven": exits_with(7), "endless": ENDLESS}
LIMITS: dict[str, Any] = {"resources": {"limits": {"memory": "32Mi", "cpu": "500m"}}}
SPEC = fields_of("shims=[wasmtime]", "workloads=[{name: web, shim: wasmtime, module: web.wasm, expose: none}]")
COMMAND: dict[str, Any] = {"livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}}
PATIENCE = Patience(60, SystemClock())


class Ward:
    """A cluster of ours, its way in, and its doctor."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.client = KubeClient.from_kubeconfig(tool("kubeconfig").stdout)
        classes = self.client.list("RuntimeClass")
        (found,) = [c for c in classes if c["metadata"]["name"].startswith("aks-wasm-wasmtime")]
        self.runtime_class: dict[str, Any] = found
        self.node: str = self.client.list("Node", labels=f"{SHIMS}={INSTALLED}")[0]["metadata"]["name"]

    def load(self, modules: dict[str, bytes]) -> None:
        """Load an image for each module into the nodes."""
        archive = ImageArchive()
        for name, module in modules.items():
            archive.add(f"test.local/{name}:1", {"app.wasm": module}, config={"Entrypoint": ["/app.wasm"]})
        control = self.tool.emulator.client
        answer = requests.put(
            f"{control.url}/_emulator/clusters/{self.tool.name}/images",
            data=archive.write(self.tool.folder / "images.tar").read_bytes(),
            headers={"Authorization": f"Bearer {control.token}"},
            verify=str(control.ca_file),
            timeout=60,
        )
        assert answer.ok, answer.text

    def pod(
        self, name: str, image: str, *, runtime: str | None = None, spec: dict[str, Any] | None = None, **container: Any
    ) -> None:
        """Make a pod; it takes our own RuntimeClass unless one is named."""
        named = runtime or self.runtime_class["metadata"]["name"]
        tolerations = [{"operator": "Exists"}]
        content = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", **container}
        self.client.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {
                    "restartPolicy": "Never",
                    "tolerations": tolerations,
                    "containers": [content],
                    "runtimeClassName": named,
                    **(spec or {}),
                },
            }
        )

    def deployment(self, name: str, runtime: str) -> None:
        """Make a Deployment of a RuntimeClass."""
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"runtimeClassName": runtime, "containers": [{"name": "main", "image": "test.local/endless:1"}]},
        }
        self.client.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
            }
        )

    def findings(self) -> list[dict[str, Any]]:
        result = self.tool("doctor", "-o", "json", *SPEC)
        told: dict[str, Any] = json.loads(result.stdout)
        assert told["kind"] == "DoctorResult", result.output
        assert result.exit_code == (0 if told["ok"] else 1)
        findings: list[dict[str, Any]] = told["findings"]
        return findings

    def told(self, code: str, about: str) -> dict[str, Any]:
        """Ask until the finding is there."""

        def look() -> Seen[dict[str, Any]]:
            every = self.findings()
            one = next((one for one in every if one["code"] == code and about in one["object"]), None)
            seen = ", ".join(f"{one['code']} {one['object']}" for one in every)
            return Seen(seen, done=one is not None, value=one)

        found = wait_until(look, what=f"{code} of {about}", patience=PATIENCE)
        assert found is not None
        return found

    def gone(self, code: str) -> None:
        """Ask until no finding has that code any more."""

        def look() -> Seen[None]:
            codes = [one["code"] for one in self.findings()]
            return Seen(str(codes), done=code not in codes)

        wait_until(look, what=f"the end of {code}", patience=PATIENCE)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator-ward")) as running:
        yield running


@pytest.fixture(scope="module")
def ward(emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A cluster that is well to begin with."""
    tool = Tool(emulator, tmp_path_factory.mktemp("ward"), "ward", target="local")
    (tool.folder / "web.wasm").write_bytes(ENDLESS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tool.folder)
        yield from _ward(tool)


def _ward(tool: Tool) -> Iterator[Ward]:
    tool.up(*SPEC)
    ward = Ward(tool)
    ward.load(MODULES)
    with closing(ward.client):
        yield ward
    tool("down", "--yes")


def test_a_cluster_that_up_has_just_made_is_well(ward: Ward) -> None:
    told = ward.tool.document("doctor", *SPEC)
    assert told["findings"] == []
    states = {check["name"]: check["state"] for check in told["checks"]}
    assert (states["cluster"], states["installer"], states["runtimes"]) == ("ok", "ok", "ok")


@pytest.fixture(scope="module")
def failing(ward: Ward) -> Ward:
    """The cluster with pods that fail in every way that its nodes know, side by side."""
    for handler in ("nohandler", "aks-wasm-wasmtime-v9-9-9"):
        ward.client.apply(
            {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": f"class-{handler}"},
                "handler": handler,
                "scheduling": {"nodeSelector": {SHIMS: INSTALLED}},
            }
        )
    ward.pod("no-handler", "test.local/endless:1", runtime="class-nohandler")
    ward.pod("other-name", "test.local/endless:1", runtime="class-aks-wasm-wasmtime-v9-9-9")
    ward.pod("trap", "test.local/trap:1")
    ward.pod("hog", "test.local/hog:1", **LIMITS)
    ward.pod("seven", "test.local/seven:1")
    ward.pod("commanded", "test.local/endless:1", **COMMAND)
    ward.pod("slow", "test.local/endless:1", resources={"limits": {"cpu": "50m"}})
    ward.pod("absent", ward.tool.emulator.environment["AKS_WASM_REGISTRY"] + "/nobody/made:this")
    ward.pod("arm", "test.local/endless:1", spec={"nodeSelector": {"kubernetes.io/arch": "riscv64"}})
    ward.pod("intolerant", "test.local/endless:1", spec={"tolerations": []}, runtime="class-nohandler")
    ward.deployment("classless", "wasmtime-spin")
    return ward


@pytest.mark.parametrize(
    ("name", "code", "demand", "words"),
    [
        ("no-handler", "NoRuntime", 28, "in effect there by io.containerd.cri.v1.runtime"),
        ("other-name", "HandlerNamesDiffer", 28, "the node calls that shim `aks-wasm-wasmtime-"),
        ("trap", "WasmTrap", None, "trapped"),
        ("hog", "MemoryLimit", 41, "memory limit of 32Mi"),
        ("seven", "ContainerFailed", None, "exit code 7"),
        ("commanded", "ExecUnsupported", 41, "`livenessProbe` of `main` runs a command"),
        ("slow", "LittleCpu", 41, "limited to 50m"),
        ("absent", "ImageUnknown", 39, "cannot be had"),
        ("arm", "NoNodeOfArchitecture", 34, "no node is riscv64"),
        ("classless", "RuntimeClassMissing", 28, "`wasmtime-spin`, which does not exist"),
    ],
)
def test_what_a_node_does_is_named(failing: Ward, name: str, code: str, demand: int | None, words: str) -> None:
    told = failing.told(code, name)
    assert told.get("demand") == demand
    assert words in told["message"]
    assert told["evidence"]
    assert told["command"]


@contextmanager
def installer_begins_anew(ward: Ward) -> Iterator[None]:
    """Let the node be bare and its installer's pod be made anew, and once more afterwards, without its back-off."""
    ward.client.annotate("Node", ward.node, {HANDLERS_ANNOTATION: "{}"})
    renew_installer(ward)
    yield
    renew_installer(ward)


def renew_installer(ward: Ward) -> None:
    for pod in ward.client.list("Pod", namespace=SYSTEM_NAMESPACE, labels=f"{COMPONENT}={INSTALLER}"):
        ward.client.delete("Pod", pod["metadata"]["name"], SYSTEM_NAMESPACE)


def test_what_the_installer_gives_up_with_is_named(failing: Ward) -> None:
    failing.client.label("Node", failing.node, {FAULT_LABEL: "HashMismatch"})
    with installer_begins_anew(failing):
        told = failing.told("HashMismatch", "shim-installer")
        assert (told["node"], told["severity"]) == (failing.node, "error")
        assert "the installer gave up on the node" in told["message"]
        assert told["command"].startswith("aks-wasm up --target local")
        failing.client.label("Node", failing.node, {FAULT_LABEL: None})
    failing.gone("HashMismatch")


def test_pod_security_that_denies_the_installer_is_named(failing: Ward) -> None:
    level = "pod-security.kubernetes.io/enforce"
    failing.client.label("Namespace", SYSTEM_NAMESPACE, {level: "baseline"})
    with installer_begins_anew(failing):
        told = failing.told("PodSecurityDenied", "DaemonSet aks-wasm-system/shim-installer")
        assert told["demand"] == 36
        assert f"label namespace {SYSTEM_NAMESPACE} {level}=privileged --overwrite" in told["command"]
        failing.client.label("Namespace", SYSTEM_NAMESPACE, {level: "privileged"})
    failing.gone("PodSecurityDenied")


def test_a_namespace_that_a_finalizer_holds_is_named(ward: Ward) -> None:
    held = {"name": "held", "namespace": "shop", "finalizers": ["core.spinkube.dev/finalizer"]}
    ward.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    ward.client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
    ward.client.delete("Namespace", "shop")

    def look() -> Seen[Finding]:
        view = gather(ward.client, Ways()).view
        later = replace(view, now=view.now + timedelta(minutes=5))
        found = [one for _, told in examine(later) for one in told or () if one.code == "NamespaceHangs"]
        named = [one for one in found if "finalizer" in (one.evidence or "")]
        return Seen(str(found), done=bool(named), value=named[0] if named else None)

    told = wait_until(look, what="the namespace", patience=PATIENCE)
    assert told is not None
    assert (told.demand, told.object) == (40, "Namespace shop")
    assert "core.spinkube.dev/finalizer in 1 resource instances" in str(told.evidence)
    assert "get configmaps --output name | xargs" in str(told.command).replace("configmaps. ", "configmaps ")
    ward.client.merge("ConfigMap", "held", {"metadata": {"finalizers": None}}, "shop")


def test_a_taint_of_the_nodes_is_named(failing: Ward) -> None:
    taint = {"key": "team", "value": "wasm", "effect": "NoSchedule"}
    failing.client.apply(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": failing.node}, "spec": {"taints": [taint]}}
    )
    failing.pod("unwelcome", "test.local/endless:1", spec={"tolerations": []})
    assert "the taint team=wasm:NoSchedule" in failing.told("UntoleratedTaint", "unwelcome")["message"]
