"""What a workload of the spec is made of in the cluster: Deployment or Job, Service, Secret. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aks_wasm.shims.labels import MANAGED_BY, MANAGER, NAME, PART_OF, owned
from aks_wasm.spec.models import SecretValue, Workload

NAMESPACE = "default"
SHIM_ANNOTATION = "aks-wasm.dev/shim"
SECRETS_ANNOTATION = "aks-wasm.dev/secrets"
_HASH_DIGITS = 10
_GUESS_COST = 300_000  # rounds; about 0.1 s
_GRACE_SECONDS = 5  # a WASI p1 module does not hear SIGTERM and takes the whole grace period (real-cluster.md 6)
_JOB_RETRIES = 2
_PROBE_SECONDS = 2
_SETTLED_SECONDS = 2

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Placement:
    """How the workload's shim wants it.

    Attributes:
        runtime_class: The RuntimeClass; None for an ordinary container.
        command: Replaces the image's entrypoint: `("/",)` for Spin applications; () leaves it.
        container_port: Where the process listens whatever the spec's `port`; None when it listens at `port`.
        environment: Set beside the workload's own, which wins.
        tolerations: Of the pods, where the RuntimeClass brings none.
    """

    runtime_class: str | None = None
    command: tuple[str, ...] = ()
    container_port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()


def labels_of(owner: str, name: str) -> dict[str, str]:
    """Return the labels that everything of a workload carries."""
    return {NAME: name, **owned(owner)}


def owned_by(owner: str) -> str:
    """Return the label selector for everything that is ours and of that cluster."""
    return f"{MANAGED_BY}={MANAGER},{PART_OF}={owner}"


def workload_manifests(
    workload: Workload,
    *,
    owner: str,
    placement: Placement,
    image: str,
    secrets: Mapping[str, str],
) -> list[Manifest]:
    """Return the objects of a workload, in the order in which they should be applied.

    Args:
        workload: As the spec has it.
        owner: The cluster's name; becomes the label `part-of`.
        placement: How the workload's shim wants it.
        image: The full reference.
        secrets: Environment name -> value, for what the spec takes from the caller's environment.
    """
    manifests = []
    if secrets:
        manifests.append(_secret(workload, owner, secrets))
    template = _template(workload, owner, placement, image, secrets)
    if workload.kind == "job":
        return [*manifests, _job(workload, owner, template)]
    manifests.append(_deployment(workload, owner, template))
    if workload.expose != "none":
        manifests.append(_service(workload, owner))
    return manifests


def _metadata(workload: Workload, owner: str, name: str) -> Manifest:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "labels": labels_of(owner, workload.name),
        "annotations": {SHIM_ANNOTATION: workload.shim},
    }


def secret_name(workload: Workload) -> str:
    """Return the name of the Secret that holds a workload's secret values."""
    return f"{workload.name}-env"


def _secret(workload: Workload, owner: str, secrets: Mapping[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(workload, owner, secret_name(workload)),
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in sorted(secrets.items())},
    }


def _template(workload: Workload, owner: str, placement: Placement, image: str, secrets: Mapping[str, str]) -> Manifest:
    annotations = {SHIM_ANNOTATION: workload.shim}
    if secrets:
        # Pods read a Secret once, when they start: a changed value has to change the template.
        annotations[SECRETS_ANNOTATION] = _secrets_mark(f"{owner}/{workload.name}", json.dumps(sorted(secrets.items())))
    spec: Manifest = {
        "containers": [_container(workload, placement, image)],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
    }
    if placement.runtime_class:
        spec["runtimeClassName"] = placement.runtime_class
        spec["terminationGracePeriodSeconds"] = _GRACE_SECONDS
    if placement.tolerations:
        spec["tolerations"] = [dict(toleration) for toleration in placement.tolerations]
    return {
        "metadata": {"labels": labels_of(owner, workload.name), "annotations": annotations},
        "spec": spec,
    }


def _container(workload: Workload, placement: Placement, image: str) -> Manifest:
    resources = {"cpu": workload.resources.cpu, "memory": workload.resources.memory}
    container: Manifest = {
        "name": workload.name,
        "image": image,
        "resources": {"requests": dict(resources), "limits": dict(resources)},
    }
    if placement.command:
        container["command"] = list(placement.command)
    if workload.args:
        container["args"] = list(workload.args)
    environment = [
        {"name": name, "value": value}
        for name, value in sorted(placement.environment.items())
        if name not in workload.env
    ] + [_variable(workload, name, value) for name, value in workload.env.items()]
    if environment:
        container["env"] = environment
    if workload.kind == "service" and workload.expose != "none":
        port = placement.container_port or workload.port
        container["ports"] = [{"name": "http", "containerPort": port, "protocol": "TCP"}]
        # A large component is compiled at each start, 10 s for 18 MB: no traffic before it listens.
        container["readinessProbe"] = {"tcpSocket": {"port": "http"}, "periodSeconds": _PROBE_SECONDS}
    return container


def _variable(workload: Workload, name: str, value: str | float | bool | SecretValue) -> Manifest:  # noqa: FBT001
    if isinstance(value, SecretValue):
        reference = {"name": secret_name(workload), "key": name}
        return {"name": name, "valueFrom": {"secretKeyRef": reference}}
    return {"name": name, "value": str(value).lower() if isinstance(value, bool) else str(value)}


def _deployment(workload: Workload, owner: str, template: Manifest) -> Manifest:
    spec = {
        "replicas": workload.replicas,
        "selector": {"matchLabels": {NAME: workload.name, PART_OF: owner}},
        "template": template,
    }
    if workload.expose == "none":  # no port to probe: what ends as soon as it has started must not count as ready
        spec["minReadySeconds"] = _SETTLED_SECONDS
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(workload, owner, workload.name),
        "spec": spec,
    }


def _job(workload: Workload, owner: str, template: Manifest) -> Manifest:
    template["spec"]["restartPolicy"] = "Never"
    spec = {
        "backoffLimit": _JOB_RETRIES,
        "completions": workload.replicas,
        "parallelism": workload.replicas,
        "template": template,
    }
    # A Job's template cannot be changed: a changed job is another Job, the older one is deleted by its label.
    name = f"{workload.name}-{_hash(spec)}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(workload, owner, name),
        "spec": spec,
    }


def _service(workload: Workload, owner: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(workload, owner, workload.name),
        "spec": {
            "type": "LoadBalancer" if workload.expose == "public" else "ClusterIP",
            "selector": {NAME: workload.name, PART_OF: owner},
            "ports": [{"name": "http", "port": workload.port, "targetPort": "http", "protocol": "TCP"}],
        },
    }


@cache
def _secrets_mark(salt: str, values: str) -> str:
    """Return what changes with the values; slow on purpose, since whoever reads Deployments could try guesses on it."""
    return hashlib.pbkdf2_hmac("sha256", values.encode(), salt.encode(), _GUESS_COST).hex()[:_HASH_DIGITS]


def _hash(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:_HASH_DIGITS]
