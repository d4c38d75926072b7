"""What runtime-class-manager v0.2.0 does with Shims, for tests: its order of work, its labels, its Jobs' fixed names.

Nothing runs in its Jobs: a node is provisioned by a look, or fails when the test says so. A Job that succeeds is
suspended, so that no pod of it is started where controllers run; one that fails has its time run out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.runtime_class_manager import CRD

NAMESPACE = "rcm"
FINALIZER = "rcm.spinkube.dev/finalizer"
TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
Manifest = dict[str, Any]


def of(required: tuple[str, ...], **properties: Any) -> Manifest:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def definition() -> Manifest:
    """The CustomResourceDefinition, field by field as the chart's."""
    arch = {"type": "string", "enum": ["amd64", "arm64", "x86_64", "aarch64"]}
    platform = of(
        ("arch", "location", "os"), os={"type": "string", "enum": ["linux"]}, arch=arch, location=TEXT, sha256=TEXT
    )
    spec = of(
        ("fetchStrategy", "rolloutStrategy", "runtimeClass"),
        nodeSelector=TEXTS,
        containerdRuntimeOptions=TEXTS,
        fetchStrategy=of(
            (), type=TEXT, anonHttp=of(("location",), location=TEXT), platforms={"type": "array", "items": platform}
        ),
        rolloutStrategy=of(
            ("type",),
            type={"type": "string", "enum": ["rolling", "recreate"]},
            rolling=of(("maxUpdate",), maxUpdate={"type": "integer"}),
        ),
        runtimeClass=of(("handler", "name"), handler=TEXT, name=TEXT),
    )
    status = of(("nodes", "nodesReady"), nodes={"type": "integer"}, nodesReady={"type": "integer"})
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": of((), spec=spec, status=status)},
    }
    names = {"plural": "shims", "singular": "shim", "kind": "Shim", "listKind": "ShimList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD},
        "spec": {"group": "runtime.spinkube.dev", "scope": "Cluster", "names": names, "versions": [version]},
    }


