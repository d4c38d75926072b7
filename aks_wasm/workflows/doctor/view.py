"""One look at a cluster, and the questions that causes ask of it; nothing here asks the cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from aks_wasm.kube.sayings import Heard, hear
from aks_wasm.shims.installer import INSTALLER
from aks_wasm.shims.labels import COMPONENT, INSTALLED, MANAGED_BY, MANAGER, SHIMS, SYSTEM_NAMESPACE
from aks_wasm.shims.node_report import NodeReport
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import (
    Manifest,
    condition_of,
    container_statuses,
    controller_of,
    event_time,
    labels_of,
    name_of,
    node_of,
    place_of,
    quoted,
    shim_of,
)
from aks_wasm.workflows.doctor.ways import Ways

_EPOCH = datetime.fromtimestamp(0, UTC)
_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "CreateContainerError", "RunContainerError", "ErrImageNeverPull"}
_BEFORE_SANDBOX = {None, "ContainerCreating", "PodInitializing"}  # any other reason comes once there is a sandbox
_OURS = (SYSTEM_NAMESPACE, "spin-operator", "runtime-class-manager", "kwasm", "rcm")


@dataclass(frozen=True)
class Complaint:
    """What a pod's status, events or log say that keeps it from running.

    Attributes:
        pod: The pod.
        text: What is said.
        evidence: The same, with where it stands.
        heard: What it means, where the text is known.
    """

    pod: Manifest
    text: str
    evidence: str
    heard: Heard | None


@dataclass(frozen=True)
class View:
    """What was read of a cluster.

    Attributes:
        objects: By kind; a kind that the cluster does not have is absent.
        ways: How commands are written for it.
        now: When it was read.
        reports: By node: what the installer says of containerd there.
        logs: By namespace, pod and container: the last lines of containers that ended badly.
        pool_labels: By node pool: the labels that Azure has for it; None where nobody asked Azure.
    """

    objects: Mapping[str, tuple[Manifest, ...]]
    ways: Ways
    now: datetime
    reports: Mapping[str, NodeReport] = field(default_factory=dict)
    logs: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    pool_labels: Mapping[str, Mapping[str, str]] | None = None

    def of(self, kind: str) -> tuple[Manifest, ...]:
        """Return the objects of a kind."""
        return self.objects.get(kind, ())

    @cached_property
    def nodes(self) -> dict[str, Manifest]:
        """The nodes by name."""
        return {name_of(node): node for node in self.of("Node")}

    @cached_property
    def runtime_classes(self) -> dict[str, Manifest]:
        """The RuntimeClasses by name."""
        return {name_of(item): item for item in self.of("RuntimeClass")}

    @cached_property
    def _events(self) -> dict[str, list[Manifest]]:
        found: dict[str, list[Manifest]] = defaultdict(list)
        for event in self.of("Event"):
            found[str((event.get("involvedObject") or {}).get("uid"))].append(event)
        for events in found.values():
            events.sort(key=lambda event: event_time(event) or _EPOCH, reverse=True)
        return found

    def events_of(self, thing: Manifest, *reasons: str) -> list[Manifest]:
        """Return an object's warnings with one of these reasons, the newest first."""
        every = self._events.get(str(thing["metadata"].get("uid")), [])
        return [event for event in every if event.get("reason") in reasons]

    def handler_of(self, pod: Manifest) -> str | None:
        """Return the handler that a pod's RuntimeClass names; None without one."""
        named = pod.get("spec", {}).get("runtimeClassName")
        found = self.runtime_classes.get(named) if named else None
        return str(found.get("handler")) if found else None

    def is_wasm(self, pod: Manifest) -> bool:
        """Return whether a pod asks for a Wasm shim."""
        named = pod.get("spec", {}).get("runtimeClassName")
        return bool(named) and bool(shim_of(self.handler_of(pod) or "") or shim_of(str(named)))

    def concerns_us(self, pod: Manifest) -> bool:
        """Return whether a pod is Wasm, ours, or part of what carries Wasm; others have doctors of their own."""
        ours = labels_of(pod).get(MANAGED_BY) == MANAGER or pod["metadata"].get("namespace") in _OURS
        return ours or self.is_wasm(pod)

    def wasm_pods(self) -> Iterator[Manifest]:
        """Yield the pods that ask for a Wasm shim."""
        return (pod for pod in self.of("Pod") if self.is_wasm(pod))

    def installer_pods(self) -> Iterator[Manifest]:
        """Yield the pods of our installer."""
        for pod in self.of("Pod"):
            if pod["metadata"].get("namespace") == SYSTEM_NAMESPACE and labels_of(pod).get(COMPONENT) == INSTALLER:
                yield pod

    def marked_nodes(self) -> list[Manifest]:
        """Return the nodes on which our installer is to work."""
        return [node for node in self.nodes.values() if labels_of(node).get(SHIMS) == INSTALLED]

    def owner_of(self, pod: Manifest) -> tuple[str, str]:
        """Return kind and name of what keeps a pod: its Deployment, Job, DaemonSet, else the pod itself."""
        reference = controller_of(pod)
        if reference is None:
            return "Pod", name_of(pod)
        if reference["kind"] == "ReplicaSet":
            above = self._owners.get(str(reference.get("uid")))
            return above or (reference["kind"], reference["name"])
        return str(reference["kind"]), str(reference["name"])

    @cached_property
    def _owners(self) -> dict[str, tuple[str, str]]:
        owners = {}
        for item in self.of("ReplicaSet"):
            reference = controller_of(item)
            if reference is not None:
                owners[str(item["metadata"].get("uid"))] = (str(reference["kind"]), str(reference["name"]))
        return owners

    @cached_property
    def _controllers(self) -> dict[str, Manifest]:
        return {str(item["metadata"].get("uid")): item for kind in ("ReplicaSet", "Job") for item in self.of(kind)}

    def is_past(self, pod: Manifest) -> bool:
        """Return whether a pod failed and what keeps it has gone on without it: another one did the work."""
        reference = controller_of(pod)
        keeper = self._controllers.get(str(reference.get("uid"))) if reference else None
        if keeper is None or pod.get("status", {}).get("phase") != "Failed":
            return False
        if keeper.get("kind") == "Job":
            return condition_of(keeper, "Complete").get("status") == "True"
        return int(keeper.get("status", {}).get("readyReplicas", 0)) >= int(keeper.get("spec", {}).get("replicas", 1))

    def finding(
        self,
        pod: Manifest,
        code: str,
        message: str,
        *,
        evidence: str,
        command: str,
        demand: int | None = None,
    ) -> Finding:
        """Return a finding about a pod; those of pods that the same thing keeps are told together."""
        return Finding(
            code,
            message,
            place_of(pod),
            node=node_of(pod),
            demand=demand,
            evidence=evidence,
            command=command,
            group="/".join([str(pod["metadata"].get("namespace")), *self.owner_of(pod)]),
        )

    def log_of(self, pod: Manifest, container: str) -> str:
        """Return the last lines of a container that ended badly; empty when they were not read."""
        return self.logs.get((str(pod["metadata"].get("namespace")), name_of(pod), container), "")

    @cached_property
    def complaints(self) -> list[Complaint]:
        """What every pod that is not well says, one for each meaning."""
        ill = [pod for pod in self.of("Pod") if not is_well(pod) and not self.is_past(pod)]
        return [complaint for pod in ill for complaint in self._complaints(pod)]

    def heard(self, *codes: str) -> Iterator[tuple[Complaint, Heard]]:
        """Yield the complaints with one of these meanings."""
        for complaint in self.complaints:
            if complaint.heard is not None and complaint.heard.code in codes:
                yield complaint, complaint.heard

    def _complaints(self, pod: Manifest) -> list[Complaint]:
        found: dict[str, Complaint] = {}
        for text, evidence in self._texts(pod):
            heard = hear(text)
            found.setdefault(heard.code if heard else "", Complaint(pod, text, evidence, heard))
        return [complaint for code, complaint in found.items() if code]

    def _texts(self, pod: Manifest) -> Iterator[tuple[str, str]]:
        """Yield what is said of a pod, the most direct first; events only where they still hold."""
        waits = set()
        for status in container_statuses(pod):
            name = str(status.get("name"))
            for state in (status.get("state") or {}, status.get("lastState") or {}):
                for kind in ("waiting", "terminated"):
                    said = state.get(kind) or {}
                    if said.get("message"):
                        yield str(said["message"]), f"container {name} {kind}: {said.get('reason')}: {said['message']}"
            waits.add(((status.get("state") or {}).get("waiting") or {}).get("reason"))
            log = self.log_of(pod, name)
            for line in log.splitlines():
                yield line, f"log of container {name}: {line}"
        reasons = ["FailedSync", "Unhealthy"]
        if pod.get("status", {}).get("phase") == "Pending" and waits <= _BEFORE_SANDBOX:
            reasons.append("FailedCreatePodSandBox")
        if waits & _IMAGE_REASONS:
            reasons.append("Failed")
        for event in self.events_of(pod, *reasons):
            yield str(event.get("message", "")), quoted(event)


def is_well(pod: Manifest) -> bool:
    """Return whether a pod runs and is ready, has completed, or is on its way out."""
    phase = pod.get("status", {}).get("phase")
    going = pod["metadata"].get("deletionTimestamp") is not None
    ready: Any = condition_of(pod, "Ready").get("status") == "True"
    return bool(going or phase == "Succeeded" or (phase == "Running" and ready))