class ShimController:
    """Its reconciliation, one look at a time."""

    def __init__(
        self,
        client: KubeClient,
        configured: Callable[[str, str, str | None], None],
        job_failed: Callable[[str], None] = lambda _job: None,
    ) -> None:
        """Take what a node does whose containerd changes: called with node, handler, and where its shim came from.

        `job_failed` is called with a Job that fails, where no controller looks after Jobs.
        """
        self._client = client
        self._configured = configured
        self._job_failed = job_failed
        self.failing: set[str] = set()  # nodes
        self.stuck: set[str] = set()  # nodes that nothing is taken off any more
        self.refused = "nothing"  # what is in the address of a shim that no node can have
        self.asleep = False
        self._running: set[str] = set()  # Jobs

    def install(self, pod: Manifest | None = None) -> None:
        """Do what the chart does: the definition, a controller that runs; `pod` is what stands for it."""
        self._client.apply(definition())
        self._client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        labels = {"app.kubernetes.io/name": "runtime-class-manager"}
        spec = pod or {"containers": [{"name": "rcm", "image": "rcm:0.2.0"}]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "rcm-runtime-class-manager", "namespace": NAMESPACE, "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }
        self._client.apply(deployment)

    def look(self) -> None:
        """Reconcile every Shim once."""
        for shim in () if self.asleep else self._client.list("Shim"):
            nodes = self._nodes(shim)
            if "deletionTimestamp" in shim["metadata"]:
                self._delete(shim, nodes)
            else:
                self._install(shim, nodes)

    def _nodes(self, shim: Manifest) -> list[Manifest]:
        wanted = shim["spec"].get("nodeSelector") or {}
        return [
            node
            for node in self._client.list("Node")
            if wanted.items() <= (node["metadata"].get("labels") or {}).items()
        ]

    def _install(self, shim: Manifest, nodes: list[Manifest]) -> None:
        name = shim["metadata"]["name"]
        if FINALIZER not in (shim["metadata"].get("finalizers") or ()):
            self._client.merge("Shim", name, {"metadata": {"finalizers": [FINALIZER]}})
        runtime = shim["spec"]["runtimeClass"]
        if self._client.get("RuntimeClass", runtime["name"]) is None:  # one that is there stays as it is
            owner = {"apiVersion": shim["apiVersion"], "kind": "Shim", "name": name, "uid": shim["metadata"]["uid"]}
            selector = {"nodeSelector": shim["spec"].get("nodeSelector") or {}}
            metadata = {"name": runtime["name"], "ownerReferences": [owner]}
            head = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": metadata}
            self._client.apply({**head, "handler": runtime["handler"], "scheduling": selector})
        for node in nodes:
            label = (node["metadata"].get("labels") or {}).get(name)
            if label == "pending":
                self._finish(node, shim)
            elif label != "provisioned":  # `failed` as well, which is how that word goes away again
                self._label(node, name, "pending")
                self._job(node, name, "install", fails=self._fails(node, shim))

    def _fitting(self, node: Manifest, shim: Manifest) -> str | None:
        arch = node["status"]["nodeInfo"]["architecture"]
        platforms = shim["spec"]["fetchStrategy"]["platforms"]
        return next((str(one["location"]) for one in platforms if one["arch"] == arch), None)

    def _fails(self, node: Manifest, shim: Manifest) -> bool:
        location = self._fitting(node, shim)
        return node["metadata"]["name"] in self.failing or location is None or self.refused in location

    def _finish(self, node: Manifest, shim: Manifest) -> None:
        name, own = shim["metadata"]["name"], str(node["metadata"]["name"])
        job = self._client.get("Job", f"{own}-{name}-install", NAMESPACE)
        if job is None or job["metadata"]["uid"] not in self._running:
            return  # it has failed before, and is not made again
        fails = "activeDeadlineSeconds" in job["spec"]
        conditions = job.get("status", {}).get("conditions") or ()
        if fails and not any(one["type"] == "Failed" for one in conditions):
            return
        self._running.discard(job["metadata"]["uid"])
        if not fails:
            self._configured(own, name, self._fitting(node, shim))
        self._client.label("Node", own, {name: "failed" if fails else "provisioned"})

    def _delete(self, shim: Manifest, nodes: list[Manifest]) -> None:
        name = shim["metadata"]["name"]
        for node in nodes:
            marked = (node["metadata"].get("labels") or {}).get(name)
            if not marked:
                continue
            # An old Job of the same name makes applying it do nothing, and nothing takes the label off again.
            had = marked == "provisioned" and node["metadata"]["name"] not in self.stuck
            self._label(node, name, "uninstall")
            if self._job(node, name, "uninstall", fails=not had) and had:
                self._configured(str(node["metadata"]["name"]), name, None)
                self._label(node, name, None)
        for job in self._client.list("Job", labels=f"spinkube.dev/shimName={name},spinkube.dev/operation=install"):
            self._client.delete("Job", job["metadata"]["name"], NAMESPACE)  # owned by the Shim
        live = self._client.get("RuntimeClass", shim["spec"]["runtimeClass"]["name"])
        if live is not None and live["metadata"].get("ownerReferences"):
            self._client.delete("RuntimeClass", live["metadata"]["name"])
        self._client.merge("Shim", name, {"metadata": {"finalizers": None}})

    def _label(self, node: Manifest, name: str, value: str | None) -> None:
        self._client.label("Node", node["metadata"]["name"], {name: value})

    def _job(self, node: Manifest, name: str, operation: str, *, fails: bool = False) -> bool:
        job = f"{node['metadata']['name']}-{name}-{operation}"
        if self._client.get("Job", job, NAMESPACE) is not None:
            return False
        labels = {"spinkube.dev/shimName": name, "spinkube.dev/operation": operation}
        own = node["metadata"]["name"]
        pod = {"containers": [{"name": "provisioner", "image": "i"}], "restartPolicy": "Never", "nodeName": own}
        how = {"activeDeadlineSeconds": 1} if fails else {"suspend": True}
        made = self._client.apply(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": job, "namespace": NAMESPACE, "labels": labels},
                "spec": {**how, "template": {"spec": pod}},
            }
        )
        self._running.add(str(made["metadata"]["uid"]))
        if fails:
            self._job_failed(job)
        return True
